//! Mix Transformer (MiT), the encoder of SegFormer (Xie et al., NeurIPS 2021), <https://arxiv.org/abs/2105.15203>.
//!
//! Four stages, each an overlapping patch embedding, transformer blocks whose attention reads a spatially reduced map, and a
//! norm. Tensor names follow transformers 4.57.6 `SegformerEncoder`. Differences from the paper and the references: none; they
//! disagree with each other in the epsilon of LayerNorm, which is a setting.

use candle_core::{D, Tensor};
use candle_nn::VarBuilder;
use segbench_nn::layers::{Conv2d, Conv2dConfig, DropPath, Dropout, LayerNorm, Linear, LinearConfig};
use segbench_nn::ops::{self, Conv2dOptions};
use segbench_nn::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::features::{Backbone, Stage};

/// Stages of the encoder.
pub const STAGES: usize = 4;
/// Side of the window of each stage's patch embedding.
const PATCH_SIZES: [usize; STAGES] = [7, 3, 3, 3];
/// Steps between the windows of each stage's patch embedding.
const STRIDES: [usize; STAGES] = [4, 2, 2, 2];

/// Settings of a Mix Transformer; the default is MiT-B0. Each list has one value per stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Channels.
    pub embed_dims: [usize; STAGES],
    /// Transformer blocks, at least 1.
    pub depths: [usize; STAGES],
    /// Attention heads; they divide the channels.
    pub num_heads: [usize; STAGES],
    /// How much smaller each side of the map is that keys and values come from; 1 for no reduction.
    pub sr_ratios: [usize; STAGES],
    /// Channels inside the feed-forward network, as a multiple of the stage's channels.
    pub mlp_ratios: [usize; STAGES],
    /// Added to the variance in every LayerNorm. Hugging Face: 1e-5, mmsegmentation: 1e-6.
    pub layer_norm_eps: f64,
    /// Probability of dropping an element behind a projection, in 0..1. Paper: 0.
    pub drop_rate: f32,
    /// Probability of dropping an attention weight, in 0..1. Paper: 0.
    pub attn_drop_rate: f32,
    /// Probability of dropping the last residual branch, in 0..1; it grows linearly from 0 in the first. Paper: 0.1.
    pub drop_path_rate: f32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            embed_dims: [32, 64, 160, 256],
            depths: [2; STAGES],
            num_heads: [1, 2, 5, 8],
            sr_ratios: [8, 4, 2, 1],
            mlp_ratios: [4; STAGES],
            layer_norm_eps: 1e-5,
            drop_rate: 0.0,
            attn_drop_rate: 0.0,
            drop_path_rate: 0.1,
        }
    }
}

impl Config {
    /// Everything that is wrong with the settings.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for stage in 0..STAGES {
            let (dim, heads) = (self.embed_dims[stage], self.num_heads[stage]);
            if dim == 0 || heads == 0 || dim % heads != 0 {
                problems.push(format!("stage {stage}: {heads} heads do not divide {dim} channels"));
            }
            if self.depths[stage] == 0 || self.sr_ratios[stage] == 0 || self.mlp_ratios[stage] == 0 {
                problems.push(format!("stage {stage}: depth, reduction and MLP ratio must be at least 1"));
            }
        }
        for (name, rate) in [
            ("drop_rate", self.drop_rate),
            ("attn_drop_rate", self.attn_drop_rate),
            ("drop_path_rate", self.drop_path_rate),
        ] {
            if !(0.0..1.0).contains(&rate) {
                problems.push(format!("{name} {rate} is not in 0..1"));
            }
        }
        if !(self.layer_norm_eps > 0.0 && self.layer_norm_eps.is_finite()) {
            problems.push(format!("layer_norm_eps {} is not positive", self.layer_norm_eps));
        }
        problems
    }

    /// The maps of the four stages.
    pub fn stages(&self) -> Vec<Stage> {
        let mut stride = 1;
        let stages = self.embed_dims.iter().zip(STRIDES).map(|(&channels, step)| {
            stride *= step;
            Stage { channels, stride }
        });
        stages.collect()
    }

    /// The smallest height and width of an image for which no stage reduces its map to nothing.
    pub fn smallest_input(&self) -> usize {
        let mut stride = 1;
        let sides = STRIDES.iter().zip(self.sr_ratios).map(|(step, reduction)| {
            stride *= step;
            stride * reduction
        });
        sides.max().unwrap_or(1)
    }

    /// The probability of dropping a residual branch of block `index`, counted over all stages.
    fn drop_path(&self, index: usize) -> f32 {
        let last = self.depths.iter().sum::<usize>() - 1;
        if last == 0 { 0.0 } else { self.drop_path_rate * index as f32 / last as f32 }
    }
}

/// The encoder.
#[derive(Debug)]
pub struct MixTransformer {
    blocks: Vec<BlockStage>,
    stages: Vec<Stage>,
    smallest_input: usize,
}

impl MixTransformer {
    /// An encoder of images with `channels` channels.
    ///
    /// # Errors
    ///
    /// Whatever `vb` reports for a parameter.
    pub fn new(config: &Config, channels: usize, vb: VarBuilder) -> Result<Self> {
        let mut first = 0;
        let stages = (0..STAGES).map(|index| {
            let inputs = if index == 0 { channels } else { config.embed_dims[index - 1] };
            let stage = BlockStage::new(config, index, inputs, first, &vb);
            first += config.depths[index];
            stage
        });
        Ok(Self {
            blocks: stages.collect::<Result<_>>()?,
            stages: config.stages(),
            smallest_input: config.smallest_input(),
        })
    }
}

impl Backbone for MixTransformer {
    fn stages(&self) -> &[Stage] {
        &self.stages
    }

    fn smallest_input(&self) -> usize {
        self.smallest_input
    }

    fn forward(&self, x: &Tensor, ctx: &Context) -> Result<Vec<Tensor>> {
        let mut features: Vec<Tensor> = Vec::with_capacity(STAGES);
        for stage in &self.blocks {
            features.push(stage.forward(features.last().unwrap_or(x), ctx)?);
        }
        Ok(features)
    }
}

/// Patch embedding, blocks, norm.
#[derive(Debug)]
struct BlockStage {
    projection: Conv2d,
    embedding_norm: LayerNorm,
    blocks: Vec<Block>,
    norm: LayerNorm,
}

impl BlockStage {
    fn new(
        config: &Config,
        index: usize,
        inputs: usize,
        first_block: usize,
        vb: &VarBuilder,
    ) -> Result<Self> {
        let (dim, eps) = (config.embed_dims[index], config.layer_norm_eps);
        let (size, stride) = (PATCH_SIZES[index], STRIDES[index]);
        let options = Conv2dOptions { stride: [stride; 2], ..Conv2dOptions::padded(size / 2) };
        let embedding = vb.pp(format!("patch_embeddings.{index}"));
        let blocks = (0..config.depths[index]).map(|block| {
            Block::new(
                config,
                index,
                config.drop_path(first_block + block),
                &vb.pp(format!("block.{index}.{block}")),
            )
        });
        Ok(Self {
            projection: Conv2d::new(inputs, dim, [size; 2], with(options), embedding.pp("proj"))?,
            embedding_norm: LayerNorm::new(dim, eps, embedding.pp("layer_norm"))?,
            blocks: blocks.collect::<Result<_>>()?,
            norm: LayerNorm::new(dim, eps, vb.pp(format!("layer_norm.{index}")))?,
        })
    }

    fn forward(&self, x: &Tensor, ctx: &Context) -> Result<Tensor> {
        let map = self.projection.forward(x, ctx)?;
        let (_, _, h, w) = map.dims4()?;
        let mut x = self.embedding_norm.forward(&tokens(&map)?, ctx)?;
        for block in &self.blocks {
            x = block.forward(&x, [h, w], ctx)?;
        }
        maps(&self.norm.forward(&x, ctx)?, [h, w])
    }
}

/// Attention and Mix-FFN, each behind a norm and beside a residual connection.
#[derive(Debug)]
struct Block {
    norm1: LayerNorm,
    attention: Attention,
    norm2: LayerNorm,
    mlp: MixFfn,
    drop_path: DropPath,
}

impl Block {
    fn new(config: &Config, stage: usize, drop_path: f32, vb: &VarBuilder) -> Result<Self> {
        let (dim, eps) = (config.embed_dims[stage], config.layer_norm_eps);
        Ok(Self {
            norm1: LayerNorm::new(dim, eps, vb.pp("layer_norm_1"))?,
            attention: Attention::new(config, stage, &vb.pp("attention"))?,
            norm2: LayerNorm::new(dim, eps, vb.pp("layer_norm_2"))?,
            mlp: MixFfn::new(config, stage, &vb.pp("mlp"))?,
            drop_path: DropPath::new(drop_path),
        })
    }

    fn forward(&self, x: &Tensor, size: [usize; 2], ctx: &Context) -> Result<Tensor> {
        let attended = self.attention.forward(&self.norm1.forward(x, ctx)?, size, ctx)?;
        let x = (x + self.drop_path.forward(&attended, ctx)?)?;
        let mixed = self.mlp.forward(&self.norm2.forward(&x, ctx)?, size, ctx)?;
        Ok((x + self.drop_path.forward(&mixed, ctx)?)?)
    }
}

/// Multi-head attention whose keys and values come from a reduced map.
#[derive(Debug)]
struct Attention {
    heads: usize,
    query: Linear,
    key: Linear,
    value: Linear,
    reduction: Option<(Conv2d, LayerNorm)>,
    output: Linear,
    /// None for the probability 0: attention without dropout needs no tensor of weights.
    attention_dropout: Option<Dropout>,
    dropout: Dropout,
}

impl Attention {
    fn new(config: &Config, stage: usize, vb: &VarBuilder) -> Result<Self> {
        let (dim, ratio) = (config.embed_dims[stage], config.sr_ratios[stage]);
        let inner = vb.pp("self");
        let linear = |vb: VarBuilder| Linear::new(dim, dim, LinearConfig::default(), vb);
        let reduction = (ratio > 1).then(|| -> Result<_> {
            let options = Conv2dOptions { stride: [ratio; 2], ..Default::default() };
            let conv = Conv2d::new(dim, dim, [ratio; 2], with(options), inner.pp("sr"))?;
            Ok((conv, LayerNorm::new(dim, config.layer_norm_eps, inner.pp("layer_norm"))?))
        });
        Ok(Self {
            heads: config.num_heads[stage],
            query: linear(inner.pp("query"))?,
            key: linear(inner.pp("key"))?,
            value: linear(inner.pp("value"))?,
            reduction: reduction.transpose()?,
            output: linear(vb.pp("output.dense"))?,
            attention_dropout: (config.attn_drop_rate > 0.0).then(|| Dropout::new(config.attn_drop_rate)),
            dropout: Dropout::new(config.drop_rate),
        })
    }

    fn forward(&self, x: &Tensor, size: [usize; 2], ctx: &Context) -> Result<Tensor> {
        let (batch, count, dim) = x.dims3()?;
        let reduced = match &self.reduction {
            Some((conv, norm)) => norm.forward(&tokens(&conv.forward(&maps(x, size)?, ctx)?)?, ctx)?,
            None => x.clone(),
        };
        let query = self.split_heads(&self.query.forward(x, ctx)?)?;
        let key = self.split_heads(&self.key.forward(&reduced, ctx)?)?;
        let value = self.split_heads(&self.value.forward(&reduced, ctx)?)?;
        let scale = (dim as f64 / self.heads as f64).powf(-0.5);
        let mixed = match &self.attention_dropout {
            None => ops::attention(&query, &key, &value, None, scale, ctx)?,
            Some(dropout) => {
                let scores = ops::matmul(&(query * scale)?, &key.t()?, ctx)?;
                let weights = dropout.forward(&ops::softmax(&scores, D::Minus1)?, ctx)?;
                ops::matmul(&weights, &value, ctx)?
            }
        };
        // (B, heads, N, C / heads) -> (B, N, C)
        let mixed = mixed.transpose(1, 2)?.reshape((batch, count, dim))?;
        self.dropout.forward(&self.output.forward(&mixed, ctx)?, ctx)
    }

    /// (B, N, C) -> (B, heads, N, C / heads)
    fn split_heads(&self, x: &Tensor) -> Result<Tensor> {
        let (batch, count, dim) = x.dims3()?;
        Ok(x.reshape((batch, count, self.heads, dim / self.heads))?.transpose(1, 2)?)
    }
}

/// The feed-forward network with a depthwise convolution inside, which tells blocks where they are.
#[derive(Debug)]
struct MixFfn {
    dense1: Linear,
    depthwise: Conv2d,
    dense2: Linear,
    dropout: Dropout,
}

impl MixFfn {
    fn new(config: &Config, stage: usize, vb: &VarBuilder) -> Result<Self> {
        let dim = config.embed_dims[stage];
        let hidden = dim * config.mlp_ratios[stage];
        let options = Conv2dOptions { groups: hidden, ..Conv2dOptions::padded(1) };
        Ok(Self {
            dense1: Linear::new(dim, hidden, LinearConfig::default(), vb.pp("dense1"))?,
            depthwise: Conv2d::new(hidden, hidden, [3; 2], with(options), vb.pp("dwconv.dwconv"))?,
            dense2: Linear::new(hidden, dim, LinearConfig::default(), vb.pp("dense2"))?,
            dropout: Dropout::new(config.drop_rate),
        })
    }

    fn forward(&self, x: &Tensor, size: [usize; 2], ctx: &Context) -> Result<Tensor> {
        let hidden = self.depthwise.forward(&maps(&self.dense1.forward(x, ctx)?, size)?, ctx)?;
        let hidden = self.dropout.forward(&tokens(&ops::gelu(&hidden)?)?, ctx)?;
        self.dropout.forward(&self.dense2.forward(&hidden, ctx)?, ctx)
    }
}

fn with(options: Conv2dOptions) -> Conv2dConfig {
    Conv2dConfig { options, ..Default::default() }
}

/// (B, C, H, W) -> (B, H * W, C)
pub(crate) fn tokens(x: &Tensor) -> Result<Tensor> {
    Ok(x.flatten_from(2)?.transpose(1, 2)?.contiguous()?)
}

/// (B, H * W, C) -> (B, C, H, W)
pub(crate) fn maps(x: &Tensor, [h, w]: [usize; 2]) -> Result<Tensor> {
    let (batch, _, channels) = x.dims3()?;
    Ok(x.transpose(1, 2)?.contiguous()?.reshape((batch, channels, h, w))?)
}
