//! Bilinear interpolation.

use candle_core::{Shape, Tensor};

use super::kernels::rows;
use super::{on_cpu, portable};
use crate::cpu::{Backward, Function, Operand, apply, for_each_chunk};
use crate::{Error, Result};

/// One output position: the two input positions it mixes and the share of the second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tap {
    pub(super) low: usize,
    pub(super) high: usize,
    pub(super) weight: f32,
}

/// Where PyTorch's `F.interpolate(mode="bilinear")` reads, computed in f32 as PyTorch does.
pub(super) fn taps(input: usize, output: usize, align_corners: bool) -> Vec<Tap> {
    let scale = match (align_corners, output) {
        (true, 0 | 1) => 0.0,
        (true, _) => (input - 1) as f32 / (output - 1) as f32,
        (false, _) => input as f32 / output as f32,
    };
    let tap = |position: usize| {
        let source = if align_corners {
            scale * position as f32
        } else {
            (scale * (position as f32 + 0.5) - 0.5).max(0.0)
        };
        let low = (source as usize).min(input - 1);
        let weight = (source - low as f32).clamp(0.0, 1.0);
        Tap { low, high: (low + 1).min(input - 1), weight }
    };
    (0..output).map(tap).collect()
}

/// Resizes maps by bilinear interpolation without antialiasing, as `F.interpolate(mode="bilinear")` of PyTorch does.
///
/// # Shapes
///
/// `x: (B, C, H, W)`, result `(B, C, height, width)`.
///
/// # Errors
///
/// [`Error::Shape`] if `x` is not four-dimensional or a size is zero.
pub fn resize_bilinear(x: &Tensor, height: usize, width: usize, align_corners: bool) -> Result<Tensor> {
    match x.dims() {
        &[_, _, input_h, input_w] if input_h * input_w * height * width > 0 => {
            if (input_h, input_w) == (height, width) {
                return Ok(x.clone());
            }
        }
        dims => {
            return Err(Error::shape(
                "resize_bilinear",
                format!("cannot resize {dims:?} to {height} x {width}"),
            ));
        }
    }
    if !on_cpu(&[x]) {
        return Ok(portable::resize_bilinear(x, height, width, align_corners)?);
    }
    Ok(apply(Bilinear { height, width, align_corners }, &[x])?)
}

struct Bilinear {
    height: usize,
    width: usize,
    align_corners: bool,
}

impl Bilinear {
    /// The taps of rows and of columns for an input of the given shape, and its height and width.
    fn taps(&self, dims: &[usize]) -> (Vec<Tap>, Vec<Tap>, usize, usize) {
        let (height, width) = match dims {
            &[.., height, width] => (height, width),
            _ => (1, 1),
        };
        let along = |input, output| taps(input, output, self.align_corners);
        (along(height, self.height), along(width, self.width), height, width)
    }
}

/// Planes in one piece of work, which shares scratch memory.
const PLANES: usize = 4;

impl Function for Bilinear {
    const NAME: &'static str = "resize_bilinear";

    fn forward(&self, inputs: &[Operand]) -> candle_core::Result<(Vec<f32>, Shape)> {
        let x = inputs[0].dense()?;
        let (row_taps, column_taps, input_h, input_w) = self.taps(inputs[0].dims());
        let mut dims = inputs[0].dims().to_vec();
        dims.truncate(2);
        let planes: usize = dims.iter().product();
        dims.extend([self.height, self.width]);
        let size = self.height * self.width;
        let mut y = vec![0.0; planes * size];
        for_each_chunk(&mut y, PLANES * size, |index, chunk| {
            // The rows of the input, resized to the new width.
            let mut wide = vec![0.0; input_h * self.width];
            for (plane, y) in chunk.chunks_exact_mut(size).enumerate() {
                let x = &x[(index * PLANES + plane) * input_h * input_w..][..input_h * input_w];
                for (x, wide) in x.chunks_exact(input_w).zip(wide.chunks_exact_mut(self.width)) {
                    for (to, tap) in wide.iter_mut().zip(&column_taps) {
                        *to = (1.0 - tap.weight) * x[tap.low] + tap.weight * x[tap.high];
                    }
                }
                for (y, tap) in y.chunks_exact_mut(self.width).zip(&row_taps) {
                    let (low, high) = (&wide[tap.low * self.width..], &wide[tap.high * self.width..]);
                    rows::mix(low, 1.0 - tap.weight, high, tap.weight, 0.0, y);
                }
            }
        });
        Ok((y, dims.into()))
    }

    fn backward(&self, pass: &Backward) -> candle_core::Result<Vec<Option<Vec<f32>>>> {
        let (row_taps, column_taps, input_h, input_w) = self.taps(pass.inputs[0].dims());
        let grad = pass.gradient.dense()?;
        let (plane, size) = (input_h * input_w, self.height * self.width);
        let mut out = vec![0.0; grad.len() / size * plane];
        for_each_chunk(&mut out, PLANES * plane, |index, chunk| {
            let mut wide = vec![0.0; input_h * self.width];
            for (number, out) in chunk.chunks_exact_mut(plane).enumerate() {
                wide.fill(0.0);
                let grad = &grad[(index * PLANES + number) * size..][..size];
                for (grad, tap) in grad.chunks_exact(self.width).zip(&row_taps) {
                    rows::add_scaled(grad, 1.0 - tap.weight, &mut wide[tap.low * self.width..][..self.width]);
                    rows::add_scaled(grad, tap.weight, &mut wide[tap.high * self.width..][..self.width]);
                }
                for (out, wide) in out.chunks_exact_mut(input_w).zip(wide.chunks_exact(self.width)) {
                    for (value, tap) in wide.iter().zip(&column_taps) {
                        out[tap.low] += (1.0 - tap.weight) * value;
                        out[tap.high] += tap.weight * value;
                    }
                }
            }
        });
        Ok(vec![Some(out)])
    }
}
