//! Sums of errors of probabilities, each weighted by a number of the pixel and class.

use segbench_nn::cpu::math::dot;
use segbench_nn::vectorized;
use segbench_types::IGNORE;

use crate::Target;
use crate::masked::{Block, Counts, Masked, Scratch};

/// What is weighted; `g` is 1 on pixels of the class.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Errors {
    /// `p`
    Linear,
    /// `(p - g)^2`
    Squared,
}

/// One over the number of terms of a mean over pixels and classes; 0 for none.
pub(super) fn scale(target: &Target, classes: usize, counted: usize) -> f64 {
    let terms = Counts::new(target, classes).total() as f64 * counted as f64;
    if terms > 0.0 { 1.0 / terms } else { 0.0 }
}

/// Takes the weight from classes.
pub(super) fn leave_out(weights: &mut [f32], pixels: usize, is_left_out: impl Fn(usize) -> bool) {
    let planes = weights.chunks_exact_mut(pixels.max(1)).enumerate();
    planes.filter(|(class, _)| is_left_out(*class)).for_each(|(_, plane)| plane.fill(0.0));
}

/// `scale` times the sum of errors times weights; `fill` writes the weights of an image, class after class.
pub(crate) fn sum(
    batch: &Masked,
    mut gradient: Option<&mut [f32]>,
    errors: Errors,
    scale: f64,
    mut fill: impl FnMut(usize, &mut [f32]),
) -> f64 {
    let mut weights = vec![0.0; batch.classes() * batch.pixels()];
    let mut value = 0.0;
    for image in 0..batch.images() {
        fill(image, &mut weights);
        value += batch.sum_of_image(image, gradient.as_deref_mut(), |block, scratch| {
            of_block(block, scratch, &weights, batch.pixels(), errors, scale as f32)
        });
    }
    value * scale
}

/// The sum of a block without the scale, with the slopes left in the room.
fn of_block(
    block: &Block,
    scratch: &mut Scratch,
    weights: &[f32],
    pixels: usize,
    errors: Errors,
    scale: f32,
) -> f64 {
    let Scratch { probabilities, slopes, .. } = scratch;
    let rows = weights.chunks_exact(pixels).map(|plane| &plane[block.start..][..block.labels.len()]);
    let mut total = 0.0;
    match errors {
        Errors::Linear => {
            for ((p, slope), weight) in probabilities.iter().zip(slopes.iter_mut()).zip(rows) {
                total += f64::from(linear(p, weight, scale, slope));
            }
        }
        Errors::Squared => {
            // Errors stand where slopes belong until they become some.
            for (p, slope) in probabilities.iter().zip(slopes.iter_mut()) {
                slope.copy_from_slice(p);
            }
            for (pixel, class) in block.counted() {
                *slopes.at_mut(class, pixel) -= 1.0;
            }
            for (slope, weight) in slopes.iter_mut().zip(rows) {
                total += f64::from(squared(weight, 2.0 * scale, slope));
            }
        }
    }
    total
}

vectorized! {
    fn linear<'x>(p: &'x [f32], weight: &'x [f32], scale: f32, slope: &'x mut [f32]) -> f32 {
        for (slope, weight) in slope.iter_mut().zip(weight) {
            *slope = weight * scale;
        }
        dot(p, weight)
    }

    /// Errors become slopes.
    fn squared<'x>(weight: &'x [f32], scale: f32, error: &'x mut [f32]) -> f32 {
        let mut lanes = [0.0_f32; segbench_nn::cpu::LANES];
        for (errors, weights) in error.chunks_mut(lanes.len()).zip(weight.chunks(lanes.len())) {
            for ((error, weight), lane) in errors.iter_mut().zip(weights).zip(&mut lanes) {
                let weighted = *error * weight;
                *lane = error.mul_add(weighted, *lane);
                *error = weighted * scale;
            }
        }
        segbench_nn::cpu::math::sum_of(&lanes, |lane| lane)
    }
}

/// For each pixel that counts, the class of more than half its probability; [`IGNORE`] for the others.
pub(crate) fn predicted(batch: &Masked) -> Vec<u8> {
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
