//! The head of Semantic FPN (Kirillov et al., CVPR 2019), <https://arxiv.org/abs/1901.02446>: maps enlarged step by step and added.
//!
//! Reference: mmsegmentation 1.2.2 `models/decode_heads/fpn_head.py`, whose tensor names it has. Differences from the reference: none.

use candle_core::Tensor;
use candle_nn::VarBuilder;
use segbench_nn::{Context, Result, ops};
use serde::{Deserialize, Serialize};

use super::{Classifier, problems};
use crate::SegOutput;
use crate::blocks::{ConvBlock, Window, resize_like, size};
use crate::encoder_decoder::HeadConfig;
use crate::features::{Head, Stage};

/// Settings of the head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Channels of its convolutions. Paper: 128.
    pub channels: usize,
    /// Probability of dropping a channel in front of the classifier, in 0..1.
    pub drop_rate: f32,
}

impl Default for Config {
    fn default() -> Self {
        Self { channels: 128, drop_rate: 0.1 }
    }
}

impl HeadConfig for Config {
    fn problems(&self, _: &[Stage]) -> Vec<String> {
        problems(self.channels, self.drop_rate)
    }

    fn build(&self, stages: &[Stage], classes: usize, align: bool, vb: VarBuilder) -> Result<Box<dyn Head>> {
        let branches = stages.iter().enumerate().map(|(index, stage)| {
            let doublings = (stage.stride / stages[0].stride).ilog2() as usize;
            let convs = (0..doublings.max(1)).map(|step| {
                let inputs = if step == 0 { stage.channels } else { self.channels };
                // Every second layer of the reference doubles the map and has no parameters.
                let vb = vb.pp(format!("scale_heads.{index}.{}", 2 * step));
                ConvBlock::new(inputs, self.channels, Window::new(3), vb)
            });
            Ok(Branch { convs: convs.collect::<Result<_>>()?, doubles: doublings > 0 })
        });
        Ok(Box::new(FpnHead {
            branches: branches.collect::<Result<_>>()?,
            classifier: Classifier::new(self.channels, classes, self.drop_rate, vb)?,
            align_corners: align,
        }))
    }
}

/// Convolutions of one map, each followed by a doubling of the map unless it is the largest.
#[derive(Debug)]
struct Branch {
    convs: Vec<ConvBlock>,
    doubles: bool,
}

#[derive(Debug)]
struct FpnHead {
    branches: Vec<Branch>,
    classifier: Classifier,
    align_corners: bool,
}

impl Branch {
    fn forward(&self, x: &Tensor, align_corners: bool, ctx: &Context) -> Result<Tensor> {
        let mut x = x.clone();
        for conv in &self.convs {
            x = conv.forward(&x, ctx)?;
            if self.doubles {
                let [height, width] = size(&x)?;
                x = ops::resize_bilinear(&x, 2 * height, 2 * width, align_corners)?;
            }
        }
        Ok(x)
    }
}

impl Head for FpnHead {
    fn forward(&self, features: &[Tensor], ctx: &Context) -> Result<SegOutput> {
        let branches = self.branches.iter().zip(features);
        let maps = branches.map(|(branch, x)| branch.forward(x, self.align_corners, ctx));
        let maps: Vec<Tensor> = maps.collect::<Result<_>>()?;
        let mut sum = maps[0].clone();
        for map in &maps[1..] {
            sum = (sum + resize_like(map, &maps[0], self.align_corners)?)?;
        }
        Ok(self.classifier.forward(&sum, ctx)?.into())
    }
}
