//! DeepLab v3+: Encoder-Decoder with Atrous Separable Convolution (Chen et al., ECCV 2018), <https://arxiv.org/abs/1802.02611>.
//!
//! Reference: mmsegmentation 1.2.2 `DepthwiseSeparableASPPHead` on `ResNetV1c`, whose tensor names it has. Differences from the
//! paper: the encoder is a ResNet and not Xception, and there is an auxiliary head. Differences from the reference: none.

use candle_core::Tensor;
use candle_nn::VarBuilder;
use segbench_nn::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::SegOutput;
use crate::architecture::Presets;
use crate::backbones::resnet;
use crate::blocks::{ConvBlock, SeparableBlock, Window, resize_like};
use crate::card::{ModelCard, Reference};
use crate::encoder_decoder::{Config, HeadConfig, Recipe};
use crate::features::{Head, Stage};
use crate::heads::Classifier;
use crate::heads::aspp::{AtrousPyramid, Kind, pyramid_problems};

static CARD: ModelCard = ModelCard {
    name: "deeplabv3plus",
    title: "DeepLab v3+",
    year: 2018,
    paper_url: "https://arxiv.org/abs/1802.02611",
    references: &[
        resnet::REFERENCE,
        Reference::mmsegmentation("models/decode_heads/sep_aspp_head.py DepthwiseSeparableASPPHead"),
    ],
    ..ModelCard::MMSEGMENTATION
};

/// Settings of the head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SeparableAsppConfig {
    /// Channels of each branch and of the result. Paper: 256; mmsegmentation: 512.
    pub channels: usize,
    /// Steps between the taps of each branch, in steps of the last map. Paper at stride 16: 1, 6, 12, 18; at stride 8 twice as
    /// many.
    pub dilations: Vec<usize>,
    /// Channels to which the first map is reduced before it joins the result. Paper: 48.
    pub first_channels: usize,
    /// Probability of dropping a channel in front of the classifier, in 0..1.
    pub drop_rate: f32,
}

impl Default for SeparableAsppConfig {
    fn default() -> Self {
        Self { channels: 512, dilations: vec![1, 12, 24, 36], first_channels: 48, drop_rate: 0.1 }
    }
}

/// The architecture's place in the registry.
pub(super) struct DeepLabV3Plus;

impl Recipe for DeepLabV3Plus {
    type Head = SeparableAsppConfig;

    const CARD: &'static ModelCard = &CARD;
    const DEFAULT_PRESET: &'static str = "r50-d8";
    const PRESETS: Presets<Config<SeparableAsppConfig>> = &[
        ("r101-d8", || {
            Config::on_resnet(resnet::Config::default().depth(101), SeparableAsppConfig::default(), 256)
        }),
        ("r18-d8", || Config::on_resnet(resnet::Config::default().depth(18), with_channels(128, 12), 64)),
        ("r50-d8", Config::default),
        ("tiny", || Config::on_resnet(resnet::Config::tiny(), with_channels(12, 11), 4)),
    ];
}

fn with_channels(channels: usize, first_channels: usize) -> SeparableAsppConfig {
    SeparableAsppConfig { channels, first_channels, ..Default::default() }
}

impl HeadConfig for SeparableAsppConfig {
    fn problems(&self, _: &[Stage]) -> Vec<String> {
        let mut problems = pyramid_problems(self.channels, self.drop_rate, &self.dilations);
        if self.first_channels == 0 {
            problems.push("first_channels is 0".into());
        }
        problems
    }

    fn build(&self, stages: &[Stage], classes: usize, align: bool, vb: VarBuilder) -> Result<Box<dyn Head>> {
        let (stage, inputs) = (stages.len() - 1, stages[stages.len() - 1].channels);
        let (channels, first) = (self.channels, self.first_channels);
        let joined = |index: usize, inputs| {
            SeparableBlock::new(inputs, channels, Window::new(3), vb.pp(format!("sep_bottleneck.{index}")))
        };
        let pyramid =
            AtrousPyramid::new(inputs, channels, &self.dilations, Kind::Separable, align, vb.clone())?;
        Ok(Box::new(SeparableAsppHead {
            stage,
            pyramid,
            first: ConvBlock::new(stages[0].channels, first, Window::new(1), vb.pp("c1_bottleneck"))?,
            joined: [joined(0, channels + first)?, joined(1, channels)?],
            classifier: Classifier::new(channels, classes, self.drop_rate, vb)?,
            align_corners: align,
        }))
    }
}

#[derive(Debug)]
struct SeparableAsppHead {
    stage: usize,
    pyramid: AtrousPyramid,
    first: ConvBlock,
    joined: [SeparableBlock; 2],
    classifier: Classifier,
    align_corners: bool,
}

impl Head for SeparableAsppHead {
    fn forward(&self, features: &[Tensor], ctx: &Context) -> Result<SegOutput> {
        let x = self.pyramid.forward(&features[self.stage], ctx)?;
        let first = self.first.forward(&features[0], ctx)?;
        let mut x = Tensor::cat(&[resize_like(&x, &first, self.align_corners)?, first], 1)?;
        for block in &self.joined {
            x = block.forward(&x, ctx)?;
        }
        Ok(self.classifier.forward(&x, ctx)?.into())
    }
}
