//! Layer normalization with parameters, over the last dimension and over the channels of maps.

use candle_core::Tensor;
use candle_nn::{Init, VarBuilder};

use crate::{Context, Result, ops};

/// Normalization over the last dimension; parameters `weight` and `bias`: `(C)`.
#[derive(Debug)]
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

impl LayerNorm {
    /// A layer over `channels` values. `eps` has no default because networks differ in it: PyTorch's is 1e-5, mmsegmentation's
    /// transformers use 1e-6.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Candle`] if the parameters are missing or have another shape.
    pub fn new(channels: usize, eps: f64, vb: VarBuilder) -> Result<Self> {
        let weight = vb.get_with_hints(channels, "weight", Init::Const(1.0))?;
        let bias = vb.get_with_hints(channels, "bias", Init::Const(0.0))?;
        Ok(Self { weight, bias, eps })
    }

    /// Applies the layer to `x: (.., C)`.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Shape`] if the last dimension is another one.
    pub fn forward(&self, x: &Tensor, ctx: &Context) -> Result<Tensor> {
        ops::layer_norm(x, &ctx.parameter(&self.weight), &ctx.parameter(&self.bias), self.eps)
    }
}

/// Normalization of every pixel over its channels; parameters `weight` and `bias`: `(C)`.
#[derive(Debug)]
pub struct LayerNorm2d {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

impl LayerNorm2d {
    /// A layer over `channels` channels; SAM and ConvNeXt use an `eps` of 1e-6.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Candle`] if the parameters are missing or have another shape.
    pub fn new(channels: usize, eps: f64, vb: VarBuilder) -> Result<Self> {
        let weight = vb.get_with_hints(channels, "weight", Init::Const(1.0))?;
        let bias = vb.get_with_hints(channels, "bias", Init::Const(0.0))?;
        Ok(Self { weight, bias, eps })
    }

    /// Applies the layer to `x: (B, C, ..)`.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Shape`] if `x` has other channels.
    pub fn forward(&self, x: &Tensor, ctx: &Context) -> Result<Tensor> {
        ops::layer_norm2d(x, &ctx.parameter(&self.weight), &ctx.parameter(&self.bias), self.eps)
    }
}
