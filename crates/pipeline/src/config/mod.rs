//! `pipeline.yaml`: which data sets, which runs, which report.

mod distances;
mod loss;
mod problem;
mod read;
mod size;

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use segbench_datasets::label_png::LabelForm;
use segbench_datasets::sample::SampleOptions;
use segbench_losses::RecipeOptions;
use segbench_targets::{Adjustment, Normalization};
use serde::{Deserialize, Serialize};

pub use distances::{DistanceKind, DistancesConfig};
pub use problem::Problem;
pub use size::Size;

use crate::Error;

/// A whole pipeline. Every key that is left out has a default; unknown keys are refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Version of this file's layout: 1.
    pub version: u32,
    /// The data sets to prepare, by name (`segbench list datasets`).
    #[serde(default)]
    pub datasets: BTreeMap<String, DatasetConfig>,
    /// What is computed from the labels before training.
    #[serde(default)]
    pub targets: TargetsConfig,
    /// What is trained and measured, in this order.
    #[serde(default)]
    pub runs: Vec<RunConfig>,
    /// The report written from all runs.
    #[serde(default)]
    pub report: ReportConfig,
    /// Beginnings of addresses and what is asked in their place, such as `{ "https://huggingface.co/": "https://mirror.example.org/" }`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub addresses: BTreeMap<String, String>,
}

/// One data set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatasetConfig {
    /// Archives or folders to read, looked up in `data/raw/<name>` and then beside this file. Default: what lies in `data/raw/<name>`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub source: Vec<PathBuf>,
    /// A data set of your own: the file that describes it (docs/datasets.md), looked up beside this file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub describe: Option<PathBuf>,
    /// Splits to prepare. Default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub splits: Vec<String>,
    /// What label maps are written as: `palette` (default), which viewers show in class colors, or `grey` for programs that apply a
    /// palette as they read, as OpenCV does.
    #[serde(default, skip_serializing_if = "is_palette")]
    pub label_png: LabelPng,
    /// What to draw; only for the data set `sample`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draw: Option<DrawConfig>,
}

/// What label maps are written as.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LabelPng {
    /// The common label format.
    #[default]
    Palette,
    /// The same numbers in grey.
    Grey,
}

fn is_palette(labels: &LabelPng) -> bool {
    *labels == LabelPng::Palette
}

impl From<LabelPng> for LabelForm {
    fn from(labels: LabelPng) -> Self {
        match labels {
            LabelPng::Palette => Self::Palette,
            LabelPng::Grey => Self::Grey,
        }
    }
}

/// What the built-in sample draws.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DrawConfig {
    /// Seed of all scenes.
    pub seed: u64,
    /// Size of the images, at most 1024x2048.
    pub size: Size,
    /// Training images.
    pub train: u32,
    /// Validation images.
    pub val: u32,
    /// Test images, without labels as in Cityscapes.
    pub test: u32,
}

impl Default for DrawConfig {
    fn default() -> Self {
        let sample = SampleOptions::default();
        Self {
            seed: sample.seed,
            size: Size { height: sample.height, width: sample.width },
            train: sample.train,
            val: sample.val,
            test: sample.test,
        }
    }
}

impl DrawConfig {
    /// The same for the generator.
    pub fn options(&self) -> SampleOptions {
        SampleOptions {
            seed: self.seed,
            width: self.size.width,
            height: self.size.height,
            train: self.train,
            val: self.val,
            test: self.test,
        }
    }
}

/// What is computed from the labels.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetsConfig {
    /// Class frequencies and the weights made of them, for every data set above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_weights: Option<ClassWeightsConfig>,
    /// Distance maps on disk, for every data set above. No training needs them: losses compute their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distances: Option<DistancesConfig>,
}

/// Which class weights.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClassWeightsConfig {
    /// Schemes by name (`segbench class-weights --help`). Default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schemes: Vec<String>,
    /// What becomes 1: `mean` over classes, mean over `pixels`, or `max`. Default: the formula's own scale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub normalize: Option<String>,
    /// The smallest and the largest weight, after scaling. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip: Option<[f64; 2]>,
}

impl ClassWeightsConfig {
    /// Scaling and bounds.
    ///
    /// # Errors
    /// [`Error::Targets`] for an unknown name, and for bounds that cannot be met.
    pub fn adjustment(&self) -> Result<Adjustment, Error> {
        let normalize = self.normalize.as_deref().map(Normalization::parse).transpose()?;
        let adjustment = Adjustment { normalize, clip: self.clip };
        adjustment.validate()?;
        Ok(adjustment)
    }
}

/// One row or more of the leaderboard: a model, trained here or loaded, and how it is measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    /// Architecture with preset (`segbench list models`).
    pub model: String,
    /// Checkpoint file, or a tag of `segbench list weights`. Default: what `train` below makes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<String>,
    /// Train it first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train: Option<TrainConfig>,
    /// Measure it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bench: Option<BenchConfig>,
}

/// How a model is trained. What is left out comes from the trainer's own defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Data set to train on.
    pub dataset: String,
    /// Optimizer steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// Size of the random crops.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crop: Option<Size>,
    /// Crops per step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<usize>,
    /// Highest learning rate, reached after the warm-up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// A loss by name, or several with their weights and options (`segbench list losses`). Default: the model's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "loss::schema")]
    pub loss: Option<RecipeOptions>,
    /// Class-weight scheme for the losses that take weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_weights: Option<String>,
    /// Lowest and highest factor of the random resize.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<[f32; 2]>,
    /// Seed of initialization, sampling and augmentation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Steps between two validations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validate_every: Option<u64>,
    /// Last part of the tag of the weights, to tell several trainings of one model apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl TrainConfig {
    /// Keys with values that no training takes, and why.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if let Some(problem) = loss::problem(self.loss.as_ref(), self.class_weights.is_some()) {
            problems.push(("loss", problem));
        }
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        if let Some(note) = self.note.as_ref().filter(|note| note.is_empty() || !note.chars().all(is_plain)) {
            problems.push(("note", format!("got `{note}`, expected letters, digits, `-` and `_`")));
        }
        for (key, value) in [("steps", self.steps), ("batch", self.batch.map(|batch| batch as u64))] {
            if value == Some(0) {
                problems.push((key, "got 0, expected at least 1".to_owned()));
            }
        }
        if self.learning_rate.is_some_and(|rate| !(rate.is_finite() && rate > 0.0)) {
            problems.push(("learning_rate", "expected a positive number".to_owned()));
        }
        problems
    }
}

/// How a model is measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BenchConfig {
    /// Data set to measure on.
    pub dataset: String,
    /// Split to measure on. Default: `val`.
    #[serde(default = "val")]
    pub split: String,
    /// Protocols by name (`segbench list protocols`). Default: `mmseg-whole@1`.
    #[serde(default = "default_protocols")]
    pub protocols: Vec<String>,
    /// Only the first so many images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Measure speed, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed: Option<SpeedConfig>,
}

/// How speed is measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SpeedConfig {
    /// Input sizes. Default: the data set's most frequent image size.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sizes: Vec<Size>,
    /// Images per query. Default: 1.
    #[serde(default = "one", skip_serializing_if = "Vec::is_empty")]
    pub batches: Vec<u32>,
    /// Longest time for all sizes and batches together, in seconds.
    #[serde(default = "minute")]
    pub seconds: f64,
}

impl Default for SpeedConfig {
    fn default() -> Self {
        Self { sizes: Vec::new(), batches: one(), seconds: minute() }
    }
}

/// Which files the report consists of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportConfig {
    /// Formats: `html`, `csv`, `markdown`, `latex`, `parquet`.
    #[serde(default = "all_formats")]
    pub formats: Vec<String>,
}

impl Default for ReportConfig {
    fn default() -> Self {
        Self { formats: all_formats() }
    }
}

fn val() -> String {
    "val".into()
}

fn default_protocols() -> Vec<String> {
    vec!["mmseg-whole@1".into()]
}

fn one() -> Vec<u32> {
    vec![1]
}

fn minute() -> f64 {
    60.0
}

fn all_formats() -> Vec<String> {
    ["html", "csv", "markdown", "latex", "parquet"].map(String::from).to_vec()
}

/// The JSON schema of `pipeline.yaml`, for editors.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Config).to_value()
}
