//! Batch normalization of maps.

use candle_core::{Device, Shape, Tensor};

use super::kernels::planes::Planes;
use super::kernels::rows;
use super::on_cpu;
use crate::cpu::{Backward, Function, Operand, apply, with_dense};
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
/// `x: (B, C, ..)`, `weight` and `bias`: `(C)`.
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
        let (mean, variance) = composed_statistics(x)?;
        let y = composed(x, weight, bias, &mean, &variance, eps)?;
        return Ok((y, BatchStatistics { mean: mean.detach(), variance: variance.detach() }));
    }
    let (mean, variance) = with_dense(x, |values| moments(Planes::of(x.dims()), values))?;
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
/// `x: (B, C, ..)`, all others `(C)`.
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
        return Ok(composed(x, weight, bias, &mean.detach(), &variance.detach(), eps)?);
    }
    let function = BatchNorm::new(mean.to_vec1()?, &variance.to_vec1::<f32>()?, eps, false);
    Ok(apply(function, &[x, weight, bias])?)
}

fn check(x: &Tensor, per_channel: &[&Tensor]) -> Result<()> {
    match x.dims() {
        &[_, channels, ..] if x.elem_count() > 0 && per_channel.iter().all(|t| t.dims() == [channels]) => {
            Ok(())
        }
        dims => {
            let others: Vec<&[usize]> = per_channel.iter().map(|t| t.dims()).collect();
            Err(Error::shape("batch_norm", format!("parameters {others:?} do not fit {dims:?}")))
        }
    }
}

/// Mean and biased variance of each channel.
fn moments(planes: Planes, x: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let count = (planes.batch * planes.plane) as f64;
    let of_channels = |sums: Vec<f64>| -> Vec<f32> {
        planes.over_batch(&sums).into_iter().map(|sum| (sum / count) as f32).collect()
    };
    let mean = of_channels(planes.sums(|_, here| rows::long_sum(&x[here])));
    let variance = of_channels(planes.sums(|channel, here| rows::long_squares(&x[here], mean[channel])));
    (mean, variance)
}

/// The same as a composition.
fn composed_statistics(x: &Tensor) -> candle_core::Result<(Tensor, Tensor)> {
    let channels = x.dim(1)?;
    let rows = x.transpose(0, 1)?.reshape((channels, ()))?;
    let mean = rows.mean(1)?;
    let variance = rows.broadcast_sub(&mean.unsqueeze(1)?)?.sqr()?.mean(1)?;
    Ok((mean, variance))
}

fn composed(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    mean: &Tensor,
    variance: &Tensor,
    eps: f64,
) -> candle_core::Result<Tensor> {
    let mut column = vec![1; x.rank()];
    column[1] = x.dim(1)?;
    let scale = (weight / (variance + eps)?.sqrt()?)?;
    let shift = (bias - (mean * &scale)?)?;
    x.broadcast_mul(&scale.reshape(column.as_slice())?)?.broadcast_add(&shift.reshape(column)?)
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

    /// The gradients of the weight and of the bias.
    fn parameter_gradients(&self, planes: Planes, x: &[f32], grad: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let along = planes
            .sums(|channel, here| rows::long_product(&x[here.clone()], self.mean[channel], &grad[here]));
        let totals = planes.sums(|_, here| rows::long_sum(&grad[here]));
        let along = planes.over_batch(&along).into_iter().zip(&self.scale);
        let weight_grad = along.map(|(along, scale)| along as f32 * scale).collect();
        (weight_grad, planes.over_batch(&totals).into_iter().map(|total| total as f32).collect())
    }
}

impl Function for BatchNorm {
    const NAME: &'static str = "batch_norm";

    fn forward(&self, inputs: &[Operand]) -> candle_core::Result<(Vec<f32>, Shape)> {
        let (x, weight, bias) = (inputs[0].dense()?, inputs[1].dense()?, inputs[2].dense()?);
        let mut y = vec![0.0; x.len()];
        Planes::of(inputs[0].dims()).for_each_piece(&mut y, |channel, here, y| {
            let slope = weight[channel] * self.scale[channel];
            rows::scale_and_shift(&x[here], slope, bias[channel] - self.mean[channel] * slope, y);
        });
        Ok((y, inputs[0].dims().into()))
    }

    fn backward(&self, pass: &Backward) -> candle_core::Result<Vec<Option<Vec<f32>>>> {
        let planes = Planes::of(pass.inputs[0].dims());
        let (x, weight, grad) = (pass.inputs[0].dense()?, pass.inputs[1].dense()?, pass.gradient.dense()?);
        let (weight_grad, bias_grad) = self.parameter_gradients(planes, &x, &grad);
        let share = 1.0 / (planes.batch * planes.plane) as f32;
        let mut x_grad = vec![0.0; if pass.wanted[0] { x.len() } else { 0 }];
        planes.for_each_piece(&mut x_grad, |channel, here, out| {
            let (mean, scale) = (self.mean[channel], self.scale[channel]);
            let slope = weight[channel] * scale;
            if self.of_batch {
                let x_scale = -slope * weight_grad[channel] * share * scale;
                let shift = -slope * bias_grad[channel] * share - mean * x_scale;
                rows::mix(&x[here.clone()], x_scale, &grad[here], slope, shift, out);
            } else {
                rows::scale_and_shift(&grad[here], slope, 0.0, out);
            }
        });
        Ok(vec![Some(x_grad).filter(|_| pass.wanted[0]), Some(weight_grad), Some(bias_grad)])
    }
}
