//! Cross-entropy with a weight for each class, against imbalance.
//!
//! `sum_i w[y_i] l_i / sum_i w[y_i]` with the cross-entropy `l_i` of pixel `i`, as PyTorch; with [`Mean::Pixels`] the sum is divided
//! by the number of pixels instead, as in the seed's formula. The seed's code calls PyTorch.
//!
//! The weights come with the target: the class-weight scheme of the training, or `class_weights` of `parity loss`.

use serde::{Deserialize, Serialize};

use super::cross_entropy::{mean, total};
use crate::batch::Batch;
use crate::loss::Objective;
use crate::masked::pixel_weights;
use crate::{Error, Form, Needs, Result};

/// Cross-entropy of a target that carries class weights.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WeightedCrossEntropy {
    /// Which code; the seed's divides by the weights.
    pub form: Form,
    /// What the weighted sum is divided by. Default: the weights.
    pub mean: Mean,
    /// Classes whose pixels count. Default: all.
    pub classes: Vec<usize>,
}

/// What a weighted sum over pixels is divided by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mean {
    /// The sum of the pixels' weights.
    #[default]
    Weights,
    /// The number of pixels that count.
    Pixels,
}

impl Objective for WeightedCrossEntropy {
    const NAME: &'static str = "weighted-cross-entropy";

    fn needs(&self) -> Needs {
        Needs { class_weights: true, ..Needs::default() }
    }

    fn classes(&self) -> &[usize] {
        &self.classes
    }

    fn evaluate<B: Batch>(&self, batch: &mut B, counted: &[usize]) -> Result<B::Value> {
        let given = batch.target().class_weights().ok_or(Error::NoClassWeights { loss: Self::NAME })?;
        let weights = pixel_weights(batch.classes(), Some(given), counted)?;
        let over = match self.mean {
            Mean::Weights => weights,
            Mean::Pixels if self.form == Form::Seed => weights,
            Mean::Pixels => pixel_weights(batch.classes(), None, counted)?,
        };
        let total = total(batch.target(), &over);
        mean(batch, &weights, total)
    }
}
