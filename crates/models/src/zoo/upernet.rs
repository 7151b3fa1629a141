//! UPerNet: Unified Perceptual Parsing (Xiao et al., ECCV 2018), <https://arxiv.org/abs/1807.10221>.
//!
//! Reference: mmsegmentation 1.2.2 `UPerHead` on `ResNetV1c` and `SwinTransformer`, whose tensor names it has. Differences from the paper: one head, for
//! semantic classes, and none for scenes, objects, parts, materials and textures; an auxiliary head. Differences from the
//! reference: none.

use candle_core::Tensor;
use candle_nn::VarBuilder;
use segbench_nn::ops::Interpolation;
use segbench_nn::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::SegOutput;
use crate::architecture::Presets;
use crate::backbones::{self, resnet, swin};
use crate::blocks::{ConvBlock, Window, add_top_down, resize_like};
use crate::card::{ModelCard, Reference};
use crate::encoder_decoder::{Config, HeadConfig, Recipe};
use crate::features::{Head, Stage};
use crate::heads::ppm::{PyramidPooling, grid_problems};
use crate::heads::{Classifier, fcn};

static CARD: ModelCard = ModelCard {
    name: "upernet",
    title: "UPerNet",
    year: 2018,
    paper_url: "https://arxiv.org/abs/1807.10221",
    references: &[
        resnet::REFERENCE,
        swin::REFERENCE,
        Reference::mmsegmentation("models/decode_heads/uper_head.py UPerHead"),
    ],
    ..ModelCard::MMSEGMENTATION
};

/// Settings of the head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UperConfig {
    /// Channels of the pyramid and of the result. Paper: 512.
    pub channels: usize,
    /// Cells along a side of each grid that the last map is pooled to. Paper: 1, 2, 3, 6.
    pub pool_scales: Vec<usize>,
    /// Probability of dropping a channel in front of the classifier, in 0..1.
    pub drop_rate: f32,
}

impl Default for UperConfig {
    fn default() -> Self {
        Self { channels: 512, pool_scales: vec![1, 2, 3, 6], drop_rate: 0.1 }
    }
}

/// The architecture's place in the registry.
pub(super) struct UperNet;

impl Recipe for UperNet {
    type Head = UperConfig;

    const CARD: &'static ModelCard = &CARD;
    const DEFAULT_PRESET: &'static str = "r50";
    const PRESETS: Presets<Config<UperConfig>> = &[
        ("r101", || sized(101)),
        ("r18", || sized(18)),
        ("r50", || sized(50)),
        ("swin-b", || on_swin(swin::Config::base())),
        ("swin-l", || on_swin(swin::Config::large())),
        ("swin-s", || on_swin(swin::Config::small())),
        ("swin-t", || on_swin(swin::Config::default())),
        ("tiny", || {
            let head = UperConfig { channels: 8, ..Default::default() };
            Config::on_resnet(resnet::Config::tiny().output_stride(32), head, 4)
        }),
    ];
}

fn on_swin(backbone: swin::Config) -> Config<UperConfig> {
    let auxiliary = vec![fcn::Config::auxiliary(256)];
    Config::on(backbones::Config::Swin(backbone), UperConfig::default(), auxiliary)
}

fn sized(depth: usize) -> Config<UperConfig> {
    let backbone = resnet::Config::default().depth(depth).output_stride(32);
    Config::on_resnet(backbone, UperConfig::default(), 256)
}

impl HeadConfig for UperConfig {
    fn problems(&self, _: &[Stage]) -> Vec<String> {
        grid_problems(self.channels, self.drop_rate, &self.pool_scales)
    }

    fn build(&self, stages: &[Stage], classes: usize, align: bool, vb: VarBuilder) -> Result<Box<dyn Head>> {
        let (channels, last) = (self.channels, stages.len() - 1);
        let block =
            |name: String, inputs, side| ConvBlock::new(inputs, channels, Window::new(side), vb.pp(name));
        let lateral = |index: usize| block(format!("lateral_convs.{index}"), stages[index].channels, 1);
        let pyramid =
            PyramidPooling::new(stages[last].channels, channels, &self.pool_scales, align, vb.clone())?;
        Ok(Box::new(UperHead {
            laterals: (0..last).map(lateral).collect::<Result<_>>()?,
            pyramid,
            convs: (0..last)
                .map(|index| block(format!("fpn_convs.{index}"), channels, 3))
                .collect::<Result<_>>()?,
            bottleneck: block("fpn_bottleneck".into(), stages.len() * channels, 3)?,
            classifier: Classifier::new(channels, classes, self.drop_rate, vb.clone())?,
            align_corners: align,
        }))
    }
}

#[derive(Debug)]
struct UperHead {
    /// One for each map but the last, as `convs`.
    laterals: Vec<ConvBlock>,
    pyramid: PyramidPooling,
    convs: Vec<ConvBlock>,
    bottleneck: ConvBlock,
    classifier: Classifier,
    align_corners: bool,
}

impl Head for UperHead {
    fn forward(&self, features: &[Tensor], ctx: &Context) -> Result<SegOutput> {
        let laterals = self.laterals.iter().zip(features).map(|(conv, x)| conv.forward(x, ctx));
        let mut maps: Vec<Tensor> = laterals.collect::<Result<_>>()?;
        maps.push(self.pyramid.forward(&features[self.laterals.len()], ctx)?);
        add_top_down(&mut maps, Interpolation::Bilinear { align_corners: self.align_corners })?;
        for (map, conv) in maps.iter_mut().zip(&self.convs) {
            *map = conv.forward(map, ctx)?;
        }
        for index in 1..maps.len() {
            maps[index] = resize_like(&maps[index], &maps[0], self.align_corners)?;
        }
        let x = self.bottleneck.forward(&Tensor::cat(&maps, 1)?, ctx)?;
        Ok(self.classifier.forward(&x, ctx)?.into())
    }
}
