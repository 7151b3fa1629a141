//! DMNet: Dynamic Multi-scale Filters (He et al., ICCV 2019),
//! <https://openaccess.thecvf.com/content_ICCV_2019/html/He_Dynamic_Multi-Scale_Filters_for_Semantic_Segmentation_ICCV_2019_paper.html>.
//!
//! Reference: mmsegmentation 1.2.2 `DMHead` on `ResNetV1c`, whose tensor names it has. Differences from the reference: the sides of
//! filters are odd, and the results of filters are not convolved again (its `fusion`, off in all its configurations).

use candle_core::Tensor;
use candle_nn::VarBuilder;
use segbench_nn::layers::{BatchNorm, Conv2d};
use segbench_nn::ops::{self, Conv2dOptions};
use segbench_nn::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::SegOutput;
use crate::architecture::Presets;
use crate::backbones::resnet;
use crate::blocks::{ConvBlock, Window, batch_norm};
use crate::card::{ModelCard, Reference};
use crate::encoder_decoder::{Config, HeadConfig, Recipe};
use crate::features::{Head, Stage};
use crate::heads::{Classifier, problems};

static CARD: ModelCard = ModelCard {
    name: "dmnet",
    title: "DMNet",
    year: 2019,
    paper_url: "https://openaccess.thecvf.com/content_ICCV_2019/html/He_Dynamic_Multi-Scale_Filters_for_Semantic_Segmentation_ICCV_2019_paper.html",
    references: &[resnet::REFERENCE, Reference::mmsegmentation("models/decode_heads/dm_head.py DMHead")],
    ..ModelCard::MMSEGMENTATION
};

/// Settings of the head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DmConfig {
    /// Channels of each filter's result and of the head's. Paper: 512.
    pub channels: usize,
    /// Sides of the filters, odd. Paper: 1, 3, 5, 7.
    pub filter_sizes: Vec<usize>,
    /// Probability of dropping a channel in front of the classifier, in 0..1.
    pub drop_rate: f32,
}

impl Default for DmConfig {
    fn default() -> Self {
        Self { channels: 512, filter_sizes: vec![1, 3, 5, 7], drop_rate: 0.1 }
    }
}

/// The architecture's place in the registry.
pub(super) struct DmNet;

impl Recipe for DmNet {
    type Head = DmConfig;

    const CARD: &'static ModelCard = &CARD;
    const DEFAULT_PRESET: &'static str = "r50-d8";
    const PRESETS: Presets<Config<DmConfig>> = &[
        ("r101-d8", || Config::on_resnet(resnet::Config::default().depth(101), DmConfig::default(), 256)),
        ("r50-d8", Config::default),
        ("tiny", || {
            Config::on_resnet(resnet::Config::tiny(), DmConfig { channels: 12, ..Default::default() }, 4)
        }),
    ];
}

impl HeadConfig for DmConfig {
    fn problems(&self, _: &[Stage]) -> Vec<String> {
        let mut problems = problems(self.channels, self.drop_rate);
        if self.filter_sizes.iter().any(|size| size.is_multiple_of(2)) {
            problems.push(format!("filter_sizes {:?} are not all odd", self.filter_sizes));
        }
        problems
    }

    fn build(&self, stages: &[Stage], classes: usize, _: bool, vb: VarBuilder) -> Result<Box<dyn Head>> {
        let (stage, inputs) = (stages.len() - 1, stages[stages.len() - 1].channels);
        let filters = self.filter_sizes.iter().enumerate().map(|(index, &size)| {
            DynamicFilter::new(inputs, self.channels, size, vb.pp(format!("dcm_modules.{index}")))
        });
        let joined = inputs + self.filter_sizes.len() * self.channels;
        Ok(Box::new(DmHead {
            stage,
            filters: filters.collect::<Result<_>>()?,
            bottleneck: ConvBlock::new(joined, self.channels, Window::new(3), vb.pp("bottleneck"))?,
            classifier: Classifier::new(self.channels, classes, self.drop_rate, vb)?,
        }))
    }
}

#[derive(Debug)]
struct DmHead {
    stage: usize,
    filters: Vec<DynamicFilter>,
    bottleneck: ConvBlock,
    classifier: Classifier,
}

impl Head for DmHead {
    fn forward(&self, features: &[Tensor], ctx: &Context) -> Result<SegOutput> {
        let x = &features[self.stage];
        let mut maps = vec![x.clone()];
        for filter in &self.filters {
            maps.push(filter.forward(x, ctx)?);
        }
        let x = self.bottleneck.forward(&Tensor::cat(&maps, 1)?, ctx)?;
        Ok(self.classifier.forward(&x, ctx)?.into())
    }
}

/// Convolves each channel of each image with a filter that follows from the image.
#[derive(Debug)]
struct DynamicFilter {
    size: usize,
    generator: Conv2d,
    reduced: ConvBlock,
    norm: BatchNorm,
}

impl DynamicFilter {
    fn new(inputs: usize, channels: usize, size: usize, vb: VarBuilder) -> Result<Self> {
        Ok(Self {
            size,
            generator: Window::new(1).biased(inputs, channels, vb.pp("filter_gen_conv"))?,
            reduced: ConvBlock::new(inputs, channels, Window::new(1), vb.pp("input_redu_conv"))?,
            norm: batch_norm(channels, vb.pp("norm"))?,
        })
    }

    fn forward(&self, x: &Tensor, ctx: &Context) -> Result<Tensor> {
        let filters = self.generator.forward(&ops::adaptive_avg_pool2d(x, [self.size; 2])?, ctx)?;
        let x = self.reduced.forward(x, ctx)?;
        let (batch, channels, height, width) = x.dims4()?;
        let groups = batch * channels;
        let options = Conv2dOptions { groups, ..Conv2dOptions::padded(self.size / 2) };
        // (B, C, H, W) -> (1, B*C, H, W), (B, C, S, S) -> (B*C, 1, S, S)
        let maps = x.reshape((1, groups, height, width))?;
        let filters = filters.reshape((groups, 1, self.size, self.size))?;
        let y = ops::conv2d(&maps, &filters, None, &options)?;
        ctx.add_macs((groups * height * width * self.size * self.size) as u64);
        ops::relu(&self.norm.forward(&y.reshape(x.dims())?, ctx)?)
    }
}
