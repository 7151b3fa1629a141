//! `record.json`: everything that is known of one benchmark run.

use serde::{Deserialize, Serialize};

use crate::{DatasetInfo, Protocol};

/// One run: a model with its weights on one split of one data set under one protocol, measured for accuracy, speed or both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRecord {
    /// Version of this layout.
    pub schema: u32,
    /// First 12 hex digits of the stage key.
    pub run_id: String,
    /// Architecture with preset, such as `segformer-b0`.
    pub model: String,
    /// Tag or file name of the weights.
    pub weights: String,
    /// SHA-256 of the weights file.
    pub weights_sha256: String,
    /// How the weights were trained, where that is known.
    pub training: Option<TrainingSummary>,
    /// The data set as it was prepared.
    pub dataset: DatasetInfo,
    /// SHA-256 of the manifest.
    pub manifest_sha256: String,
    /// The split that was evaluated.
    pub split: String,
    /// How predictions were made and scored.
    pub protocol: Protocol,
    /// Trainable parameters.
    pub parameters: u64,
    /// Accuracy, unless only speed was asked for.
    pub accuracy: Option<Accuracy>,
    /// Speed, unless only accuracy was asked for.
    pub speed: Option<Speed>,
    /// Published mIoU in percent of the same weights under the same protocol.
    pub published_miou: Option<f64>,
    /// `cpu`, `cuda` or `metal`.
    pub device: String,
    /// Number format of weights and activations.
    pub dtype: String,
    /// Where it ran. Not part of what must repeat.
    pub environment: Environment,
    /// How long it took. Not part of what must repeat.
    pub timing: Timing,
}

/// How weights came to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingSummary {
    /// Data set trained on.
    pub dataset: String,
    /// Losses with their weights, such as `cross-entropy=1`.
    pub loss: String,
    /// Class-weight scheme, if any.
    pub class_weights: Option<String>,
    /// Optimizer steps.
    pub steps: u64,
    /// Seed of initialization, sampling and augmentation.
    pub seed: u64,
}

/// What the accuracy pass covered. The scores themselves are queries over `counts.parquet`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accuracy {
    /// Images evaluated.
    pub images: u64,
    /// Labelled images of the split; more than `images` if a limit was set.
    pub available: u64,
    /// Labelled pixels that carry the ignore label.
    pub ignored_pixels: u64,
    /// Images shown in the report's gallery, by id.
    pub examples: Vec<String>,
}

/// The speed pass. Latencies themselves are in `latency.parquet`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Speed {
    /// One entry per size and batch.
    pub points: Vec<SpeedPoint>,
    /// `VALID`, or `INVALID` with reasons.
    pub validity: String,
}

/// One input size and batch, measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpeedPoint {
    /// Height and width of the network's input.
    pub input_size: [u32; 2],
    /// Images per query.
    pub batch: u32,
    /// Multiply-adds of convolutions, linear layers and matrix products for one image, in units of 10^9.
    pub gmacs: f64,
    /// Queries measured after warm-up.
    pub queries: u64,
    /// Median time of a query, in milliseconds.
    pub latency_p50_ms: Option<f64>,
    /// 90th percentile, if enough queries earned it.
    pub latency_p90_ms: Option<f64>,
    /// 99th percentile, if enough queries earned it.
    pub latency_p99_ms: Option<f64>,
    /// Images per second at the median.
    pub images_per_second: Option<f64>,
    /// Peak memory: resident set on the CPU, allocator's peak on a device.
    pub peak_memory_mib: Option<f64>,
}

/// The machine and the program.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// Processor or GPU by its own name.
    pub hardware: String,
    /// Threads used.
    pub threads: u32,
    /// Version of segbench.
    pub segbench: String,
    /// Operating system and architecture.
    pub system: String,
}

/// Wall times in seconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timing {
    /// Accuracy pass.
    pub accuracy_seconds: f64,
    /// Speed pass.
    pub speed_seconds: f64,
}
