//! Normalization of groups of channels of each image, and of single channels.

use std::ops::Range;

use candle_core::{Shape, Tensor};
use rayon::prelude::*;

use super::kernels::planes::Planes;
use super::kernels::rows;
use super::on_cpu;
use crate::cpu::{Backward, Function, Operand, apply, with_dense};
use crate::{Error, Result};

/// Normalizes each group of neighboring channels of each image and applies a weight and a bias, if given.
///
/// # Shapes
///
/// `x: (B, C, ..)`, weight and bias: `(C)`; the groups divide `C`.
///
/// # Errors
///
/// [`Error::Shape`] if the sizes do not fit.
///
/// # Source
///
/// Wu, He, [Group Normalization](https://arxiv.org/abs/1803.08494), with the biased variance of PyTorch.
pub fn group_norm(x: &Tensor, groups: usize, affine: Option<[&Tensor; 2]>, eps: f64) -> Result<Tensor> {
    normalize("group_norm", x, groups, affine, eps)
}

/// Normalizes each channel of each image and applies a weight and a bias, if given: [`group_norm`] with a group for each channel.
///
/// # Shapes
///
/// `x: (B, C, ..)`, weight and bias: `(C)`.
///
/// # Errors
///
/// [`Error::Shape`] if the sizes do not fit, or there is a single value in a channel of an image, which has no variance.
///
/// # Source
///
/// Ulyanov, Vedaldi, Lempitsky, [Instance Normalization](https://arxiv.org/abs/1607.08022).
pub fn instance_norm(x: &Tensor, affine: Option<[&Tensor; 2]>, eps: f64) -> Result<Tensor> {
    match x.dims() {
        &[_, channels, ref rest @ ..] if rest.iter().product::<usize>() > 1 => {
            normalize("instance_norm", x, channels, affine, eps)
        }
        dims => {
            let problem = format!("got {dims:?}, expected (B, C, ..) with several values per channel");
            Err(Error::shape("instance_norm", problem))
        }
    }
}

fn normalize(
    operation: &'static str,
    x: &Tensor,
    groups: usize,
    affine: Option<[&Tensor; 2]>,
    eps: f64,
) -> Result<Tensor> {
    let fits = |channels: usize| {
        groups > 0
            && channels.is_multiple_of(groups)
            && affine.is_none_or(|pair| pair.iter().all(|t| t.dims() == [channels]))
    };
    if x.rank() < 2 || x.elem_count() == 0 || !fits(x.dims()[1]) {
        let parameters = affine.map(|pair| pair.map(Tensor::dims));
        let problem = format!("{groups} groups and parameters {parameters:?} do not fit {:?}", x.dims());
        return Err(Error::shape(operation, problem));
    }
    let inputs: Vec<&Tensor> = std::iter::once(x).chain(affine.into_iter().flatten()).collect();
    if !on_cpu(&inputs) {
        return Ok(composed(x, groups, affine, eps)?);
    }
    let function = with_dense(x, |values| GroupNorm::of(Planes::of(x.dims()), groups, values, eps))?;
    Ok(apply(function, &inputs)?)
}

fn composed(
    x: &Tensor,
    groups: usize,
    affine: Option<[&Tensor; 2]>,
    eps: f64,
) -> candle_core::Result<Tensor> {
    let rows = x.reshape((x.dim(0)?, groups, ()))?;
    let centered = rows.broadcast_sub(&rows.mean_keepdim(2)?)?;
    let deviation = (centered.sqr()?.mean_keepdim(2)? + eps)?.sqrt()?;
    let normalized = centered.broadcast_div(&deviation)?.reshape(x.shape())?;
    let Some([weight, bias]) = affine else { return Ok(normalized) };
    let mut column = vec![1; x.rank()];
    column[1] = x.dim(1)?;
    normalized.broadcast_mul(&weight.reshape(column.as_slice())?)?.broadcast_add(&bias.reshape(column)?)
}

/// The normalization by the means and deviations of the groups of one batch.
struct GroupNorm {
    groups: usize,
    /// For each group of each image the mean and the inverse of the standard deviation.
    moments: Vec<(f32, f32)>,
}

impl GroupNorm {
    fn of(planes: Planes, groups: usize, x: &[f32], eps: f64) -> Self {
        let size = planes.channels / groups * planes.plane;
        let moments = |group: &[f32]| {
            let mean = (rows::long_sum(group) / size as f64) as f32;
            let variance = rows::long_squares(group, mean) / size as f64;
            (mean, (1.0 / (variance + eps).sqrt()) as f32)
        };
        Self { groups, moments: x.par_chunks_exact(size).map(moments).collect() }
    }

    /// The group, counted over all images, of the plane that begins at `here`.
    fn group(&self, planes: Planes, here: &Range<usize>) -> usize {
        here.start / planes.plane / (planes.channels / self.groups)
    }

    /// For each group the sums of `weight · grad` and of `weight · grad · (x - mean)`, from those of the planes.
    fn group_sums(&self, totals: &[f64], along: &[f64], weight: Option<&[f32]>) -> Vec<(f64, f64)> {
        let size = totals.len() / self.moments.len();
        let planes = totals.iter().zip(along).enumerate().map(|(plane, (total, along))| {
            let weight = weight.map_or(1.0, |weight| f64::from(weight[plane % weight.len()]));
            (weight * total, weight * along)
        });
        let planes: Vec<(f64, f64)> = planes.collect();
        planes
            .chunks_exact(size)
            .map(|group| group.iter().fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1)))
            .collect()
    }
}

impl Function for GroupNorm {
    const NAME: &'static str = "group_norm";

    fn forward(&self, inputs: &[Operand]) -> candle_core::Result<(Vec<f32>, Shape)> {
        let planes = Planes::of(inputs[0].dims());
        let x = inputs[0].dense()?;
        let weight = inputs.get(1).map(Operand::dense).transpose()?;
        let bias = inputs.get(2).map(Operand::dense).transpose()?;
        let mut y = vec![0.0; x.len()];
        planes.for_each_piece(&mut y, |channel, here, y| {
            let (mean, scale) = self.moments[self.group(planes, &here)];
            let slope = scale * weight.as_ref().map_or(1.0, |weight| weight[channel]);
            let shift = bias.as_ref().map_or(0.0, |bias| bias[channel]) - mean * slope;
            rows::scale_and_shift(&x[here], slope, shift, y);
        });
        Ok((y, inputs[0].dims().into()))
    }

    fn backward(&self, pass: &Backward) -> candle_core::Result<Vec<Option<Vec<f32>>>> {
        let planes = Planes::of(pass.inputs[0].dims());
        let (x, grad) = (pass.inputs[0].dense()?, pass.gradient.dense()?);
        let weight = pass.inputs.get(1).map(Operand::dense).transpose()?;
        let totals = planes.sums(|_, here| rows::long_sum(&grad[here]));
        let along = planes.sums(|_, here| {
            let (mean, _) = self.moments[self.group(planes, &here)];
            rows::long_product(&x[here.clone()], mean, &grad[here])
        });
        let sums = self.group_sums(&totals, &along, weight.as_deref());
        let share = self.moments.len() as f64 / x.len() as f64;
        let mut x_grad = vec![0.0; x.len()];
        planes.for_each_piece(&mut x_grad, |channel, here, out| {
            let group = self.group(planes, &here);
            let ((mean, scale), (total, along)) = (self.moments[group], sums[group]);
            let slope = scale * weight.as_ref().map_or(1.0, |weight| weight[channel]);
            let x_scale = -scale * scale * scale * (along * share) as f32;
            let shift = -scale * (total * share) as f32 - mean * x_scale;
            rows::mix(&x[here.clone()], x_scale, &grad[here], slope, shift, out);
        });
        let mut gradients = vec![Some(x_grad)];
        if weight.is_some() {
            let normalized = along.iter().enumerate().map(|(plane, along)| {
                along * f64::from(self.moments[plane / (planes.channels / self.groups)].1)
            });
            let normalized: Vec<f64> = normalized.collect();
            for sums in [&normalized, &totals] {
                gradients.push(Some(planes.over_batch(sums).into_iter().map(|sum| sum as f32).collect()));
            }
        }
        Ok(gradients)
    }
}
