//! Generalized Dice loss: one Dice ratio of all classes, each weighted by one over its squared size.
//!
//! `1 - (2 sum_c w_c I_c + s) / (sum_c w_c (P_c + G_c) + s)` for each image, then the mean; `w_c = 1 / G_c^2`, 0 for an absent class, scaled
//! to the sum 1.
//!
//! The seed gives an absent class the weight 1e20, which drowns the others, leaves the weights of large images so small that `s` drowns
//! them, and adds `s` within the factor 2.
//!
//! # Source
//! Sudre et al., <https://arxiv.org/abs/1707.03237>, section 2.1.

use serde::{Deserialize, Serialize};

use super::Over;
use super::averaging::one_minus;
use super::overlap::{Overlap, Slopes, Squares};
use crate::batch::Batch;
use crate::loss::Objective;
use crate::options::{SMOOTH, not_negative};
use crate::{Form, Result};

/// One minus a Dice coefficient over classes weighted by their size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GeneralizedDice {
    /// Which code.
    pub form: Form,
    /// Which pixels are summed. Default: those of an image.
    pub over: Over,
    /// `s`, 0 or more. Default 1e-5.
    pub smooth: f64,
    /// Classes that count. Default: all.
    pub classes: Vec<usize>,
}

impl Default for GeneralizedDice {
    fn default() -> Self {
        Self { form: Form::Repaired, over: Over::Image, smooth: SMOOTH, classes: Vec::new() }
    }
}

impl Objective for GeneralizedDice {
    const NAME: &'static str = "generalized-dice";

    fn classes(&self) -> &[usize] {
        &self.classes
    }

    fn check(&self, _: Option<usize>) -> Result<()> {
        not_negative(Self::NAME, "smooth", self.smooth)
    }

    fn evaluate<B: Batch>(&self, batch: &mut B, counted: &[usize]) -> Result<B::Value> {
        let classes = batch.classes();
        let smooth_above = if self.form == Form::Seed { 2.0 * self.smooth } else { self.smooth };
        batch.overlaps(Squares::Without, |overlaps| {
            weighted(overlaps, classes, counted, self.over, self.form, |sums| {
                let above = sums.iter().map(|(weight, sums)| 2.0 * weight * sums.both).sum::<f64>();
                let below =
                    sums.iter().map(|(weight, sums)| weight * (sums.predicted + sums.truth)).sum::<f64>();
                Ratio {
                    above: above + smooth_above,
                    below: below + self.smooth,
                    rise: Slopes { both: 2.0, ..Slopes::default() },
                    fall: Slopes { predicted: 1.0, ..Slopes::default() },
                }
            })
        })
    }
}

/// A ratio of sums over classes; the slopes are those for a class of weight 1.
pub(super) struct Ratio {
    pub(super) above: f64,
    pub(super) below: f64,
    pub(super) rise: Slopes,
    pub(super) fall: Slopes,
}

/// The mean of one minus a ratio of sums over classes weighted by one over their squared size.
pub(super) fn weighted(
    overlaps: &[Overlap],
    classes: usize,
    counted: &[usize],
    over: Over,
    form: Form,
    ratio: impl Fn(&[(f64, Overlap)]) -> Ratio,
) -> (f64, Vec<Slopes>) {
    let images = overlaps.len().checked_div(classes).unwrap_or(0);
    let sets: Vec<Vec<usize>> = match over {
        Over::Image => (0..images).map(|image| vec![image]).collect(),
        Over::Batch => vec![(0..images).collect()],
    };
    let share = if images == 0 { 0.0 } else { 1.0 / sets.len() as f64 };
    let (mut mean, mut slopes) = (0.0, vec![Slopes::default(); overlaps.len()]);
    for images in sets {
        let add = |class: usize| {
            let of_image = |sums: Overlap, image: &usize| sums.plus(overlaps[image * classes + class]);
            images.iter().fold(Overlap::default(), of_image)
        };
        let sums: Vec<Overlap> = counted.iter().map(|&class| add(class)).collect();
        let weights = weights(&sums, form);
        let weighted: Vec<(f64, Overlap)> = weights.iter().copied().zip(sums).collect();
        let Ratio { above, below, rise, fall } = ratio(&weighted);
        let (value, slope) = one_minus((above, rise), (below, fall));
        mean += value * share;
        for (weight, class) in weights.into_iter().zip(counted) {
            let factor = weight * share;
            for image in &images {
                slopes[image * classes + class] = Slopes {
                    both: slope.both * factor,
                    predicted: slope.predicted * factor,
                    ..Slopes::default()
                };
            }
        }
    }
    (mean, slopes)
}

fn weights(sums: &[Overlap], form: Form) -> Vec<f64> {
    if form == Form::Seed {
        return sums.iter().map(|sums| (sums.truth + 1e-10).powi(-2)).collect();
    }
    let weights: Vec<f64> =
        sums.iter().map(|sums| if sums.truth > 0.0 { sums.truth.powi(-2) } else { 0.0 }).collect();
    let total: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| if total > 0.0 { weight / total } else { 0.0 }).collect()
}
