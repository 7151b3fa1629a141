//! Hausdorff loss: squared errors weighted by the distance to the border of both regions.
//!
//! `sum_i sum_c (p_ic - g_ic)^2 (d_ic^alpha + q_ic^alpha) / (N C)` over the `N` labelled pixels; `d` is the distance to the border of the class
//! in the labels of the image and `q` that in the prediction, where a pixel belongs to a class of more than half its probability.
//! No gradient flows through distances. A class that is absent from the one or everywhere in it has distance 0 there.
//!
//! With `erosions`, their number takes the place of the distance: `sum_k k^alpha E_k / (N C)`, where `E_0 = (p - g)^2`, and an erosion makes
//! `E_k = max(0, 2 m - 1)` of the mean `m` of `E_(k-1)` over a pixel and its neighbors along the axes, with 0 beyond the border of the image. An
//! error of 1 stays 1 until an erosion reaches it, where the paper's `m - 1/2` would be gone after two.
//!
//! The seed takes the distance transform of the probabilities themselves, which are all above 0: its `q` depends on the place in the image
//! alone. Its distances leak from one image of the batch into the next.
//!
//! # Source
//! Karimi, Salcudean, <https://arxiv.org/abs/1904.10030>, equations 8 and 10, alpha 2; with distances equal to MONAI's
//! `HausdorffDTLoss`.

use segbench_targets::{ClassDistances, DistanceMap};
use serde::{Deserialize, Serialize};

use super::weighted::{self, Errors, leave_out, scale};
use super::{erosion, seed};
use crate::batch::Batch;
use crate::loss::Objective;
use crate::masked::Masked;
use crate::options::not_negative;
use crate::{Error, Form, Needs, Result};

/// Squared errors weighted by powers of distances.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hausdorff {
    /// Which code.
    pub form: Form,
    /// Exponent of distances, 0 or more. Default 2.
    pub alpha: f64,
    /// How many erosions stand in for distances, 0 for distances. Default 0; the paper's 10.
    pub erosions: usize,
    /// Classes that count. Default: all.
    pub classes: Vec<usize>,
}

impl Default for Hausdorff {
    fn default() -> Self {
        Self { form: Form::Repaired, alpha: 2.0, erosions: 0, classes: Vec::new() }
    }
}

impl Hausdorff {
    /// Adds a power of the squared distances of an image.
    fn add(&self, squares: &[f32], sum: &mut [f32]) {
        if self.alpha == 2.0 {
            sum.iter_mut().zip(squares).for_each(|(sum, square)| *sum += square);
        } else {
            let half = self.alpha as f32 / 2.0;
            let power = |square: f32| if square == 0.0 { 0.0 } else { square.powf(half) };
            sum.iter_mut().zip(squares).for_each(|(sum, &square)| *sum += power(square));
        }
    }
}

impl Objective for Hausdorff {
    const NAME: &'static str = "hausdorff";

    fn needs(&self) -> Needs {
        Needs { distances: true, ..Needs::default() }
    }

    fn classes(&self) -> &[usize] {
        &self.classes
    }

    fn check(&self, _: Option<usize>) -> Result<()> {
        if self.form == Form::Seed && self.erosions > 0 {
            let problem = "`form: seed` has no `erosions`".to_owned();
            return Err(Error::Option { loss: Self::NAME, problem });
        }
        not_negative(Self::NAME, "alpha", self.alpha)
    }

    fn evaluate<B: Batch>(&self, batch: &mut B, counted: &[usize]) -> Result<B::Value> {
        let (classes, target) = (batch.classes(), batch.target().clone());
        let (scale, pixels) = (scale(&target, classes, counted.len()), target.grid().len());
        let is_left_out = |class: usize| !counted.contains(&class);
        if self.form == Form::Seed {
            return batch.evaluate(|batch, gradient| {
                let field = self.seed_field(batch)?;
                Ok(weighted::sum(batch, gradient, Errors::Squared, scale, |image, weights| {
                    weights.copy_from_slice(&field[image * classes * pixels..][..classes * pixels]);
                    leave_out(weights, pixels, is_left_out);
                }))
            });
        }
        if self.erosions > 0 {
            let steps = (self.erosions, self.alpha);
            return batch
                .evaluate(|batch, gradient| Ok(erosion::sum(batch, gradient, steps, counted, scale)));
        }
        let predicted = batch.predicted()?;
        let (mut distances, mut squares) = (ClassDistances::default(), vec![0.0; classes * pixels]);
        batch.weigh(Errors::Squared, scale, |image, weights| {
            weights.fill(0.0);
            for labels in [target.image(image), &predicted[image * pixels..][..pixels]] {
                distances.maps(target.grid(), labels, DistanceMap::Squared, &mut squares);
                self.add(&squares, weights);
            }
            leave_out(weights, pixels, is_left_out);
        })
    }
}

impl Hausdorff {
    /// The seed's weights, image after image and class after class.
    fn seed_field(&self, batch: &Masked) -> Result<Vec<f32>> {
        let grid = seed::grid(batch.target(), Self::NAME)?;
        let labels = batch.target().labels();
        let mut field = vec![0.0; labels.len() * batch.classes()];
        for class in 0..batch.classes() {
            let probabilities = plain_softmax(batch, class);
            let of_class = |at: usize| if usize::from(labels[at]) == class { 1.0 } else { 0.0 };
            let truth: Vec<f32> = (0..labels.len()).map(of_class).collect();
            for values in [probabilities, truth] {
                if values.iter().all(|&value| value == 0.0) {
                    continue;
                }
                // Whatever is not 0 holds for scipy.
                let inside = seed::distances(&grid, |at| values[at] != 0.0);
                let outside = seed::distances(&grid, |at| 1.0 - values[at] != 0.0);
                for at in 0..labels.len() {
                    let (image, pixel) = (at / batch.pixels(), at % batch.pixels());
                    field[(image * batch.classes() + class) * batch.pixels() + pixel] +=
                        (inside[at] + outside[at]).powf(self.alpha) as f32;
                }
            }
        }
        Ok(field)
    }
}

/// The probabilities of one class for the whole batch, which become 0 where the usual softmax stops short of it.
fn plain_softmax(batch: &Masked, class: usize) -> Vec<f32> {
    let of_pixel = |at: usize| {
        let (image, pixel) = (at / batch.pixels(), at % batch.pixels());
        let logit = |class: usize| batch.plane(image, class)[pixel];
        let largest = (0..batch.classes()).map(logit).fold(f32::NEG_INFINITY, f32::max);
        let sum: f32 = (0..batch.classes()).map(|class| (logit(class) - largest).exp()).sum();
        (logit(class) - largest).exp() / sum
    };
    (0..batch.target().labels().len()).map(of_pixel).collect()
}
