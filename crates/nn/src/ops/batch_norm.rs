//! Batch normalization of maps.

use candle_core::{Device, Shape, Tensor};

use super::kernels::rows;
use super::{on_cpu, portable};
use crate::cpu::{Backward, Function, Operand, apply, for_each_chunk, share_chunks, with_dense};
use crate::{Error, Result};

/// Mean and biased variance of each channel of a batch, cut off the graph of gradients.
#[derive(Debug, Clone)]
pub struct BatchStatistics {
    /// The mean of each channel.
    pub mean: Tensor,
    /// The variance of each channel, divided by the number of values.
    pub variance: Tensor,
}

/// Normalizes each channel by the mean and the biased variance of the batch, and returns them beside the result.
///
/// # Shapes
///
/// `x: (B, C, H, W)`, `weight` and `bias`: `(C)`.
///
/// # Errors
///
/// [`Error::Shape`] if the sizes do not fit or the batch has no values.
///
/// # Source
///
/// Ioffe, Szegedy, [Batch Normalization](https://arxiv.org/abs/1502.03167).
pub fn batch_norm_train(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    eps: f64,
) -> Result<(Tensor, BatchStatistics)> {
    check(x, &[weight, bias])?;
    if !on_cpu(&[x, weight, bias]) {
        let (mean, variance) = portable::channel_statistics(x)?;
        let y = portable::batch_norm(x, weight, bias, &mean, &variance, eps)?;
        return Ok((y, BatchStatistics { mean: mean.detach(), variance: variance.detach() }));
    }
    let maps = Maps::of(x.dims());
    let (mean, variance) = with_dense(x, |x| maps.moments(x))?;
    let statistics = BatchStatistics {
        mean: Tensor::from_slice(&mean, mean.len(), &Device::Cpu)?,
        variance: Tensor::from_slice(&variance, variance.len(), &Device::Cpu)?,
    };
    let y = apply(BatchNorm::new(mean, &variance, eps, true), &[x, weight, bias])?;
    Ok((y, statistics))
}

/// Normalizes each channel by a given mean and variance, which get no gradient.
///
/// # Shapes
///
/// `x: (B, C, H, W)`, all others `(C)`.
///
/// # Errors
///
/// [`Error::Shape`] if the sizes do not fit.
pub fn batch_norm_eval(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    mean: &Tensor,
    variance: &Tensor,
    eps: f64,
) -> Result<Tensor> {
    check(x, &[weight, bias, mean, variance])?;
    if !on_cpu(&[x, weight, bias, mean, variance]) {
        return Ok(portable::batch_norm(x, weight, bias, &mean.detach(), &variance.detach(), eps)?);
    }
    let function = BatchNorm::new(mean.to_vec1()?, &variance.to_vec1::<f32>()?, eps, false);
    Ok(apply(function, &[x, weight, bias])?)
}

fn check(x: &Tensor, per_channel: &[&Tensor]) -> Result<()> {
    match x.dims() {
        &[batch, channels, h, w]
            if batch * h * w > 0 && per_channel.iter().all(|t| t.dims() == [channels]) =>
        {
            Ok(())
        }
        dims => {
            let others: Vec<&[usize]> = per_channel.iter().map(|t| t.dims()).collect();
            Err(Error::shape("batch_norm", format!("parameters {others:?} do not fit {dims:?}")))
        }
    }
}

/// The sizes of a batch of maps.
#[derive(Clone, Copy)]
struct Maps {
    batch: usize,
    channels: usize,
    plane: usize,
}

impl Maps {
    fn of(dims: &[usize]) -> Self {
        match dims {
            &[batch, channels, h, w] => Self { batch, channels, plane: h * w },
            _ => Self { batch: 0, channels: 0, plane: 0 },
        }
    }

    /// The planes of one channel.
    fn planes(self, x: &[f32], channel: usize) -> impl Iterator<Item = &[f32]> {
        (0..self.batch).map(move |image| &x[(image * self.channels + channel) * self.plane..][..self.plane])
    }

    /// Mean and biased variance of each channel.
    fn moments(self, x: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let count = (self.batch * self.plane) as f64;
        let mut moments = vec![0.0; 2 * self.channels];
        share_chunks(&mut moments, 2, |channel, out| {
            let mean = (self.planes(x, channel).map(rows::long_sum).sum::<f64>() / count) as f32;
            let squares = self.planes(x, channel).map(|plane| rows::long_squares(plane, mean)).sum::<f64>();
            out.copy_from_slice(&[mean, (squares / count) as f32]);
        });
        moments.chunks_exact(2).map(|pair| (pair[0], pair[1])).unzip()
    }
}

/// The normalization by a mean and a standard deviation that are known.
struct BatchNorm {
    mean: Vec<f32>,
    /// The inverse of the standard deviation.
    scale: Vec<f32>,
    /// Whether mean and deviation come from `x`, so that gradients flow through them.
    of_batch: bool,
}

impl BatchNorm {
    fn new(mean: Vec<f32>, variance: &[f32], eps: f64, of_batch: bool) -> Self {
        let scale =
            variance.iter().map(|&variance| (1.0 / (f64::from(variance) + eps).sqrt()) as f32).collect();
        Self { mean, scale, of_batch }
    }

    /// For each channel the gradients of the weight and of the bias.
    fn parameter_gradients(&self, maps: Maps, x: &[f32], grad: &[f32]) -> Vec<f32> {
        let mut sums = vec![0.0; 2 * maps.channels];
        share_chunks(&mut sums, 2, |channel, out| {
            let planes = maps.planes(x, channel).zip(maps.planes(grad, channel));
            let along: f64 = planes.map(|(x, grad)| rows::long_product(x, self.mean[channel], grad)).sum();
            let total: f64 = maps.planes(grad, channel).map(rows::long_sum).sum();
            out.copy_from_slice(&[along as f32 * self.scale[channel], total as f32]);
        });
        sums
    }

    fn input_gradient(&self, maps: Maps, x: &[f32], weight: &[f32], grad: &[f32], sums: &[f32]) -> Vec<f32> {
        let share = 1.0 / (maps.batch * maps.plane) as f32;
        let mut out = vec![0.0; x.len()];
        for_each_chunk(&mut out, maps.plane, |index, out| {
            let channel = index % maps.channels;
            let (mean, scale) = (self.mean[channel], self.scale[channel]);
            let here = index * maps.plane..(index + 1) * maps.plane;
            let slope = weight[channel] * scale;
            if self.of_batch {
                let (along, total) = (sums[2 * channel] * share, sums[2 * channel + 1] * share);
                let x_scale = -slope * along * scale;
                rows::mix(
                    &x[here.clone()],
                    x_scale,
                    &grad[here],
                    slope,
                    -slope * total - mean * x_scale,
                    out,
                );
            } else {
                rows::scale_and_shift(&grad[here], slope, 0.0, out);
            }
        });
        out
    }
}

impl Function for BatchNorm {
    const NAME: &'static str = "batch_norm";

    fn forward(&self, inputs: &[Operand]) -> candle_core::Result<(Vec<f32>, Shape)> {
        let (x, weight, bias) = (inputs[0].dense()?, inputs[1].dense()?, inputs[2].dense()?);
        let maps = Maps::of(inputs[0].dims());
        let mut y = vec![0.0; x.len()];
        for_each_chunk(&mut y, maps.plane, |index, y| {
            let channel = index % maps.channels;
            let slope = weight[channel] * self.scale[channel];
            let shift = bias[channel] - self.mean[channel] * slope;
            rows::scale_and_shift(&x[index * maps.plane..][..maps.plane], slope, shift, y);
        });
        Ok((y, inputs[0].dims().into()))
    }

    fn backward(&self, pass: &Backward) -> candle_core::Result<Vec<Option<Vec<f32>>>> {
        let maps = Maps::of(pass.inputs[0].dims());
        let (x, weight, grad) = (pass.inputs[0].dense()?, pass.inputs[1].dense()?, pass.gradient.dense()?);
        let sums = self.parameter_gradients(maps, &x, &grad);
        let x_grad = pass.wanted[0].then(|| self.input_gradient(maps, &x, &weight, &grad, &sums));
        let (weight_grad, bias_grad) = sums.chunks_exact(2).map(|pair| (pair[0], pair[1])).unzip();
        Ok(vec![x_grad, Some(weight_grad), Some(bias_grad)])
    }
}
