//! The fully connected layer.

use candle_core::Tensor;
use candle_nn::{Init, VarBuilder};

use crate::{Context, Result, ops};

/// What a [`Linear`] has beside its sizes.
#[derive(Debug, Clone, Copy)]
pub struct LinearConfig {
    /// Whether a bias is added; default true.
    pub bias: bool,
    /// How the weight starts; default normal with standard deviation 0.02, as vision transformers do. The bias starts at 0.
    pub init: Init,
}

impl Default for LinearConfig {
    fn default() -> Self {
        Self { bias: true, init: Init::Randn { mean: 0.0, stdev: 0.02 } }
    }
}

/// `x · weightᵀ + bias` over the last dimension; parameters `weight: (O, I)` and `bias: (O)`.
#[derive(Debug)]
pub struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    /// A layer from `inputs` to `outputs` channels.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Candle`] if the parameters are missing or have another shape.
    pub fn new(inputs: usize, outputs: usize, config: LinearConfig, vb: VarBuilder) -> Result<Self> {
        let weight = vb.get_with_hints((outputs, inputs), "weight", config.init)?;
        let bias = config.bias.then(|| vb.get_with_hints(outputs, "bias", Init::Const(0.0))).transpose()?;
        Ok(Self { weight, bias })
    }

    /// The layer with given parameters.
    pub fn from_parts(weight: Tensor, bias: Option<Tensor>) -> Self {
        Self { weight, bias }
    }

    /// The weight, `(O, I)`.
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// Applies the layer to `x: (.., I)`.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Shape`] if the last dimension is another one.
    pub fn forward(&self, x: &Tensor, ctx: &Context) -> Result<Tensor> {
        let bias = self.bias.as_ref().map(|bias| ctx.parameter(bias));
        let y = ops::linear(x, &ctx.parameter(&self.weight), bias.as_ref())?;
        ctx.add_macs(y.elem_count() as u64 * self.weight.dim(1)? as u64);
        Ok(y)
    }
}
