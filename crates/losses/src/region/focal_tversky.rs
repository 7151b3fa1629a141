//! Focal Tversky loss: the Tversky loss to the power `1 / gamma`.
//!
//! `(1 - TI)^(1 / gamma)` with the Tversky index `TI` of each image and class, then the mean. With `power: after-mean` the mean is taken
//! before the power, as SegLoss and segmentation_models.pytorch do.
//!
//! The seed gives the formula and no code; its form here is its Tversky loss to that power.
//!
//! # Source
//! Abraham, Khan, <https://arxiv.org/abs/1810.07842>, equation 4, with gamma from 1 to 3 and best at 4/3.

use serde::{Deserialize, Serialize};

use super::overlap::{Slopes, Squares};
use super::tversky::Index;
use super::{Average, Over};
use crate::batch::Batch;
use crate::loss::Objective;
use crate::options::{not_negative, positive};
use crate::{Form, Result};

/// A power of one minus the Tversky index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FocalTversky {
    /// Which code; the seed's is micro, with the power after the mean.
    pub form: Form,
    /// Weight of false positives, 0 or more. Default 0.3.
    pub alpha: f64,
    /// Weight of false negatives, 0 or more. Default 0.7.
    pub beta: f64,
    /// The exponent is one over this, above 0. Default 4/3.
    pub gamma: f64,
    /// When the power is taken. Default: before the mean.
    pub power: Power,
    /// What is averaged. Default: macro.
    pub average: Average,
    /// Which pixels are summed. Default: those of an image.
    pub over: Over,
    /// Added above and below the line, 0 or more. Default 1e-5; 1 in the seed's form.
    pub smooth: Option<f64>,
    /// Classes that count. Default: all.
    pub classes: Vec<usize>,
}

/// When the power is taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Power {
    /// Of the loss of each image and class.
    #[default]
    BeforeMean,
    /// Of the mean.
    AfterMean,
}

impl Default for FocalTversky {
    fn default() -> Self {
        let (form, power, average, over, smooth, classes) = Default::default();
        Self { form, alpha: 0.3, beta: 0.7, gamma: 4.0 / 3.0, power, average, over, smooth, classes }
    }
}

impl Objective for FocalTversky {
    const NAME: &'static str = "focal-tversky";

    fn classes(&self) -> &[usize] {
        &self.classes
    }

    fn check(&self, _: Option<usize>) -> Result<()> {
        not_negative(Self::NAME, "alpha", self.alpha)?;
        not_negative(Self::NAME, "beta", self.beta)?;
        positive(Self::NAME, "gamma", self.gamma)?;
        self.smooth.map_or(Ok(()), |smooth| not_negative(Self::NAME, "smooth", smooth))
    }

    fn evaluate<B: Batch>(&self, batch: &mut B, counted: &[usize]) -> Result<B::Value> {
        let classes = batch.classes();
        let index = Index::new(self.form, self.alpha, self.beta, self.smooth);
        let averaging = index.averaging(self.average, self.over, counted);
        let exponent = 1.0 / self.gamma;
        let after = self.power == Power::AfterMean || self.form == Form::Seed;
        batch.overlaps(Squares::Without, |overlaps| {
            if after {
                let (mean, slopes) = averaging.mean(overlaps, classes, |sums| index.loss(sums));
                let (value, factor) = power(mean, exponent);
                (value, slopes.into_iter().map(|slope| scaled(slope, factor)).collect())
            } else {
                averaging.mean(overlaps, classes, |sums| {
                    let (loss, slope) = index.loss(sums);
                    let (value, factor) = power(loss, exponent);
                    (value, scaled(slope, factor))
                })
            }
        })
    }
}

/// A power and its slope; both 0 at 0, where the slope of a root has no bound.
fn power(loss: f64, exponent: f64) -> (f64, f64) {
    if loss <= 0.0 { (0.0, 0.0) } else { (loss.powf(exponent), exponent * loss.powf(exponent - 1.0)) }
}

fn scaled(slopes: Slopes, factor: f64) -> Slopes {
    Slopes { both: slopes.both * factor, predicted: slopes.predicted * factor, ..slopes }
}
