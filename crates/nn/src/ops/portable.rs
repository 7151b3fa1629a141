//! Compositions of candle operations that differentiate correctly on every device.

use candle_core::{D, Result, Tensor};

pub(super) fn softmax(x: &Tensor) -> Result<Tensor> {
    let exponentials = x.broadcast_sub(&x.max_keepdim(D::Minus1)?.detach())?.exp()?;
    exponentials.broadcast_div(&exponentials.sum_keepdim(D::Minus1)?)
}

pub(super) fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    let centered = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let deviation = (centered.sqr()?.mean_keepdim(D::Minus1)? + eps)?.sqrt()?;
    centered.broadcast_div(&deviation)?.broadcast_mul(weight)?.broadcast_add(bias)
}

/// Mean and biased variance of each channel.
pub(super) fn channel_statistics(x: &Tensor) -> Result<(Tensor, Tensor)> {
    let channels = x.dim(1)?;
    let rows = x.transpose(0, 1)?.reshape((channels, ()))?;
    let mean = rows.mean(1)?;
    let variance = rows.broadcast_sub(&mean.unsqueeze(1)?)?.sqr()?.mean(1)?;
    Ok((mean, variance))
}

pub(super) fn batch_norm(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    mean: &Tensor,
    variance: &Tensor,
    eps: f64,
) -> Result<Tensor> {
    let column = |t: &Tensor| t.reshape((1, (), 1, 1));
    let scale = (weight / (variance + eps)?.sqrt()?)?;
    let shift = (bias - (mean * &scale)?)?;
    x.broadcast_mul(&column(&scale)?)?.broadcast_add(&column(&shift)?)
}

pub(super) fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let y = x.matmul(&weight.t()?)?;
    match bias {
        Some(bias) => y.broadcast_add(bias),
        None => Ok(y),
    }
}
