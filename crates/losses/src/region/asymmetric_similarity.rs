//! Asymmetric similarity loss: the F-beta score as a loss, a Tversky loss whose two weights add up to 1.
//!
//! `1 - (I + s) / (I + (1 - w) FP + w FN + s)` with `w = beta^2 / (1 + beta^2)`, for each image and class, then the mean: above 1, `beta` makes
//! false negatives cost more.
//!
//! The seed puts `w` on the false positives, sums over the classes before it divides, which makes the two weights act alike, and
//! keeps the denominator above `s = 1`.
//!
//! # Source
//! Hashemi et al., <https://arxiv.org/abs/1803.11078>, equation 4, best at beta 1.5; equal to SegLoss's `AsymLoss`.

use serde::{Deserialize, Serialize};

use super::overlap::Squares;
use super::tversky::Index;
use super::{Average, Over};
use crate::batch::Batch;
use crate::loss::Objective;
use crate::options::not_negative;
use crate::{Form, Result};

/// One minus the F-beta score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AsymmetricSimilarity {
    /// Which code; the seed's is micro, with the weights exchanged.
    pub form: Form,
    /// How much more recall counts than precision, 0 or more. Default 1.5.
    pub beta: f64,
    /// What is averaged. Default: macro.
    pub average: Average,
    /// Which pixels are summed. Default: those of an image.
    pub over: Over,
    /// `s`, 0 or more. Default 1e-5; 1 in the seed's form.
    pub smooth: Option<f64>,
    /// Classes that count. Default: all.
    pub classes: Vec<usize>,
}

impl Default for AsymmetricSimilarity {
    fn default() -> Self {
        let (form, average, over, smooth, classes) = Default::default();
        Self { form, beta: 1.5, average, over, smooth, classes }
    }
}

impl Objective for AsymmetricSimilarity {
    const NAME: &'static str = "asymmetric-similarity";

    fn classes(&self) -> &[usize] {
        &self.classes
    }

    fn check(&self, _: Option<usize>) -> Result<()> {
        not_negative(Self::NAME, "beta", self.beta)?;
        self.smooth.map_or(Ok(()), |smooth| not_negative(Self::NAME, "smooth", smooth))
    }

    fn evaluate<B: Batch>(&self, batch: &mut B, counted: &[usize]) -> Result<B::Value> {
        let classes = batch.classes();
        let weight = self.beta * self.beta / (1.0 + self.beta * self.beta);
        let (false_positives, false_negatives) = match self.form {
            Form::Repaired => (1.0 - weight, weight),
            Form::Seed => (weight, 1.0 - weight),
        };
        let index = Index::new(self.form, false_positives, false_negatives, self.smooth);
        let averaging = index.averaging(self.average, self.over, counted);
        batch
            .overlaps(Squares::Without, |overlaps| averaging.mean(overlaps, classes, |sums| index.loss(sums)))
    }
}
