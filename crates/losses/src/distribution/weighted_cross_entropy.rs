//! Cross-entropy with a weight for each class, against imbalance.
//!
//! `sum_i w[y_i] l_i / sum_i w[y_i]` with the cross-entropy `l_i` of pixel `i`, as PyTorch; with [`Mean::Pixels`] the sum is divided
//! by the number of pixels instead, as in the seed's formula. The seed's code calls PyTorch.
//!
//! The weights come with the target: the class-weight scheme of the training, or `class_weights` of `parity loss`.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::cross_entropy::{mean, total};
use crate::loss::Objective;
use crate::masked::{Masked, pixel_weights, subset};
use crate::{Error, Form, Loss, Needs, Result, Target};

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

impl WeightedCrossEntropy {
    /// The name in commands and files.
    pub const NAME: &'static str = "weighted-cross-entropy";
}

impl Loss for WeightedCrossEntropy {
    fn needs(&self) -> Needs {
        Needs { class_weights: true, ..Needs::default() }
    }

    fn validate(&self, classes: Option<usize>) -> Result<()> {
        classes.map_or(Ok(()), |classes| subset(Self::NAME, &self.classes, classes).map(|_| ()))
    }

    fn forward(&self, logits: &Tensor, target: &Target) -> Result<Tensor> {
        self.apply(logits, target)
    }
}

impl Objective for WeightedCrossEntropy {
    fn evaluate(&self, batch: &Masked, gradient: Option<&mut [f32]>) -> Result<f64> {
        let given = batch.target().class_weights();
        let given = given.ok_or(Error::NoClassWeights { loss: Self::NAME })?;
        let counted = subset(Self::NAME, &self.classes, batch.classes())?;
        let weights = pixel_weights(batch.classes(), Some(given), &counted)?;
        let over = match self.mean {
            Mean::Weights => weights,
            Mean::Pixels if self.form == Form::Seed => weights,
            Mean::Pixels => pixel_weights(batch.classes(), None, &counted)?,
        };
        Ok(mean(batch, gradient, &weights, total(batch.target(), &over)))
    }
}
