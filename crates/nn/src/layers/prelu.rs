//! The activation with a trainable slope.

use candle_core::Tensor;
use candle_nn::{Init, VarBuilder};

use crate::{Context, Result, ops};

/// `x` where it is positive, and `weight · x` elsewhere; parameter `weight: (weights)`.
#[derive(Debug)]
pub struct Prelu {
    weight: Tensor,
}

impl Prelu {
    /// A layer with one weight for all channels, or with one for each. They start at 0.25.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Candle`] if the parameter is missing or has another shape.
    pub fn new(weights: usize, vb: VarBuilder) -> Result<Self> {
        Ok(Self { weight: vb.get_with_hints(weights, "weight", Init::Const(0.25))? })
    }

    /// Applies the layer to `x: (B, C, ..)`.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Shape`] if there are several weights and not as many channels.
    pub fn forward(&self, x: &Tensor, ctx: &Context) -> Result<Tensor> {
        ops::prelu(x, &ctx.parameter(&self.weight))
    }
}
