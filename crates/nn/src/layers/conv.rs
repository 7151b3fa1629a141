//! The convolutional layers.

use candle_core::Tensor;
use candle_nn::{Init, VarBuilder};

use crate::ops::{self, ConvOptions};
use crate::{Context, Error, Result};

/// What a [`Conv`] has beside its sizes.
#[derive(Debug, Clone, Copy)]
pub struct ConvConfig<const N: usize> {
    /// Stride, padding, dilation and groups.
    pub options: ConvOptions<N>,
    /// Whether a bias is added; default true.
    pub bias: bool,
    /// How the weight starts; default None: normal with variance 2 / (outputs per group · kernel area) (He, fan out). The bias
    /// starts at 0.
    pub init: Option<Init>,
}

/// What a [`Conv2d`] has beside its sizes.
pub type Conv2dConfig = ConvConfig<2>;
/// What a [`Conv3d`] has beside its sizes.
pub type Conv3dConfig = ConvConfig<3>;

impl<const N: usize> Default for ConvConfig<N> {
    fn default() -> Self {
        Self { options: ConvOptions::default(), bias: true, init: None }
    }
}

/// A convolution; parameters `weight: (O, I / groups, kernel)` and `bias: (O)`.
#[derive(Debug)]
pub struct Conv<const N: usize> {
    weight: Tensor,
    bias: Option<Tensor>,
    options: ConvOptions<N>,
}

/// A convolution of maps; the kernel is `[height, width]`.
pub type Conv2d = Conv<2>;
/// A convolution of volumes; the kernel is `[depth, height, width]`.
pub type Conv3d = Conv<3>;

impl<const N: usize> Conv<N> {
    /// A layer from `inputs` to `outputs` channels with a kernel of the given size.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Shape`] if the groups do not divide the channels, [`crate::Error::Candle`] if the parameters are missing
    /// or have another shape.
    pub fn new(
        inputs: usize,
        outputs: usize,
        kernel: [usize; N],
        config: ConvConfig<N>,
        vb: VarBuilder,
    ) -> Result<Self> {
        let groups = config.options.groups;
        check_groups(if N == 3 { "Conv3d" } else { "Conv2d" }, groups, inputs, outputs)?;
        let fan_out = (kernel.iter().product::<usize>() * outputs / groups) as f64;
        let init = config.init.unwrap_or(Init::Randn { mean: 0.0, stdev: (2.0 / fan_out).sqrt() });
        let weight = vb.get_with_hints(weight_shape(outputs, inputs / groups, kernel), "weight", init)?;
        let bias = config.bias.then(|| vb.get_with_hints(outputs, "bias", Init::Const(0.0))).transpose()?;
        Ok(Self { weight, bias, options: config.options })
    }

    /// The layer with given parameters.
    pub fn from_parts(weight: Tensor, bias: Option<Tensor>, options: ConvOptions<N>) -> Self {
        Self { weight, bias, options }
    }

    /// The weight, `(O, I / groups, kernel)`.
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// Applies the layer to `x: (B, I, ..)`, `..` being `H, W` or `D, H, W`.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Shape`] if `x` has other channels or is smaller than the kernel.
    pub fn forward(&self, x: &Tensor, ctx: &Context) -> Result<Tensor> {
        let bias = self.bias.as_ref().map(|bias| ctx.parameter(bias));
        let y = ops::convolve(x, &ctx.parameter(&self.weight), bias.as_ref(), &self.options)?;
        let per_output: usize = self.weight.dims().iter().skip(1).product();
        ctx.add_macs(y.elem_count() as u64 * per_output as u64);
        Ok(y)
    }
}

pub(super) fn check_groups(layer: &'static str, groups: usize, inputs: usize, outputs: usize) -> Result<()> {
    if groups == 0 || !inputs.is_multiple_of(groups) || !outputs.is_multiple_of(groups) {
        let problem = format!("{groups} groups do not divide {inputs} inputs and {outputs} outputs");
        return Err(Error::shape(layer, problem));
    }
    Ok(())
}

pub(super) fn weight_shape<const N: usize>(first: usize, second: usize, kernel: [usize; N]) -> Vec<usize> {
    [&[first, second], kernel.as_slice()].concat()
}
