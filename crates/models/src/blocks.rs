//! Blocks of layers that many networks are made of, with the tensor names of mmcv.

use candle_core::Tensor;
use candle_nn::VarBuilder;
use segbench_nn::layers::{BatchNorm, BatchNormConfig, Conv2d, Conv2dConfig};
use segbench_nn::ops::{self, Conv2dOptions, Interpolation, ResizeTo};
use segbench_nn::{Context, Result};

/// A square convolution without bias, BatchNorm, and ReLU.
///
/// # Source
///
/// mmcv 2.1.0 `mmcv/cnn/bricks/conv_module.py ConvModule`: parameters `conv.weight`, `bn.*`.
#[derive(Debug)]
pub struct ConvBlock {
    conv: Conv2d,
    norm: BatchNorm,
    has_relu: bool,
}

/// How the window of a [`ConvBlock`] moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Side of the window, odd.
    pub kernel: usize,
    /// Steps between two windows; default 1.
    pub stride: usize,
    /// Steps between two taps; default 1. The map is padded so that its size changes by the stride alone.
    pub dilation: usize,
}

impl Window {
    /// A window of this side that moves by one.
    pub fn new(kernel: usize) -> Self {
        Self { kernel, stride: 1, dilation: 1 }
    }

    /// The same with other steps.
    pub fn stride(self, stride: usize) -> Self {
        Self { stride, ..self }
    }

    /// The same with other steps between taps.
    pub fn dilation(self, dilation: usize) -> Self {
        Self { dilation, ..self }
    }

    /// A convolution with this window and without bias.
    pub(crate) fn conv(self, inputs: usize, outputs: usize, groups: usize, vb: VarBuilder) -> Result<Conv2d> {
        self.any_conv(inputs, outputs, groups, false, vb)
    }

    /// A convolution with this window and a bias.
    pub(crate) fn biased(self, inputs: usize, outputs: usize, vb: VarBuilder) -> Result<Conv2d> {
        self.any_conv(inputs, outputs, 1, true, vb)
    }

    fn any_conv(
        self,
        inputs: usize,
        outputs: usize,
        groups: usize,
        bias: bool,
        vb: VarBuilder,
    ) -> Result<Conv2d> {
        let options = Conv2dOptions {
            stride: [self.stride; 2],
            dilation: [self.dilation; 2],
            groups,
            ..Conv2dOptions::padded(self.kernel / 2 * self.dilation)
        };
        let config = Conv2dConfig { options, bias, init: None };
        Conv2d::new(inputs, outputs, [self.kernel; 2], config, vb)
    }
}

/// The normalization of mmsegmentation's networks: epsilon 1e-5, momentum 0.1.
pub(crate) fn batch_norm(channels: usize, vb: VarBuilder) -> Result<BatchNorm> {
    BatchNorm::new(channels, BatchNormConfig::default(), vb)
}

impl ConvBlock {
    /// A block from `inputs` to `outputs` channels.
    ///
    /// # Errors
    ///
    /// Whatever `vb` reports for a parameter.
    pub fn new(inputs: usize, outputs: usize, window: Window, vb: VarBuilder) -> Result<Self> {
        Self::grouped(inputs, outputs, window, 1, vb)
    }

    /// A block whose channels form groups that do not see each other.
    ///
    /// # Errors
    ///
    /// Whatever `vb` reports for a parameter.
    pub fn grouped(
        inputs: usize,
        outputs: usize,
        window: Window,
        groups: usize,
        vb: VarBuilder,
    ) -> Result<Self> {
        Ok(Self {
            conv: window.conv(inputs, outputs, groups, vb.pp("conv"))?,
            norm: batch_norm(outputs, vb.pp("bn"))?,
            has_relu: true,
        })
    }

    /// The same block without ReLU.
    pub fn without_relu(self) -> Self {
        Self { has_relu: false, ..self }
    }

    /// Applies the block to `x: (B, inputs, H, W)`.
    ///
    /// # Errors
    ///
    /// [`segbench_nn::Error::Shape`] if `x` has other channels.
    pub fn forward(&self, x: &Tensor, ctx: &Context) -> Result<Tensor> {
        let x = self.norm.forward(&self.conv.forward(x, ctx)?, ctx)?;
        if self.has_relu { ops::relu(&x) } else { Ok(x) }
    }
}

/// A depthwise and a pointwise [`ConvBlock`].
///
/// # Source
///
/// mmcv 2.1.0 `mmcv/cnn/bricks/depthwise_separable_conv_module.py`: parameters `depthwise_conv.*`, `pointwise_conv.*`.
#[derive(Debug)]
pub struct SeparableBlock {
    depthwise: ConvBlock,
    pointwise: ConvBlock,
}

impl SeparableBlock {
    /// A block from `inputs` to `outputs` channels.
    ///
    /// # Errors
    ///
    /// Whatever `vb` reports for a parameter.
    pub fn new(inputs: usize, outputs: usize, window: Window, vb: VarBuilder) -> Result<Self> {
        Ok(Self {
            depthwise: ConvBlock::grouped(inputs, inputs, window, inputs, vb.pp("depthwise_conv"))?,
            pointwise: ConvBlock::new(inputs, outputs, Window::new(1), vb.pp("pointwise_conv"))?,
        })
    }

    /// The same block without both ReLUs.
    pub fn without_relu(self) -> Self {
        let (depthwise, pointwise) = (self.depthwise.without_relu(), self.pointwise.without_relu());
        Self { depthwise, pointwise }
    }

    /// Applies the block to `x: (B, inputs, H, W)`.
    ///
    /// # Errors
    ///
    /// [`segbench_nn::Error::Shape`] if `x` has other channels.
    pub fn forward(&self, x: &Tensor, ctx: &Context) -> Result<Tensor> {
        self.pointwise.forward(&self.depthwise.forward(x, ctx)?, ctx)
    }
}

/// The size of a map.
pub(crate) fn size(x: &Tensor) -> Result<[usize; 2]> {
    let (_, _, height, width) = x.dims4()?;
    Ok([height, width])
}

/// Images with red first as images with blue first, for networks whose weights come from Caffe; images of other than three channels
/// stay as they are.
pub(crate) fn blue_first(x: &Tensor) -> Result<Tensor> {
    if x.dim(1)? != 3 {
        return Ok(x.clone());
    }
    let [red, green, blue] = [0, 1, 2].map(|channel| x.narrow(1, channel, 1));
    Ok(Tensor::cat(&[blue?, green?, red?], 1)?)
}

/// Resizes a map to the size of another.
pub(crate) fn resize_like(x: &Tensor, other: &Tensor, align_corners: bool) -> Result<Tensor> {
    let [height, width] = size(other)?;
    ops::resize_bilinear(x, height, width, align_corners)
}

/// Adds to each map the next smaller one, resized, from the smallest to the largest.
pub(crate) fn add_top_down(maps: &mut [Tensor], interpolation: Interpolation) -> Result<()> {
    for index in (1..maps.len()).rev() {
        let to = ResizeTo::Size(size(&maps[index - 1])?);
        maps[index - 1] = (&maps[index - 1] + ops::resize(&maps[index], to, interpolation)?)?;
    }
    Ok(())
}

/// `1 / (1 + exp(-x))`, written so that neither it nor its gradient overflows.
pub(crate) fn sigmoid(x: &Tensor) -> Result<Tensor> {
    Ok(x.affine(0.5, 0.0)?.tanh()?.affine(0.5, 0.5)?)
}
