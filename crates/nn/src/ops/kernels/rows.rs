//! Loops over rows.

use crate::cpu::math::{dot, sum_of};
use crate::vectorized;

vectorized! {
    pub(in crate::ops) fn layer_norm<'a>(x: &'a [f32], weight: &'a [f32], bias: &'a [f32], eps: f32, y: &'a mut [f32]) {
        let width = weight.len();
        for (x, y) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)) {
            let (mean, scale) = moments(x, eps);
            for (((y, x), weight), bias) in y.iter_mut().zip(x).zip(weight).zip(bias) {
                *y = ((x - mean) * scale).mul_add(*weight, *bias);
            }
        }
    }

    /// `sums` receives the gradients of the weight and then those of the bias.
    pub(in crate::ops) fn layer_norm_gradient<'a>(
        x: &'a [f32],
        weight: &'a [f32],
        eps: f32,
        grad: &'a [f32],
        out: &'a mut [f32],
        sums: &'a mut [f32],
    ) {
        let width = weight.len();
        let share = 1.0 / width as f32;
        let (weight_sums, bias_sums) = sums.split_at_mut(width);
        let rows = x.chunks_exact(width).zip(grad.chunks_exact(width));
        for ((x, grad), out) in rows.zip(out.chunks_exact_mut(width)) {
            let (mean, scale) = moments(x, eps);
            // `out` first holds the gradient of the normalized values.
            for ((out, grad), weight) in out.iter_mut().zip(grad).zip(weight) {
                *out = grad * weight;
            }
            let shift = sum_of(out, |v| v) * share;
            let along = (dot(out, x) - shift * mean * width as f32) * scale * share;
            let columns = weight_sums.iter_mut().zip(bias_sums.iter_mut());
            for (((out, x), grad), (weight_sum, bias_sum)) in out.iter_mut().zip(x).zip(grad).zip(columns) {
                let normalized = (x - mean) * scale;
                *out = scale * normalized.mul_add(-along, *out - shift);
                *weight_sum = grad.mul_add(normalized, *weight_sum);
                *bias_sum += grad;
            }
        }
    }

    /// `y = x · scale + shift`.
    pub(in crate::ops) fn scale_and_shift<'a>(x: &'a [f32], scale: f32, shift: f32, y: &'a mut [f32]) {
        for (y, x) in y.iter_mut().zip(x) {
            *y = x.mul_add(scale, shift);
        }
    }

    /// `y = x · x_scale + grad · grad_scale + shift`.
    pub(in crate::ops) fn mix<'a>(x: &'a [f32], x_scale: f32, grad: &'a [f32], grad_scale: f32, shift: f32, y: &'a mut [f32]) {
        for ((y, x), grad) in y.iter_mut().zip(x).zip(grad) {
            *y = grad.mul_add(grad_scale, x.mul_add(x_scale, shift));
        }
    }

    /// The sum of a long row, in f64 after each kilobyte.
    pub(in crate::ops) fn long_sum<'a>(row: &'a [f32]) -> f64 {
        row.chunks(256).map(|chunk| f64::from(sum_of(chunk, |x| x))).sum()
    }

    /// The sum of `(x - center)²` of a long row.
    pub(in crate::ops) fn long_squares<'a>(row: &'a [f32], center: f32) -> f64 {
        row.chunks(256).map(|chunk| f64::from(sum_of(chunk, |x| (x - center) * (x - center)))).sum()
    }

    /// The sum of `(x - center) · grad` of two long rows.
    pub(in crate::ops) fn long_product<'a>(x: &'a [f32], center: f32, grad: &'a [f32]) -> f64 {
        let mut sum = 0.0;
        let mut centered = [0.0; 256];
        for (x, grad) in x.chunks(256).zip(grad.chunks(256)) {
            for (to, x) in centered.iter_mut().zip(x) {
                *to = x - center;
            }
            sum += f64::from(dot(&centered[..x.len()], grad));
        }
        sum
    }

    /// The sum of `min(x, 0) · grad` of two long rows.
    pub(in crate::ops) fn long_falling_product<'a>(x: &'a [f32], grad: &'a [f32]) -> f64 {
        let mut sum = 0.0;
        let mut falling = [0.0; 256];
        for (x, grad) in x.chunks(256).zip(grad.chunks(256)) {
            for (to, x) in falling.iter_mut().zip(x) {
                *to = if *x > 0.0 { 0.0 } else { *x };
            }
            sum += f64::from(dot(&falling[..x.len()], grad));
        }
        sum
    }
}

/// The mean of a row and the inverse of its standard deviation.
#[inline(always)]
fn moments(row: &[f32], eps: f32) -> (f32, f32) {
    let share = 1.0 / row.len() as f32;
    let mean = sum_of(row, |x| x) * share;
    let variance = sum_of(row, |x| (x - mean) * (x - mean)) * share;
    (mean, 1.0 / (variance + eps).sqrt())
}
