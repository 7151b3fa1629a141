//! Pyramid pooling: a map beside its averages over coarse grids, resized to it.
//!
//! Reference: mmsegmentation 1.2.2 `models/decode_heads/psp_head.py PPM`, whose tensor names it has.

use candle_core::Tensor;
use candle_nn::VarBuilder;
use segbench_nn::{Context, Result, ops};

use super::problems;
use crate::blocks::{ConvBlock, Window, size};

/// The pooled branches of a pyramid and the convolution that joins them with the map.
#[derive(Debug)]
pub struct PyramidPooling {
    branches: Vec<(usize, ConvBlock)>,
    bottleneck: ConvBlock,
    align_corners: bool,
}

impl PyramidPooling {
    /// A pyramid over grids of `scales` x `scales` cells, from `inputs` to `channels` channels; parameters `psp_modules.*` and
    /// `bottleneck.*` of the head.
    ///
    /// # Errors
    ///
    /// Whatever `vb` reports for a parameter.
    pub fn new(
        inputs: usize,
        channels: usize,
        scales: &[usize],
        align_corners: bool,
        vb: VarBuilder,
    ) -> Result<Self> {
        let branches = scales.iter().enumerate().map(|(index, &scale)| {
            let vb = vb.pp(format!("psp_modules.{index}.1"));
            Ok((scale, ConvBlock::new(inputs, channels, Window::new(1), vb)?))
        });
        let joined = inputs + scales.len() * channels;
        Ok(Self {
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
        let [height, width] = size(x)?;
        let mut maps = vec![x.clone()];
        for (scale, conv) in &self.branches {
            let pooled = conv.forward(&ops::adaptive_avg_pool2d(x, [*scale; 2])?, ctx)?;
            maps.push(ops::resize_bilinear(&pooled, height, width, self.align_corners)?);
        }
        self.bottleneck.forward(&Tensor::cat(&maps, 1)?, ctx)
    }
}

/// What is wrong with the settings that the heads with pooled grids share.
pub(crate) fn grid_problems(channels: usize, drop_rate: f32, pool_scales: &[usize]) -> Vec<String> {
    let mut problems = problems(channels, drop_rate);
    if pool_scales.contains(&0) {
        problems.push("a grid of pool_scales has no cells".into());
    }
    problems
}
