//! What a loss is.

use std::fmt::Debug;

use candle_core::{DType, Tensor};
use serde::{Deserialize, Serialize};

use crate::batch::Batch;
use crate::masked::subset;
use crate::{Error, Result, Target, composed, fused};

/// A number that training makes smaller: how far logits are from what they should have said.
///
/// A loss is a value with options and no state. Its result depends on the logits and the target alone, whatever the number of
/// threads.
pub trait Loss: Debug + Send + Sync {
    /// What the target has to carry beside labels, and what is computed from them.
    fn needs(&self) -> Needs;

    /// Checks the options, for a network with `classes` classes where that is known.
    ///
    /// # Errors
    /// [`crate::Error::Option`] for the first one that makes no sense.
    fn validate(&self, classes: Option<usize>) -> Result<()>;

    /// The loss, differentiable: fused on the CPU, [`Loss::composed`] elsewhere.
    ///
    /// # Shapes
    /// `logits`: (B, C, H, W) or (B, C, D, H, W), any floating-point type; the result is an f32 scalar.
    ///
    /// # Errors
    /// [`crate::Error::Size`] if logits and target differ in size, [`crate::Error::Label`] if a label is no class, and those of
    /// options that do not fit the number of classes.
    fn forward(&self, logits: &Tensor, target: &Target) -> Result<Tensor>;

    /// The loss from operations that every device has. Where it cannot be put together from such, the logits are copied to the CPU and
    /// the gradient back.
    ///
    /// # Shapes
    /// As [`Loss::forward`], but for f64 logits the result is f64, and computed so.
    ///
    /// # Errors
    /// Those of [`Loss::forward`].
    fn composed(&self, logits: &Tensor, target: &Target) -> Result<Tensor>;
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

/// What is particular to a loss of this crate: its options and its formula. The rest of [`Loss`] follows.
pub(crate) trait Objective: Debug + Clone + Send + Sync + 'static {
    /// The name in commands and files.
    const NAME: &'static str;

    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// The classes that count; all if there is none.
    fn classes(&self) -> &[usize];

    /// Checks the other options, for a network with `classes` classes where that is known.
    ///
    /// # Errors
    /// [`Error::Option`] for the first one that makes no sense.
    fn check(&self, _classes: Option<usize>) -> Result<()> {
        Ok(())
    }

    /// The loss of a batch in which a pixel counts; `counted` are the classes that count.
    ///
    /// # Errors
    /// What cannot be computed for this target.
    fn evaluate<B: Batch>(&self, batch: &mut B, counted: &[usize]) -> Result<B::Value>;
}

impl<L: Objective> Loss for L {
    fn needs(&self) -> Needs {
        Objective::needs(self)
    }

    fn validate(&self, classes: Option<usize>) -> Result<()> {
        self.check(classes)?;
        classes.map_or(Ok(()), |classes| subset(L::NAME, self.classes(), classes).map(|_| ()))
    }

    fn forward(&self, logits: &Tensor, target: &Target) -> Result<Tensor> {
        if !logits.device().is_cpu() {
            return Ok(self.composed(logits, target)?.to_dtype(DType::F32)?);
        }
        let counted = counted(self, logits, target)?;
        fused::apply(self, &counted, &logits.to_dtype(DType::F32)?, target)
    }

    fn composed(&self, logits: &Tensor, target: &Target) -> Result<Tensor> {
        let counted = counted(self, logits, target)?;
        let dtype = if logits.dtype() == DType::F64 { DType::F64 } else { DType::F32 };
        composed::apply(self, &counted, &logits.to_dtype(dtype)?, target)
    }
}

/// Checks options, sizes and labels; the classes that count.
fn counted<L: Objective>(loss: &L, logits: &Tensor, target: &Target) -> Result<Vec<usize>> {
    let expected = target.dims();
    let mut got = logits.dims().to_vec();
    let classes = if got.len() > 1 { got.remove(1) } else { 0 };
    if got != expected {
        return Err(Error::Size { what: "the batch of logits", got, expected });
    }
    target.check(classes)?;
    loss.check(Some(classes))?;
    subset(L::NAME, loss.classes(), classes)
}
