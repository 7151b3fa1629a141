//! Functions of single elements and of the last dimension.

use candle_core::{Shape, Tensor};

use super::kernels::rows;
use super::{on_cpu, portable};
use crate::cpu::{Backward, Function, Operand, apply, chunk_rows, for_each_chunk};
use crate::{Error, Result};

/// Elements in one piece of work.
const CHUNK: usize = 1 << 14;

/// `max(x, 0)`, with the gradient 0 at 0.
///
/// # Errors
///
/// [`Error::Candle`] if the device fails.
pub fn relu(x: &Tensor) -> Result<Tensor> {
    if !on_cpu(&[x]) {
        return Ok(x.relu()?);
    }
    Ok(apply(Relu, &[x])?)
}

/// The Gaussian error linear unit, `x · Φ(x)`, with the exact normal distribution and not the approximation by tanh.
///
/// # Errors
///
/// [`Error::Candle`] if the device fails.
///
/// # Source
///
/// Hendrycks, Gimpel, [Gaussian Error Linear Units](https://arxiv.org/abs/1606.08415).
pub fn gelu(x: &Tensor) -> Result<Tensor> {
    if !on_cpu(&[x]) {
        return Ok(x.gelu_erf()?);
    }
    Ok(apply(Gelu, &[x])?)
}

/// Exponentials over the last dimension, scaled to the sum 1.
///
/// # Errors
///
/// [`Error::Shape`] if `x` has no dimension or the last one is empty.
pub fn softmax(x: &Tensor) -> Result<Tensor> {
    if x.dims().last().is_none_or(|&size| size == 0) {
        return Err(Error::shape("softmax", format!("{:?} has no last dimension to add up", x.dims())));
    }
    if !on_cpu(&[x]) {
        return Ok(portable::softmax(x)?);
    }
    Ok(apply(Softmax, &[x])?)
}

struct Relu;
struct Gelu;
struct Softmax;

/// `size` elements of `data`, the `index`-th such piece.
fn piece(data: &[f32], index: usize, size: usize) -> &[f32] {
    &data[index * size..data.len().min((index + 1) * size)]
}

/// Fills a result of the shape of `x` piece by piece from the pieces of `x`.
fn map(
    x: &Operand,
    size: usize,
    work: impl Fn(&[f32], &mut [f32]) + Send + Sync,
) -> candle_core::Result<(Vec<f32>, Shape)> {
    let values = x.dense()?;
    let mut y = vec![0.0; values.len()];
    for_each_chunk(&mut y, size, |index, y| work(piece(&values, index, size), y));
    Ok((y, x.dims().into()))
}

/// Fills a gradient piece by piece from the pieces of an operand and of the gradient of the result.
fn map_gradient(
    kept: &Operand,
    grad: &Operand,
    size: usize,
    work: impl Fn(&[f32], &[f32], &mut [f32]) + Send + Sync,
) -> candle_core::Result<Vec<Option<Vec<f32>>>> {
    let (kept, grad) = (kept.dense()?, grad.dense()?);
    let mut out = vec![0.0; kept.len()];
    for_each_chunk(&mut out, size, |index, out| {
        work(piece(&kept, index, size), piece(&grad, index, size), out)
    });
    Ok(vec![Some(out)])
}

impl Function for Relu {
    const NAME: &'static str = "relu";

    fn forward(&self, inputs: &[Operand]) -> candle_core::Result<(Vec<f32>, Shape)> {
        map(&inputs[0], CHUNK, rows::relu)
    }

    fn backward(&self, pass: &Backward) -> candle_core::Result<Vec<Option<Vec<f32>>>> {
        map_gradient(&pass.result, &pass.gradient, CHUNK, rows::relu_gradient)
    }
}

impl Function for Gelu {
    const NAME: &'static str = "gelu";

    fn forward(&self, inputs: &[Operand]) -> candle_core::Result<(Vec<f32>, Shape)> {
        map(&inputs[0], CHUNK, rows::gelu)
    }

    fn backward(&self, pass: &Backward) -> candle_core::Result<Vec<Option<Vec<f32>>>> {
        map_gradient(&pass.inputs[0], &pass.gradient, CHUNK, rows::gelu_gradient)
    }
}

impl Function for Softmax {
    const NAME: &'static str = "softmax";

    fn forward(&self, inputs: &[Operand]) -> candle_core::Result<(Vec<f32>, Shape)> {
        let width = inputs[0].dims().last().copied().unwrap_or(1);
        map(&inputs[0], chunk_rows(width) * width, |x, y| rows::softmax(x, y, width))
    }

    fn backward(&self, pass: &Backward) -> candle_core::Result<Vec<Option<Vec<f32>>>> {
        let width = pass.result.dims().last().copied().unwrap_or(1);
        map_gradient(&pass.result, &pass.gradient, chunk_rows(width) * width, |y, grad, out| {
            rows::softmax_gradient(y, grad, out, width)
        })
    }
}
