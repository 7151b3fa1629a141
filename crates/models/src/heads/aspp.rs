//! Atrous spatial pyramid pooling: a map seen by convolutions of several dilations, and its mean.
//!
//! Reference: mmsegmentation 1.2.2 `models/decode_heads/aspp_head.py` and `sep_aspp_head.py`, whose tensor names it has.

use candle_core::Tensor;
use candle_nn::VarBuilder;
use segbench_nn::{Context, Result, ops};

use super::problems;
use crate::blocks::{ConvBlock, SeparableBlock, Window, resize_like};

/// How the dilated branches convolve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// With full convolutions, as DeepLab v3 does.
    Full,
    /// With depthwise and pointwise convolutions, as DeepLab v3+ does.
    Separable,
}

/// The branches and the convolution that joins them.
#[derive(Debug)]
pub struct AtrousPyramid {
    mean: ConvBlock,
    branches: Vec<Branch>,
    bottleneck: ConvBlock,
    align_corners: bool,
}

#[derive(Debug)]
enum Branch {
    Full(ConvBlock),
    Separable(SeparableBlock),
}

impl AtrousPyramid {
    /// A pyramid from `inputs` to `channels` channels; parameters `image_pool.*`, `aspp_modules.*` and `bottleneck.*` of the head. A
    /// branch of dilation 1 has a 1x1 convolution, the others have 3x3.
    ///
    /// # Errors
    ///
    /// Whatever `vb` reports for a parameter.
    pub fn new(
        inputs: usize,
        channels: usize,
        dilations: &[usize],
        kind: Kind,
        align_corners: bool,
        vb: VarBuilder,
    ) -> Result<Self> {
        let branches = dilations.iter().enumerate().map(|(index, &dilation)| {
            let vb = vb.pp(format!("aspp_modules.{index}"));
            let window = if dilation == 1 { Window::new(1) } else { Window::new(3).dilation(dilation) };
            Ok(match kind {
                Kind::Separable if dilation > 1 => {
                    Branch::Separable(SeparableBlock::new(inputs, channels, window, vb)?)
                }
                _ => Branch::Full(ConvBlock::new(inputs, channels, window, vb)?),
            })
        });
        let joined = (dilations.len() + 1) * channels;
        Ok(Self {
            mean: ConvBlock::new(inputs, channels, Window::new(1), vb.pp("image_pool.1"))?,
            branches: branches.collect::<Result<_>>()?,
            bottleneck: ConvBlock::new(joined, channels, Window::new(3), vb.pp("bottleneck"))?,
            align_corners,
        })
    }

    /// Applies the pyramid to `x: (B, inputs, H, W)`; the result is `(B, channels, H, W)`.
    ///
    /// # Errors
    ///
    /// [`segbench_nn::Error::Shape`] if `x` has other channels.
    pub fn forward(&self, x: &Tensor, ctx: &Context) -> Result<Tensor> {
        let mean = self.mean.forward(&ops::adaptive_avg_pool2d(x, [1, 1])?, ctx)?;
        let mut maps = vec![resize_like(&mean, x, self.align_corners)?];
        for branch in &self.branches {
            maps.push(match branch {
                Branch::Full(block) => block.forward(x, ctx)?,
                Branch::Separable(block) => block.forward(x, ctx)?,
            });
        }
        self.bottleneck.forward(&Tensor::cat(&maps, 1)?, ctx)
    }
}

/// What is wrong with the settings that the heads with a pyramid share.
pub(crate) fn pyramid_problems(channels: usize, drop_rate: f32, dilations: &[usize]) -> Vec<String> {
    let mut problems = problems(channels, drop_rate);
    if dilations.is_empty() || dilations.contains(&0) {
        problems.push(format!("dilations {dilations:?} are empty or contain 0"));
    }
    problems
}
