//! Focal loss: cross-entropy in which pixels that are right already weigh little.
//!
//! `sum_i a[y_i] (1 - p_i)^gamma (-log p_i) / N` over the `N` labelled pixels, where `p_i` is the probability of the true class;
//! `alpha` gives the factors `a`, one for each class.
//!
//! The seed takes the logarithm of a probability that may have become 0, and then is not a number; here the logarithm comes from
//! the logits. Where the seed's value is finite, both forms are the same.
//!
//! # Source
//! Lin et al., <https://arxiv.org/abs/1708.02002>, equation 4; gamma 2 is the paper's best. There alpha is 0.25 for the one foreground
//! class; here it has an entry per class.

use serde::{Deserialize, Serialize};

use super::cross_entropy::total;
use crate::batch::Batch;
use crate::loss::Objective;
use crate::masked::pixel_weights;
use crate::{Error, Form, Result};

/// Cross-entropy scaled by `(1 - p)^gamma`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Focal {
    /// Which code.
    pub form: Form,
    /// Exponent, 0 or more; 0 is cross-entropy. Default 2.
    pub gamma: f64,
    /// A factor for each class. Default: 1 for all.
    pub alpha: Vec<f32>,
    /// Classes whose pixels count. Default: all.
    pub classes: Vec<usize>,
}

impl Default for Focal {
    fn default() -> Self {
        Self { form: Form::Repaired, gamma: 2.0, alpha: Vec::new(), classes: Vec::new() }
    }
}

impl Objective for Focal {
    const NAME: &'static str = "focal";

    fn classes(&self) -> &[usize] {
        &self.classes
    }

    fn check(&self, classes: Option<usize>) -> Result<()> {
        let wrong = |problem| Err(Error::Option { loss: Self::NAME, problem });
        if !(self.gamma.is_finite() && self.gamma >= 0.0) {
            return wrong(format!("`gamma` is {}, expected 0 or more", self.gamma));
        }
        if let Some(alpha) = self.alpha.iter().find(|alpha| !(alpha.is_finite() && **alpha >= 0.0)) {
            return wrong(format!("`alpha` has {alpha}, expected 0 or more"));
        }
        let Some(classes) = classes else { return Ok(()) };
        if !self.alpha.is_empty() && self.alpha.len() != classes {
            return wrong(format!("`alpha` has {} factors for {classes} classes", self.alpha.len()));
        }
        Ok(())
    }

    fn evaluate<B: Batch>(&self, batch: &mut B, counted: &[usize]) -> Result<B::Value> {
        let alpha = Some(self.alpha.as_slice()).filter(|alpha| !alpha.is_empty());
        let factors = pixel_weights(batch.classes(), alpha, counted)?;
        let counts = pixel_weights(batch.classes(), None, counted)?;
        let pixels = total(batch.target(), &counts);
        let scale = if pixels > 0.0 { 1.0 / pixels } else { 0.0 };
        let power = Power::of(self.gamma);
        batch.sum(|pixel| {
            let factor = f64::from(factors[pixel.class]) * scale;
            if factor == 0.0 {
                return (0.0, 0.0);
            }
            let p = (-pixel.loss).exp();
            let wrong = -(-pixel.loss).exp_m1();
            let (focus, slope) = power.at(wrong.max(0.0));
            (factor * focus * pixel.loss, factor * (focus + slope * p * pixel.loss))
        })
    }
}

/// A power and its derivative.
#[derive(Clone, Copy)]
enum Power {
    Square,
    Any(f64),
}

impl Power {
    fn of(gamma: f64) -> Self {
        if gamma == 2.0 { Self::Square } else { Self::Any(gamma) }
    }

    fn at(self, x: f64) -> (f64, f64) {
        match self {
            Self::Square => (x * x, 2.0 * x),
            Self::Any(0.0) => (1.0, 0.0),
            // Below gamma 1 the slope has no bound at 0, where the cross-entropy it is multiplied with is 0.
            Self::Any(_) if x == 0.0 => (0.0, 0.0),
            Self::Any(gamma) => (x.powf(gamma), gamma * x.powf(gamma - 1.0)),
        }
    }
}
