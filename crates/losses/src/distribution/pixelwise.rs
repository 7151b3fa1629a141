//! Losses that are a sum over pixels of a function of the pixel's cross-entropy.

use segbench_nn::vectorized;

use crate::masked::{Block, Masked, Rows, Scratch};

/// A pixel that counts.
pub(crate) struct Pixel {
    /// Place in the whole batch.
    pub(crate) at: usize,
    pub(crate) class: usize,
    /// Minus the logarithm of the probability of its class.
    pub(crate) loss: f64,
}

/// The sum of `shape` over the pixels that count; `shape` gives the value of a pixel and its slope in the pixel's cross-entropy.
pub(crate) fn sum(
    batch: &Masked,
    gradient: Option<&mut [f32]>,
    shape: impl Fn(Pixel) -> (f64, f64) + Send + Sync,
) -> f64 {
    let value_of = |block: &Block, scratch: &mut Scratch| {
        block.normalize(scratch);
        let value = |(pixel, class): (usize, usize)| {
            let loss = scratch.sum[pixel].ln() - (block.logit(class, pixel) - scratch.largest[pixel]);
            shape(Pixel { at: place(batch, block, pixel), class, loss: loss.into() }).0
        };
        block.counted().map(value).sum::<f64>()
    };
    let Some(gradient) = gradient else { return batch.map(value_of).into_iter().sum() };
    let parts = batch.map_gradient(gradient, |block, gradient, scratch| {
        block.softmax(scratch);
        let Scratch { probabilities, slopes, sum, largest } = scratch;
        slopes.resize(1, block.labels.len());
        let slopes = slopes.row_mut(0);
        slopes.fill(0.0);
        let mut total = 0.0;
        for (pixel, class) in block.counted() {
            // Softmax leaves the inverse of the sum.
            let loss = -sum[pixel].ln() - (block.logit(class, pixel) - largest[pixel]);
            let (value, slope) = shape(Pixel { at: place(batch, block, pixel), class, loss: loss.into() });
            total += value;
            slopes[pixel] = slope as f32;
        }
        pull(probabilities, slopes, gradient);
        for (pixel, class) in block.counted() {
            gradient[class][pixel] -= slopes[pixel];
        }
        total
    });
    parts.into_iter().sum()
}

/// The cross-entropy of every pixel of the batch; minus infinity where a pixel does not count.
pub(crate) fn losses(batch: &Masked) -> Vec<f32> {
    let blocks = batch.map(|block, scratch| {
        block.normalize(scratch);
        let mut losses = vec![f32::NEG_INFINITY; block.labels.len()];
        for (pixel, class) in block.counted() {
            losses[pixel] = scratch.sum[pixel].ln() - (block.logit(class, pixel) - scratch.largest[pixel]);
        }
        losses
    });
    blocks.concat()
}

fn place(batch: &Masked, block: &Block, pixel: usize) -> usize {
    block.image * batch.pixels() + block.start + pixel
}

/// Each pixel's slope times its probabilities.
fn pull(probabilities: &Rows, slopes: &[f32], gradient: &mut [&mut [f32]]) {
    for (gradient, p) in gradient.iter_mut().zip(probabilities.iter()) {
        products(p, slopes, gradient);
    }
}

vectorized! {
    fn products<'x>(p: &'x [f32], slopes: &'x [f32], out: &'x mut [f32]) {
        for ((out, p), slope) in out.iter_mut().zip(p).zip(slopes) {
            // A pixel that does not count has no gradient even where its logits are not numbers.
            *out = if *slope == 0.0 { 0.0 } else { slope * p };
        }
    }
}
