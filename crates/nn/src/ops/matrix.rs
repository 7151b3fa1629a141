//! Products of matrices.

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Device, Layout, Shape, Tensor};

use super::kernels::{
    Dense, Matrix, MatrixMut, chunk_rows, for_each_chunk, gemm, gemm_tall, share_chunks, sum_partials,
};
use super::{on_cpu, portable};
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
        return Ok(portable::linear(&flat, weight, bias)?.reshape(dims)?);
    }
    Ok(match bias {
        Some(bias) => x.apply_op3(weight, bias, Linear)?,
        None => x.apply_op2(weight, Linear)?,
    })
}

struct Linear;

impl Linear {
    fn forward(
        x: &[f32],
        weight: &[f32],
        bias: Option<&[f32]>,
        layout: &Layout,
        outputs: usize,
    ) -> (CpuStorage, Shape) {
        let inputs = layout.dims().last().copied().unwrap_or(1);
        let rows = layout.shape().elem_count() / inputs.max(1);
        let mut y = vec![0.0; rows * outputs];
        if let Some(bias) = bias {
            for_each_chunk(&mut y, chunk_rows(outputs) * outputs, |_, chunk| {
                chunk.chunks_exact_mut(outputs).for_each(|row| row.copy_from_slice(bias));
            });
        }
        let (x, weight) = (Matrix::new(x, rows, inputs), Matrix::new(weight, outputs, inputs));
        gemm(MatrixMut::new(&mut y, rows, outputs), bias.is_some(), x, weight.t(), true);
        let mut dims = layout.dims().to_vec();
        if let Some(last) = dims.last_mut() {
            *last = outputs;
        }
        (CpuStorage::F32(y), dims.into())
    }

    /// The gradients of the input and the weight.
    fn backward(
        x: &Tensor,
        weight: &Tensor,
        grad: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        let (outputs, inputs) = weight.dims2()?;
        let rows = x.elem_count() / inputs.max(1);
        Dense::with(grad, |grad| {
            let grad = Matrix::new(grad, rows, outputs);
            let x_grad = x.track_op().then(|| {
                Dense::with(weight, |weight| {
                    let mut out = vec![0.0; rows * inputs];
                    gemm(
                        MatrixMut::new(&mut out, rows, inputs),
                        false,
                        grad,
                        Matrix::new(weight, outputs, inputs),
                        true,
                    );
                    Tensor::from_vec(out, x.shape(), &Device::Cpu)
                })?
            });
            let weight_grad = weight.track_op().then(|| {
                Dense::with(x, |x| {
                    let out = gemm_tall(grad.t(), Matrix::new(x, rows, inputs));
                    Tensor::from_vec(out, weight.shape(), &Device::Cpu)
                })?
            });
            Ok((x_grad.transpose()?, weight_grad.transpose()?))
        })?
    }
}

impl CustomOp2 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (x, weight) = (Dense::of_storage(x, x_layout)?, Dense::of_storage(weight, weight_layout)?);
        Ok(Self::forward(&x, &weight, None, x_layout, weight_layout.dims()[0]))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _y: &Tensor,
        grad: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        Self::backward(x, weight, grad)
    }
}

impl CustomOp3 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (x, weight) = (Dense::of_storage(x, x_layout)?, Dense::of_storage(weight, weight_layout)?);
        let bias = Dense::of_storage(bias, bias_layout)?;
        Ok(Self::forward(&x, &weight, Some(&bias), x_layout, weight_layout.dims()[0]))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _y: &Tensor,
        grad: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (x_grad, weight_grad) = Self::backward(x, weight, grad)?;
        let bias_grad = bias.track_op().then(|| {
            Tensor::from_vec(
                Dense::with(grad, |grad| column_sums(grad, bias.elem_count()))?,
                bias.shape(),
                &Device::Cpu,
            )
        });
        Ok((x_grad, weight_grad, bias_grad.transpose()?))
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
    Ok(a.apply_op2(b, MatMul)?)
}

struct MatMul;

/// A stack of matrices in any layout.
struct Stack<'a> {
    data: &'a [f32],
    layout: &'a Layout,
}

impl Stack<'_> {
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

fn with_stacks<R>(a: &Tensor, b: &Tensor, work: impl FnOnce(&Stack, &Stack) -> R) -> candle_core::Result<R> {
    let ((a, a_layout), (b, b_layout)) = (a.storage_and_layout(), b.storage_and_layout());
    match (&*a, &*b) {
        (candle_core::Storage::Cpu(a), candle_core::Storage::Cpu(b)) => Ok(work(
            &Stack { data: a.as_slice()?, layout: a_layout },
            &Stack { data: b.as_slice()?, layout: b_layout },
        )),
        _ => candle_core::bail!("expected tensors on the cpu"),
    }
}

impl CustomOp2 for MatMul {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (a, b) = (
            Stack { data: a.as_slice()?, layout: a_layout },
            Stack { data: b.as_slice()?, layout: b_layout },
        );
        let mut dims = a_layout.dims().to_vec();
        if let (Some(last), Some(columns)) = (dims.last_mut(), b_layout.dims().last()) {
            *last = *columns;
        }
        Ok((CpuStorage::F32(a.times(false, &b, false)), dims.into()))
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        _y: &Tensor,
        grad: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        let a_grad = a.track_op().then(|| with_stacks(grad, b, |grad, b| grad.times(false, b, true)));
        let b_grad = b.track_op().then(|| with_stacks(a, grad, |a, grad| a.times(true, grad, false)));
        let a_grad = a_grad
            .transpose()?
            .map(|values| Tensor::from_vec(values, a.shape(), &Device::Cpu))
            .transpose()?;
        let b_grad = b_grad
            .transpose()?
            .map(|values| Tensor::from_vec(values, b.shape(), &Device::Cpu))
            .transpose()?;
        Ok((a_grad, b_grad))
    }
}
