//! Sensitivity-specificity loss: squared errors on the pixels of a class and on all others, each relative to their number.
//!
//! `w sum (g - p)^2 g / (sum g + s) + (1 - w) sum (g - p)^2 (1 - g) / (sum (1 - g) + s)` for each image, with sums over classes and
//! pixels, then the mean over images; [`Average::Macro`] takes a value per class instead, as SegLoss.
//!
//! The seed names the two parts the wrong way round and adds `s = 1` once for each class.
//!
//! # Source
//! Brosch et al., <https://doi.org/10.1007/978-3-319-24574-4_1>, equation 5; `w` 0.1 is the seed's, the paper tries 0.01 to 0.1.

use serde::{Deserialize, Serialize};

use super::averaging::Averaging;
use super::overlap::{Slopes, Squares};
use super::{Average, Over};
use crate::batch::Batch;
use crate::loss::Objective;
use crate::options::{SMOOTH, not_negative};
use crate::{Error, Form, Result};

/// Squared errors inside and outside of the classes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SensitivitySpecificity {
    /// Which code; the seed's is micro.
    pub form: Form,
    /// `w`, the weight of the pixels of a class, 0 to 1. Default 0.1.
    pub w: f64,
    /// What is averaged. Default: micro, as the formula.
    pub average: Average,
    /// Which pixels are summed. Default: those of an image.
    pub over: Over,
    /// `s`, 0 or more. Default 1e-5; 1 in the seed's form.
    pub smooth: Option<f64>,
    /// Classes that count. Default: all.
    pub classes: Vec<usize>,
}

impl Default for SensitivitySpecificity {
    fn default() -> Self {
        let (form, over, smooth, classes) = Default::default();
        Self { form, w: 0.1, average: Average::Micro, over, smooth, classes }
    }
}

impl Objective for SensitivitySpecificity {
    const NAME: &'static str = "sensitivity-specificity";

    fn classes(&self) -> &[usize] {
        &self.classes
    }

    fn check(&self, _: Option<usize>) -> Result<()> {
        if !(0.0..=1.0).contains(&self.w) {
            let problem = format!("`w` is {}, expected 0 to 1", self.w);
            return Err(Error::Option { loss: Self::NAME, problem });
        }
        self.smooth.map_or(Ok(()), |smooth| not_negative(Self::NAME, "smooth", smooth))
    }

    fn evaluate<B: Batch>(&self, batch: &mut B, counted: &[usize]) -> Result<B::Value> {
        let classes = batch.classes();
        let smooth_per_class = self.smooth.unwrap_or(1.0) * counted.len() as f64;
        let (average, smooth) = match self.form {
            Form::Repaired => (self.average, self.smooth.unwrap_or(SMOOTH)),
            Form::Seed => (Average::Micro, smooth_per_class),
        };
        let averaging = Averaging { average, over: self.over, counted };
        batch.overlaps(Squares::With, |overlaps| {
            averaging.mean(overlaps, classes, |sums| {
                let inside = share(sums.truth - 2.0 * sums.both + sums.both_squared, sums.truth + smooth);
                let outside = share(sums.others_squared, sums.others + smooth);
                let (inner, outer) = (self.w * inside.1, (1.0 - self.w) * outside.1);
                let slopes = Slopes {
                    both: -2.0 * inner,
                    both_squared: inner,
                    others_squared: outer,
                    ..Slopes::default()
                };
                (self.w * inside.0 + (1.0 - self.w) * outside.0, slopes)
            })
        })
    }
}

/// A quotient and one over the divisor; 0 without a divisor.
fn share(part: f64, whole: f64) -> (f64, f64) {
    if whole > 0.0 { (part / whole, 1.0 / whole) } else { (0.0, 0.0) }
}
