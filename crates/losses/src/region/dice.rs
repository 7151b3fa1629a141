//! Dice loss: one minus twice the intersection over the sum of both regions.
//!
//! `1 - (2 I + s) / (P + G + s)` with `I = sum p g`, `P = sum p`, `G = sum g` over the pixels of an image, for each class, then the mean
//! over classes and images; with `squared`, `P = sum p^2`, as V-Net.
//!
//! The seed sums over the classes before it divides, and adds `s` within the factor 2, so that a perfect prediction has a loss below 0.
//!
//! # Source
//! Milletari et al., <https://arxiv.org/abs/1606.04797>, section 3; equal to MONAI's `DiceLoss` and SegLoss's `SoftDiceLoss`.

use serde::{Deserialize, Serialize};

use super::averaging::{Averaging, one_minus};
use super::overlap::{Slopes, Squares};
use super::{Average, Over};
use crate::batch::Batch;
use crate::loss::Objective;
use crate::options::{SMOOTH, not_negative};
use crate::{Form, Result};

/// One minus the Dice coefficient.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dice {
    /// Which code; the seed's is micro and not squared.
    pub form: Form,
    /// Whether probabilities are squared below the line. Default: no.
    pub squared: bool,
    /// What is averaged. Default: macro.
    pub average: Average,
    /// Which pixels are summed. Default: those of an image.
    pub over: Over,
    /// `s`, 0 or more. Default 1e-5.
    pub smooth: f64,
    /// Classes that count. Default: all.
    pub classes: Vec<usize>,
}

impl Default for Dice {
    fn default() -> Self {
        let (form, average, over) = Default::default();
        Self { form, squared: false, average, over, smooth: SMOOTH, classes: Vec::new() }
    }
}

impl Objective for Dice {
    const NAME: &'static str = "dice";

    fn classes(&self) -> &[usize] {
        &self.classes
    }

    fn check(&self, _: Option<usize>) -> Result<()> {
        not_negative(Self::NAME, "smooth", self.smooth)
    }

    fn evaluate<B: Batch>(&self, batch: &mut B, counted: &[usize]) -> Result<B::Value> {
        let classes = batch.classes();
        let is_seed = self.form == Form::Seed;
        let average = if is_seed { Average::Micro } else { self.average };
        let averaging = Averaging { average, over: self.over, counted };
        let squares = if self.squared && !is_seed { Squares::With } else { Squares::Without };
        let smooth_above = if is_seed { 2.0 * self.smooth } else { self.smooth };
        batch.overlaps(squares, |overlaps| {
            averaging.mean(overlaps, classes, |sums| {
                let (predicted, slope) = match squares {
                    Squares::With => {
                        let slope = Slopes { both_squared: 1.0, others_squared: 1.0, ..Slopes::default() };
                        (sums.both_squared + sums.others_squared, slope)
                    }
                    Squares::Without => (sums.predicted, Slopes { predicted: 1.0, ..Slopes::default() }),
                };
                one_minus(
                    (2.0 * sums.both + smooth_above, Slopes { both: 2.0, ..Slopes::default() }),
                    (predicted + sums.truth + self.smooth, slope),
                )
            })
        })
    }
}
