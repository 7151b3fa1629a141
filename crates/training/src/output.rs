//! The files that a training leaves beside its checkpoint: weights and the card that says where they come from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Tensor};
use segbench_nn::weights::write_checkpoint;
use serde::{Deserialize, Serialize};

use crate::{Error, TrainOptions};

/// What is known of trained weights. It lies beside them, with the extension `.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingCard {
    /// Architecture with preset, such as `segformer-b0`.
    pub model: String,
    /// Data set trained on.
    pub dataset: String,
    /// The losses with their weights, such as `cross-entropy=1+dice=0.5`.
    pub loss: String,
    /// Class-weight scheme, if any.
    pub class_weights: Option<String>,
    /// Optimizer steps behind these weights.
    pub steps: u64,
    /// Seed of the training.
    pub seed: u64,
    /// SHA-256 of the data set's manifest.
    pub manifest_sha256: String,
    /// The whole recipe.
    pub options: TrainOptions,
    /// Mean IoU on the validation split, as a fraction; none without such a split.
    pub miou: Option<f64>,
    /// IoU of each class on the validation split, as a fraction.
    pub classes: Vec<ClassResult>,
}

/// A class and its score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassResult {
    /// The class.
    pub name: String,
    /// Its IoU; none where the validation split has no such pixel and none was predicted.
    pub iou: Option<f64>,
}

/// Writes the weights and their card as `<name>.safetensors` and `<name>.json`; the card comes last.
pub(crate) fn write_weights(
    folder: &Path,
    name: &str,
    tensors: &BTreeMap<String, Tensor>,
    card: &TrainingCard,
) -> Result<PathBuf, Error> {
    let path = folder.join(format!("{name}.safetensors"));
    let notes = [
        ("model", card.model.clone()),
        ("dataset", card.dataset.clone()),
        ("steps", card.steps.to_string()),
        ("seed", card.seed.to_string()),
        ("manifest_sha256", card.manifest_sha256.clone()),
    ];
    let notes = notes.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    write_checkpoint(&path, tensors, DType::F32, &notes)?;
    segbench_storage::write_json(&path.with_extension("json"), card)?;
    Ok(path)
}
