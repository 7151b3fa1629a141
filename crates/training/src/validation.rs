//! The score on the validation split while a network trains.
//!
//! The protocol is that of `mmseg-whole@1` at the images' own size: the whole image at once, logits resized to it, areas pooled
//! over all images, absent classes left out of the mean.

use candle_core::{Device, Tensor};
use segbench_datasets::PreparedDataset;
use segbench_metrics::{ConfusionMatrix, Scores};
use segbench_models::{Input, Segmentor, volume_input};
use segbench_nn::Context;
use segbench_transforms::Normalization;
use segbench_types::{ImageRecord, Progress};
use serde::{Deserialize, Serialize};

use crate::Error;

/// What a validation found; scores are fractions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Validation {
    /// Optimizer steps before it.
    pub(crate) step: u64,
    pub(crate) miou: Option<f64>,
    pub(crate) pixel_accuracy: Option<f64>,
    pub(crate) mean_recall: Option<f64>,
    /// IoU of each class.
    pub(crate) classes: Vec<Option<f64>>,
}

/// Predicts and counts all of `records`.
pub(crate) fn validate(
    network: &dyn Segmentor,
    input: Input,
    dataset: &PreparedDataset,
    records: &[&ImageRecord],
    normalization: &Normalization,
    step: u64,
    progress: &dyn Progress,
) -> Result<Validation, Error> {
    let task = progress.start(&format!("validating after step {step}"), records.len() as u64);
    let classes = dataset.info.catalog.len();
    let mut counts = ConfusionMatrix::new(classes);
    for record in records {
        let size = (record.height as usize, record.width as usize);
        let input = match input {
            Input::Image => {
                let mut planes = vec![0.0; 3 * size.0 * size.1];
                normalization.apply(&dataset.image(record)?, &mut planes);
                Tensor::from_vec(planes, (1, 3, size.0, size.1), &Device::Cpu)?
            }
            Input::Volume => volume_input(&dataset.volume(record)?, &Device::Cpu)?,
        };
        let output = network.forward(&input, &Context::eval().without_gradients())?;
        let truth = dataset.labels(record)?;
        for predicted in network.labels(&output, size)? {
            counts.count(truth.as_slice(), predicted.as_slice())?;
        }
        task.advance(1);
    }
    let scores = Scores::of(&counts);
    Ok(Validation {
        step,
        miou: scores.miou,
        pixel_accuracy: scores.pixel_accuracy,
        mean_recall: scores.mean_recall,
        classes: scores.classes.iter().map(|class| class.iou).collect(),
    })
}
