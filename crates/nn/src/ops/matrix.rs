//! Products of matrices.

use candle_core::{Layout, Shape, Tensor};

use super::kernels::{Matrix, MatrixMut, gemm, gemm_tall};
use super::on_cpu;
use crate::cpu::{
    Backward, Function, Operand, apply, chunk_rows, for_each_chunk, share_chunks, sum_partials,
};
use crate::{Context, Error, Result};

/// `x · weightᵀ + bias` over the last dimension.
///
/// # Shapes
///
/// `x: (.., I)`, `weight: (O, I)`, `bias: (O)`, result `(.., O)`.
///
/// # Errors
///
/// [`Error::Shape`] if the sizes do not fit.
pub fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let (rows, dims) = match (x.dims(), weight.dims(), bias.map(Tensor::dims)) {
        (&[ref outer @ .., inputs], &[outputs, expected], bias)
            if inputs == expected && bias.is_none_or(|bias| bias == [outputs]) =>
        {
            (outer.iter().product::<usize>(), [outer, &[outputs]].concat())
        }
        (x, weight, bias) => {
            return Err(Error::shape(
                "linear",
                format!("weight {weight:?} and bias {bias:?} do not fit {x:?}"),
            ));
        }
    };
    if !on_cpu(&[x, weight]) {
        let flat = x.reshape((rows, weight.dim(1)?))?;
        let y = flat.matmul(&weight.t()?)?;
        let y = if let Some(bias) = bias { y.broadcast_add(bias)? } else { y };
        return Ok(y.reshape(dims)?);
    }
    Ok(match bias {
        Some(bias) => apply(Linear, &[x, weight, bias])?,
        None => apply(Linear, &[x, weight])?,
    })
}

struct Linear;

impl Function for Linear {
    const NAME: &'static str = "linear";

    fn forward(&self, inputs: &[Operand]) -> candle_core::Result<(Vec<f32>, Shape)> {
        let (x, weight) = (inputs[0].dense()?, inputs[1].dense()?);
        let bias = inputs.get(2).map(Operand::dense).transpose()?;
        let (mut dims, outputs) = (inputs[0].dims().to_vec(), inputs[1].dims()[0]);
        let columns = dims.last().copied().unwrap_or(1);
        let rows = x.len() / columns.max(1);
        let mut y = vec![0.0; rows * outputs];
        if let Some(bias) = &bias {
            for_each_chunk(&mut y, chunk_rows(outputs) * outputs, |_, chunk| {
                chunk.chunks_exact_mut(outputs).for_each(|row| row.copy_from_slice(bias));
            });
        }
        let (x, weight) = (Matrix::new(&x, rows, columns), Matrix::new(&weight, outputs, columns));
        gemm(MatrixMut::new(&mut y, rows, outputs), bias.is_some(), x, weight.t(), true);
        if let Some(last) = dims.last_mut() {
            *last = outputs;
        }
        Ok((y, dims.into()))
    }

    fn backward(&self, pass: &Backward) -> candle_core::Result<Vec<Option<Vec<f32>>>> {
        let (x, weight, grad) = (pass.inputs[0].dense()?, pass.inputs[1].dense()?, pass.gradient.dense()?);
        let &[outputs, columns] = pass.inputs[1].dims() else { candle_core::bail!("a weight is a matrix") };
        let rows = x.len() / columns.max(1);
        let matrix = Matrix::new(&grad, rows, outputs);
        let x_grad = pass.wanted[0].then(|| {
            let mut out = vec![0.0; rows * columns];
            let weight = Matrix::new(&weight, outputs, columns);
            gemm(MatrixMut::new(&mut out, rows, columns), false, matrix, weight, true);
            out
        });
        let weight_grad = pass.wanted[1].then(|| gemm_tall(matrix.t(), Matrix::new(&x, rows, columns)));
        let bias_grad = pass.wanted.get(2).is_some_and(|wanted| *wanted).then(|| column_sums(&grad, outputs));
        Ok(vec![x_grad, weight_grad, bias_grad])
    }
}

/// The sums of the columns of a matrix, added up in pieces of fixed length.
pub(super) fn column_sums(matrix: &[f32], columns: usize) -> Vec<f32> {
    let piece = (matrix.len() / columns.max(1)).div_ceil(8).max(64) * columns;
    let mut partials = vec![0.0; columns * matrix.len().div_ceil(piece.max(1))];
    let sum = |index: usize, out: &mut [f32]| {
        let rows = &matrix[index * piece..((index + 1) * piece).min(matrix.len())];
        for row in rows.chunks_exact(columns) {
            for (sum, value) in out.iter_mut().zip(row) {
                *sum += value;
            }
        }
    };
    share_chunks(&mut partials, columns, sum);
    sum_partials(&partials, columns)
}

/// The product of two stacks of matrices, counted in the context.
///
/// # Shapes
///
/// `a: (.., M, K)`, `b: (.., K, N)`, result `(.., M, N)`; the outer dimensions are equal.
///
/// # Errors
///
/// [`Error::Shape`] if the sizes do not fit.
pub fn matmul(a: &Tensor, b: &Tensor, ctx: &Context) -> Result<Tensor> {
    match (a.dims(), b.dims()) {
        (&[ref outer @ .., m, k], &[ref other @ .., inner, n]) if outer == other && k == inner => {
            ctx.add_macs(outer.iter().chain(&[m, k, n]).map(|&size| size as u64).product());
        }
        (a, b) => return Err(Error::shape("matmul", format!("{a:?} times {b:?}"))),
    }
    if !on_cpu(&[a, b]) {
        return Ok(a.contiguous()?.matmul(&b.contiguous()?)?);
    }
    Ok(apply(MatMul, &[a, b])?)
}

struct MatMul;

/// A stack of matrices in any layout.
struct Stack<'a> {
    data: &'a [f32],
    layout: &'a Layout,
}

impl<'a> Stack<'a> {
    fn of(operand: &Operand<'a>) -> candle_core::Result<Self> {
        Ok(Self { data: operand.raw()?, layout: operand.layout() })
    }

    fn matrix(&self, mut index: usize) -> Matrix<'_> {
        let (dims, strides) = (self.layout.dims(), self.layout.stride());
        let outer = dims.len() - 2;
        let mut start = self.layout.start_offset();
        for axis in (0..outer).rev() {
            start += index % dims[axis] * strides[axis];
            index /= dims[axis];
        }
        Matrix {
            data: self.data.get(start..).unwrap_or_default(),
            shape: [dims[outer], dims[outer + 1]],
            strides: [strides[outer], strides[outer + 1]],
        }
    }

    /// The products with the matrices of another stack, after the transpositions asked for.
    fn times(&self, transpose_self: bool, other: &Self, transpose_other: bool) -> Vec<f32> {
        let count: usize = self.layout.dims().iter().rev().skip(2).product();
        let oriented = |matrix, transpose| if transpose { Matrix::t(matrix) } else { matrix };
        let rows = self.layout.dims()[self.layout.dims().len() - if transpose_self { 1 } else { 2 }];
        let columns = other.layout.dims()[other.layout.dims().len() - if transpose_other { 2 } else { 1 }];
        let mut out = vec![0.0; count * rows * columns];
        if out.is_empty() {
            return out;
        }
        let inside = count < rayon::current_num_threads();
        let multiply = |index: usize, out: &mut [f32]| {
            let (a, b) = (
                oriented(self.matrix(index), transpose_self),
                oriented(other.matrix(index), transpose_other),
            );
            gemm(MatrixMut::new(out, rows, columns), false, a, b, inside);
        };
        if inside {
            out.chunks_exact_mut(rows * columns).enumerate().for_each(|(index, out)| multiply(index, out));
        } else {
            share_chunks(&mut out, rows * columns, multiply);
        }
        out
    }
}

impl Function for MatMul {
    const NAME: &'static str = "matmul";

    fn forward(&self, inputs: &[Operand]) -> candle_core::Result<(Vec<f32>, Shape)> {
        let (a, b) = (Stack::of(&inputs[0])?, Stack::of(&inputs[1])?);
        let mut dims = inputs[0].dims().to_vec();
        if let (Some(last), Some(columns)) = (dims.last_mut(), inputs[1].dims().last()) {
            *last = *columns;
        }
        Ok((a.times(false, &b, false), dims.into()))
    }

    fn backward(&self, pass: &Backward) -> candle_core::Result<Vec<Option<Vec<f32>>>> {
        let (a, b) = (Stack::of(&pass.inputs[0])?, Stack::of(&pass.inputs[1])?);
        let grad = Stack::of(&pass.gradient)?;
        Ok(vec![
            pass.wanted[0].then(|| grad.times(false, &b, true)),
            pass.wanted[1].then(|| a.times(true, &grad, false)),
        ])
    }
}
