//! Attention: softmax over products of queries and keys, applied to values.
//!
//! The fused function looks at a tile of queries at a time and never holds the scores of all of them; the backward pass computes
//! the scores anew.

mod backward;
mod fused;

use candle_core::{D, Tensor};

use self::fused::Attention;
use super::{on_cpu, softmax};
use crate::cpu::apply;
use crate::{Context, Error, Result};

/// Scores of a tile of queries, as far as [`ROWS`] allows.
const TILE: usize = 1 << 17;
/// Queries of a tile: fewer make its products slow, more do not make them faster.
const ROWS: [usize; 2] = [32, 128];

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
