//! What a loss is.

use std::fmt::Debug;

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use crate::masked::Masked;
use crate::{Result, Target, fused};

/// A number that training makes smaller: how far logits are from what they should have said.
///
/// A loss is a value with options and no state. Its result depends on the logits and the target alone, whatever the number of
/// threads.
pub trait Loss: Debug + Send + Sync {
    /// What the target has to carry beside labels, and what is computed from them.
    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// Checks the options, for a network with `classes` classes where that is known.
    ///
    /// # Errors
    /// [`crate::Error::Option`] for the first one that makes no sense.
    fn validate(&self, classes: Option<usize>) -> Result<()>;

    /// The loss, differentiable.
    ///
    /// # Shapes
    /// `logits`: (B, C, H, W) or (B, C, D, H, W), any floating-point type; the result is an f32 scalar.
    ///
    /// # Errors
    /// [`crate::Error::Size`] if logits and target differ in size, [`crate::Error::Label`] if a label is no class, and those of
    /// options that do not fit the number of classes.
    fn forward(&self, logits: &Tensor, target: &Target) -> Result<Tensor>;
}

/// What a loss needs beside labels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    /// The target must carry class weights.
    pub class_weights: bool,
    /// Distance maps are made of the labels in every step.
    pub distances: bool,
}

/// Which code a loss computes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// What the loss's paper means, with the ignore label, and defined in every case.
    #[default]
    Repaired,
    /// What a widely copied collection of PyTorch losses computes, its mistakes included, to compare with it.
    Seed,
}

/// A loss as a function of slices: what the losses of this crate write, and [`fused`] turns into [`Loss::forward`].
pub(crate) trait Objective: Clone + Send + Sync + 'static {
    /// The value, and the gradient with respect to the logits if one is given to fill. It comes filled with zeros.
    ///
    /// # Errors
    /// What cannot be computed for this target.
    fn evaluate(&self, batch: &Masked, gradient: Option<&mut [f32]>) -> Result<f64>;

    /// [`Loss::forward`].
    fn apply(&self, logits: &Tensor, target: &Target) -> Result<Tensor> {
        fused::apply(self.clone(), logits, target)
    }
}
