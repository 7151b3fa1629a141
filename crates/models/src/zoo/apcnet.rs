//! APCNet: Adaptive Pyramid Context Network (He et al., CVPR 2019),
//! <https://openaccess.thecvf.com/content_CVPR_2019/html/He_Adaptive_Pyramid_Context_Network_for_Semantic_Segmentation_CVPR_2019_paper.html>.
//!
//! Reference: mmsegmentation 1.2.2 `APCHead` on `ResNetV1c`, whose tensor names it has. Differences from the reference: none.

use candle_core::Tensor;
use candle_nn::VarBuilder;
use segbench_nn::layers::Conv2d;
use segbench_nn::{Context, Result, ops};
use serde::{Deserialize, Serialize};

use crate::SegOutput;
use crate::architecture::Presets;
use crate::backbones::resnet;
use crate::blocks::{ConvBlock, Window, sigmoid};
use crate::card::{ModelCard, Reference};
use crate::encoder_decoder::{Config, HeadConfig, Recipe};
use crate::features::{Head, Stage};
use crate::heads::Classifier;
use crate::heads::ppm::grid_problems;

static CARD: ModelCard = ModelCard {
    name: "apcnet",
    title: "APCNet",
    year: 2019,
    paper_url: "https://openaccess.thecvf.com/content_CVPR_2019/html/He_Adaptive_Pyramid_Context_Network_for_Semantic_Segmentation_CVPR_2019_paper.html",
    references: &[resnet::REFERENCE, Reference::mmsegmentation("models/decode_heads/apc_head.py APCHead")],
    ..ModelCard::MMSEGMENTATION
};

/// Settings of the head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApcConfig {
    /// Channels of each context and of the result. Paper: 512.
    pub channels: usize,
    /// Cells along a side of each grid. Paper and mmsegmentation: 1, 2, 3, 6.
    pub pool_scales: Vec<usize>,
    /// Probability of dropping a channel in front of the classifier, in 0..1.
    pub drop_rate: f32,
}

impl Default for ApcConfig {
    fn default() -> Self {
        Self { channels: 512, pool_scales: vec![1, 2, 3, 6], drop_rate: 0.1 }
    }
}

/// The architecture's place in the registry.
pub(super) struct ApcNet;

impl Recipe for ApcNet {
    type Head = ApcConfig;

    const CARD: &'static ModelCard = &CARD;
    const DEFAULT_PRESET: &'static str = "r50-d8";
    const PRESETS: Presets<Config<ApcConfig>> = &[
        ("r101-d8", || Config::on_resnet(resnet::Config::default().depth(101), ApcConfig::default(), 256)),
        ("r50-d8", Config::default),
        ("tiny", || {
            Config::on_resnet(resnet::Config::tiny(), ApcConfig { channels: 12, ..Default::default() }, 4)
        }),
    ];
}

impl HeadConfig for ApcConfig {
    fn problems(&self, _: &[Stage]) -> Vec<String> {
        grid_problems(self.channels, self.drop_rate, &self.pool_scales)
    }

    fn build(&self, stages: &[Stage], classes: usize, _: bool, vb: VarBuilder) -> Result<Box<dyn Head>> {
        let (stage, inputs) = (stages.len() - 1, stages[stages.len() - 1].channels);
        let contexts = self.pool_scales.iter().enumerate().map(|(index, &scale)| {
            AdaptiveContext::new(inputs, self.channels, scale, vb.pp(format!("acm_modules.{index}")))
        });
        let joined = inputs + self.pool_scales.len() * self.channels;
        Ok(Box::new(ApcHead {
            stage,
            contexts: contexts.collect::<Result<_>>()?,
            bottleneck: ConvBlock::new(joined, self.channels, Window::new(3), vb.pp("bottleneck"))?,
            classifier: Classifier::new(self.channels, classes, self.drop_rate, vb)?,
        }))
    }
}

#[derive(Debug)]
struct ApcHead {
    stage: usize,
    contexts: Vec<AdaptiveContext>,
    bottleneck: ConvBlock,
    classifier: Classifier,
}

impl Head for ApcHead {
    fn forward(&self, features: &[Tensor], ctx: &Context) -> Result<SegOutput> {
        let x = &features[self.stage];
        let mut maps = vec![x.clone()];
        for context in &self.contexts {
            maps.push(context.forward(x, ctx)?);
        }
        let x = self.bottleneck.forward(&Tensor::cat(&maps, 1)?, ctx)?;
        Ok(self.classifier.forward(&x, ctx)?.into())
    }
}

/// Gives every pixel the sum of a grid's cells, weighted by how much they matter to it.
#[derive(Debug)]
struct AdaptiveContext {
    scale: usize,
    pooled: ConvBlock,
    reduced: ConvBlock,
    global: ConvBlock,
    affinity: Conv2d,
    residual: ConvBlock,
    fusion: ConvBlock,
}

impl AdaptiveContext {
    fn new(inputs: usize, channels: usize, scale: usize, vb: VarBuilder) -> Result<Self> {
        let block = |name: &str, inputs| ConvBlock::new(inputs, channels, Window::new(1), vb.pp(name));
        Ok(Self {
            scale,
            pooled: block("pooled_redu_conv", inputs)?,
            reduced: block("input_redu_conv", inputs)?,
            global: block("global_info", channels)?,
            affinity: Window::new(1).biased(channels, scale * scale, vb.pp("gla"))?,
            residual: block("residual_conv", channels)?,
            fusion: block("fusion_conv", channels)?,
        })
    }

    fn forward(&self, x: &Tensor, ctx: &Context) -> Result<Tensor> {
        let cells = self.pooled.forward(&ops::adaptive_avg_pool2d(x, [self.scale; 2])?, ctx)?;
        let x = self.reduced.forward(x, ctx)?;
        let global = self.global.forward(&ops::adaptive_avg_pool2d(&x, [1, 1])?, ctx)?;
        let weights = sigmoid(&self.affinity.forward(&x.broadcast_add(&global)?, ctx)?)?;
        // (B, C, S, S) x (B, S*S, H, W) -> (B, C, H*W)
        let context = ops::matmul(&cells.flatten_from(2)?, &weights.flatten_from(2)?, ctx)?;
        let context = self.residual.forward(&context.reshape(x.dims())?, ctx)?;
        self.fusion.forward(&ops::relu(&(context + x)?)?, ctx)
    }
}
