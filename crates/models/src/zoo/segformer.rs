//! SegFormer (Xie et al., NeurIPS 2021), <https://arxiv.org/abs/2105.15203>: a Mix Transformer and a head of linear layers.
//!
//! References: transformers 4.57.6 `SegformerForSemanticSegmentation`, whose tensor names are the canonical ones, and
//! mmsegmentation 1.2.2 `SegformerHead`. They agree on the encoder but for an epsilon and differ in the head: Hugging Face (as
//! the authors' own code) projects each stage with a linear layer, mmsegmentation with a convolution, BatchNorm and ReLU.
//! Differences from the references: the order of two linear steps in the head, see `SegformerHead::fuse`.

mod layouts;
mod weights;

use candle_core::Tensor;
use candle_nn::{Init, VarBuilder};
use segbench_nn::layers::{
    BatchNorm, BatchNormConfig, Conv2d, Conv2dConfig, Dropout, Dropout2d, Linear, LinearConfig,
};
use segbench_nn::ops::{self, Conv2dOptions};
use segbench_nn::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::SegOutput;
use crate::architecture::{Layout, Presets, Tensors, size_of};
use crate::backbones::{self, mit};
use crate::card::{ModelCard, Preprocessing, Reference, Status};
use crate::encoder_decoder::{Config, HeadConfig, Recipe};
use crate::features::{Head, Stage};
use crate::heads::problems;

static CARD: ModelCard = ModelCard {
    name: "segformer",
    title: "SegFormer",
    year: 2021,
    paper_url: "https://arxiv.org/abs/2105.15203",
    references: &[
        Reference {
            project: "transformers 4.57.6",
            path: "models/segformer/modeling_segformer.py SegformerForSemanticSegmentation",
        },
        Reference { project: "mmsegmentation 1.2.2", path: "models/backbones/mit.py MixVisionTransformer" },
        Reference {
            project: "mmsegmentation 1.2.2",
            path: "models/decode_heads/segformer_head.py SegformerHead",
        },
    ],
    status: Status::Parity,
    preprocessing: Preprocessing::IMAGENET,
    weights: weights::SOURCES,
};

/// The order in which the concatenated maps of the stages meet the columns of the fusing layer.
const LINEAR_ORDER: [usize; mit::STAGES] = [3, 2, 1, 0];
const CONV_ORDER: [usize; mit::STAGES] = [0, 1, 2, 3];

/// Settings of the head; the default is that of SegFormer-B0 as Hugging Face has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SegformerConfig {
    /// How it projects each stage.
    pub projection: Projection,
    /// Its channels. Paper: 256 for B0 and B1, 768 for the others; mmsegmentation: 256 for all.
    pub channels: usize,
    /// Added to the variance in every BatchNorm. Both references: 1e-5.
    pub batch_norm_eps: f64,
    /// Probability of dropping an element (linear) or a channel (conv) in front of the classifier, in 0..1. Paper: 0.1.
    pub drop_rate: f32,
}

/// How the head brings the stages to one number of channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Projection {
    /// A linear layer with bias; stages are concatenated from the last to the first. The authors and Hugging Face.
    Linear,
    /// A 1x1 convolution, BatchNorm and ReLU; stages are concatenated from the first to the last. mmsegmentation.
    Conv,
}

impl Default for SegformerConfig {
    fn default() -> Self {
        Self { projection: Projection::Linear, channels: 256, batch_norm_eps: 1e-5, drop_rate: 0.1 }
    }
}

impl Config<SegformerConfig> {
    /// The same network as mmsegmentation builds it: conv head, LayerNorm with 1e-6.
    pub fn with_conv_head(mut self) -> Self {
        self.decode_head.projection = Projection::Conv;
        if let backbones::Config::Mit(mit) = &mut self.backbone {
            mit.layer_norm_eps = 1e-6;
        }
        self
    }
}

fn on(backbone: mit::Config, channels: usize) -> Config<SegformerConfig> {
    let head = SegformerConfig { channels, ..Default::default() };
    Config::on(backbones::Config::Mit(backbone), head, Vec::new())
}

fn sized(embed_dims: [usize; 4], depths: [usize; 4], channels: usize) -> Config<SegformerConfig> {
    on(mit::Config { embed_dims, depths, ..Default::default() }, channels)
}

fn large(depths: [usize; 4]) -> Config<SegformerConfig> {
    sized([64, 128, 320, 512], depths, 768)
}

/// About 925,000 parameters, to be trained on a laptop's processor.
fn nano() -> Config<SegformerConfig> {
    let (embed_dims, depths, num_heads) = ([24, 48, 96, 144], [1, 1, 2, 1], [1, 2, 4, 6]);
    on(mit::Config { embed_dims, depths, num_heads, ..Default::default() }, 96)
}

/// Below 200,000 parameters, for tests.
fn tiny() -> Config<SegformerConfig> {
    let (embed_dims, num_heads) = ([16, 32, 48, 64], [1, 2, 3, 4]);
    on(mit::Config { embed_dims, depths: [1; 4], num_heads, mlp_ratios: [3; 4], ..Default::default() }, 48)
}

/// The architecture's place in the registry.
pub(super) struct SegFormer;

impl Recipe for SegFormer {
    type Head = SegformerConfig;

    const CARD: &'static ModelCard = &CARD;
    const DEFAULT_PRESET: &'static str = "b0";
    const PRESETS: Presets<Config<SegformerConfig>> = &[
        ("b0", || on(mit::Config::default(), 256)),
        ("b1", || sized([64, 128, 320, 512], [2; 4], 256)),
        ("b2", || large([3, 4, 6, 3])),
        ("b3", || large([3, 4, 18, 3])),
        ("b4", || large([3, 8, 27, 3])),
        ("b5", || large([3, 6, 40, 3])),
        ("nano", nano),
        ("tiny", tiny),
    ];
    const BACKBONE: &'static str = "segformer.encoder";

    fn layouts() -> &'static [Layout] {
        layouts::LAYOUTS
    }

    fn recognize(
        mut config: Config<SegformerConfig>,
        tensors: &Tensors,
    ) -> Result<Config<SegformerConfig>, String> {
        config.decode_head.channels = size_of(tensors, "decode_head.linear_fuse.weight", 0)?;
        let has_conv_head = tensors.keys().any(|name| name.starts_with("decode_head.convs."));
        Ok(if has_conv_head && config.decode_head.projection == Projection::Linear {
            config.with_conv_head()
        } else {
            config
        })
    }
}

impl HeadConfig for SegformerConfig {
    const CLASSIFIER: &'static str = "classifier.weight";

    fn problems(&self, stages: &[Stage]) -> Vec<String> {
        let mut problems = problems(self.channels, self.drop_rate);
        if !(self.batch_norm_eps > 0.0 && self.batch_norm_eps.is_finite()) {
            problems.push(format!("batch_norm_eps {} is not positive", self.batch_norm_eps));
        }
        if stages.len() != mit::STAGES {
            problems.push(format!("{} maps instead of {}", stages.len(), mit::STAGES));
        }
        problems
    }

    fn build(&self, stages: &[Stage], classes: usize, align: bool, vb: VarBuilder) -> Result<Box<dyn Head>> {
        Ok(Box::new(SegformerHead::new(self, stages, classes, align, vb)?))
    }
}

/// One stage's way into the head.
#[derive(Debug)]
enum Project {
    Linear(Linear),
    Conv(Conv2d, BatchNorm),
}

impl Project {
    fn forward(&self, x: &Tensor, ctx: &Context) -> Result<Tensor> {
        match self {
            Self::Linear(linear) => {
                let (_, _, h, w) = x.dims4()?;
                mit::maps(&linear.forward(&mit::tokens(x)?, ctx)?, [h, w])
            }
            Self::Conv(conv, norm) => ops::relu(&norm.forward(&conv.forward(x, ctx)?, ctx)?),
        }
    }
}

/// Projects the stages, resizes them to the largest, fuses and classifies.
#[derive(Debug)]
struct SegformerHead {
    projections: Vec<Project>,
    fuse: Tensor,
    norm: BatchNorm,
    classifier: Conv2d,
    kind: Projection,
    drop_rate: f32,
    align_corners: bool,
}

impl SegformerHead {
    fn new(
        config: &SegformerConfig,
        stages: &[Stage],
        classes: usize,
        align_corners: bool,
        vb: VarBuilder,
    ) -> Result<Self> {
        let dim = config.channels;
        let norm = BatchNormConfig { eps: config.batch_norm_eps, ..Default::default() };
        let projections = stages.iter().enumerate().map(|(index, &Stage { channels: inputs, .. })| {
            Ok(match config.projection {
                Projection::Linear => {
                    let vb = vb.pp(format!("linear_c.{index}.proj"));
                    Project::Linear(Linear::new(inputs, dim, LinearConfig::default(), vb)?)
                }
                Projection::Conv => {
                    let vb = vb.pp(format!("convs.{index}"));
                    let without_bias = Conv2dConfig { bias: false, ..Default::default() };
                    let conv = Conv2d::new(inputs, dim, [1; 2], without_bias, vb.pp("conv"))?;
                    Project::Conv(conv, BatchNorm::new(dim, norm, vb.pp("bn"))?)
                }
            })
        });
        let init = Init::Randn { mean: 0.0, stdev: (2.0 / dim as f64).sqrt() };
        let classifier_init = Init::Randn { mean: 0.0, stdev: 0.01 };
        let classifier = Conv2dConfig { init: Some(classifier_init), ..Default::default() };
        Ok(Self {
            projections: projections.collect::<Result<_>>()?,
            fuse: vb.pp("linear_fuse").get_with_hints((dim, dim * mit::STAGES, 1, 1), "weight", init)?,
            norm: BatchNorm::new(dim, norm, vb.pp("batch_norm"))?,
            classifier: Conv2d::new(dim, classes, [1; 2], classifier, vb.pp("classifier"))?,
            kind: config.projection,
            drop_rate: config.drop_rate,
            align_corners,
        })
    }

    /// The fused map at the size of the first stage.
    ///
    /// The references resize all stages, concatenate them and then convolve. The 1x1 convolution is linear and without bias, and
    /// resizing is linear, so here each stage meets its own columns of the weight at its own size and the resized results are
    /// added: the same numbers for about a third of the work, and no map with four times the channels.
    fn fuse(&self, features: &[Tensor], ctx: &Context) -> Result<Tensor> {
        let weight = ctx.parameter(&self.fuse);
        let dim = weight.dim(0)?;
        let order = match self.kind {
            Projection::Linear => LINEAR_ORDER,
            Projection::Conv => CONV_ORDER,
        };
        let mut fused: Option<Tensor> = None;
        for (stage, (projection, feature)) in self.projections.iter().zip(features).enumerate() {
            let x = projection.forward(feature, ctx)?;
            let place = order.iter().position(|&other| other == stage).unwrap_or(stage);
            let columns = weight.narrow(1, place * dim, dim)?.contiguous()?;
            let x = ops::conv2d(&x, &columns, None, &Conv2dOptions::default())?;
            fused = Some(match fused {
                None => x,
                Some(sum) => {
                    let (_, _, h, w) = sum.dims4()?;
                    (ops::resize_bilinear(&x, h, w, self.align_corners)? + sum)?
                }
            });
        }
        let fused = fused.ok_or_else(|| segbench_nn::Error::shape("SegFormer head", "no features"))?;
        // Counted as the references compute it, so that the number can be compared with theirs.
        ctx.add_macs((fused.elem_count() * dim * mit::STAGES) as u64);
        Ok(fused)
    }
}

impl Head for SegformerHead {
    fn forward(&self, features: &[Tensor], ctx: &Context) -> Result<SegOutput> {
        let x = ops::relu(&self.norm.forward(&self.fuse(features, ctx)?, ctx)?)?;
        let x = match self.kind {
            Projection::Linear => Dropout::new(self.drop_rate).forward(&x, ctx)?,
            Projection::Conv => Dropout2d::new(self.drop_rate).forward(&x, ctx)?,
        };
        Ok(self.classifier.forward(&x, ctx)?.into())
    }
}
