//! The backward pass: pieces of work, what each finds, and how it is put together.

use super::Sizes;
use super::fused::{Attention, Heads, Inputs};
use crate::ops::kernels::{Matrix, MatrixMut, attention as kernels, gemm};

/// Pieces of work that are at least wanted.
const PIECES: usize = 16;

/// A piece of the backward pass: some queries of one head of some images that share a bias.
pub(super) struct Unit {
    images: Vec<usize>,
    head: usize,
    first: usize,
    rows: usize,
}

/// The gradients a unit finds: for each image those of its queries, and its shares of those of keys and values.
pub(super) struct Found {
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    /// `(rows, keys)`, of all its images; empty if not wanted.
    bias: Vec<f32>,
}

impl Attention {
    /// The work of the backward pass; depends on the sizes alone.
    pub(super) fn units(&self, bias_dims: Option<&[usize]>) -> Vec<Unit> {
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

    pub(super) fn differentiate(
        &self,
        inputs: &Inputs,
        grad: Heads,
        unit: &Unit,
        bias_wanted: bool,
    ) -> Found {
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
    pub(super) fn assemble(
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

/// How far apart the elements of a bias lie along its first three dimensions, 0 where it is broadcast, and its images.
pub(super) fn bias_strides(dims: &[usize]) -> ([usize; 3], usize) {
    let &[batch, heads, queries, keys] = dims else { return ([0; 3], 1) };
    let along_heads = if heads == 1 { 0 } else { queries * keys };
    ([heads * queries * keys, along_heads, if queries == 1 { 0 } else { keys }], batch)
}
