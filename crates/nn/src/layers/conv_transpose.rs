//! The layers of transposed convolution.

use candle_core::Tensor;
use candle_nn::{Init, VarBuilder};

use super::conv::{check_groups, weight_shape};
use crate::ops::{self, ConvTransposeOptions};
use crate::{Context, Result};

/// What a [`ConvTranspose`] has beside its sizes.
#[derive(Debug, Clone, Copy)]
pub struct ConvTransposeConfig<const N: usize> {
    /// Stride, padding, output padding, dilation and groups.
    pub options: ConvTransposeOptions<N>,
    /// Whether a bias is added; default true.
    pub bias: bool,
    /// How the weight starts; default None: normal with variance 2 / fan, where fan is how many products an output element is the
    /// sum of on average, inputs per group · kernel area / stride area. The bias starts at 0.
    pub init: Option<Init>,
}

/// What a [`ConvTranspose2d`] has beside its sizes.
pub type ConvTranspose2dConfig = ConvTransposeConfig<2>;
/// What a [`ConvTranspose3d`] has beside its sizes.
pub type ConvTranspose3dConfig = ConvTransposeConfig<3>;

impl<const N: usize> Default for ConvTransposeConfig<N> {
    fn default() -> Self {
        Self { options: ConvTransposeOptions::default(), bias: true, init: None }
    }
}

/// A transposed convolution; parameters `weight: (I, O / groups, kernel)` and `bias: (O)`.
#[derive(Debug)]
pub struct ConvTranspose<const N: usize> {
    weight: Tensor,
    bias: Option<Tensor>,
    options: ConvTransposeOptions<N>,
}

/// A transposed convolution of maps; the kernel is `[height, width]`.
pub type ConvTranspose2d = ConvTranspose<2>;
/// A transposed convolution of volumes; the kernel is `[depth, height, width]`.
pub type ConvTranspose3d = ConvTranspose<3>;

impl<const N: usize> ConvTranspose<N> {
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
        config: ConvTransposeConfig<N>,
        vb: VarBuilder,
    ) -> Result<Self> {
        let ConvTransposeOptions { groups, stride, .. } = config.options;
        let name = if N == 3 { "ConvTranspose3d" } else { "ConvTranspose2d" };
        check_groups(name, groups, inputs, outputs)?;
        let [kernel_area, stride_area] = [kernel, stride].map(|axes| axes.iter().product::<usize>() as f64);
        let fan = (inputs / groups) as f64 * kernel_area / stride_area;
        let init = config.init.unwrap_or(Init::Randn { mean: 0.0, stdev: (2.0 / fan).sqrt() });
        let weight = vb.get_with_hints(weight_shape(inputs, outputs / groups, kernel), "weight", init)?;
        let bias = config.bias.then(|| vb.get_with_hints(outputs, "bias", Init::Const(0.0))).transpose()?;
        Ok(Self { weight, bias, options: config.options })
    }

    /// The layer with given parameters.
    pub fn from_parts(weight: Tensor, bias: Option<Tensor>, options: ConvTransposeOptions<N>) -> Self {
        Self { weight, bias, options }
    }

    /// The weight, `(I, O / groups, kernel)`.
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// Applies the layer to `x: (B, I, ..)`, `..` being `H, W` or `D, H, W`.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Shape`] if `x` has other channels or nothing of it is left by the padding.
    pub fn forward(&self, x: &Tensor, ctx: &Context) -> Result<Tensor> {
        let bias = self.bias.as_ref().map(|bias| ctx.parameter(bias));
        let y = ops::convolve_transposed(x, &ctx.parameter(&self.weight), bias.as_ref(), &self.options)?;
        let per_input: usize = self.weight.dims().iter().skip(1).product();
        ctx.add_macs(x.elem_count() as u64 * per_input as u64);
        Ok(y)
    }
}
