//! The two paths of BiSeNet (Yu et al., ECCV 2018), <https://arxiv.org/abs/1808.00897>: a shallow one for detail, a ResNet for
//! context, and their fusion.
//!
//! Reference: mmsegmentation 1.2.2 `models/backbones/bisenetv1.py`, whose tensor names it has. Differences from the reference: all
//! widths follow from those of the ResNet, as in its configurations.

use candle_core::Tensor;
use candle_nn::VarBuilder;
use segbench_nn::ops::{self, Interpolation, ResizeTo};
use segbench_nn::{Context, Result};

use super::resnet;
use crate::blocks::{ConvBlock, Window, sigmoid, size};
use crate::features::{Backbone, Stage};

/// The fused map, and the two maps of the context path that auxiliary heads read, for these of the ResNet.
pub fn stages(context: &resnet::Config) -> Vec<Stage> {
    let maps = context.stages();
    let second = Stage { stride: maps[1].stride, channels: maps[1].channels };
    let fused = Stage { channels: 2 * second.channels, ..second };
    vec![fused, second, Stage { stride: maps[2].stride, ..second }]
}

/// The backbone.
#[derive(Debug)]
pub struct BiSeNet {
    context: resnet::ResNet,
    refine16: Refinement,
    refine32: Refinement,
    head16: ConvBlock,
    head32: ConvBlock,
    global: ConvBlock,
    spatial: Vec<ConvBlock>,
    fusion: ConvBlock,
    fusion_attention: ConvBlock,
    stages: Vec<Stage>,
}

/// A convolution whose channels are weighted by what the whole map says.
#[derive(Debug)]
struct Refinement {
    conv: ConvBlock,
    attention: ConvBlock,
}

impl Refinement {
    fn new(inputs: usize, outputs: usize, vb: VarBuilder) -> Result<Self> {
        let attention = vb.pp("atten_conv_layer.1");
        Ok(Self {
            conv: ConvBlock::new(inputs, outputs, Window::new(3), vb.pp("conv_layer"))?,
            attention: ConvBlock::new(outputs, outputs, Window::new(1), attention)?.without_relu(),
        })
    }

    fn forward(&self, x: &Tensor, ctx: &Context) -> Result<Tensor> {
        let x = self.conv.forward(x, ctx)?;
        let weights = self.attention.forward(&mean(&x)?, ctx)?;
        Ok(x.broadcast_mul(&sigmoid(&weights)?)?)
    }
}

fn mean(x: &Tensor) -> Result<Tensor> {
    ops::adaptive_avg_pool2d(x, [1, 1])
}

impl BiSeNet {
    /// A backbone for images with `channels` channels, with this ResNet on the context path.
    ///
    /// # Errors
    ///
    /// Whatever `vb` reports for a parameter.
    pub fn new(config: &resnet::Config, channels: usize, vb: VarBuilder) -> Result<Self> {
        let path = vb.pp("context_path");
        let context = resnet::ResNet::new(config, channels, path.pp("backbone"))?;
        let [first, second, third, fourth] = [0, 1, 2, 3].map(|index| context.stages()[index].channels);
        let block = |inputs, outputs, window, vb| ConvBlock::new(inputs, outputs, window, vb);
        let (point, square) = (Window::new(1), Window::new(3));
        let stages = stages(config);
        let fused = stages[0].channels;
        let spatial = [
            (channels, first, Window::new(7).stride(2)),
            (first, first, square.stride(2)),
            (first, first, square.stride(2)),
            (first, second, point),
        ];
        let spatial = spatial.into_iter().zip(1..).map(|((inputs, outputs, window), number)| {
            block(inputs, outputs, window, vb.pp(format!("spatial_path.layer{number}")))
        });
        Ok(Self {
            refine16: Refinement::new(third, second, path.pp("arm16"))?,
            refine32: Refinement::new(fourth, second, path.pp("arm32"))?,
            head16: block(second, second, square, path.pp("conv_head16"))?,
            head32: block(second, second, square, path.pp("conv_head32"))?,
            global: block(fourth, second, point, path.pp("gap_conv.1"))?,
            spatial: spatial.collect::<Result<_>>()?,
            fusion: block(2 * second, fused, point, vb.pp("ffm.conv1"))?,
            fusion_attention: block(fused, fused, point, vb.pp("ffm.conv_atten.0"))?,
            context,
            stages,
        })
    }
}

impl Backbone for BiSeNet {
    fn stages(&self) -> &[Stage] {
        &self.stages
    }

    fn forward(&self, x: &Tensor, ctx: &Context) -> Result<Vec<Tensor>> {
        let maps = self.context.forward(x, ctx)?;
        let enlarge =
            |x: &Tensor, like: &Tensor| ops::resize(x, ResizeTo::Size(size(like)?), Interpolation::Nearest);
        let global = self.global.forward(&mean(&maps[3])?, ctx)?;
        let x32 = self.refine32.forward(&maps[3], ctx)?.broadcast_add(&global)?;
        let x32 = self.head32.forward(&enlarge(&x32, &maps[2])?, ctx)?;
        let x16 = (self.refine16.forward(&maps[2], ctx)? + &x32)?;
        let x16 = self.head16.forward(&enlarge(&x16, &maps[1])?, ctx)?;
        let spatial = self.spatial.iter().try_fold(x.clone(), |x, block| block.forward(&x, ctx))?;
        let fused = self.fusion.forward(&Tensor::cat(&[&spatial, &x16], 1)?, ctx)?;
        let weights = sigmoid(&self.fusion_attention.forward(&mean(&fused)?, ctx)?)?;
        let fused = (&fused + fused.broadcast_mul(&weights)?)?;
        Ok(vec![fused, x16, x32])
    }
}
