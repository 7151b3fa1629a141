//! PSANet: Point-wise Spatial Attention Network (Zhao et al., ECCV 2018), <https://hszhao.github.io/papers/eccv18_psanet.pdf>.
//!
//! Reference: mmsegmentation 1.2.2 `PSAHead` on `ResNetV1c`, whose tensor names it has; the mask operator is mmcv 2.1.0
//! `ops/psa_mask.py`. Differences from the reference: always both directions, softmax, full masks and no normalization factor, as
//! in all its configurations.

use candle_core::{D, DType, Tensor};
use candle_nn::VarBuilder;
use segbench_nn::layers::Conv2d;
use segbench_nn::{Context, Result, ops};
use serde::{Deserialize, Serialize};

use crate::SegOutput;
use crate::architecture::Presets;
use crate::backbones::resnet;
use crate::blocks::{ConvBlock, Window, resize_like, size};
use crate::card::{ModelCard, Reference};
use crate::encoder_decoder::{Config, HeadConfig, Recipe};
use crate::features::{Head, Stage};
use crate::heads::{Classifier, problems};

static CARD: ModelCard = ModelCard {
    name: "psanet",
    title: "PSANet",
    year: 2018,
    paper_url: "https://hszhao.github.io/papers/eccv18_psanet.pdf",
    references: &[resnet::REFERENCE, Reference::mmsegmentation("models/decode_heads/psa_head.py PSAHead")],
    ..ModelCard::MMSEGMENTATION
};

/// Settings of the head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PsaConfig {
    /// Channels of each direction and of the result. Paper: 512.
    pub channels: usize,
    /// Height and width of the neighborhood that a position speaks to, in steps of the shrunken map. mmsegmentation: 97, 97; for
    /// ADE20K 66, 66.
    pub mask_size: [usize; 2],
    /// By how much the map is shrunken before positions speak to each other. Paper: 2.
    pub shrink_factor: usize,
    /// Probability of dropping a channel in front of the classifier, in 0..1.
    pub drop_rate: f32,
}

impl Default for PsaConfig {
    fn default() -> Self {
        Self { channels: 512, mask_size: [97, 97], shrink_factor: 2, drop_rate: 0.1 }
    }
}

/// The architecture's place in the registry.
pub(super) struct PsaNet;

impl Recipe for PsaNet {
    type Head = PsaConfig;

    const CARD: &'static ModelCard = &CARD;
    const DEFAULT_PRESET: &'static str = "r50-d8";
    const PRESETS: Presets<Config<PsaConfig>> = &[
        ("r101-d8", || Config::on_resnet(resnet::Config::default().depth(101), PsaConfig::default(), 256)),
        ("r50-d8", Config::default),
        ("tiny", || {
            let head = PsaConfig { channels: 8, mask_size: [5, 9], ..Default::default() };
            Config::on_resnet(resnet::Config::tiny(), head, 4)
        }),
    ];
}

impl HeadConfig for PsaConfig {
    fn problems(&self, _: &[Stage]) -> Vec<String> {
        let mut problems = problems(self.channels, self.drop_rate);
        if self.mask_size.contains(&0) || self.shrink_factor == 0 {
            problems
                .push(format!("mask_size {:?} or shrink_factor {} is 0", self.mask_size, self.shrink_factor));
        }
        problems
    }

    fn build(&self, stages: &[Stage], classes: usize, align: bool, vb: VarBuilder) -> Result<Box<dyn Head>> {
        let (stage, inputs) = (stages.len() - 1, stages[stages.len() - 1].channels);
        let direction =
            |suffix: &str| Direction::new(inputs, self.channels, self.mask_size, suffix, vb.clone());
        Ok(Box::new(PsaHead {
            stage,
            collect: direction("")?,
            distribute: direction("_p")?,
            mask_size: self.mask_size,
            shrink_factor: self.shrink_factor,
            project: ConvBlock::new(2 * self.channels, inputs, Window::new(1), vb.pp("proj"))?,
            bottleneck: ConvBlock::new(2 * inputs, self.channels, Window::new(3), vb.pp("bottleneck"))?,
            classifier: Classifier::new(self.channels, classes, self.drop_rate, vb)?,
            align_corners: align,
        }))
    }
}

#[derive(Debug)]
struct PsaHead {
    stage: usize,
    collect: Direction,
    distribute: Direction,
    mask_size: [usize; 2],
    shrink_factor: usize,
    project: ConvBlock,
    bottleneck: ConvBlock,
    classifier: Classifier,
    align_corners: bool,
}

/// The maps of one direction and the scores that each of their positions gives to its neighborhood.
#[derive(Debug)]
struct Direction {
    reduce: ConvBlock,
    attention: (ConvBlock, Conv2d),
}

impl Direction {
    fn new(
        inputs: usize,
        channels: usize,
        [rows, columns]: [usize; 2],
        suffix: &str,
        vb: VarBuilder,
    ) -> Result<Self> {
        let (window, attention) = (Window::new(1), vb.pp(format!("attention{suffix}")));
        Ok(Self {
            reduce: ConvBlock::new(inputs, channels, window, vb.pp(format!("reduce{suffix}")))?,
            attention: (
                ConvBlock::new(channels, channels, window, attention.pp("0"))?,
                window.conv(channels, rows * columns, 1, attention.pp("1"))?,
            ),
        })
    }
}

impl PsaHead {
    /// Half the size, rounded up only if both sides are odd, and whether corners are aligned on the way there: as the reference
    /// does it.
    fn shrunken(&self, [height, width]: [usize; 2]) -> ([usize; 2], bool) {
        let factor = self.shrink_factor;
        match factor {
            1 => ([height, width], self.align_corners),
            _ if height % factor != 0 && width % factor != 0 => {
                ([height.div_ceil(factor), width.div_ceil(factor)], true)
            }
            _ => ([(height / factor).max(1), (width / factor).max(1)], false),
        }
    }

    /// The maps of a direction, `(B, C, positions)`, and its scores as `(B, from, to)`.
    fn scores(
        &self,
        direction: &Direction,
        x: &Tensor,
        ([height, width], align): ([usize; 2], bool),
        ctx: &Context,
    ) -> Result<(Tensor, Tensor)> {
        let mut x = direction.reduce.forward(x, ctx)?;
        if self.shrink_factor != 1 {
            x = ops::resize_bilinear(&x, height, width, align)?;
        }
        let (block, conv) = &direction.attention;
        let local = conv.forward(&block.forward(&x, ctx)?, ctx)?;
        Ok((x.flatten_from(2)?, spread(&local, self.mask_size)?))
    }
}

impl Head for PsaHead {
    fn forward(&self, features: &[Tensor], ctx: &Context) -> Result<SegOutput> {
        let input = &features[self.stage];
        let ([height, width], align) = self.shrunken(size(input)?);
        let to = ([height, width], align);
        let (collected, scores) = self.scores(&self.collect, input, to, ctx)?;
        let collected = attend(&collected, &scores, ctx)?;
        let (distributed, scores) = self.scores(&self.distribute, input, to, ctx)?;
        let distributed = attend(&distributed, &scores.transpose(1, 2)?.contiguous()?, ctx)?;
        let x = Tensor::cat(&[collected, distributed], 1)?;
        let x = x.reshape((x.dim(0)?, x.dim(1)?, height, width))?;
        // The reference pads its 1x1 convolution, and resizes the result with the border.
        let x = self.project.forward(&x.pad_with_zeros(2, 1, 1)?.pad_with_zeros(3, 1, 1)?, ctx)?;
        let x = Tensor::cat(&[input, &resize_like(&x, input, align)?], 1)?;
        Ok(self.classifier.forward(&self.bottleneck.forward(&x, ctx)?, ctx)?.into())
    }
}

/// For each position the mean of all, weighted by the softmax of its row of scores: `x: (B, C, N)`, `scores: (B, N, N)`.
fn attend(x: &Tensor, scores: &Tensor, ctx: &Context) -> Result<Tensor> {
    ops::matmul(x, &ops::softmax(scores, D::Minus1)?.transpose(1, 2)?, ctx)
}

/// The scores of neighborhoods, `(B, rows * columns, H, W)`, as scores of all positions, `(B, H*W, H*W)`: row by row those that one
/// position gives to all, zero outside its neighborhood.
fn spread(local: &Tensor, [rows, columns]: [usize; 2]) -> Result<Tensor> {
    let (batch, _, height, width) = local.dims4()?;
    let positions = height * width;
    let outside = (rows * columns) as u32;
    let place = |from: usize, to: usize| {
        let row = (to / width + rows / 2).checked_sub(from / width).filter(|row| *row < rows)?;
        let column =
            (to % width + columns / 2).checked_sub(from % width).filter(|column| *column < columns)?;
        Some((row * columns + column) as u32)
    };
    let places = (0..positions * positions)
        .map(|index| place(index / positions, index % positions).unwrap_or(outside))
        .collect();
    let places = Tensor::from_vec(places, (1, positions, positions), local.device())?;
    let places = places.broadcast_as((batch, positions, positions))?.contiguous()?;
    // (B, rows * columns, H, W) -> (B, H*W, rows * columns + 1), the last of them zero.
    let nothing = Tensor::zeros((batch, positions, 1), DType::F32, local.device())?;
    let local = local.flatten_from(2)?.transpose(1, 2)?.contiguous()?;
    Ok(Tensor::cat(&[local, nothing], 2)?.gather(&places, 2)?)
}
