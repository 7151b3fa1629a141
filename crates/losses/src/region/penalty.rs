//! Penalty loss: the generalized Dice loss whose denominator counts errors again, `k` times.
//!
//! `1 - (2 sum_c w_c I_c + s) / (sum_c w_c (P_c + G_c + k FP_c + k FN_c) + s)` for each image, then the mean, with the weights of
//! [`super::GeneralizedDice`]. It equals `pGD = GD / (1 + k (1 - GD))` of the paper, where `GD` is a score.
//!
//! The seed keeps the denominator above `s` instead of adding `s`, and has the seed's weights. SegLoss puts its negative loss where
//! the formula has the score.
//!
//! # Source
//! Yang, Kweon, Kim, Penalizing false positives and negatives in generalized Dice (MIDL 2019); `k` 2.5 is the paper's best.

use serde::{Deserialize, Serialize};

use super::Over;
use super::generalized_dice::{Ratio, weighted};
use super::overlap::{Overlap, Slopes, Squares};
use crate::batch::Batch;
use crate::loss::Objective;
use crate::options::{SMOOTH, not_negative};
use crate::{Form, Result};

/// Generalized Dice with a penalty on false positives and negatives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Penalty {
    /// Which code.
    pub form: Form,
    /// How often an error counts again, 0 or more. Default 2.5.
    pub k: f64,
    /// Which pixels are summed. Default: those of an image.
    pub over: Over,
    /// `s`, 0 or more. Default 1e-5.
    pub smooth: f64,
    /// Classes that count. Default: all.
    pub classes: Vec<usize>,
}

impl Default for Penalty {
    fn default() -> Self {
        Self { form: Form::Repaired, k: 2.5, over: Over::Image, smooth: SMOOTH, classes: Vec::new() }
    }
}

impl Objective for Penalty {
    const NAME: &'static str = "penalty";

    fn classes(&self) -> &[usize] {
        &self.classes
    }

    fn check(&self, _: Option<usize>) -> Result<()> {
        not_negative(Self::NAME, "k", self.k)?;
        not_negative(Self::NAME, "smooth", self.smooth)
    }

    fn evaluate<B: Batch>(&self, batch: &mut B, counted: &[usize]) -> Result<B::Value> {
        let classes = batch.classes();
        let (k, smooth) = (self.k, self.smooth);
        batch.overlaps(Squares::Without, |overlaps| {
            weighted(overlaps, classes, counted, self.over, self.form, |sums| {
                let above: f64 = sums.iter().map(|(weight, sums)| 2.0 * weight * sums.both).sum();
                // P + G + k (P - I) + k (G - I)
                let below = |(weight, sums): &(f64, Overlap)| {
                    weight * ((1.0 + k) * (sums.predicted + sums.truth) - 2.0 * k * sums.both)
                };
                let below: f64 = sums.iter().map(below).sum();
                let rise = Slopes { both: 2.0, ..Slopes::default() };
                let fall = Slopes { both: -2.0 * k, predicted: 1.0 + k, ..Slopes::default() };
                match self.form {
                    Form::Repaired => Ratio { above: above + smooth, below: below + smooth, rise, fall },
                    Form::Seed if below < smooth => {
                        Ratio { above, below: smooth, rise, fall: Slopes::default() }
                    }
                    Form::Seed => Ratio { above, below, rise, fall },
                }
            })
        })
    }
}
