//! SegFormer (Xie et al., NeurIPS 2021), <https://arxiv.org/abs/2105.15203>: a Mix Transformer and a head of linear layers.
//!
//! References: transformers 4.57.6 `SegformerForSemanticSegmentation`, whose tensor names are the canonical ones, and
//! mmsegmentation 1.2.2 `SegformerHead`. They agree on the encoder but for an epsilon and differ in the head: Hugging Face (as
//! the authors' own code) projects each stage with a linear layer, mmsegmentation with a convolution, BatchNorm and ReLU.
//! Differences from the references: the order of two linear steps in the head, see `Head::fuse`.

mod layouts;
mod weights;

use candle_core::Tensor;
use candle_nn::{Init, VarBuilder};
use segbench_nn::layers::{
    BatchNorm, BatchNormConfig, Conv2d, Conv2dConfig, Dropout, Dropout2d, Linear, LinearConfig,
};
use segbench_nn::ops::{self, Conv2dOptions};
use segbench_nn::{Context, Result as LayerResult};
use serde::{Deserialize, Serialize};

use crate::architecture::{Architecture, Layout, Presets, Tensors, size_of};
use crate::backbones::mit::{self, MixTransformer};
use crate::card::{ModelCard, Preprocessing, Reference, Status};
use crate::{Error, InputSpec, Result, SegOutput, Segmentor};

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

/// Settings of SegFormer; the default is SegFormer-B0 as Hugging Face has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The encoder.
    pub backbone: mit::Config,
    /// How the head projects each stage.
    pub head: Projection,
    /// Channels of the head. Paper: 256 for B0 and B1, 768 for the others; mmsegmentation: 256 for all.
    pub decoder_dim: usize,
    /// Added to the variance in every BatchNorm. Both references: 1e-5.
    pub batch_norm_eps: f64,
    /// Probability of dropping an element (linear) or a channel (conv) in front of the classifier, in 0..1. Paper: 0.1.
    pub head_drop_rate: f32,
    /// Whether maps are resized corner to corner. Both references: no.
    pub align_corners: bool,
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

impl Default for Config {
    fn default() -> Self {
        Self {
            backbone: mit::Config::default(),
            head: Projection::Linear,
            decoder_dim: 256,
            batch_norm_eps: 1e-5,
            head_drop_rate: 0.1,
            align_corners: false,
        }
    }
}

impl Config {
    /// The same network as mmsegmentation builds it: conv head, LayerNorm with 1e-6.
    pub fn with_conv_head(mut self) -> Self {
        self.head = Projection::Conv;
        self.backbone.layer_norm_eps = 1e-6;
        self
    }

    fn sized(embed_dims: [usize; 4], depths: [usize; 4], decoder_dim: usize) -> Self {
        let backbone = mit::Config { embed_dims, depths, ..Default::default() };
        Self { backbone, decoder_dim, ..Default::default() }
    }

    fn large(depths: [usize; 4]) -> Self {
        Self::sized([64, 128, 320, 512], depths, 768)
    }

    /// About 925,000 parameters, to be trained on a laptop's processor.
    fn nano() -> Self {
        let mut config = Self::sized([24, 48, 96, 144], [1, 1, 2, 1], 96);
        config.backbone.num_heads = [1, 2, 4, 6];
        config
    }

    /// Below 200,000 parameters, for tests.
    fn tiny() -> Self {
        let mut config = Self::sized([16, 32, 48, 64], [1; 4], 48);
        config.backbone.num_heads = [1, 2, 3, 4];
        config.backbone.mlp_ratios = [3; 4];
        config
    }
}

/// The architecture's place in the registry.
pub(super) struct SegFormer;

impl Architecture for SegFormer {
    type Config = Config;

    const CARD: &'static ModelCard = &CARD;
    const DEFAULT_PRESET: &'static str = "b0";
    const PRESETS: Presets<Config> = &[
        ("b0", Config::default),
        ("b1", || Config::sized([64, 128, 320, 512], [2; 4], 256)),
        ("b2", || Config::large([3, 4, 6, 3])),
        ("b3", || Config::large([3, 4, 18, 3])),
        ("b4", || Config::large([3, 8, 27, 3])),
        ("b5", || Config::large([3, 6, 40, 3])),
        ("nano", Config::nano),
        ("tiny", Config::tiny),
    ];

    fn problems(config: &Config) -> Vec<String> {
        let mut problems = config.backbone.problems();
        if config.decoder_dim == 0 {
            problems.push("decoder_dim is 0".into());
        }
        if !(0.0..1.0).contains(&config.head_drop_rate) {
            problems.push(format!("head_drop_rate {} is not in 0..1", config.head_drop_rate));
        }
        if !(config.batch_norm_eps > 0.0 && config.batch_norm_eps.is_finite()) {
            problems.push(format!("batch_norm_eps {} is not positive", config.batch_norm_eps));
        }
        problems
    }

    fn build(config: &Config, io: InputSpec, vb: VarBuilder) -> Result<Box<dyn Segmentor>> {
        Ok(Box::new(Network {
            encoder: MixTransformer::new(&config.backbone, io.channels, vb.pp("segformer.encoder"))?,
            head: Head::new(config, io.classes, vb.pp("decode_head"))?,
            io,
            smallest_input: config.backbone.smallest_input(),
        }))
    }

    fn layouts() -> &'static [Layout] {
        layouts::LAYOUTS
    }

    fn recognize(mut config: Config, tensors: &Tensors) -> Result<(Config, InputSpec), String> {
        let classes = size_of(tensors, "decode_head.classifier.weight", 0)?;
        let channels = size_of(tensors, "segformer.encoder.patch_embeddings.0.proj.weight", 1)?;
        config.decoder_dim = size_of(tensors, "decode_head.linear_fuse.weight", 0)?;
        let has_conv_head = tensors.keys().any(|name| name.starts_with("decode_head.convs."));
        if has_conv_head && config.head == Projection::Linear {
            config = config.with_conv_head();
        }
        Ok((config, InputSpec { classes, channels }))
    }
}

/// The whole network.
#[derive(Debug)]
struct Network {
    encoder: MixTransformer,
    head: Head,
    io: InputSpec,
    smallest_input: usize,
}

impl Segmentor for Network {
    fn forward(&self, input: &Tensor, ctx: &Context) -> Result<SegOutput> {
        let smallest = self.smallest_input;
        match *input.dims() {
            [batch, channels, h, w] if batch > 0 && channels == self.io.channels && h.min(w) >= smallest => {}
            ref dims => {
                return Err(Error::Input {
                    problem: format!("SegFormer cannot take an input of shape {dims:?}"),
                    help: format!(
                        "it takes (batch, {}, height, width) with sides of at least {smallest} pixels",
                        self.io.channels
                    ),
                });
            }
        }
        let features = self.encoder.forward(input, ctx)?;
        let logits = self.head.forward(&features, ctx)?;
        ctx.record("head", &logits);
        Ok(logits.into())
    }

    fn align_corners(&self) -> bool {
        self.head.align_corners
    }
}

/// One stage's way into the head.
#[derive(Debug)]
enum Project {
    Linear(Linear),
    Conv(Conv2d, BatchNorm),
}

impl Project {
    fn forward(&self, x: &Tensor, ctx: &Context) -> LayerResult<Tensor> {
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
struct Head {
    projections: Vec<Project>,
    fuse: Tensor,
    norm: BatchNorm,
    classifier: Conv2d,
    kind: Projection,
    drop_rate: f32,
    align_corners: bool,
}

impl Head {
    fn new(config: &Config, classes: usize, vb: VarBuilder) -> LayerResult<Self> {
        let dim = config.decoder_dim;
        let norm = BatchNormConfig { eps: config.batch_norm_eps, ..Default::default() };
        let projections = config.backbone.embed_dims.iter().enumerate().map(|(stage, &inputs)| {
            Ok(match config.head {
                Projection::Linear => {
                    let vb = vb.pp(format!("linear_c.{stage}.proj"));
                    Project::Linear(Linear::new(inputs, dim, LinearConfig::default(), vb)?)
                }
                Projection::Conv => {
                    let vb = vb.pp(format!("convs.{stage}"));
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
            projections: projections.collect::<LayerResult<_>>()?,
            fuse: vb.pp("linear_fuse").get_with_hints((dim, dim * mit::STAGES, 1, 1), "weight", init)?,
            norm: BatchNorm::new(dim, norm, vb.pp("batch_norm"))?,
            classifier: Conv2d::new(dim, classes, [1; 2], classifier, vb.pp("classifier"))?,
            kind: config.head,
            drop_rate: config.head_drop_rate,
            align_corners: config.align_corners,
        })
    }

    fn forward(&self, features: &[Tensor], ctx: &Context) -> LayerResult<Tensor> {
        let x = ops::relu(&self.norm.forward(&self.fuse(features, ctx)?, ctx)?)?;
        let x = match self.kind {
            Projection::Linear => Dropout::new(self.drop_rate).forward(&x, ctx)?,
            Projection::Conv => Dropout2d::new(self.drop_rate).forward(&x, ctx)?,
        };
        self.classifier.forward(&x, ctx)
    }

    /// The fused map at the size of the first stage.
    ///
    /// The references resize all stages, concatenate them and then convolve. The 1x1 convolution is linear and without bias, and
    /// resizing is linear, so here each stage meets its own columns of the weight at its own size and the resized results are
    /// added: the same numbers for about a third of the work, and no map with four times the channels.
    fn fuse(&self, features: &[Tensor], ctx: &Context) -> LayerResult<Tensor> {
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
