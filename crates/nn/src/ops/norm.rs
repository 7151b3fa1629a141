//! Layer normalization.

use candle_core::{CpuStorage, CustomOp3, Device, Layout, Shape, Tensor};

use super::kernels::{Dense, chunk_rows, for_each_chunk, for_each_chunk2, rows, sum_partials};
use super::{on_cpu, portable};
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
        return Ok(portable::layer_norm(x, weight, bias, eps)?);
    }
    Ok(x.apply_op3(weight, bias, LayerNorm { eps: eps as f32 })?)
}

struct LayerNorm {
    eps: f32,
}

impl CustomOp3 for LayerNorm {
    fn name(&self) -> &'static str {
        "layer_norm"
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
        let x = Dense::of_storage(x, x_layout)?;
        let (weight, bias) =
            (Dense::of_storage(weight, weight_layout)?, Dense::of_storage(bias, bias_layout)?);
        let size = chunk_rows(weight.len()) * weight.len();
        let mut y = vec![0.0; x.len()];
        for_each_chunk(&mut y, size, |index, y| {
            rows::layer_norm(&x[index * size..][..y.len()], &weight, &bias, self.eps, y);
        });
        Ok((CpuStorage::F32(y), x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _y: &Tensor,
        grad: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let width = weight.elem_count();
        let size = chunk_rows(width) * width;
        let mut x_grad = vec![0.0; x.elem_count()];
        let mut partials = vec![0.0; x_grad.len().div_ceil(size) * 2 * width];
        Dense::with(x, |x| {
            Dense::with(weight, |weight| {
                Dense::with(grad, |grad| {
                    for_each_chunk2((&mut x_grad, size), (&mut partials, 2 * width), |index, out, sums| {
                        let here = index * size..index * size + out.len();
                        rows::layer_norm_gradient(&x[here.clone()], weight, self.eps, &grad[here], out, sums);
                    });
                })
            })
        })???;
        let mut weight_grad = sum_partials(&partials, 2 * width);
        let bias_grad = weight_grad.split_off(width);
        Ok((
            Some(Tensor::from_vec(x_grad, x.shape(), &Device::Cpu)?),
            Some(Tensor::from_vec(weight_grad, weight.shape(), &Device::Cpu)?),
            Some(Tensor::from_vec(bias_grad, bias.shape(), &Device::Cpu)?),
        ))
    }
}
