//! PSPNet: Pyramid Scene Parsing Network (Zhao et al., CVPR 2017), <https://arxiv.org/abs/1612.01105>.
//!
//! Reference: mmsegmentation 1.2.2 `PSPHead` on `ResNetV1c`, whose tensor names it has. Differences from the paper and the
//! reference: none.

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
use crate::heads::ppm::{PyramidPooling, grid_problems};

static CARD: ModelCard = ModelCard {
    name: "pspnet",
    title: "PSPNet",
    year: 2017,
    paper_url: "https://arxiv.org/abs/1612.01105",
    references: &[resnet::REFERENCE, Reference::mmsegmentation("models/decode_heads/psp_head.py PSPHead")],
    ..ModelCard::MMSEGMENTATION
};

/// Settings of the head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PspConfig {
    /// Channels of each branch and of the result. Paper: 512.
    pub channels: usize,
    /// Cells along a side of each grid. Paper: 1, 2, 3, 6.
    pub pool_scales: Vec<usize>,
    /// Probability of dropping a channel in front of the classifier, in 0..1. Paper: 0.1.
    pub drop_rate: f32,
}

impl Default for PspConfig {
    fn default() -> Self {
        Self { channels: 512, pool_scales: vec![1, 2, 3, 6], drop_rate: 0.1 }
    }
}

/// The architecture's place in the registry.
pub(super) struct PspNet;

impl Recipe for PspNet {
    type Head = PspConfig;

    const CARD: &'static ModelCard = &CARD;
    const DEFAULT_PRESET: &'static str = "r50-d8";
    const PRESETS: Presets<Config<PspConfig>> = &[
        ("r101-d8", || Config::on_resnet(resnet::Config::default().depth(101), PspConfig::default(), 256)),
        ("r18-d8", || Config::on_resnet(resnet::Config::default().depth(18), with_channels(128), 64)),
        ("r50-d8", Config::default),
        ("tiny", || Config::on_resnet(resnet::Config::tiny(), with_channels(12), 4)),
    ];
}

fn with_channels(channels: usize) -> PspConfig {
    PspConfig { channels, ..Default::default() }
}

impl HeadConfig for PspConfig {
    fn problems(&self, _: &[Stage]) -> Vec<String> {
        grid_problems(self.channels, self.drop_rate, &self.pool_scales)
    }

    fn build(
        &self,
        stages: &[Stage],
        classes: usize,
        align_corners: bool,
        vb: VarBuilder,
    ) -> Result<Box<dyn Head>> {
        let (stage, inputs) = (stages.len() - 1, stages[stages.len() - 1].channels);
        let pyramid =
            PyramidPooling::new(inputs, self.channels, &self.pool_scales, align_corners, vb.clone())?;
        let classifier = Classifier::new(self.channels, classes, self.drop_rate, vb)?;
        Ok(Box::new(PspHead { stage, pyramid, classifier }))
    }
}

#[derive(Debug)]
struct PspHead {
    stage: usize,
    pyramid: PyramidPooling,
    classifier: Classifier,
}

impl Head for PspHead {
    fn forward(&self, features: &[Tensor], ctx: &Context) -> Result<SegOutput> {
        let x = self.pyramid.forward(&features[self.stage], ctx)?;
        Ok(self.classifier.forward(&x, ctx)?.into())
    }
}
