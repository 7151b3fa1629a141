//! Layer normalization, over the last dimension and over the channels of maps.

use candle_core::{D, Shape, Tensor};

use super::kernels::channel_norm::{self, Pixels, TILE};
use super::kernels::rows;
use super::on_cpu;
use crate::cpu::{
    Backward, Function, Operand, apply, chunk_rows, column_tiles, for_each_chunk, for_each_chunk2, share,
    sum_partials,
};
use crate::{Error, Result};

/// Normalizes over the last dimension and applies a weight and a bias.
///
/// # Shapes
///
/// `x: (.., C)`, `weight` and `bias`: `(C)`.
///
/// # Errors
///
/// [`Error::Shape`] if the sizes do not fit.
///
/// # Source
///
/// Ba, Kiros, Hinton, [Layer Normalization](https://arxiv.org/abs/1607.06450), with the biased variance of PyTorch.
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    match (x.dims(), weight.dims(), bias.dims()) {
        (&[.., channels], &[weights], &[biases])
            if channels == weights && channels == biases && channels > 0 => {}
        (x, weight, bias) => {
            return Err(Error::shape(
                "layer_norm",
                format!("weight {weight:?} and bias {bias:?} do not fit {x:?}"),
            ));
        }
    }
    if !on_cpu(&[x, weight, bias]) {
        let centered = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
        let deviation = (centered.sqr()?.mean_keepdim(D::Minus1)? + eps)?.sqrt()?;
        return Ok(centered.broadcast_div(&deviation)?.broadcast_mul(weight)?.broadcast_add(bias)?);
    }
    Ok(apply(LayerNorm { eps: eps as f32 }, &[x, weight, bias])?)
}

/// Normalizes every pixel over its channels and applies a weight and a bias, as the maps of SAM and ConvNeXt are normalized.
///
/// # Shapes
///
/// `x: (B, C, ..)`, `weight` and `bias`: `(C)`.
///
/// # Errors
///
/// [`Error::Shape`] if the sizes do not fit.
pub fn layer_norm2d(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    match (x.dims(), weight.dims(), bias.dims()) {
        (&[_, channels, ..], &[weights], &[biases])
            if channels == weights && channels == biases && channels > 0 => {}
        (x, weight, bias) => {
            return Err(Error::shape(
                "layer_norm2d",
                format!("weight {weight:?} and bias {bias:?} do not fit the channels of {x:?}"),
            ));
        }
    }
    if !on_cpu(&[x, weight, bias]) {
        let last = x.rank() - 1;
        return Ok(layer_norm(&x.transpose(1, last)?, weight, bias, eps)?.transpose(1, last)?);
    }
    Ok(apply(LayerNorm2d { eps: eps as f32 }, &[x, weight, bias])?)
}

struct LayerNorm {
    eps: f32,
}

impl Function for LayerNorm {
    const NAME: &'static str = "layer_norm";

    fn forward(&self, inputs: &[Operand]) -> candle_core::Result<(Vec<f32>, Shape)> {
        let (x, weight, bias) = (inputs[0].dense()?, inputs[1].dense()?, inputs[2].dense()?);
        let size = chunk_rows(weight.len()) * weight.len();
        let mut y = vec![0.0; x.len()];
        for_each_chunk(&mut y, size, |index, y| {
            rows::layer_norm(&x[index * size..][..y.len()], &weight, &bias, self.eps, y);
        });
        Ok((y, inputs[0].dims().into()))
    }

    fn backward(&self, pass: &Backward) -> candle_core::Result<Vec<Option<Vec<f32>>>> {
        let (x, weight, grad) = (pass.inputs[0].dense()?, pass.inputs[1].dense()?, pass.gradient.dense()?);
        let width = weight.len();
        let size = chunk_rows(width) * width;
        let mut x_grad = vec![0.0; x.len()];
        let mut partials = vec![0.0; x.len().div_ceil(size) * 2 * width];
        for_each_chunk2((&mut x_grad, size), (&mut partials, 2 * width), |index, out, sums| {
            let here = index * size..index * size + out.len();
            rows::layer_norm_gradient(&x[here.clone()], &weight, self.eps, &grad[here], out, sums);
        });
        let mut weight_grad = sum_partials(&partials, 2 * width);
        let bias_grad = weight_grad.split_off(width);
        Ok(vec![Some(x_grad), Some(weight_grad), Some(bias_grad)])
    }
}

struct LayerNorm2d {
    eps: f32,
}

impl Function for LayerNorm2d {
    const NAME: &'static str = "layer_norm2d";

    fn forward(&self, inputs: &[Operand]) -> candle_core::Result<(Vec<f32>, Shape)> {
        let (x, weight, bias) = (inputs[0].dense()?, inputs[1].dense()?, inputs[2].dense()?);
        let (channels, plane) = (weight.len(), inputs[0].dims()[2..].iter().product());
        let mut y = vec![0.0; x.len()];
        share(column_tiles(&mut y, channels, plane, TILE), |_, mut tile| {
            let image = &x[tile.block * channels * plane..][..channels * plane];
            let pixels = Pixels { image, plane, start: tile.start, count: tile.rows[0].len() };
            channel_norm::forward(pixels, &weight, &bias, self.eps, &mut tile.rows);
        });
        Ok((y, inputs[0].dims().into()))
    }

    fn backward(&self, pass: &Backward) -> candle_core::Result<Vec<Option<Vec<f32>>>> {
        let (x, weight, grad) = (pass.inputs[0].dense()?, pass.inputs[1].dense()?, pass.gradient.dense()?);
        let (channels, plane) = (weight.len(), pass.inputs[0].dims()[2..].iter().product());
        let mut x_grad = vec![0.0; x.len()];
        let tiles = column_tiles(&mut x_grad, channels, plane, TILE);
        let mut partials = vec![0.0; tiles.len() * 2 * channels];
        let tiles = tiles.into_iter().zip(partials.chunks_exact_mut(2 * channels)).collect();
        share(tiles, |_, (mut tile, sums)| {
            let here = tile.block * channels * plane..(tile.block + 1) * channels * plane;
            let pixels = |data| Pixels { image: data, plane, start: tile.start, count: tile.rows[0].len() };
            let (x, grad) = (pixels(&x[here.clone()]), pixels(&grad[here]));
            channel_norm::backward(x, grad, &weight, self.eps, &mut tile.rows, sums);
        });
        let mut weight_grad = sum_partials(&partials, 2 * channels);
        let bias_grad = weight_grad.split_off(channels);
        Ok(vec![Some(x_grad), Some(weight_grad), Some(bias_grad)])
    }
}
