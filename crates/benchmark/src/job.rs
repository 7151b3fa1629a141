//! One benchmark run, cut into tasks that can be run anywhere.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use segbench_datasets::PreparedDataset;
use segbench_models::{Input, zoo};
use segbench_tables::LatencyRow;
use segbench_transforms::Normalization;
use segbench_types::{Accuracy, Protocol, RunRecord, Speed, SpeedPoint, Task, Timing};
use serde::{Deserialize, Serialize};

use crate::accuracy::{self, Shard};
use crate::machine::environment;
use crate::{Error, Predictor, WeightsSource, seal, speed};

/// Raised by hand whenever the results of a run change.
const VERSION: u32 = 3;
/// Raised by hand whenever the tables or the record of a run change; `docs/files.md` says how.
const RECORD_SCHEMA: u32 = 3;
/// The course of the training, in the folder of a run.
const CURVE: &str = "curve.parquet";
/// Images per task: enough to be worth loading a network for, few enough to lose little when one is killed.
const SHARD: usize = 32;

/// How speed is measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpeedOptions {
    /// Heights and widths of the input; empty for the most frequent image size of the split.
    pub sizes: Vec<[u32; 2]>,
    /// Images per query.
    pub batches: Vec<u32>,
    /// Longest time for everything together, in seconds.
    pub seconds: f64,
}

/// One model on one split under one protocol.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// Architecture with preset.
    pub model: String,
    /// Its weights.
    pub weights: WeightsSource,
    /// Folder of all data (`data`).
    pub root: PathBuf,
    /// Data set.
    pub dataset: String,
    /// SHA-256 of the manifest that was planned with.
    pub manifest_sha256: String,
    /// Split.
    pub split: String,
    /// Protocol.
    pub protocol: Protocol,
    /// Device by name.
    pub device: String,
    /// Only the first so many images.
    pub limit: Option<usize>,
    /// Whether accuracy is measured.
    pub accuracy: bool,
    /// Whether and how speed is measured.
    pub speed: Option<SpeedOptions>,
    /// Folder of all runs (`reports/runs`).
    pub runs_dir: PathBuf,
    #[serde(skip)]
    opened: OnceLock<PreparedDataset>,
    #[serde(skip)]
    loaded: OnceLock<Loaded>,
}

struct Loaded {
    predictor: Predictor,
    normalization: Normalization,
    parameters: u64,
}

/// What one task found out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskResult {
    /// A shard of images was evaluated.
    Accuracy(Shard),
    /// Speed was measured.
    Speed {
        /// One per size and batch.
        points: Vec<SpeedPoint>,
        /// Every query.
        latencies: Vec<(u32, u32, u32, u32, f64)>,
        /// `VALID`, or `INVALID` with reasons.
        validity: String,
        /// How long it took.
        seconds: f64,
    },
}

impl Job {
    /// Plans a run; nothing is loaded yet.
    pub fn new(
        model: &str,
        weights: WeightsSource,
        dataset: &PreparedDataset,
        root: &Path,
        split: &str,
        protocol: Protocol,
        device: &str,
        runs_dir: &Path,
    ) -> Self {
        Self {
            model: model.into(),
            weights,
            root: root.into(),
            dataset: dataset.info.name.clone(),
            manifest_sha256: dataset.manifest_sha256().into(),
            split: split.into(),
            protocol,
            device: device.into(),
            limit: None,
            accuracy: true,
            speed: None,
            runs_dir: runs_dir.into(),
            opened: OnceLock::new(),
            loaded: OnceLock::new(),
        }
    }

    /// The hash over everything that determines the result.
    pub fn key(&self) -> String {
        // A speed is a property of the machine, so a run that measures it is a run on that machine.
        let machine = self.speed.as_ref().map(|speed| (speed, environment().hardware, environment().threads));
        let parts = serde_json::json!({
            "version": VERSION,
            "model": self.model,
            "weights": self.weights.sha256,
            "tag": self.weights.tag,
            "manifest": self.manifest_sha256,
            "dataset": self.dataset,
            "split": self.split,
            "protocol": self.protocol,
            "device": self.device,
            "limit": self.limit,
            "accuracy": self.accuracy,
            "speed": machine,
        });
        segbench_storage::sha256_bytes(parts.to_string().as_bytes())
    }

    /// First 12 hex digits of the key.
    pub fn run_id(&self) -> String {
        self.key()[..12].to_owned()
    }

    /// Where the run is written.
    pub fn run_dir(&self) -> PathBuf {
        self.runs_dir.join(self.run_id())
    }

    /// Whether the run is there already: the record is written last.
    pub fn is_done(&self) -> bool {
        self.run_dir().join("record.json").is_file()
    }

    /// Number of tasks: shards of images, then one for speed.
    ///
    /// # Errors
    /// [`Error::Datasets`] if the data set cannot be opened, [`Error::NothingToEvaluate`] if no image of the split has labels.
    pub fn task_count(&self) -> Result<usize, Error> {
        Ok(self.shards()? + usize::from(self.speed.is_some()))
    }

    /// Number of steps for a progress bar: images, and one for speed.
    ///
    /// # Errors
    /// As [`Job::task_count`].
    pub fn steps(&self) -> Result<u64, Error> {
        let (labelled, _) = accuracy::selection(self.dataset()?, &self.split, self.limit)?;
        Ok(if self.accuracy { labelled.len() as u64 } else { 0 } + u64::from(self.speed.is_some()))
    }

    fn shards(&self) -> Result<usize, Error> {
        if !self.accuracy {
            return Ok(0);
        }
        let (labelled, _) = accuracy::selection(self.dataset()?, &self.split, self.limit)?;
        Ok(labelled.len().div_ceil(SHARD))
    }

    /// Runs one task, which advances after every image.
    ///
    /// # Errors
    /// Whatever can go wrong with data, weights and device; the message names the file.
    pub fn run_task(&self, index: usize, task: &dyn Task) -> Result<TaskResult, Error> {
        let (dataset, loaded) = (self.dataset()?, self.loaded()?);
        if index < self.shards()? {
            let (labelled, _) = accuracy::selection(dataset, &self.split, self.limit)?;
            let first = index * SHARD;
            let last = (first + SHARD).min(labelled.len());
            let shard = accuracy::evaluate(
                dataset,
                &labelled,
                first..last,
                &loaded.predictor,
                &self.protocol.inference,
                &self.run_dir(),
                task,
            )?;
            return Ok(TaskResult::Accuracy(shard));
        }
        let options = self
            .speed
            .as_ref()
            .ok_or_else(|| Error::BadResults { reason: format!("there is no task {index}") })?;
        let sizes = match options.sizes.as_slice() {
            [] => vec![accuracy::usual_size(dataset, &self.split)?],
            _ if loaded.predictor.input() == Input::Volume => {
                return Err(Error::SizeOfVolumes { model: self.model.clone() });
            }
            sizes => sizes.to_vec(),
        };
        let measured = speed::measure(
            &loaded.predictor,
            dataset,
            &self.split,
            &loaded.normalization,
            &sizes,
            &options.batches,
            options.seconds,
        )?;
        task.advance(1);
        Ok(measured)
    }

    /// Whether the predictions that a result speaks of are there.
    pub fn holds(&self, result: &TaskResult) -> bool {
        match result {
            TaskResult::Accuracy(shard) => {
                shard.images.iter().all(|image| accuracy::prediction(&self.run_dir(), &image.id).is_file())
            }
            TaskResult::Speed { .. } => true,
        }
    }

    fn dataset(&self) -> Result<&PreparedDataset, Error> {
        if let Some(dataset) = self.opened.get() {
            return Ok(dataset);
        }
        let dataset = PreparedDataset::open(&self.root, &self.dataset)?;
        Ok(self.opened.get_or_init(|| dataset))
    }

    fn loaded(&self) -> Result<&Loaded, Error> {
        if let Some(loaded) = self.loaded.get() {
            return Ok(loaded);
        }
        let device = segbench_nn::device::select(&self.device)?;
        let model = zoo::find(&self.model)?;
        let (network, _, classes) = model.load(self.weights.tensors(&device)?, &device)?;
        let expected = self.dataset()?.info.catalog.len();
        if classes != expected {
            return Err(Error::ClassesDiffer {
                weights: self.weights.tag.clone(),
                dataset: self.dataset.clone(),
                got: classes,
                expected,
            });
        }
        let preprocessing = model.card().preprocessing;
        let normalization = Normalization { mean: preprocessing.mean, std: preprocessing.std };
        let parameters = model.inventory(model.spec(classes))?.parameters();
        let predictor = Predictor::new(network, normalization, classes, model.input(), device);
        Ok(self.loaded.get_or_init(|| Loaded { predictor, normalization, parameters }))
    }

    /// Puts the results of all tasks, in their order, together and writes the run; the record comes last.
    ///
    /// # Errors
    /// [`Error::BadResults`] if they are not the results of this job's tasks; [`Error::Tables`] or [`Error::Storage`] if they cannot
    /// be written.
    pub fn finish(&self, results: Vec<TaskResult>) -> Result<RunRecord, Error> {
        let (dataset, loaded) = (self.dataset()?, self.loaded()?);
        let dir = self.run_dir();
        let mut timing = Timing::default();
        let mut shards = Vec::new();
        let mut speed = None;
        for result in results {
            match result {
                TaskResult::Accuracy(shard) => shards.push(shard),
                TaskResult::Speed { points, latencies, validity, seconds } => {
                    timing.speed_seconds = seconds;
                    segbench_tables::write_latency(&dir.join("latency.parquet"), &rows(latencies))?;
                    speed = Some(Speed { points, validity });
                }
            }
        }
        if shards.len() != self.shards()? || speed.is_some() != self.speed.is_some() {
            return Err(Error::BadResults {
                reason: format!("{} shards, expected {}", shards.len(), self.shards()?),
            });
        }
        let accuracy = if self.accuracy {
            let (labelled, available) = accuracy::selection(dataset, &self.split, self.limit)?;
            timing.accuracy_seconds = shards.iter().map(|shard| shard.seconds).sum();
            accuracy::write_counts(&dir, &shards)?;
            Some(Accuracy {
                images: labelled.len() as u64,
                available: available as u64,
                ignored_pixels: shards
                    .iter()
                    .flat_map(|shard| &shard.images)
                    .map(|image| image.ignored)
                    .sum(),
                examples: accuracy::write_examples(dataset, &labelled, &shards, &dir)?,
            })
        } else {
            None
        };
        let record = RunRecord {
            schema: RECORD_SCHEMA,
            run_id: self.run_id(),
            model: self.model.clone(),
            weights: self.weights.tag.clone(),
            weights_sha256: self.weights.sha256.clone(),
            training: self.weights.training.clone(),
            dataset: dataset.info.clone(),
            manifest_sha256: self.manifest_sha256.clone(),
            split: self.split.clone(),
            protocol: self.protocol.clone(),
            parameters: loaded.parameters,
            accuracy,
            speed,
            published_miou: self.weights.published_miou(&self.dataset, &self.split, &self.protocol),
            device: self.device.clone(),
            dtype: "f32".into(),
            environment: environment(),
            timing,
        };
        if let Some(curve) = self.weights.curve() {
            segbench_storage::link_or_copy(&curve, &dir.join(CURVE))?;
        }
        seal::write(&dir, &record)?;
        Ok(record)
    }
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Job({} on {} {})", self.weights.tag, self.dataset, self.split)
    }
}

fn rows(latencies: Vec<(u32, u32, u32, u32, f64)>) -> Vec<LatencyRow> {
    let row = |(height, width, batch, query, milliseconds)| LatencyRow {
        stage: "forward".into(),
        height,
        width,
        batch,
        query,
        milliseconds,
    };
    latencies.into_iter().map(row).collect()
}
