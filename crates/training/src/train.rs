//! The training loop.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Instant;

use candle_core::{Device, Tensor};
use segbench_datasets::PreparedDataset;
use segbench_losses::{Recipe, Target};
use segbench_models::{Input, Labels, SegOutput, Segmentor, zoo};
use segbench_nn::Context;
use segbench_nn::ops::resize_bilinear;
use segbench_nn::weights::Parameters;
use segbench_transforms::Normalization;
use segbench_types::{IGNORE, ImageRecord, Progress, Task};

use crate::checkpoint::{self, State};
use crate::data::{Batch, Examples, labelled};
use crate::log::{Log, LogRecord};
use crate::optimizer::AdamW;
use crate::output::{ClassResult, TrainingCard, write_weights};
use crate::schedule::learning_rate;
use crate::validation::{Validation, validate};
use crate::{Error, TrainOptions};

/// Batches that are prepared ahead of the step that needs them.
const PREPARED: usize = 2;

/// What a training left behind.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainOutcome {
    /// The weights after the last step, as `last.safetensors` with a card beside it.
    pub weights: PathBuf,
    /// The weights with the highest validation mIoU, as `best.safetensors`; none without a validation split.
    pub best_weights: Option<PathBuf>,
    /// Optimizer steps, those before a resume included.
    pub steps: u64,
    /// Steps that a checkpoint already had.
    pub resumed_from: u64,
    /// Mean IoU of `weights` on the validation split, as a fraction.
    pub miou: Option<f64>,
    /// Mean IoU of `best_weights`, as a fraction.
    pub best_miou: Option<f64>,
    /// Where the time went.
    pub timings: Timings,
}

/// Wall times of this process, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Timings {
    /// Waiting for batches.
    pub data: f64,
    /// Logits and loss.
    pub forward: f64,
    /// Gradients.
    pub backward: f64,
    /// Norm of the gradient and the step of the optimizer.
    pub optimizer: f64,
    /// Validation.
    pub validation: f64,
    /// Checkpoints and weights.
    pub writing: f64,
}

/// Trains `model` on the train split of `dataset`, on the CPU, and writes into `folder`: `checkpoint.safetensors`, `log.jsonl`,
/// `log.csv`, and `last` and `best` weights with their cards.
///
/// With `resume` it goes on from the checkpoint in `folder`, if there is one; without, it starts over and removes what an earlier
/// training left there.
///
/// # Errors
/// [`Error::Options`] before anything is written; [`Error::OtherTraining`] for a checkpoint of other settings;
/// [`Error::NotFinite`] when the loss or the gradient overflows, with the last checkpoint kept; and those of the data set, the
/// model and the file system.
pub fn train(
    options: &TrainOptions,
    model: &str,
    dataset: &PreparedDataset,
    folder: &Path,
    resume: bool,
    progress: &dyn Progress,
) -> Result<TrainOutcome, Error> {
    let classes = dataset.info.catalog.len();
    options.validate(classes)?;
    let model = zoo::find(model)?;
    let preprocessing = model.card().preprocessing;
    let normalization = Normalization { mean: preprocessing.mean, std: preprocessing.std };
    let input = model.input();
    let examples = Examples::new(dataset, options, normalization, input)?;
    let recipe = options.loss.build(Some(classes))?;
    let parameters = Parameters::new(options.seed);
    let network = model.build(model.spec(classes), parameters.var_builder(&Device::Cpu))?;
    let mut optimizer = AdamW::new(&parameters);
    let mut state = State {
        model: model.name(),
        dataset: dataset.info.name.clone(),
        manifest_sha256: dataset.manifest_sha256().to_owned(),
        options: options.clone(),
        step: 0,
        loss_sum: 0.0,
        last: None,
        best: None,
    };
    if resume {
        match checkpoint::resume(folder, &parameters, &mut optimizer, &state)? {
            Some(found) => state = State { options: options.clone(), ..found },
            None => progress.note("there is no checkpoint yet: training starts at step 1"),
        }
    } else {
        remove_earlier(folder)?;
    }
    segbench_storage::create_dir(folder)?;
    segbench_storage::remove_temporaries(folder)?;
    let mut training = Training {
        options,
        dataset,
        folder,
        progress,
        normalization,
        input,
        network: network.as_ref(),
        recipe,
        parameters: &parameters,
        validation: labelled(dataset, "val"),
        log: Log::open(folder, state.step)?,
        resumed_from: state.step,
        optimizer,
        state,
        timings: Timings::default(),
    };
    training.run(&examples)?;
    training.finish()
}

/// Removes the files of an earlier training, the checkpoint first: without it, the rest means nothing.
fn remove_earlier(folder: &Path) -> Result<(), Error> {
    let names = ["best.json", "best.safetensors", "last.json", "last.safetensors"];
    for path in std::iter::once(checkpoint::path(folder)).chain(names.map(|name| folder.join(name))) {
        match std::fs::remove_file(&path) {
            Err(err) if err.kind() != std::io::ErrorKind::NotFound => {
                return Err(segbench_storage::Error::writing(&path, err).into());
            }
            _ => {}
        }
    }
    Ok(())
}

struct Training<'a> {
    options: &'a TrainOptions,
    dataset: &'a PreparedDataset,
    folder: &'a Path,
    progress: &'a dyn Progress,
    normalization: Normalization,
    input: Input,
    network: &'a dyn Segmentor,
    recipe: Recipe,
    parameters: &'a Parameters,
    validation: Vec<&'a ImageRecord>,
    log: Log,
    resumed_from: u64,
    optimizer: AdamW,
    state: State,
    timings: Timings,
}

/// What the log says about the last step.
struct StepResult {
    loss: f64,
    grad_norm: f64,
    learning_rate: f64,
    /// Only on steps that the log shows.
    accuracy: Option<f64>,
}

impl Training<'_> {
    fn run(&mut self, examples: &Examples<'_>) -> Result<(), Error> {
        let (first, steps) = (self.state.step, self.options.steps);
        let name = format!("training {} on {}", self.state.model, self.state.dataset);
        let task = self.progress.start(&name, steps);
        task.advance(first);
        std::thread::scope(|scope| {
            let (sender, batches) = sync_channel(PREPARED);
            scope.spawn(move || {
                for step in first..steps {
                    let batch = examples.batch(step);
                    let failed = batch.is_err();
                    // Nobody receives any more when a step failed.
                    if sender.send(batch).is_err() || failed {
                        return;
                    }
                }
            });
            self.steps(&batches, task.as_ref())
        })
    }

    fn steps(&mut self, batches: &Receiver<Result<Batch, Error>>, task: &dyn Task) -> Result<(), Error> {
        let mut since = (Instant::now(), self.state.step);
        loop {
            let waiting = Instant::now();
            // The sender ends after the last step.
            let Ok(batch) = batches.recv() else { return Ok(()) };
            self.timings.data += waiting.elapsed().as_secs_f64();
            let step = self.state.step + 1;
            let due = |every: u64| step == self.options.steps || every > 0 && step.is_multiple_of(every);
            let (to_log, to_validate, to_save) = (
                due(self.options.log_every),
                due(self.options.validate_every),
                due(self.options.checkpoint_every),
            );
            let result = self.step(&batch?, to_log)?;
            self.state.step = step;
            self.state.loss_sum += result.loss;
            if to_log {
                let passed = (step - 1) % self.options.log_every + 1;
                let (seconds, steps) = (since.0.elapsed().as_secs_f64(), step - since.1);
                let loss = self.state.loss_sum / passed as f64;
                let rate = steps as f64 * self.options.batch as f64 / seconds.max(1e-9);
                self.log.write(&LogRecord {
                    step,
                    lr: Some(result.learning_rate),
                    loss: Some(loss),
                    acc_seg: result.accuracy,
                    grad_norm: Some(result.grad_norm),
                    images_per_second: Some(rate),
                    time: seconds / steps.max(1) as f64,
                    ..LogRecord::default()
                })?;
                task.message(&self.message(loss, rate));
                self.state.loss_sum = 0.0;
                since = (Instant::now(), step);
            }
            let pause = Instant::now();
            if to_validate {
                self.validate()?;
            }
            if to_save {
                self.save()?;
            }
            since.0 += pause.elapsed();
            task.advance(1);
        }
    }

    fn message(&self, loss: f64, rate: f64) -> String {
        let miou = self.state.last.as_ref().and_then(|validation| validation.miou);
        let miou = miou.map_or(String::new(), |miou| format!(" miou {:.1}", 100.0 * miou));
        format!("loss {loss:.3}{miou} {rate:.1} img/s")
    }

    fn step(&mut self, batch: &Batch, with_accuracy: bool) -> Result<StepResult, Error> {
        let index = self.state.step;
        let learning_rate = learning_rate(self.options, index);
        let start = Instant::now();
        let output = self.network.forward(&batch.images, &Context::train(self.options.seed, index))?;
        let loss = self.loss(&output, &batch.target)?;
        let value = f64::from(loss.to_scalar::<f32>()?);
        self.check(value, "loss", learning_rate)?;
        let forward = Instant::now();
        let gradients = loss.backward()?;
        let backward = Instant::now();
        let grad_norm = self.optimizer.gradient_norm(&gradients)?;
        self.check(grad_norm, "gradient", learning_rate)?;
        self.optimizer.step(&gradients, self.options, index + 1, learning_rate, grad_norm)?;
        self.timings.forward += (forward - start).as_secs_f64();
        self.timings.backward += (backward - forward).as_secs_f64();
        self.timings.optimizer += backward.elapsed().as_secs_f64();
        let accuracy = if with_accuracy { self.accuracy(&output, &batch.target)? } else { None };
        Ok(StepResult { loss: value, grad_norm, learning_rate, accuracy })
    }

    /// The loss of the logits resized to the labels, of those of auxiliary heads, and the network's own. Logits of volumes have the
    /// labels' size.
    fn loss(&self, output: &SegOutput, target: &Target) -> Result<Tensor, Error> {
        let target = &match &self.options.class_weights {
            Some(given) => target.clone().with_class_weights(&given.weights),
            None => target.clone(),
        };
        let last = self.options.steps.saturating_sub(1).max(1);
        let progress = self.state.step as f64 / last as f64;
        let of = |logits: &Tensor| -> Result<Tensor, Error> {
            let logits = match self.input {
                Input::Image => {
                    &resize_bilinear(logits, target.height(), target.width(), self.network.align_corners())?
                }
                Input::Volume => logits,
            };
            Ok(self.recipe.forward(logits, target, progress)?)
        };
        let mut loss = of(&output.logits)?;
        for logits in &output.auxiliary {
            loss = (loss + (of(logits)? * self.network.auxiliary_weight())?)?;
        }
        let labels = Labels { values: target.labels(), height: target.height(), width: target.width() };
        if let Some(own) = self.network.own_loss(output, &labels)? {
            loss = (loss + own)?;
        }
        Ok(loss)
    }

    fn check(&self, value: f64, what: &'static str, learning_rate: f64) -> Result<(), Error> {
        if value.is_finite() {
            return Ok(());
        }
        let checkpoint = Some(checkpoint::path(self.folder)).filter(|path| path.exists());
        Err(Error::NotFinite { what, step: self.state.step + 1, learning_rate, checkpoint })
    }

    fn accuracy(&self, output: &SegOutput, target: &Target) -> Result<Option<f64>, Error> {
        let [depth, height, width] = target.grid().size();
        let predicted = self.network.labels(output, (depth * height, width))?;
        let predicted = predicted.iter().flat_map(|map| map.as_slice());
        let labelled = target.labels().iter().zip(predicted).filter(|(label, _)| **label != IGNORE);
        let (right, all) = labelled.fold((0_u64, 0_u64), |(right, all), (label, predicted)| {
            (right + u64::from(label == predicted), all + 1)
        });
        Ok((all > 0).then(|| right as f64 / all as f64))
    }

    fn validate(&mut self) -> Result<(), Error> {
        if self.validation.is_empty() {
            return Ok(());
        }
        let start = Instant::now();
        let step = self.state.step;
        let found = validate(
            self.network,
            self.input,
            self.dataset,
            &self.validation,
            &self.normalization,
            step,
            self.progress,
        )?;
        let time = start.elapsed().as_secs_f64();
        self.timings.validation += time;
        let names = self.dataset.info.catalog.names().map(str::to_owned);
        self.log.write(&LogRecord {
            step,
            miou: found.miou,
            pixel_accuracy: found.pixel_accuracy,
            mean_recall: found.mean_recall,
            iou: names.zip(found.classes.iter().copied()).collect(),
            time,
            ..LogRecord::default()
        })?;
        let best = self.state.best.as_ref().and_then(|best| best.miou);
        if found.miou > best {
            self.write_weights("best", Some(&found))?;
            self.state.best = Some(found.clone());
        }
        self.state.last = Some(found);
        Ok(())
    }

    fn save(&mut self) -> Result<(), Error> {
        let start = Instant::now();
        checkpoint::write(self.folder, self.parameters, &self.optimizer, &self.state)?;
        self.timings.writing += start.elapsed().as_secs_f64();
        Ok(())
    }

    fn write_weights(&mut self, name: &str, validation: Option<&Validation>) -> Result<PathBuf, Error> {
        let start = Instant::now();
        let catalog = &self.dataset.info.catalog;
        let classes = validation.map_or(&[][..], |validation| &validation.classes);
        let card = TrainingCard {
            model: self.state.model.clone(),
            dataset: self.state.dataset.clone(),
            loss: self.options.loss.to_string(),
            class_weights: self.options.class_weights.as_ref().map(|given| given.scheme.clone()),
            steps: self.state.step,
            seed: self.options.seed,
            manifest_sha256: self.state.manifest_sha256.clone(),
            options: self.options.clone(),
            miou: validation.and_then(|validation| validation.miou),
            classes: catalog
                .names()
                .zip(classes)
                .map(|(name, &iou)| ClassResult { name: name.to_owned(), iou })
                .collect(),
        };
        let path = write_weights(self.folder, name, &self.parameters.tensors(), &card)?;
        self.timings.writing += start.elapsed().as_secs_f64();
        Ok(path)
    }

    fn finish(mut self) -> Result<TrainOutcome, Error> {
        let last = self.state.last.clone();
        let weights = self.write_weights("last", last.as_ref())?;
        let best_miou = self.state.best.as_ref().and_then(|best| best.miou);
        Ok(TrainOutcome {
            weights,
            best_weights: self.state.best.is_some().then(|| self.folder.join("best.safetensors")),
            steps: self.state.step,
            resumed_from: self.resumed_from,
            miou: last.and_then(|validation| validation.miou),
            best_miou,
            timings: self.timings,
        })
    }
}
