//! U-Net (Ronneberger et al., MICCAI 2015), <https://arxiv.org/abs/1505.04597>: an encoder of halved maps and a decoder that puts
//! them beside what it doubles.
//!
//! Reference: mmsegmentation 1.2.2 `models/backbones/unet.py`, whose tensor names it has. Differences from the paper: padded
//! convolutions, BatchNorm, and bilinear resizing in place of transposed convolutions. Differences from the reference: the maps
//! are counted from the largest, and images of any size are taken: a map is resized to that of the encoder beside it, which is
//! twice as large in the sizes that the reference takes.

use candle_core::Tensor;
use candle_nn::VarBuilder;
use segbench_nn::ops::{self, PoolOptions};
use segbench_nn::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::blocks::{ConvBlock, Window, resize_like};
use crate::features::{Backbone, Stage};

/// Settings of a U-Net; the default is mmsegmentation's `s5-d16`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Channels of the largest map; each smaller one has twice as many. Paper: 64.
    pub base_channels: usize,
    /// Maps of the encoder, each half as large as the one before. Paper: 5.
    pub num_stages: usize,
    /// Convolutions for each map, of the encoder and of the decoder. Paper: 2.
    pub num_convs: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { base_channels: 64, num_stages: 5, num_convs: 2 }
    }
}

impl Config {
    /// Everything that is wrong with the settings.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.base_channels * self.num_convs == 0 || !(2..=8).contains(&self.num_stages) {
            problems.push(format!("{self:?} contains 0, or not 2 to 8 stages"));
        }
        problems
    }

    /// The maps of the decoder.
    pub fn stages(&self) -> Vec<Stage> {
        let stage = |index: usize| Stage { channels: self.base_channels << index, stride: 1 << index };
        (0..self.num_stages).map(stage).collect()
    }
}

/// The backbone.
#[derive(Debug)]
pub struct UNet {
    encoder: Vec<Vec<ConvBlock>>,
    /// For each map but the smallest, from the largest.
    decoder: Vec<Joint>,
    stages: Vec<Stage>,
}

/// How a map of the encoder and a smaller one of the decoder become the next map of the decoder.
#[derive(Debug)]
struct Joint {
    resized: ConvBlock,
    convs: Vec<ConvBlock>,
}

impl UNet {
    /// A backbone for images with `channels` channels.
    ///
    /// # Errors
    ///
    /// Whatever `vb` reports for a parameter.
    pub fn new(config: &Config, channels: usize, vb: VarBuilder) -> Result<Self> {
        let stages = config.stages();
        let convs = |inputs: usize, outputs: usize, vb: VarBuilder| -> Result<Vec<ConvBlock>> {
            let conv = |index: usize| {
                let inputs = if index == 0 { inputs } else { outputs };
                ConvBlock::new(inputs, outputs, Window::new(3), vb.pp(format!("convs.{index}")))
            };
            (0..config.num_convs).map(conv).collect()
        };
        let encode = |index: usize| {
            let inputs = if index == 0 { channels } else { stages[index - 1].channels };
            // All but the first stand behind a pooling without parameters.
            let vb = vb.pp(format!("encoder.{index}.{}", usize::from(index > 0)));
            convs(inputs, stages[index].channels, vb)
        };
        let decode = |index: usize| {
            let (vb, outputs) = (vb.pp(format!("decoder.{index}")), stages[index].channels);
            let place = vb.pp("upsample.interp_upsample.1");
            Ok(Joint {
                resized: ConvBlock::new(stages[index + 1].channels, outputs, Window::new(1), place)?,
                convs: convs(2 * outputs, outputs, vb.pp("conv_block"))?,
            })
        };
        Ok(Self {
            encoder: (0..stages.len()).map(encode).collect::<Result<_>>()?,
            decoder: (0..stages.len() - 1).map(decode).collect::<Result<_>>()?,
            stages,
        })
    }
}

impl Backbone for UNet {
    fn stages(&self) -> &[Stage] {
        &self.stages
    }

    fn forward(&self, x: &Tensor, ctx: &Context) -> Result<Vec<Tensor>> {
        let run = |convs: &[ConvBlock], x: Tensor| convs.iter().try_fold(x, |x, conv| conv.forward(&x, ctx));
        let mut maps = vec![run(&self.encoder[0], x.clone())?];
        for convs in &self.encoder[1..] {
            let pooled = ops::max_pool2d(&maps[maps.len() - 1], &PoolOptions::new([2; 2]))?;
            maps.push(run(convs, pooled)?);
        }
        for (index, joint) in self.decoder.iter().enumerate().rev() {
            let resized = resize_like(&maps[index + 1], &maps[index], false)?;
            let beside = Tensor::cat(&[&maps[index], &joint.resized.forward(&resized, ctx)?], 1)?;
            maps[index] = run(&joint.convs, beside)?;
        }
        Ok(maps)
    }
}
