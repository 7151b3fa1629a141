//! Distance-map-penalized cross-entropy: pixels near the border of their class weigh more.
//!
//! `sum_i (1 + D_i) l_i / N` over the `N` labelled pixels with the cross-entropy `l_i`. `D_i` is made of the distance `d_i` of pixel `i` to
//! the nearest pixel of another label in its image: `max(d) - d_i` with the largest distance of the class in the image, or
//! `1 / d_i`.
//!
//! The seed's words say reciprocal, its code subtracts: so does the default here. Its code further applies softmax twice, lets
//! distances leak from one image of the batch into the next, and divides by the number of classes, too; [`Form::Seed`] does that.
//!
//! # Source
//! Caliva et al., <https://arxiv.org/abs/1908.03679>; SegLoss, <https://github.com/JunMa11/SegLoss>, `DisPenalizedCE`.

use segbench_targets::ClassDistances;
use serde::{Deserialize, Serialize};

use super::cross_entropy::total;
use crate::batch::Batch;
use crate::boundary::seed;
use crate::loss::Objective;
use crate::masked::{Masked, Scratch, pixel_weights};
use crate::{Form, Needs, Result, Target};

/// Cross-entropy weighted by the distance to the border of the pixel's class.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DistancePenalizedCrossEntropy {
    /// Which code.
    pub form: Form,
    /// What is made of a distance. Default: `subtracted`.
    pub penalty: Penalty,
    /// Classes whose pixels count. Default: all.
    pub classes: Vec<usize>,
}

/// What is made of a distance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Penalty {
    /// The largest distance of the class in the image, less the distance.
    #[default]
    Subtracted,
    /// One over the distance.
    Reciprocal,
}

impl DistancePenalizedCrossEntropy {
    /// `1 + D` of every pixel of the batch.
    fn weights(&self, target: &Target) -> Vec<f32> {
        let mut weights = vec![0.0; target.labels().len()];
        let mut distances = ClassDistances::default();
        for (image, weights) in weights.chunks_exact_mut(target.grid().len().max(1)).enumerate() {
            let labels = target.image(image);
            distances.inside(target.grid(), labels, weights);
            let mut largest = [0.0_f32; 256];
            for (&label, &distance) in labels.iter().zip(&*weights) {
                largest[usize::from(label)] = largest[usize::from(label)].max(distance);
            }
            for (&label, weight) in labels.iter().zip(weights) {
                let penalty = match self.penalty {
                    Penalty::Subtracted => largest[usize::from(label)] - *weight,
                    // A class that fills the image has no border.
                    Penalty::Reciprocal if *weight == 0.0 => 0.0,
                    Penalty::Reciprocal => 1.0 / *weight,
                };
                *weight = 1.0 + penalty;
            }
        }
        weights
    }
}

impl Objective for DistancePenalizedCrossEntropy {
    const NAME: &'static str = "distance-penalized-cross-entropy";

    fn needs(&self) -> Needs {
        Needs { distances: true, ..Needs::default() }
    }

    fn classes(&self) -> &[usize] {
        &self.classes
    }

    fn evaluate<B: Batch>(&self, batch: &mut B, counted: &[usize]) -> Result<B::Value> {
        let counts = pixel_weights(batch.classes(), None, counted)?;
        let pixels = total(batch.target(), &counts);
        let scale = if pixels > 0.0 { 1.0 / pixels } else { 0.0 };
        if self.form == Form::Seed {
            let weights = seed::penalties(batch.target(), batch.classes(), Self::NAME)?;
            return batch.evaluate(|batch, gradient| {
                Ok(twice_softmax(batch, gradient, &weights, scale / batch.classes() as f64))
            });
        }
        let weights = self.weights(batch.target());
        batch.sum(|pixel| {
            let weight = f64::from(weights[pixel.at]) * f64::from(counts[pixel.class]) * scale;
            (weight * pixel.loss, weight)
        })
    }
}

/// The weighted sum of the cross-entropy of probabilities that are taken for logits.
fn twice_softmax(batch: &Masked, gradient: Option<&mut [f32]>, weights: &[f32], scale: f64) -> f64 {
    batch.sum_over_probabilities(gradient, |block, scratch| {
        let Scratch { probabilities, slopes, .. } = scratch;
        slopes.iter_mut().for_each(|row| row.fill(0.0));
        let weights = &weights[block.image * batch.pixels() + block.start..];
        let mut total = 0.0;
        for (pixel, class) in block.counted() {
            let of = |class: usize| f64::from(probabilities.at(class, pixel)).exp();
            let sum: f64 = (0..batch.classes()).map(of).sum();
            let weight = f64::from(weights[pixel]) * scale;
            total += weight * (sum.ln() - f64::from(probabilities.at(class, pixel)));
            for other in 0..batch.classes() {
                *slopes.at_mut(other, pixel) = (weight * of(other) / sum) as f32;
            }
            *slopes.at_mut(class, pixel) -= weight as f32;
        }
        total
    })
}
