//! DeepLab v3: Rethinking Atrous Convolution (Chen et al., 2017), <https://arxiv.org/abs/1706.05587>.
//!
//! Reference: mmsegmentation 1.2.2 `ASPPHead` on `ResNetV1c`, whose tensor names it has. Differences from the paper: stages of the
//! encoder have one dilation each and not a multi-grid, and the auxiliary head; presets `d8` have mmsegmentation's dilations,
//! `d16` those of the paper. Differences from the reference: none.

use candle_core::Tensor;
use candle_nn::VarBuilder;
use segbench_nn::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::SegOutput;
use crate::architecture::Presets;
use crate::backbones::resnet;
use crate::card::{ModelCard, Reference};
use crate::encoder_decoder::{Config, HeadConfig, Recipe};
use crate::features::{Head, Stage};
use crate::heads::Classifier;
use crate::heads::aspp::{AtrousPyramid, Kind, pyramid_problems};

static CARD: ModelCard = ModelCard {
    name: "deeplabv3",
    title: "DeepLab v3",
    year: 2017,
    paper_url: "https://arxiv.org/abs/1706.05587",
    references: &[resnet::REFERENCE, Reference::mmsegmentation("models/decode_heads/aspp_head.py ASPPHead")],
    ..ModelCard::MMSEGMENTATION
};

/// Settings of the head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AsppConfig {
    /// Channels of each branch and of the result. Paper: 256; mmsegmentation: 512.
    pub channels: usize,
    /// Steps between the taps of each branch, in steps of the last map. Paper at stride 16: 1, 6, 12, 18; at stride 8 twice as
    /// many.
    pub dilations: Vec<usize>,
    /// Probability of dropping a channel in front of the classifier, in 0..1.
    pub drop_rate: f32,
}

impl Default for AsppConfig {
    fn default() -> Self {
        Self { channels: 512, dilations: vec![1, 12, 24, 36], drop_rate: 0.1 }
    }
}

/// The architecture's place in the registry.
pub(super) struct DeepLabV3;

impl Recipe for DeepLabV3 {
    type Head = AsppConfig;

    const CARD: &'static ModelCard = &CARD;
    const DEFAULT_PRESET: &'static str = "r50-d8";
    const PRESETS: Presets<Config<AsppConfig>> = &[
        ("r101-d8", || Config::on_resnet(resnet::Config::default().depth(101), AsppConfig::default(), 256)),
        ("r18-d8", || Config::on_resnet(resnet::Config::default().depth(18), with_channels(128), 64)),
        ("r50-d16", || {
            let head = AsppConfig { dilations: vec![1, 6, 12, 18], ..Default::default() };
            Config::on_resnet(resnet::Config::default().output_stride(16), head, 256)
        }),
        ("r50-d8", Config::default),
        ("tiny", || Config::on_resnet(resnet::Config::tiny(), with_channels(8), 4)),
    ];
}

fn with_channels(channels: usize) -> AsppConfig {
    AsppConfig { channels, ..Default::default() }
}

impl HeadConfig for AsppConfig {
    fn problems(&self, _: &[Stage]) -> Vec<String> {
        pyramid_problems(self.channels, self.drop_rate, &self.dilations)
    }

    fn build(&self, stages: &[Stage], classes: usize, align: bool, vb: VarBuilder) -> Result<Box<dyn Head>> {
        let (stage, inputs) = (stages.len() - 1, stages[stages.len() - 1].channels);
        let (channels, dilations) = (self.channels, &self.dilations);
        Ok(Box::new(AsppHead {
            stage,
            pyramid: AtrousPyramid::new(inputs, channels, dilations, Kind::Full, align, vb.clone())?,
            classifier: Classifier::new(channels, classes, self.drop_rate, vb)?,
        }))
    }
}

#[derive(Debug)]
struct AsppHead {
    stage: usize,
    pyramid: AtrousPyramid,
    classifier: Classifier,
}

impl Head for AsppHead {
    fn forward(&self, features: &[Tensor], ctx: &Context) -> Result<SegOutput> {
        let x = self.pyramid.forward(&features[self.stage], ctx)?;
        Ok(self.classifier.forward(&x, ctx)?.into())
    }
}
