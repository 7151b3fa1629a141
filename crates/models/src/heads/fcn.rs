//! The head of a fully convolutional network (Long et al., CVPR 2015), <https://arxiv.org/abs/1411.4038>: convolutions on one map.
//!
//! Reference: mmsegmentation 1.2.2 `models/decode_heads/fcn_head.py`, whose tensor names it has. Also the auxiliary head of most
//! networks. Differences from the reference: none.

use candle_core::Tensor;
use candle_nn::VarBuilder;
use segbench_nn::{Context, Result};
use serde::{Deserialize, Serialize};

use super::{Classifier, problems};
use crate::SegOutput;
use crate::blocks::{ConvBlock, Window};
use crate::encoder_decoder::HeadConfig;
use crate::features::{Head, Stage};

/// Settings of the head; the default is that of mmsegmentation's FCN.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The map it reads, counted from the largest.
    pub stage: usize,
    /// Channels of its convolutions.
    pub channels: usize,
    /// Convolutions in front of the classifier, at least 1.
    pub num_convs: usize,
    /// Whether the map itself is put beside their result.
    pub concat_input: bool,
    /// Probability of dropping a channel in front of the classifier, in 0..1.
    pub drop_rate: f32,
}

impl Default for Config {
    fn default() -> Self {
        Self { stage: 3, channels: 512, num_convs: 2, concat_input: true, drop_rate: 0.1 }
    }
}

impl Config {
    /// The auxiliary head of mmsegmentation's ResNet networks: one convolution on the third map.
    pub fn auxiliary(channels: usize) -> Self {
        Self { stage: 2, channels, num_convs: 1, concat_input: false, drop_rate: 0.1 }
    }
}

impl HeadConfig for Config {
    fn problems(&self, stages: &[Stage]) -> Vec<String> {
        let mut problems = problems(self.channels, self.drop_rate);
        if self.num_convs == 0 {
            problems.push("num_convs is 0".into());
        }
        if self.stage >= stages.len() {
            problems.push(format!("stage {} of {} maps", self.stage, stages.len()));
        }
        problems
    }

    fn build(&self, stages: &[Stage], classes: usize, _: bool, vb: VarBuilder) -> Result<Box<dyn Head>> {
        let (inputs, channels) = (stages[self.stage].channels, self.channels);
        let convs = (0..self.num_convs).map(|index| {
            let inputs = if index == 0 { inputs } else { channels };
            ConvBlock::new(inputs, channels, Window::new(3), vb.pp(format!("convs.{index}")))
        });
        let concat = self
            .concat_input
            .then(|| ConvBlock::new(inputs + channels, channels, Window::new(3), vb.pp("conv_cat")));
        Ok(Box::new(FcnHead {
            stage: self.stage,
            convs: convs.collect::<Result<_>>()?,
            concat: concat.transpose()?,
            classifier: Classifier::new(channels, classes, self.drop_rate, vb)?,
        }))
    }
}

#[derive(Debug)]
struct FcnHead {
    stage: usize,
    convs: Vec<ConvBlock>,
    concat: Option<ConvBlock>,
    classifier: Classifier,
}

impl Head for FcnHead {
    fn forward(&self, features: &[Tensor], ctx: &Context) -> Result<SegOutput> {
        let input = &features[self.stage];
        let mut x = input.clone();
        for conv in &self.convs {
            x = conv.forward(&x, ctx)?;
        }
        if let Some(concat) = &self.concat {
            x = concat.forward(&Tensor::cat(&[input, &x], 1)?, ctx)?;
        }
        Ok(self.classifier.forward(&x, ctx)?.into())
    }
}
