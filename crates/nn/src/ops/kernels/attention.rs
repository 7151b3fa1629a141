//! The loops of attention over a tile of queries, between its products of matrices.

use crate::cpu::math::{dot, falling_exp, largest, sum_of};
use crate::vectorized;

vectorized! {
    /// Turns a row of products into exponentials of `row · scale + bias` below its largest element, and returns their sum. A row
    /// without any finite element becomes 0, with the sum 1.
    pub(in crate::ops) fn exponentials<'r, 'b>(row: &'r mut [f32], scale: f32, bias: Option<&'b [f32]>) -> f32 {
        match bias {
            Some(bias) => {
                for (score, bias) in row.iter_mut().zip(bias) {
                    *score = score.mul_add(scale, *bias);
                }
            }
            None => {
                for score in row.iter_mut() {
                    *score *= scale;
                }
            }
        }
        let top = largest(row);
        if top == f32::NEG_INFINITY && row.iter().all(|score| !score.is_nan()) {
            row.fill(0.0);
            return 1.0;
        }
        for score in row.iter_mut() {
            *score = falling_exp(*score - top);
        }
        sum_of(row, |v| v)
    }

    pub(in crate::ops) fn multiply<'r>(row: &'r mut [f32], factor: f32) {
        for value in row.iter_mut() {
            *value *= factor;
        }
    }

    /// The gradient of the scores, in place of the gradient of the weights.
    pub(in crate::ops) fn scores_gradient<'w, 'g>(weights: &'w [f32], grad: &'g mut [f32]) {
        let mean = dot(weights, grad);
        for (grad, weight) in grad.iter_mut().zip(weights) {
            *grad = weight * (*grad - mean);
        }
    }
}
