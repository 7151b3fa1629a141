//! FCN-8s, FCN-16s and FCN-32s: Fully Convolutional Networks (Long et al., CVPR 2015), <https://arxiv.org/abs/1411.4038>, on VGG-16 as
//! in the paper.
//!
//! Reference: wkentaro/pytorch-fcn at 4b98850, a port of the authors' Caffe networks whose checkpoints it reads; tensor names follow
//! it. Images come with red first and are turned to blue first, as these checkpoints want them. Differences from the reference:
//! convolutions start as everywhere in this project and not at zero, and the kernels that enlarge scores start at bilinear
//! interpolation, as there, but are trained.

use candle_core::{Tensor, Var};
use candle_nn::{Init, VarBuilder};
use segbench_nn::layers::{Conv2d, Conv2dConfig, ConvTranspose2d, Dropout2d};
use segbench_nn::ops::{self, ConvTranspose2dOptions, PoolOptions};
use segbench_nn::{Context, Result as LayerResult};
use serde::{Deserialize, Serialize};

use crate::architecture::{Architecture, Layout, Presets, Tensors, size_of};
use crate::backbones::vgg::{self, Vgg};
use crate::blocks::{blue_first, size};
use crate::card::{ModelCard, Preprocessing, Reference};
use crate::heads::problems;
use crate::{InputSpec, Result, SegOutput, Segmentor};

/// What the three networks have in common.
const FAMILY: ModelCard = ModelCard {
    year: 2015,
    paper_url: "https://arxiv.org/abs/1411.4038",
    preprocessing: Preprocessing::CAFFE,
    ..ModelCard::MMSEGMENTATION
};

macro_rules! card {
    ($name:literal, $title:literal, $path:literal) => {
        &ModelCard {
            name: $name,
            title: $title,
            references: &[Reference { project: "wkentaro/pytorch-fcn 4b98850", path: $path }],
            ..FAMILY
        }
    };
}

/// Settings of the networks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Channels of the first block of VGG. Paper: 64.
    pub base_channels: usize,
    /// Channels of the two layers that were fully connected. Paper: 4096.
    pub hidden_channels: usize,
    /// What the maps behind the fourth and the third pooling are multiplied with. Networks trained in stages, as the paper's first:
    /// 1 and 1; trained at once: 0.01 and 0.0001.
    pub pool_scales: [f64; 2],
    /// Probability of dropping a channel behind each of those two layers, in 0..1. Paper: 0.5.
    pub drop_rate: f32,
}

impl Default for Config {
    fn default() -> Self {
        Self { base_channels: 64, hidden_channels: 4096, pool_scales: [1.0; 2], drop_rate: 0.5 }
    }
}

fn at_once() -> Config {
    Config { pool_scales: [0.01, 0.0001], ..Default::default() }
}

/// Few parameters but for the kernels that enlarge scores, whose size depends on the classes only.
fn tiny() -> Config {
    Config { base_channels: 4, hidden_channels: 20, ..Default::default() }
}

/// Two poolings, whose maps are added to the scores on their way back to the image's size, and what is cut off before.
const SKIPS: [Skip; 2] = [
    Skip { pool: 3, score: "score_pool4", enlarged_by: "upscore2", margin: 5 },
    Skip { pool: 2, score: "score_pool3", enlarged_by: "upscore_pool4", margin: 9 },
];

struct Skip {
    pool: usize,
    score: &'static str,
    enlarged_by: &'static str,
    margin: usize,
}

/// The architecture's place in the registry; the scores are enlarged `STRIDE` times in the last step, 8, 16 or 32.
pub(super) struct FcnVgg<const STRIDE: usize>;

impl<const STRIDE: usize> FcnVgg<STRIDE> {
    /// The first of [`SKIPS`] that it has.
    const SKIPS: &'static [Skip] = match STRIDE {
        8 => &SKIPS,
        16 => SKIPS.split_at(1).0,
        _ => &[],
    };
    /// The name of the kernel of the last step, and what is cut off behind it.
    const LAST: (&'static str, usize) = match STRIDE {
        8 => ("upscore8", 31),
        16 => ("upscore16", 27),
        _ => ("upscore", 19),
    };
}

impl<const STRIDE: usize> Architecture for FcnVgg<STRIDE> {
    type Config = Config;

    const CARD: &'static ModelCard = match STRIDE {
        8 => card!("fcn8s", "FCN-8s", "torchfcn/models/fcn8s.py FCN8s"),
        16 => card!("fcn16s", "FCN-16s", "torchfcn/models/fcn16s.py FCN16s"),
        _ => card!("fcn32s", "FCN-32s", "torchfcn/models/fcn32s.py FCN32s"),
    };
    const DEFAULT_PRESET: &'static str = "vgg16";
    const PRESETS: Presets<Config> = match STRIDE {
        8 => &[("at-once", at_once), ("tiny", tiny), ("vgg16", Config::default)],
        _ => &[("tiny", tiny), ("vgg16", Config::default)],
    };

    fn problems(config: &Config) -> Vec<String> {
        let mut problems = problems(config.hidden_channels.min(config.base_channels), config.drop_rate);
        if !config.pool_scales.iter().all(|scale| scale.is_finite()) {
            problems.push(format!("pool_scales {:?} are not finite", config.pool_scales));
        }
        problems
    }

    fn build(config: &Config, io: InputSpec, vb: VarBuilder) -> Result<Box<dyn Segmentor>> {
        let pools = [PoolOptions { ceil_mode: true, ..PoolOptions::new([2; 2]) }; 5];
        let shape = vgg::Shape { base: config.base_channels, first_padding: 100, last_dilation: 1, pools };
        let name = |block, place| format!("conv{}_{}", block + 1, place + 1);
        let widths = vgg::channels(config.base_channels);
        let conv = |inputs, outputs, side, name: &str| {
            Conv2d::new(inputs, outputs, [side; 2], Conv2dConfig::default(), vb.pp(name))
        };
        let enlarge = |stride, name: &str| enlarging(io.classes, stride, vb.pp(name));
        let hidden = config.hidden_channels;
        let skips = Self::SKIPS.iter().zip(config.pool_scales).map(|(skip, scale)| {
            let score = conv(widths[skip.pool], io.classes, 1, skip.score)?;
            Ok((enlarge(2, skip.enlarged_by)?, score, scale))
        });
        Ok(Box::new(Network::<STRIDE> {
            encoder: Vgg::new(&shape, io.channels, name, &vb)?,
            hidden: [conv(widths[4], hidden, 7, "fc6")?, conv(hidden, hidden, 1, "fc7")?],
            dropout: Dropout2d::new(config.drop_rate),
            score: conv(hidden, io.classes, 1, "score_fr")?,
            skips: skips.collect::<LayerResult<_>>()?,
            last: enlarge(STRIDE, Self::LAST.0)?,
            io,
        }))
    }

    fn layouts() -> &'static [Layout] {
        &[]
    }

    fn recognize(config: Config, tensors: &Tensors) -> Result<(Config, InputSpec), String> {
        let classes = size_of(tensors, "score_fr.weight", 0)?;
        Ok((config, InputSpec { classes, channels: size_of(tensors, "conv1_1.weight", 1)? }))
    }
}

/// A layer that enlarges scores, at first by bilinear interpolation of each class.
///
/// # Source
///
/// Shelhamer's `surgery.py` of fcn.berkeleyvision.org, as the reference has it.
fn enlarging(classes: usize, stride: usize, vb: VarBuilder) -> LayerResult<ConvTranspose2d> {
    let side = 2 * stride;
    let weight = vb.get_with_hints((classes, classes, side, side), "weight", Init::Const(0.0))?;
    // Only parameters that training made new can be written to; those of a checkpoint are as they should be.
    if weight.is_variable() {
        let near = |place: usize| 1.0 - (place as f64 + 0.5 - stride as f64).abs() / stride as f64;
        let values = (0..classes * classes * side * side).map(|index| {
            let (row, column) = (index / side % side, index % side);
            let (from, to) = (index / (classes * side * side), index / (side * side) % classes);
            if from == to { (near(row) * near(column)) as f32 } else { 0.0 }
        });
        let bilinear = Tensor::from_iter(values, weight.device())?.reshape(weight.shape())?;
        Var::from_tensor(&weight)?.set(&bilinear.to_dtype(weight.dtype())?)?;
    }
    let options = ConvTranspose2dOptions { stride: [stride; 2], ..Default::default() };
    Ok(ConvTranspose2d::from_parts(weight, None, options))
}

/// The network.
#[derive(Debug)]
struct Network<const STRIDE: usize> {
    encoder: Vgg,
    hidden: [Conv2d; 2],
    dropout: Dropout2d,
    score: Conv2d,
    /// What enlarges the scores, what scores the pooled map that is added to them, and the factor on that map.
    skips: Vec<(ConvTranspose2d, Conv2d, f64)>,
    last: ConvTranspose2d,
    io: InputSpec,
}

impl<const STRIDE: usize> Segmentor for Network<STRIDE> {
    fn forward(&self, input: &Tensor, ctx: &Context) -> Result<SegOutput> {
        self.io.check(FcnVgg::<STRIDE>::CARD.title, 1, input)?;
        let maps = self.encoder.forward(&blue_first(input)?, ctx)?;
        let mut x = maps[4].clone();
        for hidden in &self.hidden {
            x = self.dropout.forward(&ops::relu(&hidden.forward(&x, ctx)?)?, ctx)?;
        }
        x = self.score.forward(&x, ctx)?;
        for (skip, (enlarge, score, scale)) in FcnVgg::<STRIDE>::SKIPS.iter().zip(&self.skips) {
            x = enlarge.forward(&x, ctx)?;
            let added = score.forward(&maps[skip.pool].affine(*scale, 0.0)?, ctx)?;
            x = (&x + cut(&added, skip.margin, size(&x)?)?)?;
        }
        let logits =
            cut(&self.last.forward(&x, ctx)?, FcnVgg::<STRIDE>::LAST.1, size(input)?)?.contiguous()?;
        ctx.record("head", &logits);
        Ok(logits.into())
    }

    fn align_corners(&self) -> bool {
        false
    }
}

/// A part of a map that begins so many pixels from the top and the left.
fn cut(x: &Tensor, margin: usize, [height, width]: [usize; 2]) -> LayerResult<Tensor> {
    Ok(x.narrow(2, margin, height)?.narrow(3, margin, width)?)
}
