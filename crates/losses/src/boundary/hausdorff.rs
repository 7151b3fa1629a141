//! Hausdorff loss in its form with distance transforms: squared errors weighted by the distance to the border of both regions.
//!
//! `sum_i sum_c (p_ic - g_ic)^2 (d_ic^alpha + q_ic^alpha) / (N C)` over the `N` labelled pixels; `d` is the distance to the border of the class
//! in the labels of the image and `q` that in the prediction, where a pixel belongs to a class of more than half its probability.
//! No gradient flows through distances. A class that is absent from the one or everywhere in it has distance 0 there.
//!
//! The seed takes the distance transform of the probabilities themselves, which are all above 0: its `q` depends on the place in the image
//! alone. Its distances leak from one image of the batch into the next.
//!
//! # Source
//! Karimi, Salcudean, <https://arxiv.org/abs/1904.10030>, equation 8, alpha 2; equal to MONAI's `HausdorffDTLoss`.

use candle_core::Tensor;
use segbench_targets::{ClassDistances, DistanceMap};
use segbench_types::IGNORE;
use serde::{Deserialize, Serialize};

use super::seed;
use crate::loss::Objective;
use crate::masked::{Block, Masked, Scratch, subset};
use crate::options::not_negative;
use crate::{Form, Loss, Needs, Result, Target};

/// Squared errors weighted by powers of distances.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hausdorff {
    /// Which code.
    pub form: Form,
    /// Exponent of distances, 0 or more. Default 2.
    pub alpha: f64,
    /// Classes that count. Default: all.
    pub classes: Vec<usize>,
}

impl Default for Hausdorff {
    fn default() -> Self {
        Self { form: Form::Repaired, alpha: 2.0, classes: Vec::new() }
    }
}

impl Hausdorff {
    /// The name in commands and files.
    pub const NAME: &'static str = "hausdorff";

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

impl Loss for Hausdorff {
    fn needs(&self) -> Needs {
        Needs { distances: true, ..Needs::default() }
    }

    fn validate(&self, classes: Option<usize>) -> Result<()> {
        not_negative(Self::NAME, "alpha", self.alpha)?;
        classes.map_or(Ok(()), |classes| subset(Self::NAME, &self.classes, classes).map(|_| ()))
    }

    fn forward(&self, logits: &Tensor, target: &Target) -> Result<Tensor> {
        self.apply(logits, target)
    }
}

impl Objective for Hausdorff {
    fn evaluate(&self, batch: &Masked, mut gradient: Option<&mut [f32]>) -> Result<f64> {
        let counted = subset(Self::NAME, &self.classes, batch.classes())?;
        let terms = batch.counts().total() as f64 * counted.len() as f64;
        let scale = if terms > 0.0 { 1.0 / terms } else { 0.0 };
        let sum = |image: usize, field: &[f32], gradient: Option<&mut [f32]>| {
            batch.sum_of_image(image, gradient, |block, scratch| {
                add(batch, block, scratch, field, &counted, scale)
            })
        };
        let size = batch.classes() * batch.pixels();
        let mut value = 0.0;
        if self.form == Form::Seed {
            let field = self.seed_field(batch)?;
            for image in 0..batch.images() {
                value += sum(image, &field[image * size..][..size], gradient.as_deref_mut());
            }
            return Ok(value);
        }
        let grid = batch.target().grid();
        let predicted = predicted(batch);
        let mut distances = ClassDistances::default();
        let (mut field, mut squares) = (vec![0.0; size], vec![0.0; size]);
        for image in 0..batch.images() {
            field.fill(0.0);
            let predicted = &predicted[image * batch.pixels()..][..batch.pixels()];
            for labels in [batch.labels(image), predicted] {
                distances.maps(grid, labels, DistanceMap::Squared, &mut squares);
                self.add(&squares, &mut field);
            }
            value += sum(image, &field, gradient.as_deref_mut());
        }
        Ok(value)
    }
}

impl Hausdorff {
    /// The seed's weights, image after image and class after class.
    fn seed_field(&self, batch: &Masked) -> Result<Vec<f32>> {
        let grid = seed::grid(batch, Self::NAME)?;
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

/// For each pixel that counts, the class of more than half its probability; [`IGNORE`] for the others.
fn predicted(batch: &Masked) -> Vec<u8> {
    let blocks = batch.map(|block, scratch| {
        block.normalize(scratch);
        let mut predicted = vec![IGNORE; block.labels.len()];
        for (pixel, _) in block.counted() {
            // The largest exponential is 1: more than half of the sum if that is below 2.
            if scratch.sum[pixel] < 2.0 {
                let is_largest = |&class: &usize| block.logit(class, pixel) == scratch.largest[pixel];
                predicted[pixel] = (0..batch.classes()).find(is_largest).map_or(IGNORE, |class| class as u8);
            }
        }
        predicted
    });
    blocks.concat()
}

/// The block's part of the loss, with the slopes left in the room.
fn add(
    batch: &Masked,
    block: &Block,
    scratch: &mut Scratch,
    field: &[f32],
    counted: &[usize],
    scale: f64,
) -> f64 {
    let Scratch { probabilities, slopes, .. } = scratch;
    slopes.iter_mut().for_each(|row| row.fill(0.0));
    // Errors take the place of probabilities' slopes before these do.
    for &class in counted {
        slopes.row_mut(class).copy_from_slice(probabilities.row(class));
    }
    for (pixel, class) in block.counted().filter(|(_, class)| counted.contains(class)) {
        *slopes.at_mut(class, pixel) -= 1.0;
    }
    let mut total = 0.0;
    for &class in counted {
        let field = &field[class * batch.pixels() + block.start..][..block.labels.len()];
        total += weigh(slopes.row_mut(class), field, 2.0 * scale as f32);
    }
    total * scale
}

/// The weighted sum of squared errors, which become slopes.
fn weigh(errors: &mut [f32], field: &[f32], scale: f32) -> f64 {
    let mut sum = 0.0;
    for (error, weight) in errors.iter_mut().zip(field) {
        let weighted = *error * weight;
        sum += f64::from(*error * weighted);
        *error = weighted * scale;
    }
    sum
}
