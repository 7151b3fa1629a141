//! Softmax and its logarithm over one dimension.

use candle_core::shape::Dim;
use candle_core::{Shape, Tensor};

use super::kernels::softmax as kernels;
use super::on_cpu;
use crate::cpu::{Backward, Function, Operand, apply, chunk_rows, column_tiles, for_each_chunk, share};
use crate::{Error, Result};

/// Exponentials over one dimension, scaled to the sum 1.
///
/// # Errors
///
/// [`Error::Shape`] if `x` does not have the dimension or it is empty.
pub fn softmax(x: &Tensor, dim: impl Dim) -> Result<Tensor> {
    let dim = dimension("softmax", x, dim)?;
    if on_cpu(&[x]) {
        return Ok(apply(Softmax(Along::of(x.dims(), dim)), &[x])?);
    }
    let exponentials = x.broadcast_sub(&x.max_keepdim(dim)?.detach())?.exp()?;
    Ok(exponentials.broadcast_div(&exponentials.sum_keepdim(dim)?)?)
}

/// The natural logarithm of [`softmax`], without its underflow.
///
/// # Errors
///
/// [`Error::Shape`] if `x` does not have the dimension or it is empty.
pub fn log_softmax(x: &Tensor, dim: impl Dim) -> Result<Tensor> {
    let dim = dimension("log_softmax", x, dim)?;
    if on_cpu(&[x]) {
        return Ok(apply(LogSoftmax(Along::of(x.dims(), dim)), &[x])?);
    }
    let shifted = x.broadcast_sub(&x.max_keepdim(dim)?.detach())?;
    Ok(shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(dim)?.log()?)?)
}

/// The index of a dimension that exists and is not empty.
fn dimension(operation: &'static str, x: &Tensor, dim: impl Dim) -> Result<usize> {
    match dim.to_index(x.shape(), operation) {
        Ok(dim) if x.dims()[dim] > 0 => Ok(dim),
        Ok(dim) => {
            Err(Error::shape(operation, format!("got {:?}, expected values in dimension {dim}", x.dims())))
        }
        Err(_) => Err(Error::shape(operation, format!("got {:?}, expected more dimensions", x.dims()))),
    }
}

/// One dimension of a tensor: it stands for `(blocks, length, inner)`.
#[derive(Clone, Copy)]
pub(super) struct Along {
    pub(super) length: usize,
    pub(super) inner: usize,
}

impl Along {
    pub(super) fn of(dims: &[usize], dim: usize) -> Self {
        Self { length: dims[dim], inner: dims[dim + 1..].iter().product() }
    }

    /// The elements of one block.
    pub(super) fn block(self) -> usize {
        self.length * self.inner
    }
}

/// Loops that fill rows, and the columns of a tile, from one operand.
type RowLoop = fn(&[f32], &mut [f32], usize);
type ColumnLoop = for<'a, 'b> fn(&'a [f32], usize, usize, &'a mut [&'b mut [f32]]);
/// Loops that fill them from two.
type RowLoop2 = fn(&[f32], &[f32], &mut [f32], usize);
type ColumnLoop2 = for<'a, 'b> fn(&'a [f32], &'a [f32], usize, usize, &'a mut [&'b mut [f32]]);

impl Along {
    fn fill(
        self,
        x: &Operand,
        by_row: RowLoop,
        by_column: ColumnLoop,
    ) -> candle_core::Result<(Vec<f32>, Shape)> {
        let values = x.dense()?;
        let mut y = vec![0.0; values.len()];
        if self.inner == 1 {
            let size = chunk_rows(self.length) * self.length;
            for_each_chunk(&mut y, size, |index, y| {
                by_row(&values[index * size..][..y.len()], y, self.length);
            });
        } else {
            share(column_tiles(&mut y, self.length, self.inner, kernels::TILE), |_, mut tile| {
                let block = &values[tile.block * self.block()..][..self.block()];
                by_column(block, self.inner, tile.start, &mut tile.rows);
            });
        }
        Ok((y, x.dims().into()))
    }

    fn fill_gradient(
        self,
        pass: &Backward,
        by_row: RowLoop2,
        by_column: ColumnLoop2,
    ) -> candle_core::Result<Vec<Option<Vec<f32>>>> {
        let (y, grad) = (pass.result.dense()?, pass.gradient.dense()?);
        let mut out = vec![0.0; y.len()];
        if self.inner == 1 {
            let size = chunk_rows(self.length) * self.length;
            for_each_chunk(&mut out, size, |index, out| {
                let here = index * size..index * size + out.len();
                by_row(&y[here.clone()], &grad[here], out, self.length);
            });
        } else {
            share(column_tiles(&mut out, self.length, self.inner, kernels::TILE), |_, mut tile| {
                let here = tile.block * self.block()..(tile.block + 1) * self.block();
                by_column(&y[here.clone()], &grad[here], self.inner, tile.start, &mut tile.rows);
            });
        }
        Ok(vec![Some(out)])
    }
}

struct Softmax(Along);
struct LogSoftmax(Along);

impl Function for Softmax {
    const NAME: &'static str = "softmax";

    fn forward(&self, inputs: &[Operand]) -> candle_core::Result<(Vec<f32>, Shape)> {
        self.0.fill(&inputs[0], kernels::rows, kernels::columns)
    }

    fn backward(&self, pass: &Backward) -> candle_core::Result<Vec<Option<Vec<f32>>>> {
        self.0.fill_gradient(pass, kernels::rows_gradient, kernels::columns_gradient)
    }
}

impl Function for LogSoftmax {
    const NAME: &'static str = "log_softmax";

    fn forward(&self, inputs: &[Operand]) -> candle_core::Result<(Vec<f32>, Shape)> {
        self.0.fill(&inputs[0], kernels::log_rows, kernels::log_columns)
    }

    fn backward(&self, pass: &Backward) -> candle_core::Result<Vec<Option<Vec<f32>>>> {
        self.0.fill_gradient(pass, kernels::log_rows_gradient, kernels::log_columns_gradient)
    }
}
