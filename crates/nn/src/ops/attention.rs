//! Attention: softmax over products of queries and keys, applied to values.
//!
//! The fused function looks at a tile of queries at a time and never holds the scores of all of them; the backward pass computes
//! the scores anew.

use candle_core::{D, Shape, Tensor};
use rayon::prelude::*;

use super::kernels::{Matrix, MatrixMut, attention as kernels, gemm};
use super::{on_cpu, softmax};
use crate::cpu::{Backward, Function, Operand, apply, share, with_dense};
use crate::{Context, Error, Result};

/// Scores of a tile of queries, as far as [`ROWS`] allows.
const TILE: usize = 1 << 17;
/// Queries of a tile: fewer make its products slow, more do not make them faster.
const ROWS: [usize; 2] = [32, 128];
/// Pieces of work of the backward pass that are at least wanted.
const PIECES: usize = 16;

/// `softmax(q · kᵀ · scale + bias) · v` for every head, counted in the context.
///
/// A bias can be a mask (minus infinity where a query must not look), a position bias that is trained, or their sum. A query that
/// may look nowhere gets 0 and passes no gradient on, as in PyTorch from 2.5 on. Its first dimension can be 1 or a divisor of
/// `B`: windows of the same place in different images then share it. Gradients flow to all four tensors.
///
/// A bias that has a part for the rows and a part for the columns of keys on a grid (SAM's decomposed relative positions) needs no
/// tensor of `Q · K` values: with `q' = [q · scale, rows, columns]` and `k' = [k, one_hot(row), one_hot(column)]`, the products of
/// `q'` and `k'` are the scores.
///
/// # Shapes
///
/// `q: (B, H, Q, D)`, `k: (B, H, K, D)`, `v: (B, H, K, E)`, `bias`: broadcastable to `(B, H, Q, K)`, result `(B, H, Q, E)`.
/// Heads may be views of tokens `(B, Q, H, D)`, in which order the result lies too, so that putting heads together is free.
///
/// # Errors
///
/// [`Error::Shape`] if the sizes do not fit.
///
/// # Source
///
/// Vaswani et al., [Attention Is All You Need](https://arxiv.org/abs/1706.03762), equation 1; the tiles are those of Dao et al.,
/// [FlashAttention](https://arxiv.org/abs/2205.14135), with whole rows of keys.
pub fn attention(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    bias: Option<&Tensor>,
    scale: f64,
    ctx: &Context,
) -> Result<Tensor> {
    let sizes = Sizes::of(q, k, v, bias)?;
    ctx.add_macs(sizes.macs());
    // Rows of a bias are read as they lie, so they must have a value for each key.
    let bias = match bias {
        Some(bias) if bias.dims()[3] != sizes.keys => {
            let &[batch, heads, queries, _] = bias.dims() else {
                return Err(sizes.problem(q, k, v, Some(bias)));
            };
            Some(bias.broadcast_as((batch, heads, queries, sizes.keys))?)
        }
        bias => bias.cloned(),
    };
    let on_cpu = on_cpu(&[q, k, v]) && bias.as_ref().is_none_or(|bias| on_cpu(&[bias]));
    if !on_cpu {
        return composed(q, k, v, bias.as_ref(), scale, &sizes);
    }
    let function = |bias| Attention { sizes, scale: scale as f32, bias };
    let y = match bias {
        // A function has three inputs at most: keys and values travel as one.
        Some(bias) if bias.track_op() => {
            let keys_and_values = Tensor::cat(&[k, v], D::Minus1)?;
            apply(function(None), &[q, &keys_and_values, &bias])?
        }
        bias => apply(function(bias), &[q, k, v])?,
    };
    Ok(y.transpose(1, 2)?)
}

fn composed(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    bias: Option<&Tensor>,
    scale: f64,
    sizes: &Sizes,
) -> Result<Tensor> {
    let mut scores = (q.contiguous()?.matmul(&k.t()?.contiguous()?)? * scale)?;
    if let Some(bias) = bias {
        let times = sizes.batch / bias.dim(0)?;
        let bias = if bias.dim(0)? == 1 { bias.clone() } else { bias.repeat((times, 1, 1, 1))? };
        scores = scores.broadcast_add(&bias)?;
    }
    // A row without any finite score: its weights are taken from zeros and then set to 0.
    let top = scores.max_keepdim(D::Minus1)?.detach();
    let blind = top.eq(f64::NEG_INFINITY)?.broadcast_as(scores.shape())?;
    let zeros = scores.zeros_like()?;
    let weights = blind.where_cond(&zeros, &softmax(&blind.where_cond(&zeros, &scores)?, D::Minus1)?)?;
    Ok(weights.matmul(&v.contiguous()?)?)
}

#[derive(Clone, Copy)]
struct Sizes {
    batch: usize,
    heads: usize,
    queries: usize,
    keys: usize,
    width: usize,
    values: usize,
}

impl Sizes {
    fn of(q: &Tensor, k: &Tensor, v: &Tensor, bias: Option<&Tensor>) -> Result<Self> {
        let sizes = match (q.dims(), v.dims()) {
            (&[batch, heads, queries, width], &[_, _, keys, values]) => {
                Self { batch, heads, queries, keys, width, values }
            }
            _ => Self { batch: 0, heads: 0, queries: 0, keys: 0, width: 0, values: 0 },
        };
        let Self { batch, heads, queries, keys, width, values } = sizes;
        let fits = batch * heads * queries * keys * width * values > 0
            && k.dims() == [batch, heads, keys, width]
            && v.dims() == [batch, heads, keys, values]
            && bias.is_none_or(|bias| match bias.dims() {
                &[b, h, q, k] => {
                    b > 0
                        && batch.is_multiple_of(b)
                        && [(h, heads), (q, queries), (k, keys)]
                            .iter()
                            .all(|&(got, full)| got == 1 || got == full)
                }
                _ => false,
            });
        if fits { Ok(sizes) } else { Err(sizes.problem(q, k, v, bias)) }
    }

    fn problem(&self, q: &Tensor, k: &Tensor, v: &Tensor, bias: Option<&Tensor>) -> Error {
        let problem = format!(
            "got queries {:?}, keys {:?}, values {:?} and bias {:?}, expected (B, H, Q, D), (B, H, K, D), (B, H, K, E) and a bias \
             broadcastable to (B, H, Q, K)",
            q.dims(),
            k.dims(),
            v.dims(),
            bias.map(Tensor::dims)
        );
        Error::shape("attention", problem)
    }

    fn macs(&self) -> u64 {
        [self.batch, self.heads, self.queries, self.keys, self.width + self.values]
            .iter()
            .map(|&size| size as u64)
            .product()
    }

    /// Queries of one tile.
    fn tile(&self) -> usize {
        (TILE / self.keys).clamp(ROWS[0], ROWS[1]).min(self.queries)
    }
}

/// A tensor of heads `(B, H, rows, columns)` in any layout.
#[derive(Clone, Copy)]
struct Heads<'a> {
    data: &'a [f32],
    start: usize,
    dims: [usize; 4],
    strides: [usize; 4],
}

impl<'a> Heads<'a> {
    fn of(operand: &Operand<'a>) -> candle_core::Result<Self> {
        let layout = operand.layout();
        let (&[b, h, r, c], &[bs, hs, rs, cs]) = (layout.dims(), layout.stride()) else {
            candle_core::bail!("attention of {:?}", layout.dims())
        };
        let data = operand.raw()?;
        Ok(Self { data, start: layout.start_offset(), dims: [b, h, r, c], strides: [bs, hs, rs, cs] })
    }

    /// Some of the columns.
    fn columns(mut self, first: usize, count: usize) -> Self {
        self.start += first * self.strides[3];
        self.dims[3] = count;
        self
    }

    /// Some rows of one head.
    fn matrix(&self, batch: usize, head: usize, first: usize, count: usize) -> Matrix<'a> {
        let [b, h, r, c] = self.strides;
        let start = self.start + batch * b + head * h + first * r;
        Matrix {
            data: self.data.get(start..).unwrap_or_default(),
            shape: [count, self.dims[3]],
            strides: [r, c],
        }
    }

    fn whole(&self, batch: usize, head: usize) -> Matrix<'a> {
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

fn bias_strides(dims: &[usize]) -> ([usize; 3], usize) {
    let &[batch, heads, queries, keys] = dims else { return ([0; 3], 1) };
    let along_heads = if heads == 1 { 0 } else { queries * keys };
    ([heads * queries * keys, along_heads, if queries == 1 { 0 } else { keys }], batch)
}

/// Queries, keys and values come as three inputs, with a bias that has no gradient; or keys and values come as one input, and the
/// bias as the third.
struct Attention {
    sizes: Sizes,
    scale: f32,
    bias: Option<Tensor>,
}

/// What both directions read.
struct Inputs<'a> {
    q: Heads<'a>,
    k: Heads<'a>,
    v: Heads<'a>,
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
    fn weigh(
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

/// A piece of the backward pass: some queries of one head of some images that share a bias.
struct Unit {
    images: Vec<usize>,
    head: usize,
    first: usize,
    rows: usize,
}

/// The gradients a unit finds: for each image those of its queries, and its shares of those of keys and values.
struct Found {
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    /// `(rows, keys)`, of all its images; empty if not wanted.
    bias: Vec<f32>,
}

impl Attention {
    /// The work of the backward pass; depends on the sizes alone.
    fn units(&self, bias_dims: Option<&[usize]>) -> Vec<Unit> {
        let Sizes { batch, heads, queries, .. } = self.sizes;
        let groups: Vec<Vec<usize>> = match bias_dims {
            Some(dims) => {
                let parts = PIECES.div_ceil(dims[0] * heads);
                let sharing = (0..dims[0]).map(|first| (first..batch).step_by(dims[0]).collect::<Vec<_>>());
                sharing
                    .flat_map(|images| {
                        let size = images.len().div_ceil(parts);
                        images.chunks(size).map(<[usize]>::to_vec).collect::<Vec<_>>()
                    })
                    .collect()
            }
            None => (0..batch).map(|image| vec![image]).collect(),
        };
        let tile = self.sizes.tile();
        let pieces = PIECES.div_ceil(groups.len() * heads);
        let rows = queries.div_ceil(pieces).next_multiple_of(tile);
        let mut units = Vec::new();
        for images in &groups {
            for head in 0..heads {
                units.extend((0..queries).step_by(rows).map(|first| Unit {
                    images: images.clone(),
                    head,
                    first,
                    rows: rows.min(queries - first),
                }));
            }
        }
        units
    }

    fn differentiate(&self, inputs: &Inputs, grad: Heads, unit: &Unit, bias_wanted: bool) -> Found {
        let Sizes { keys, width, values, .. } = self.sizes;
        let (count, tile) = (unit.images.len(), self.sizes.tile());
        let mut found = Found {
            q: vec![0.0; count * unit.rows * width],
            k: vec![0.0; count * keys * width],
            v: vec![0.0; count * keys * values],
            bias: vec![0.0; if bias_wanted { unit.rows * keys } else { 0 }],
        };
        let (mut weights, mut scores) = (vec![0.0; tile * keys], vec![0.0; tile * keys]);
        let mut sums = Vec::with_capacity(tile);
        for (number, &image) in unit.images.iter().enumerate() {
            let (k, v) = (inputs.k.whole(image, unit.head), inputs.v.whole(image, unit.head));
            let k_grad = &mut found.k[number * keys * width..][..keys * width];
            let v_grad = &mut found.v[number * keys * values..][..keys * values];
            let q_grad = &mut found.q[number * unit.rows * width..][..unit.rows * width];
            for start in (0..unit.rows).step_by(tile) {
                let (first, rows) = (unit.first + start, tile.min(unit.rows - start));
                let (weights, scores) = (&mut weights[..rows * keys], &mut scores[..rows * keys]);
                self.weigh(inputs, [image, unit.head, first, rows], weights, &mut sums);
                for (weights, sum) in weights.chunks_exact_mut(keys).zip(&sums) {
                    kernels::multiply(weights, 1.0 / sum);
                }
                let grad = grad.matrix(image, unit.head, first, rows);
                gemm(MatrixMut::new(scores, rows, keys), false, grad, v.t(), false);
                for (weights, scores) in weights.chunks_exact(keys).zip(scores.chunks_exact_mut(keys)) {
                    kernels::scores_gradient(weights, scores);
                }
                let weights = Matrix::new(weights, rows, keys);
                gemm(MatrixMut::new(v_grad, keys, values), true, weights.t(), grad, false);
                if let Some(bias) = found.bias.get_mut(start * keys..(start + rows) * keys) {
                    for (sum, score) in bias.iter_mut().zip(&*scores) {
                        *sum += score;
                    }
                }
                let (scores, q) =
                    (Matrix::new(scores, rows, keys), inputs.q.matrix(image, unit.head, first, rows));
                let q_grad = &mut q_grad[start * width..][..rows * width];
                gemm(MatrixMut::new(q_grad, rows, width), false, scores, k, false);
                gemm(MatrixMut::new(k_grad, keys, width), true, scores.t(), q, false);
            }
        }
        kernels::multiply(&mut found.q, self.scale);
        kernels::multiply(&mut found.k, self.scale);
        found
    }

    /// Puts the gradients of the units together, in their order.
    fn assemble(
        &self,
        found: &[(Found, Unit)],
        packed: bool,
        bias_dims: Option<&[usize]>,
    ) -> Vec<Option<Vec<f32>>> {
        let Sizes { batch, heads, queries, keys, width, values } = self.sizes;
        let mut q = vec![0.0; batch * heads * queries * width];
        // Rows of keys and of values: side by side, or apart.
        let strides = if packed { [width + values; 2] } else { [width, values] };
        let mut k = vec![0.0; batch * heads * keys * strides[0]];
        let mut v = vec![0.0; if packed { 0 } else { batch * heads * keys * values }];
        for (found, unit) in found {
            for (number, image) in unit.images.iter().enumerate() {
                let head = image * heads + unit.head;
                let from = &found.q[number * unit.rows * width..][..unit.rows * width];
                q[(head * queries + unit.first) * width..][..from.len()].copy_from_slice(from);
                let k_from = &found.k[number * keys * width..][..keys * width];
                let v_from = &found.v[number * keys * values..][..keys * values];
                add_rows(&mut k[head * keys * strides[0]..], strides[0], k_from, width);
                if packed {
                    add_rows(&mut k[head * keys * strides[0] + width..], strides[0], v_from, values);
                } else {
                    add_rows(&mut v[head * keys * values..], values, v_from, values);
                }
            }
        }
        if !packed {
            return vec![Some(q), Some(k), Some(v)];
        }
        let bias = bias_dims.map(|dims| {
            let ([along_batch, along_heads, along_queries], images) = bias_strides(dims);
            let mut bias = vec![0.0; dims.iter().product()];
            for (found, unit) in found {
                let base = unit.images[0] % images * along_batch + unit.head * along_heads;
                for (row, from) in found.bias.chunks_exact(keys).enumerate() {
                    add_rows(&mut bias[base + (unit.first + row) * along_queries..], keys, from, keys);
                }
            }
            bias
        });
        vec![Some(q), Some(k), bias]
    }
}

/// Adds rows that lie one after the other to rows that lie `stride` apart.
fn add_rows(out: &mut [f32], stride: usize, from: &[f32], width: usize) {
    for (out, from) in out.chunks_mut(stride).zip(from.chunks_exact(width)) {
        for (out, from) in out.iter_mut().zip(from) {
            *out += from;
        }
    }
}
