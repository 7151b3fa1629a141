//! Functions of single elements and of the last dimension.

use candle_core::{CpuStorage, CustomOp1, Device, Layout, Shape, Tensor};

use super::kernels::{Dense, chunk_rows, for_each_chunk, rows};
use super::{on_cpu, portable};
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
    Ok(x.apply_op1(Relu)?)
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
    Ok(x.apply_op1(Gelu)?)
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
    Ok(x.apply_op1(Softmax)?)
}

struct Relu;
struct Gelu;
struct Softmax;

/// `size` elements of `data`, the `index`-th such piece.
fn piece(data: &[f32], index: usize, size: usize) -> &[f32] {
    &data[index * size..data.len().min((index + 1) * size)]
}

/// Fills a storage of the shape of `layout` piece by piece from the pieces of `x`.
fn map(
    x: &CpuStorage,
    layout: &Layout,
    size: usize,
    work: impl Fn(&[f32], &mut [f32]) + Send + Sync,
) -> candle_core::Result<(CpuStorage, Shape)> {
    let x = Dense::of_storage(x, layout)?;
    let mut y = vec![0.0; x.len()];
    for_each_chunk(&mut y, size, |index, y| work(piece(&x, index, size), y));
    Ok((CpuStorage::F32(y), layout.shape().clone()))
}

/// Fills a gradient piece by piece from the pieces of a tensor and of the gradient of the result.
fn map_gradient(
    kept: &Tensor,
    grad: &Tensor,
    size: usize,
    work: impl Fn(&[f32], &[f32], &mut [f32]) + Send + Sync,
) -> candle_core::Result<Option<Tensor>> {
    let out = Dense::with(kept, |kept| {
        Dense::with(grad, |grad| {
            let mut out = vec![0.0; kept.len()];
            for_each_chunk(&mut out, size, |index, out| {
                work(piece(kept, index, size), piece(grad, index, size), out)
            });
            out
        })
    })??;
    Ok(Some(Tensor::from_vec(out, kept.shape(), &Device::Cpu)?))
}

impl CustomOp1 for Relu {
    fn name(&self) -> &'static str {
        "relu"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        map(x, layout, CHUNK, rows::relu)
    }

    fn bwd(&self, _x: &Tensor, y: &Tensor, grad: &Tensor) -> candle_core::Result<Option<Tensor>> {
        map_gradient(y, grad, CHUNK, rows::relu_gradient)
    }
}

impl CustomOp1 for Gelu {
    fn name(&self) -> &'static str {
        "gelu"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        map(x, layout, CHUNK, rows::gelu)
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, grad: &Tensor) -> candle_core::Result<Option<Tensor>> {
        map_gradient(x, grad, CHUNK, rows::gelu_gradient)
    }
}

impl CustomOp1 for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let width = layout.dims().last().copied().unwrap_or(1);
        map(x, layout, chunk_rows(width) * width, |x, y| rows::softmax(x, y, width))
    }

    fn bwd(&self, _x: &Tensor, y: &Tensor, grad: &Tensor) -> candle_core::Result<Option<Tensor>> {
        let width = y.dims().last().copied().unwrap_or(1);
        map_gradient(y, grad, chunk_rows(width) * width, |y, grad, out| {
            rows::softmax_gradient(y, grad, out, width)
        })
    }
}
