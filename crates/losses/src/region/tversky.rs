//! Tversky loss: Dice with separate weights for false positives and false negatives.
//!
//! `1 - (I + s) / (I + alpha FP + beta FN + s)` with `I = sum p g`, `FP = sum p (1 - g)`, `FN = sum (1 - p) g` over the pixels of an
//! image, for each class, then the mean over classes and images; `alpha = beta = 1/2` is Dice, `alpha = beta = 1` IoU.
//!
//! The seed sums over the classes before it divides, which makes the two weights act alike, and keeps the denominator above `s = 1`
//! instead of adding `s`.
//!
//! # Source
//! Salehi et al., <https://arxiv.org/abs/1706.05721>, equation 3, whose best alpha and beta are the defaults; equal to MONAI's and SegLoss's
//! `TverskyLoss`.

use serde::{Deserialize, Serialize};

use super::averaging::{Averaging, one_minus};
use super::overlap::{Overlap, Slopes, Squares};
use super::{Average, Over};
use crate::batch::Batch;
use crate::loss::Objective;
use crate::options::{SMOOTH, not_negative};
use crate::{Form, Result};

/// One minus the Tversky index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tversky {
    /// Which code; the seed's is micro.
    pub form: Form,
    /// Weight of false positives, 0 or more. Default 0.3.
    pub alpha: f64,
    /// Weight of false negatives, 0 or more. Default 0.7.
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

impl Default for Tversky {
    fn default() -> Self {
        let (form, average, over, smooth, classes) = Default::default();
        Self { form, alpha: 0.3, beta: 0.7, average, over, smooth, classes }
    }
}

impl Objective for Tversky {
    const NAME: &'static str = "tversky";

    fn classes(&self) -> &[usize] {
        &self.classes
    }

    fn check(&self, _: Option<usize>) -> Result<()> {
        not_negative(Self::NAME, "alpha", self.alpha)?;
        not_negative(Self::NAME, "beta", self.beta)?;
        self.smooth.map_or(Ok(()), |smooth| not_negative(Self::NAME, "smooth", smooth))
    }

    fn evaluate<B: Batch>(&self, batch: &mut B, counted: &[usize]) -> Result<B::Value> {
        let classes = batch.classes();
        let index = Index::new(self.form, self.alpha, self.beta, self.smooth);
        let averaging = index.averaging(self.average, self.over, counted);
        batch
            .overlaps(Squares::Without, |overlaps| averaging.mean(overlaps, classes, |sums| index.loss(sums)))
    }
}

/// The Tversky index in one of its forms.
#[derive(Clone, Copy)]
pub(super) struct Index {
    form: Form,
    alpha: f64,
    beta: f64,
    smooth: f64,
}

impl Index {
    pub(super) fn new(form: Form, alpha: f64, beta: f64, smooth: Option<f64>) -> Self {
        let default = if form == Form::Seed { 1.0 } else { SMOOTH };
        Self { form, alpha, beta, smooth: smooth.unwrap_or(default) }
    }

    pub(super) fn averaging<'a>(&self, average: Average, over: Over, counted: &'a [usize]) -> Averaging<'a> {
        let average = if self.form == Form::Seed { Average::Micro } else { average };
        Averaging { average, over, counted }
    }

    /// One minus the index, and its slopes.
    pub(super) fn loss(&self, sums: &Overlap) -> (f64, Slopes) {
        let Self { form, alpha, beta, smooth } = *self;
        let both = Slopes { both: 1.0, ..Slopes::default() };
        let below = sums.both + alpha * (sums.predicted - sums.both) + beta * (sums.truth - sums.both);
        let slope = Slopes { both: 1.0 - alpha - beta, predicted: alpha, ..Slopes::default() };
        match form {
            Form::Repaired => one_minus((sums.both + smooth, both), (below + smooth, slope)),
            Form::Seed if below < smooth => one_minus((sums.both, both), (smooth, Slopes::default())),
            Form::Seed => one_minus((sums.both, both), (below, slope)),
        }
    }
}
