//! The convolutional layer.

use candle_core::Tensor;
use candle_nn::{Init, VarBuilder};

use crate::ops::{self, Conv2dOptions};
use crate::{Context, Result};

/// What a [`Conv2d`] has beside its sizes.
#[derive(Debug, Clone, Copy)]
pub struct Conv2dConfig {
    /// Stride, padding, dilation and groups.
    pub options: Conv2dOptions,
    /// Whether a bias is added; default true.
    pub bias: bool,
    /// How the weight starts; default None: normal with variance 2 / (outputs per group · kernel area) (He, fan out). The bias
    /// starts at 0.
    pub init: Option<Init>,
}

impl Default for Conv2dConfig {
    fn default() -> Self {
        Self { options: Conv2dOptions::default(), bias: true, init: None }
    }
}

/// A convolution; parameters `weight: (O, I / groups, kernel height, kernel width)` and `bias: (O)`.
#[derive(Debug)]
pub struct Conv2d {
    weight: Tensor,
    bias: Option<Tensor>,
    options: Conv2dOptions,
}

impl Conv2d {
    /// A layer from `inputs` to `outputs` channels with a kernel of `[height, width]`.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Shape`] if the groups do not divide the channels, [`crate::Error::Candle`] if the parameters are missing
    /// or have another shape.
    pub fn new(
        inputs: usize,
        outputs: usize,
        kernel: [usize; 2],
        config: Conv2dConfig,
        vb: VarBuilder,
    ) -> Result<Self> {
        let groups = config.options.groups;
        if groups == 0 || !inputs.is_multiple_of(groups) || !outputs.is_multiple_of(groups) {
            let problem = format!("{groups} groups do not divide {inputs} inputs and {outputs} outputs");
            return Err(crate::Error::shape("Conv2d", problem));
        }
        let fan_out = (kernel[0] * kernel[1] * outputs / groups) as f64;
        let init = config.init.unwrap_or(Init::Randn { mean: 0.0, stdev: (2.0 / fan_out).sqrt() });
        let weight = vb.get_with_hints((outputs, inputs / groups, kernel[0], kernel[1]), "weight", init)?;
        let bias = config.bias.then(|| vb.get_with_hints(outputs, "bias", Init::Const(0.0))).transpose()?;
        Ok(Self { weight, bias, options: config.options })
    }

    /// The layer with given parameters.
    pub fn from_parts(weight: Tensor, bias: Option<Tensor>, options: Conv2dOptions) -> Self {
        Self { weight, bias, options }
    }

    /// The weight, `(O, I / groups, kernel height, kernel width)`.
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// Applies the layer to `x: (B, I, H, W)`.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Shape`] if `x` has other channels or is smaller than the kernel.
    pub fn forward(&self, x: &Tensor, ctx: &Context) -> Result<Tensor> {
        let bias = self.bias.as_ref().map(|bias| ctx.parameter(bias));
        let y = ops::conv2d(x, &ctx.parameter(&self.weight), bias.as_ref(), &self.options)?;
        let per_output: usize = self.weight.dims().iter().skip(1).product();
        ctx.add_macs(y.elem_count() as u64 * per_output as u64);
        Ok(y)
    }
}
