//! Training as a stage: one resumable task, whose weights get a tag.

use std::path::{Path, PathBuf};

use segbench_benchmark::WeightsSource;
use segbench_datasets::PreparedDataset;
use segbench_targets::Scheme;
use segbench_training::{ClassWeights, TrainOptions, train};
use segbench_types::{Progress, Task, TrainingSummary};
use serde::{Deserialize, Serialize};

use super::class_weights::{TRAIN, frequencies};
use super::train_progress::StepsOnly;
use super::{Outcome, Stage, Work};
use crate::config::TrainConfig;
use crate::task::Plan;
use crate::{Error, Project, StoredWeights};

/// Trains a model on a data set.
#[derive(Debug, Clone)]
pub struct TrainStage {
    /// Architecture with preset.
    pub model: String,
    /// How it is trained.
    pub config: TrainConfig,
    /// What to do with the checkpoint of an earlier training of the same tag.
    pub start: Start,
}

/// What to do with the checkpoint of an earlier training of the same tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Remove it.
    Anew,
    /// Go on from it; other settings than its own are an error.
    Resume,
    /// Go on from it if its settings are the same, remove it otherwise.
    ResumeIfSame,
}

/// A training as it stands in a plan file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainJob {
    /// Architecture with preset.
    pub model: String,
    /// Everything else that determines the weights.
    pub options: TrainOptions,
    /// Folder of all data.
    pub root: PathBuf,
    /// Data set.
    pub dataset: String,
    /// SHA-256 of the manifest that was planned with.
    pub manifest_sha256: String,
    /// Folder of checkpoint, log and weights.
    pub out_dir: PathBuf,
}

/// What a training leaves.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Trained {
    pub(super) weights: PathBuf,
    miou: Option<f64>,
}

impl TrainJob {
    /// The hash over everything that determines the weights.
    fn key(&self) -> String {
        /// Raised by hand whenever the same settings give other weights.
        const VERSION: u32 = 1;
        let parts =
            serde_json::json!([VERSION, self.model, self.dataset, self.manifest_sha256, self.options]);
        segbench_storage::sha256_bytes(parts.to_string().as_bytes())
    }

    /// Trains, from the checkpoint if there is one to go on from.
    pub(super) fn run(&self, task: &dyn Task) -> Result<Trained, Error> {
        let dataset = PreparedDataset::open(&self.root, &self.dataset)?;
        let outcome =
            train(&self.options, &self.model, &dataset, &self.out_dir, true, &StepsOnly::new(task))?;
        Ok(Trained { weights: outcome.weights, miou: outcome.miou })
    }
}

impl TrainStage {
    /// The tag of the weights: `<model>.<data set>[.<note>]`.
    pub fn tag(&self) -> String {
        let note = self.config.note.as_ref().map_or(String::new(), |note| format!(".{note}"));
        format!("{}.{}{note}", self.model, self.config.dataset)
    }

    fn options(&self, dataset: &PreparedDataset) -> Result<TrainOptions, Error> {
        let config = &self.config;
        let mut options = TrainOptions::default();
        if let Some((key, message)) = config.problems().into_iter().next() {
            return Err(Error::Usage {
                message: format!("{key}: {message}"),
                help: "segbench train --help".into(),
            });
        }
        let set = |value: &mut u64, given: Option<u64>| *value = given.unwrap_or(*value);
        set(&mut options.steps, config.steps);
        set(&mut options.seed, config.seed);
        set(&mut options.validate_every, config.validate_every);
        options.loss = match &config.loss {
            Some(loss) => loss.clone(),
            None => segbench_models::zoo::find(&self.model)?.loss(),
        };
        options.batch = config.batch.unwrap_or(options.batch);
        options.crop = config.crop.map_or(options.crop, |crop| [crop.height, crop.width]);
        options.scale = config.scale.unwrap_or(options.scale);
        options.learning_rate = config.learning_rate.unwrap_or(options.learning_rate);
        if let Some(name) = &config.class_weights {
            let scheme = Scheme::parse(name)?;
            if !scheme.fits(dataset.info.catalog.names()) {
                return Err(segbench_targets::Error::OtherClasses { scheme: scheme.name() }.into());
            }
            let weights = scheme.weights(&frequencies(dataset, TRAIN)?);
            // A class that the train split lacks has no pixels that its weight could act on.
            let weights = weights.iter().map(|weight| weight.unwrap_or(0.0) as f32).collect();
            options.class_weights = Some(ClassWeights { scheme: name.clone(), weights });
        }
        Ok(options)
    }

    fn summary(&self, options: &TrainOptions) -> TrainingSummary {
        TrainingSummary {
            dataset: self.config.dataset.clone(),
            loss: options.loss.to_string(),
            class_weights: self.config.class_weights.clone(),
            steps: options.steps,
            seed: options.seed,
        }
    }
}

impl Stage for TrainStage {
    fn name(&self) -> String {
        format!("train {}", self.tag())
    }

    fn reads(&self, project: &Project) -> Vec<String> {
        vec![project.prepared(&self.config.dataset).display().to_string()]
    }

    fn writes(&self, project: &Project) -> Vec<String> {
        vec![
            project.training(&self.tag()).display().to_string(),
            project.root.join("weights").join("<sha256>.safetensors").display().to_string(),
        ]
    }

    fn needs(&self, _: &Project) -> Vec<String> {
        Vec::new()
    }

    fn makes(&self) -> Option<String> {
        Some(super::weights(&self.tag()))
    }

    fn takes(&self) -> Vec<String> {
        vec![super::dataset(&self.config.dataset)]
    }

    fn run(&self, project: &Project, progress: &dyn Progress) -> Result<Outcome, Error> {
        let dataset = PreparedDataset::open(&project.root, &self.config.dataset)?;
        let options = self.options(&dataset)?;
        let tag = self.tag();
        let job = TrainJob {
            model: self.model.clone(),
            options: options.clone(),
            root: project.root.clone(),
            dataset: self.config.dataset.clone(),
            manifest_sha256: dataset.manifest_sha256().into(),
            out_dir: project.training(&tag),
        };
        let key = job.key();
        let out_dir = job.out_dir.clone();
        let (begun, done) = (out_dir.join("begun.json"), out_dir.join("done.json"));
        let is = |file: &Path| segbench_storage::read_json::<String>(file).is_ok_and(|old| old == key);
        let store = project.weights();
        let place = project.job("train", &tag, &key);
        if is(&done)
            && self.start != Start::Anew
            && let Ok(stored) = store.resolve(&tag)
        {
            // A run that was killed at its very end leaves the job.
            place.remove()?;
            return Ok(Outcome::UpToDate(format!("`{}` ({}): up to date", stored.tag, stored.sha256)));
        }
        if self.start == Start::Anew || self.start == Start::ResumeIfSame && !is(&begun) {
            segbench_storage::remove_dir(&out_dir)?;
            place.remove()?;
        }
        // Another training overwrites the weights that an unfinished one counts on.
        place.remove_others()?;
        // A checkpoint that cannot be resumed stays that of the training it came from.
        if self.start != Start::Resume || !begun.is_file() {
            segbench_storage::write_json(&begun, &key)?;
        }
        let plan = Plan::create(&place.dir(), &key, Work::Train(Box::new(job)))?;
        plan.run_pending(&self.name(), progress)?;
        let trained: Vec<Trained> = plan.merge()?;
        let trained =
            trained.into_iter().next().ok_or(Error::Gap { plan: plan.path().into(), index: 0, total: 1 })?;
        let card = StoredWeights {
            tag,
            model: self.model.clone(),
            sha256: String::new(),
            classes: dataset.info.catalog.len(),
            val_miou: trained.miou.map(|miou| miou * 100.0),
            training: Some(self.summary(&options)),
            path: None,
        };
        let curve = segbench_training::curve(&out_dir)?;
        let stored = store.add(&trained.weights, card)?;
        if let Some(path) = &stored.path {
            segbench_tables::write_curve(&WeightsSource::curve_beside(path), &curve)?;
        }
        segbench_storage::write_json(&done, &key)?;
        place.remove()?;
        let miou = stored.val_miou.map_or(String::new(), |miou| format!(", val mIoU {miou:.2}"));
        Ok(Outcome::Done(format!("`{}`{miou}: {}", stored.tag, stored.sha256)))
    }
}
