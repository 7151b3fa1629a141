//! Swin Transformer (Liu et al., ICCV 2021), <https://arxiv.org/abs/2103.14030>: attention within windows that move between blocks.
//!
//! Reference: mmsegmentation 1.2.2 `models/backbones/swin.py SwinTransformer`, whose tensor names it has. Differences from the
//! reference: no absolute position embedding (off in all its configurations); what it keeps of the places in a window as
//! `relative_position_index` is computed.

use candle_core::Tensor;
use candle_nn::{Init, VarBuilder};
use segbench_nn::layers::{Conv2d, Conv2dConfig, DropPath, LayerNorm, Linear, LinearConfig};
use segbench_nn::ops::{self, Conv2dOptions, Padding};
use segbench_nn::weights::Allowed;
use segbench_nn::{Context, Result};
use serde::{Deserialize, Serialize};

use super::mit::{maps, tokens};
use crate::blocks::size;
use crate::card::Reference;
use crate::features::{Backbone, Stage};

const STAGES: usize = 4;
/// Pixels of the image for one token along each side.
const PATCH: usize = 4;
/// Channels inside the feed-forward network for one of the stage.
const MLP_RATIO: usize = 4;
/// Added to the variance in every LayerNorm.
const EPS: f64 = 1e-5;
/// Added to the score of a token that another one in the same window must not look at.
const FORBIDDEN: f32 = -100.0;

/// What the cards of networks on it refer to.
pub(crate) const REFERENCE: Reference = Reference::mmsegmentation("models/backbones/swin.py SwinTransformer");

/// What checkpoints keep of the places in a window.
pub(crate) const WINDOW_PLACES: Allowed =
    Allowed { pattern: r".*\.relative_position_index", reason: "follows from the size of the windows" };

/// Settings of a Swin Transformer; the default is Swin-T.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Channels of the first stage; each other one has twice those of the stage before.
    pub embed_dim: usize,
    /// Blocks of each stage.
    pub depths: [usize; STAGES],
    /// Attention heads of each stage; they divide its channels.
    pub num_heads: [usize; STAGES],
    /// Tokens along a side of a window. Paper: 7, and 12 for images of 384x384.
    pub window: usize,
    /// Probability of dropping the last residual branch, in 0..1; it grows linearly from 0 in the first. mmsegmentation: 0.3.
    pub drop_path_rate: f32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            embed_dim: 96,
            depths: [2, 2, 6, 2],
            num_heads: [3, 6, 12, 24],
            window: 7,
            drop_path_rate: 0.3,
        }
    }
}

impl Config {
    /// Swin-S.
    pub fn small() -> Self {
        Self { depths: [2, 2, 18, 2], ..Self::default() }
    }

    /// Swin-B.
    pub fn base() -> Self {
        Self { embed_dim: 128, num_heads: [4, 8, 16, 32], ..Self::small() }
    }

    /// Swin-L.
    pub fn large() -> Self {
        Self { embed_dim: 192, num_heads: [6, 12, 24, 48], ..Self::small() }
    }

    /// Everything that is wrong with the settings.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (stage, heads) in self.num_heads.into_iter().enumerate() {
            let channels = self.embed_dim << stage;
            if channels == 0 || heads == 0 || !channels.is_multiple_of(heads) {
                problems.push(format!("stage {stage}: {heads} heads do not divide {channels} channels"));
            }
        }
        if self.depths.contains(&0) {
            problems.push(format!("depths {:?} contain 0", self.depths));
        }
        if self.window < 2 {
            problems.push(format!("window {} is less than 2", self.window));
        }
        if !(0.0..1.0).contains(&self.drop_path_rate) {
            problems.push(format!("drop_path_rate {} is not in 0..1", self.drop_path_rate));
        }
        problems
    }

    /// The maps of the four stages.
    pub fn stages(&self) -> Vec<Stage> {
        let stage = |index| Stage { channels: self.embed_dim << index, stride: PATCH << index };
        (0..STAGES).map(stage).collect()
    }

    /// The probability of dropping a residual branch of block `index`, counted over all stages.
    fn drop_path(&self, index: usize) -> f32 {
        let last = self.depths.iter().sum::<usize>() - 1;
        if last == 0 { 0.0 } else { self.drop_path_rate * index as f32 / last as f32 }
    }
}

/// The backbone.
#[derive(Debug)]
pub struct Swin {
    projection: Conv2d,
    norm: LayerNorm,
    blocks: Vec<BlockStage>,
    stages: Vec<Stage>,
}

impl Swin {
    /// A backbone for images with `channels` channels.
    ///
    /// # Errors
    ///
    /// Whatever `vb` reports for a parameter.
    pub fn new(config: &Config, channels: usize, vb: VarBuilder) -> Result<Self> {
        let mut first = 0;
        let stages = (0..STAGES).map(|index| {
            let stage = BlockStage::new(config, index, first, &vb);
            first += config.depths[index];
            stage
        });
        let stages = stages.collect::<Result<_>>()?;
        let options = Conv2dOptions { stride: [PATCH; 2], ..Default::default() };
        let embedding = Conv2dConfig { options, ..Default::default() };
        let vb = vb.pp("patch_embed");
        Ok(Self {
            projection: Conv2d::new(channels, config.embed_dim, [PATCH; 2], embedding, vb.pp("projection"))?,
            norm: LayerNorm::new(config.embed_dim, EPS, vb.pp("norm"))?,
            blocks: stages,
            stages: config.stages(),
        })
    }
}

impl Backbone for Swin {
    fn stages(&self) -> &[Stage] {
        &self.stages
    }

    fn forward(&self, x: &Tensor, ctx: &Context) -> Result<Vec<Tensor>> {
        let map = self.projection.forward(&filled(x, PATCH)?, ctx)?;
        let mut size = size(&map)?;
        let mut x = self.norm.forward(&tokens(&map)?, ctx)?;
        let mut features = Vec::with_capacity(STAGES);
        for stage in &self.blocks {
            if let Some(merging) = &stage.merging {
                x = merging.forward(&maps(&x, size)?, ctx)?;
                size = size.map(|side| side.div_ceil(2));
            }
            for block in &stage.blocks {
                x = block.forward(&x, size, ctx)?;
            }
            features.push(maps(&stage.norm.forward(&x, ctx)?, size)?);
        }
        Ok(features)
    }
}

/// A map with zeros below and on the right, so that its sides are multiples of `step`.
fn filled(x: &Tensor, step: usize) -> Result<Tensor> {
    let [bottom, right] = size(x)?.map(|side| side.next_multiple_of(step) - side);
    match bottom + right {
        0 => Ok(x.clone()),
        _ => ops::pad2d(x, [0, bottom, 0, right], Padding::Constant(0.0)),
    }
}

/// A linear layer as transformers start it.
fn linear(inputs: usize, outputs: usize, bias: bool, vb: VarBuilder) -> Result<Linear> {
    let init = Init::Randn { mean: 0.0, stdev: 0.02 };
    Linear::new(inputs, outputs, LinearConfig { bias, init }, vb)
}

/// What halves the map in front of the blocks, the blocks, and the norm of what leaves the backbone.
#[derive(Debug)]
struct BlockStage {
    merging: Option<Merging>,
    blocks: Vec<Block>,
    norm: LayerNorm,
}

impl BlockStage {
    fn new(config: &Config, index: usize, first: usize, vb: &VarBuilder) -> Result<Self> {
        let channels = config.embed_dim << index;
        // In the reference it is the end of the stage before.
        let merging = index.checked_sub(1).map(|before| {
            Merging::new(config.embed_dim << before, vb.pp(format!("stages.{before}.downsample")))
        });
        let blocks = (0..config.depths[index]).map(|place| {
            let vb = vb.pp(format!("stages.{index}.blocks.{place}"));
            let shift = if place % 2 == 1 { config.window / 2 } else { 0 };
            let attention = Attention::new(channels, config.num_heads[index], config.window, shift, &vb)?;
            Block::new(channels, attention, config.drop_path(first + place), &vb)
        });
        Ok(Self {
            merging: merging.transpose()?,
            blocks: blocks.collect::<Result<_>>()?,
            norm: LayerNorm::new(channels, EPS, vb.pp(format!("norm{index}")))?,
        })
    }
}

/// Makes one token of four.
#[derive(Debug)]
struct Merging {
    norm: LayerNorm,
    reduction: Linear,
}

impl Merging {
    fn new(channels: usize, vb: VarBuilder) -> Result<Self> {
        Ok(Self {
            norm: LayerNorm::new(4 * channels, EPS, vb.pp("norm"))?,
            reduction: linear(4 * channels, 2 * channels, false, vb.pp("reduction"))?,
        })
    }

    /// (B, C, H, W) -> (B, ceil(H / 2) * ceil(W / 2), 2 * C)
    fn forward(&self, x: &Tensor, ctx: &Context) -> Result<Tensor> {
        let options = Conv2dOptions { stride: [2; 2], ..Default::default() };
        let windows = ops::unfold(&filled(x, 2)?, [2; 2], &options)?;
        let x = windows.transpose(1, 2)?.contiguous()?;
        self.reduction.forward(&self.norm.forward(&x, ctx)?, ctx)
    }
}

/// Attention and a feed-forward network, each behind a norm and beside a residual connection.
#[derive(Debug)]
struct Block {
    norm1: LayerNorm,
    attention: Attention,
    norm2: LayerNorm,
    layers: [Linear; 2],
    drop_path: DropPath,
}

impl Block {
    fn new(channels: usize, attention: Attention, drop_path: f32, vb: &VarBuilder) -> Result<Self> {
        let hidden = MLP_RATIO * channels;
        Ok(Self {
            norm1: LayerNorm::new(channels, EPS, vb.pp("norm1"))?,
            attention,
            norm2: LayerNorm::new(channels, EPS, vb.pp("norm2"))?,
            layers: [
                linear(channels, hidden, true, vb.pp("ffn.layers.0.0"))?,
                linear(hidden, channels, true, vb.pp("ffn.layers.1"))?,
            ],
            drop_path: DropPath::new(drop_path),
        })
    }

    fn forward(&self, x: &Tensor, size: [usize; 2], ctx: &Context) -> Result<Tensor> {
        let attended = self.attention.forward(&maps(&self.norm1.forward(x, ctx)?, size)?, ctx)?;
        let x = (x + self.drop_path.forward(&attended, ctx)?)?;
        let hidden = ops::gelu(&self.layers[0].forward(&self.norm2.forward(&x, ctx)?, ctx)?)?;
        let mixed = self.layers[1].forward(&hidden, ctx)?;
        Ok((&x + self.drop_path.forward(&mixed, ctx)?)?)
    }
}

/// Attention within windows.
#[derive(Debug)]
struct Attention {
    heads: usize,
    window: usize,
    /// By how many tokens the windows are moved to the bottom right; 0 in every first block of two.
    shift: usize,
    /// A score for each way from a token to another one, and head: ((2 * window - 1)^2, heads).
    bias: Tensor,
    /// Which of these belongs to each pair of tokens: (window^4) in u32.
    places: Tensor,
    qkv: Linear,
    output: Linear,
}

impl Attention {
    fn new(channels: usize, heads: usize, window: usize, shift: usize, vb: &VarBuilder) -> Result<Self> {
        let vb = vb.pp("attn.w_msa");
        let side = 2 * window - 1;
        let init = Init::Randn { mean: 0.0, stdev: 0.02 };
        let at = |token: usize| (token / window, token % window);
        let places = (0..window.pow(4)).map(|pair| {
            let ((row, column), (other_row, other_column)) =
                (at(pair / (window * window)), at(pair % (window * window)));
            ((row + window - 1 - other_row) * side + column + window - 1 - other_column) as u32
        });
        Ok(Self {
            heads,
            window,
            shift,
            bias: vb.get_with_hints((side * side, heads), "relative_position_bias_table", init)?,
            places: Tensor::from_iter(places, vb.device())?,
            qkv: linear(channels, 3 * channels, true, vb.pp("qkv"))?,
            output: linear(channels, channels, true, vb.pp("proj"))?,
        })
    }

    /// (B, C, H, W) -> (B, H * W, C)
    fn forward(&self, x: &Tensor, ctx: &Context) -> Result<Tensor> {
        let [height, width] = size(x)?;
        let mut x = filled(x, self.window)?;
        let [rows, columns] = size(&x)?;
        if self.shift > 0 {
            x = rolled(&x, [self.shift; 2])?;
        }
        let (batch, channels, ..) = x.dims4()?;
        let (down, across, window) = (rows / self.window, columns / self.window, self.window);
        let (windows, area) = (batch * down * across, window * window);
        // (B, C, down * window, across * window) -> (B * down * across, window * window, C)
        let split = x.reshape(&[batch, channels, down, window, across, window][..])?;
        let x = split.permute([0, 2, 4, 3, 5, 1])?.contiguous()?.reshape((windows, area, channels))?;
        // (N, T, 3 * C) -> three of (N, heads, T, C / heads)
        let qkv =
            self.qkv.forward(&x, ctx)?.reshape((windows, area, 3, self.heads, channels / self.heads))?;
        let part = |index| qkv.narrow(2, index, 1)?.squeeze(2)?.transpose(1, 2)?.contiguous();
        let scale = (channels as f64 / self.heads as f64).powf(-0.5);
        let bias = self.scores([down, across], ctx)?;
        let x = ops::attention(&part(0)?, &part(1)?, &part(2)?, Some(&bias), scale, ctx)?;
        let x = self.output.forward(&x.transpose(1, 2)?.reshape((windows, area, channels))?, ctx)?;
        // (B * down * across, window * window, C) -> (B, C, down * window, across * window)
        let split = x.reshape(&[batch, down, across, window, window, channels][..])?;
        let mut x =
            split.permute([0, 5, 1, 3, 2, 4])?.contiguous()?.reshape((batch, channels, rows, columns))?;
        if self.shift > 0 {
            x = rolled(&x, [rows, columns].map(|side| side - self.shift))?;
        }
        tokens(&x.narrow(2, 0, height)?.narrow(3, 0, width)?.contiguous()?)
    }

    /// What is added to the scores of each pair of tokens: `(1 or windows, heads, T, T)`.
    fn scores(&self, [down, across]: [usize; 2], ctx: &Context) -> Result<Tensor> {
        let area = self.window * self.window;
        let bias = ops::index_select(&ctx.parameter(&self.bias), &self.places, 0)?;
        let bias = bias.t()?.contiguous()?.reshape((1, self.heads, area, area))?;
        if self.shift == 0 {
            return Ok(bias);
        }
        // Windows at the far edges hold what moved there from the near ones: tokens look at those of their own region only.
        let region = |place: usize, windows: usize| {
            let end = windows * self.window;
            usize::from(place >= end - self.window) + usize::from(place >= end - self.shift)
        };
        let mut mask = Vec::with_capacity(down * across * area * area);
        for index in 0..down * across {
            let regions: Vec<_> = (0..area)
                .map(|token| {
                    let row = index / across * self.window + token / self.window;
                    let column = index % across * self.window + token % self.window;
                    (region(row, down), region(column, across))
                })
                .collect();
            let pairs = regions.iter().flat_map(|a| regions.iter().map(move |b| a == b));
            mask.extend(pairs.map(|same| if same { 0.0 } else { FORBIDDEN }));
        }
        let mask = Tensor::from_vec(mask, (down * across, 1, area, area), bias.device())?;
        Ok(bias.broadcast_add(&mask.to_dtype(bias.dtype())?)?)
    }
}

/// A map whose first rows and columns, as many as `by` says, have moved to its end.
fn rolled(x: &Tensor, by: [usize; 2]) -> Result<Tensor> {
    let mut x = x.clone();
    for (by, dim) in by.into_iter().zip([2, 3]) {
        let side = x.dim(dim)?;
        x = Tensor::cat(&[x.narrow(dim, by, side - by)?, x.narrow(dim, 0, by)?], dim)?;
    }
    Ok(x)
}
