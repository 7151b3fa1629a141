//! The head of a fully convolutional network (Long et al., CVPR 2015), <https://arxiv.org/abs/1411.4038>: convolutions on one map.
//!
//! Reference: mmsegmentation 1.2.2 `models/decode_heads/fcn_head.py`, whose tensor names it has. Also the auxiliary head of most
//! networks. Differences from the reference: none.

use candle_core::Tensor;
use candle_nn::VarBuilder;
use segbench_nn::{Context, Result};
use serde::{Deserialize, Serialize};

use super::{Classifier, Input, problems};
use crate::SegOutput;
use crate::blocks::{ConvBlock, Window};
use crate::encoder_decoder::HeadConfig;
use crate::features::{Head, Stage};

/// Settings of the head; the default is that of mmsegmentation's FCN.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The maps it reads.
    pub input: Input,
    /// Channels of its convolutions.
    pub channels: usize,
    /// Convolutions in front of the classifier, at least 1.
    pub num_convs: usize,
    /// Side of the convolutions' windows, odd.
    pub kernel_size: usize,
    /// Whether the map itself is put beside their result.
    pub concat_input: bool,
    /// Probability of dropping a channel in front of the classifier, in 0..1.
    pub drop_rate: f32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            input: Input::Stage(3),
            channels: 512,
            num_convs: 2,
            kernel_size: 3,
            concat_input: true,
            drop_rate: 0.1,
        }
    }
}

impl Config {
    /// The auxiliary head of mmsegmentation's ResNet networks: one convolution on the third map.
    pub fn auxiliary(channels: usize) -> Self {
        Self::simple(2, channels)
    }

    /// A head of one convolution on one map.
    pub fn simple(stage: usize, channels: usize) -> Self {
        let input = Input::Stage(stage);
        Self { input, channels, num_convs: 1, concat_input: false, ..Self::default() }
    }

    /// The head of mmsegmentation's HRNet networks: one 1x1 convolution on all maps, without dropout.
    pub fn pointwise(channels: usize) -> Self {
        let input = Input::Concat;
        Self { input, channels, num_convs: 1, kernel_size: 1, concat_input: false, drop_rate: 0.0 }
    }
}

impl HeadConfig for Config {
    fn problems(&self, stages: &[Stage]) -> Vec<String> {
        let mut problems = problems(self.channels, self.drop_rate);
        if self.num_convs == 0 {
            problems.push("num_convs is 0".into());
        }
        if self.kernel_size.is_multiple_of(2) {
            problems.push(format!("kernel_size {} is not odd", self.kernel_size));
        }
        problems.extend(self.input.problem(stages));
        problems
    }

    fn build(&self, stages: &[Stage], classes: usize, align: bool, vb: VarBuilder) -> Result<Box<dyn Head>> {
        let (inputs, channels) = (self.input.channels(stages), self.channels);
        let window = Window::new(self.kernel_size);
        let convs = (0..self.num_convs).map(|index| {
            let inputs = if index == 0 { inputs } else { channels };
            ConvBlock::new(inputs, channels, window, vb.pp(format!("convs.{index}")))
        });
        let concat =
            self.concat_input.then(|| ConvBlock::new(inputs + channels, channels, window, vb.pp("conv_cat")));
        Ok(Box::new(FcnHead {
            input: self.input,
            align_corners: align,
            convs: convs.collect::<Result<_>>()?,
            concat: concat.transpose()?,
            classifier: Classifier::new(channels, classes, self.drop_rate, vb)?,
        }))
    }
}

#[derive(Debug)]
struct FcnHead {
    input: Input,
    align_corners: bool,
    convs: Vec<ConvBlock>,
    concat: Option<ConvBlock>,
    classifier: Classifier,
}

impl Head for FcnHead {
    fn forward(&self, features: &[Tensor], ctx: &Context) -> Result<SegOutput> {
        let input = self.input.of(features, self.align_corners)?;
        let mut x = input.clone();
        for conv in &self.convs {
            x = conv.forward(&x, ctx)?;
        }
        if let Some(concat) = &self.concat {
            x = concat.forward(&Tensor::cat(&[&input, &x], 1)?, ctx)?;
        }
        Ok(self.classifier.forward(&x, ctx)?.into())
    }
}
