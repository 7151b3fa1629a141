//! Layer normalization.

use candle_core::{Shape, Tensor};

use super::kernels::rows;
use super::{on_cpu, portable};
use crate::cpu::{
    Backward, Function, Operand, apply, chunk_rows, for_each_chunk, for_each_chunk2, sum_partials,
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
        return Ok(portable::layer_norm(x, weight, bias, eps)?);
    }
    Ok(apply(LayerNorm { eps: eps as f32 }, &[x, weight, bias])?)
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
