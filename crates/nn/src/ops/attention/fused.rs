//! The fused function: its inputs wherever they stand, and the forward pass.

use candle_core::{Shape, Tensor};
use rayon::prelude::*;

use super::Sizes;
use super::backward::{Unit, bias_strides};
use crate::cpu::{Backward, Function, Operand, share, with_dense};
use crate::ops::kernels::{Matrix, MatrixMut, attention as kernels, gemm};

/// A tensor of heads `(B, H, rows, columns)` in any layout.
#[derive(Clone, Copy)]
pub(super) struct Heads<'a> {
    data: &'a [f32],
    start: usize,
    dims: [usize; 4],
    strides: [usize; 4],
}

impl<'a> Heads<'a> {
    pub(super) fn of(operand: &Operand<'a>) -> candle_core::Result<Self> {
        let layout = operand.layout();
        let (&[b, h, r, c], &[bs, hs, rs, cs]) = (layout.dims(), layout.stride()) else {
            candle_core::bail!("attention of {:?}", layout.dims())
        };
        let data = operand.raw()?;
        Ok(Self { data, start: layout.start_offset(), dims: [b, h, r, c], strides: [bs, hs, rs, cs] })
    }

    /// Some of the columns.
    pub(super) fn columns(mut self, first: usize, count: usize) -> Self {
        self.start += first * self.strides[3];
        self.dims[3] = count;
        self
    }

    /// Some rows of one head.
    pub(super) fn matrix(&self, batch: usize, head: usize, first: usize, count: usize) -> Matrix<'a> {
        let [b, h, r, c] = self.strides;
        let start = self.start + batch * b + head * h + first * r;
        Matrix {
            data: self.data.get(start..).unwrap_or_default(),
            shape: [count, self.dims[3]],
            strides: [r, c],
        }
    }

    pub(super) fn whole(&self, batch: usize, head: usize) -> Matrix<'a> {
        self.matrix(batch, head, 0, self.dims[2])
    }
}

/// A bias in row-major order, and how far apart its elements lie along each dimension, 0 where it is broadcast.
#[derive(Clone, Copy)]
struct Bias<'a> {
    data: &'a [f32],
    batch: usize,
    strides: [usize; 3],
}

impl<'a> Bias<'a> {
    fn new(data: &'a [f32], dims: &[usize]) -> Self {
        let (strides, batch) = bias_strides(dims);
        Self { data, batch, strides }
    }

    fn row(&self, batch: usize, head: usize, query: usize, keys: usize) -> &'a [f32] {
        let [b, h, q] = self.strides;
        &self.data[batch % self.batch * b + head * h + query * q..][..keys]
    }
}

/// Queries, keys and values come as three inputs, with a bias that has no gradient; or keys and values come as one input, and the
/// bias as the third.
pub(super) struct Attention {
    pub(super) sizes: Sizes,
    pub(super) scale: f32,
    pub(super) bias: Option<Tensor>,
}

/// What both directions read.
pub(super) struct Inputs<'a> {
    pub(super) q: Heads<'a>,
    pub(super) k: Heads<'a>,
    pub(super) v: Heads<'a>,
    bias: Option<Bias<'a>>,
}

impl Attention {
    /// Calls `work` with the inputs, wherever keys, values and bias stand.
    fn with_inputs<R>(
        &self,
        inputs: &[Operand],
        work: impl FnOnce(Inputs) -> candle_core::Result<R>,
    ) -> candle_core::Result<R> {
        let (q, second, third) = (Heads::of(&inputs[0])?, Heads::of(&inputs[1])?, &inputs[2]);
        if self.is_packed(inputs) {
            let data = third.dense()?;
            let k = second.columns(0, self.sizes.width);
            let v = second.columns(self.sizes.width, self.sizes.values);
            return work(Inputs { q, k, v, bias: Some(Bias::new(&data, third.dims())) });
        }
        let v = Heads::of(third)?;
        match &self.bias {
            Some(bias) => with_dense(bias, |data| {
                work(Inputs { q, k: second, v, bias: Some(Bias::new(data, bias.dims())) })
            })?,
            None => work(Inputs { q, k: second, v, bias: None }),
        }
    }

    /// Whether the second input holds keys and values.
    fn is_packed(&self, inputs: &[Operand]) -> bool {
        inputs[1].dims()[3] == self.sizes.width + self.sizes.values
    }

    /// Fills `scores` with the exponentials of a tile, and `sums` with the sums of its rows.
    pub(super) fn weigh(
        &self,
        inputs: &Inputs,
        [batch, head, first, rows]: [usize; 4],
        scores: &mut [f32],
        sums: &mut Vec<f32>,
    ) {
        let keys = self.sizes.keys;
        let (q, k) = (inputs.q.matrix(batch, head, first, rows), inputs.k.whole(batch, head));
        gemm(MatrixMut::new(scores, rows, keys), false, q, k.t(), false);
        sums.clear();
        sums.extend(scores.chunks_exact_mut(keys).enumerate().map(|(row, scores)| {
            let bias = inputs.bias.map(|bias| bias.row(batch, head, first + row, keys));
            kernels::exponentials(scores, self.scale, bias)
        }));
    }

    fn run(&self, inputs: &Inputs) -> Vec<f32> {
        let Sizes { batch, heads, queries, keys, values, .. } = self.sizes;
        let (tile, row) = (self.sizes.tile(), heads * values);
        let mut y = vec![0.0; batch * queries * row];
        let tiles = y.chunks_mut(queries * row).enumerate().flat_map(|(image, out)| {
            out.chunks_mut(tile * row).enumerate().map(move |(number, out)| (image, number * tile, out))
        });
        share(tiles.collect(), |_, (image, first, out): (usize, usize, &mut [f32])| {
            let rows = out.len() / row;
            let mut scores = vec![0.0; rows * keys];
            let mut sums = Vec::with_capacity(rows);
            for head in 0..heads {
                self.weigh(inputs, [image, head, first, rows], &mut scores, &mut sums);
                let out = &mut out[head * values..];
                gemm(
                    MatrixMut { data: out, shape: [rows, values], stride: row },
                    false,
                    Matrix::new(&scores, rows, keys),
                    inputs.v.whole(image, head),
                    false,
                );
                for (out, sum) in out.chunks_mut(row).zip(&sums) {
                    kernels::multiply(&mut out[..values], 1.0 / sum);
                }
            }
        });
        y
    }
}

impl Function for Attention {
    const NAME: &'static str = "attention";

    /// The result has the shape `(B, Q, H, E)`.
    fn forward(&self, inputs: &[Operand]) -> candle_core::Result<(Vec<f32>, Shape)> {
        let Sizes { batch, heads, queries, values, .. } = self.sizes;
        let y = self.with_inputs(inputs, |inputs| Ok(self.run(&inputs)))?;
        Ok((y, (batch, queries, heads, values).into()))
    }

    fn backward(&self, pass: &Backward) -> candle_core::Result<Vec<Option<Vec<f32>>>> {
        let mut grad = Heads::of(&pass.gradient)?;
        grad.dims.swap(1, 2);
        grad.strides.swap(1, 2);
        let packed = self.is_packed(pass.inputs);
        let bias_dims = (packed && pass.wanted[2]).then(|| pass.inputs[2].dims());
        let found = self.with_inputs(pass.inputs, |inputs| {
            let work = |unit: Unit| (self.differentiate(&inputs, grad, &unit, bias_dims.is_some()), unit);
            Ok(self.units(bias_dims).into_par_iter().map(work).collect::<Vec<_>>())
        })?;
        Ok(self.assemble(&found, packed, bias_dims))
    }
}
