//! Softmax and its logarithm over rows, and over the columns of a tile.

use crate::cpu::math::{dot, falling_exp, largest, sum_of};
use crate::vectorized;

/// The columns of a tile at most.
pub(in crate::ops) const TILE: usize = 256;

vectorized! {
    pub(in crate::ops) fn rows<'a>(x: &'a [f32], y: &'a mut [f32], width: usize) {
        for (x, y) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)) {
            let scale = 1.0 / exponentials(x, y).1;
            for y in y.iter_mut() {
                *y *= scale;
            }
        }
    }

    pub(in crate::ops) fn rows_gradient<'a>(y: &'a [f32], grad: &'a [f32], out: &'a mut [f32], width: usize) {
        let rows = y.chunks_exact(width).zip(grad.chunks_exact(width));
        for ((y, grad), out) in rows.zip(out.chunks_exact_mut(width)) {
            let mean = dot(y, grad);
            for ((out, y), grad) in out.iter_mut().zip(y).zip(grad) {
                *out = y * (grad - mean);
            }
        }
    }

    pub(in crate::ops) fn log_rows<'a>(x: &'a [f32], y: &'a mut [f32], width: usize) {
        for (x, y) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)) {
            let (top, total) = exponentials(x, y);
            let logarithm = total.ln();
            for (y, x) in y.iter_mut().zip(x) {
                *y = x - top - logarithm;
            }
        }
    }

    pub(in crate::ops) fn log_rows_gradient<'a>(y: &'a [f32], grad: &'a [f32], out: &'a mut [f32], width: usize) {
        let rows = y.chunks_exact(width).zip(grad.chunks_exact(width));
        for ((y, grad), out) in rows.zip(out.chunks_exact_mut(width)) {
            let total = sum_of(grad, |v| v);
            for ((out, y), grad) in out.iter_mut().zip(y).zip(grad) {
                *out = falling_exp(*y).mul_add(-total, *grad);
            }
        }
    }

    /// `x` holds the block whose columns from `start` on the tile `y` is made of, in rows of `stride` elements.
    pub(in crate::ops) fn columns<'a, 'b>(x: &'a [f32], stride: usize, start: usize, y: &'a mut [&'b mut [f32]]) {
        let (_, totals) = column_exponentials(x, stride, start, y);
        for row in y.iter_mut() {
            for (y, total) in row.iter_mut().zip(&totals) {
                *y /= total;
            }
        }
    }

    pub(in crate::ops) fn columns_gradient<'a, 'b>(y: &'a [f32], grad: &'a [f32], stride: usize, start: usize, out: &'a mut [&'b mut [f32]]) {
        let mut means = [0.0; TILE];
        for (row, out) in out.iter().enumerate() {
            let here = row * stride + start..row * stride + start + out.len();
            for ((mean, y), grad) in means.iter_mut().zip(&y[here.clone()]).zip(&grad[here]) {
                *mean = y.mul_add(*grad, *mean);
            }
        }
        for (row, out) in out.iter_mut().enumerate() {
            let here = row * stride + start..row * stride + start + out.len();
            let operands = y[here.clone()].iter().zip(&grad[here]).zip(&means);
            for (out, ((y, grad), mean)) in out.iter_mut().zip(operands) {
                *out = y * (grad - mean);
            }
        }
    }

    pub(in crate::ops) fn log_columns<'a, 'b>(x: &'a [f32], stride: usize, start: usize, y: &'a mut [&'b mut [f32]]) {
        let (mut shifts, totals) = column_exponentials(x, stride, start, y);
        for (shift, total) in shifts.iter_mut().zip(&totals) {
            *shift += total.ln();
        }
        for (row, y) in y.iter_mut().enumerate() {
            let x = &x[row * stride + start..][..y.len()];
            for ((y, x), shift) in y.iter_mut().zip(x).zip(&shifts) {
                *y = x - shift;
            }
        }
    }

    pub(in crate::ops) fn log_columns_gradient<'a, 'b>(y: &'a [f32], grad: &'a [f32], stride: usize, start: usize, out: &'a mut [&'b mut [f32]]) {
        let mut totals = [0.0; TILE];
        for (row, out) in out.iter().enumerate() {
            for (total, grad) in totals.iter_mut().zip(&grad[row * stride + start..][..out.len()]) {
                *total += grad;
            }
        }
        for (row, out) in out.iter_mut().enumerate() {
            let here = row * stride + start..row * stride + start + out.len();
            let operands = y[here.clone()].iter().zip(&grad[here]).zip(&totals);
            for (out, ((y, grad), total)) in out.iter_mut().zip(operands) {
                *out = falling_exp(*y).mul_add(-total, *grad);
            }
        }
    }
}

/// Fills `y` with the exponentials of what lies below the largest element, and returns that element and their sum.
#[inline(always)]
fn exponentials(x: &[f32], y: &mut [f32]) -> (f32, f32) {
    let top = largest(x);
    for (y, x) in y.iter_mut().zip(x) {
        *y = falling_exp(x - top);
    }
    (top, sum_of(y, |y| y))
}

/// The same for each column of a tile.
#[inline(always)]
fn column_exponentials(
    x: &[f32],
    stride: usize,
    start: usize,
    y: &mut [&mut [f32]],
) -> ([f32; TILE], [f32; TILE]) {
    let (mut tops, mut totals) = ([f32::NEG_INFINITY; TILE], [0.0; TILE]);
    for (row, y) in y.iter().enumerate() {
        for (top, x) in tops.iter_mut().zip(&x[row * stride + start..][..y.len()]) {
            *top = if *x > *top { *x } else { *top };
        }
    }
    for (row, y) in y.iter_mut().enumerate() {
        let columns = x[row * stride + start..][..y.len()].iter().zip(&tops).zip(&mut totals);
        for (y, ((x, top), total)) in y.iter_mut().zip(columns) {
            *y = falling_exp(x - top);
            *total += *y;
        }
    }
    (tops, totals)
}
