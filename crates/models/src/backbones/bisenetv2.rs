//! The two branches of BiSeNet V2 (Yu et al., IJCV 2021), <https://arxiv.org/abs/2004.02147>: a shallow and wide one for detail, a
//! deep and narrow one for meaning, and the layer that joins them.
//!
//! Reference: mmsegmentation 1.2.2 `models/backbones/bisenetv2.py`, whose tensor names it has. Differences from the reference: none.

use candle_core::Tensor;
use candle_nn::VarBuilder;
use segbench_nn::layers::{BatchNorm, Conv2d};
use segbench_nn::ops::{self, PoolOptions};
use segbench_nn::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::blocks::{ConvBlock, SeparableBlock, Window, batch_norm, resize_like, sigmoid};
use crate::features::{Backbone, Stage};

/// Settings of the backbone; the default is the paper's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Channels of the stages of the detail branch. Paper: 64, 64, 128.
    pub detail_channels: [usize; 3],
    /// Channels of the stages of the semantic branch, the last as many as in the detail branch. Paper: 16, 32, 64, 128.
    pub semantic_channels: [usize; 4],
    /// By how much a gather-and-expansion layer widens inside. Paper: 6.
    pub expansion_ratio: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { detail_channels: [64, 64, 128], semantic_channels: [16, 32, 64, 128], expansion_ratio: 6 }
    }
}

impl Config {
    /// Below 200,000 parameters, for tests.
    pub fn tiny() -> Self {
        Self { detail_channels: [8, 10, 16], semantic_channels: [4, 8, 12, 16], expansion_ratio: 6 }
    }

    /// Everything that is wrong with the settings.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let channels = [&self.detail_channels[..], &self.semantic_channels[..]].concat();
        if channels.contains(&0) || self.expansion_ratio == 0 || !self.semantic_channels[0].is_multiple_of(2)
        {
            problems.push(format!("{self:?} contains 0, or an odd first stage of the semantic branch"));
        }
        if self.detail_channels[2] != self.semantic_channels[3] {
            problems.push(format!(
                "the branches end with {} and {} channels, expected as many",
                self.detail_channels[2], self.semantic_channels[3]
            ));
        }
        problems
    }

    /// The joined map, and those of the semantic branch.
    pub fn stages(&self) -> Vec<Stage> {
        let joined = Stage { channels: self.detail_channels[2], stride: 8 };
        let semantic = self.semantic_channels.into_iter().zip(2..);
        let semantic = semantic.map(|(channels, power)| Stage { channels, stride: 1 << power });
        [joined].into_iter().chain(semantic).collect()
    }
}

/// The backbone.
#[derive(Debug)]
pub struct BiSeNetV2 {
    detail: Vec<ConvBlock>,
    stem: Stem,
    /// Behind the stem.
    semantic: Vec<Vec<GatherExpand>>,
    context: ContextEmbedding,
    join: Aggregation,
    stages: Vec<Stage>,
}

impl BiSeNetV2 {
    /// A backbone for images with `channels` channels.
    ///
    /// # Errors
    ///
    /// Whatever `vb` reports for a parameter.
    pub fn new(config: &Config, channels: usize, vb: VarBuilder) -> Result<Self> {
        let (semantic, last) = (vb.pp("semantic"), config.semantic_channels[3]);
        let layers = |index: usize| -> Result<Vec<GatherExpand>> {
            let outputs = config.semantic_channels[index];
            let count = if index == 3 { 4 } else { 2 };
            let layer = |place: usize| {
                let inputs = if place == 0 { config.semantic_channels[index - 1] } else { outputs };
                let vb = semantic.pp(format!("stage{}.{place}", index + 1));
                GatherExpand::new(inputs, outputs, config.expansion_ratio, vb)
            };
            (0..count).map(layer).collect()
        };
        Ok(Self {
            detail: detail(config, channels, &vb.pp("detail.detail_branch"))?,
            stem: Stem::new(channels, config.semantic_channels[0], semantic.pp("stage1"))?,
            semantic: (1..4).map(layers).collect::<Result<_>>()?,
            context: ContextEmbedding::new(last, semantic.pp("stage4_CEBlock"))?,
            join: Aggregation::new(last, vb.pp("bga"))?,
            stages: config.stages(),
        })
    }
}

impl Backbone for BiSeNetV2 {
    fn stages(&self) -> &[Stage] {
        &self.stages
    }

    fn forward(&self, x: &Tensor, ctx: &Context) -> Result<Vec<Tensor>> {
        let detail = self.detail.iter().try_fold(x.clone(), |x, block| block.forward(&x, ctx))?;
        let mut x = self.stem.forward(x, ctx)?;
        let mut maps = vec![x.clone()];
        for layers in &self.semantic {
            x = layers.iter().try_fold(x, |x, layer| layer.forward(&x, ctx))?;
            maps.push(x.clone());
        }
        let context = self.context.forward(&x, ctx)?;
        maps.insert(0, self.join.forward(&detail, &context, ctx)?);
        Ok(maps)
    }
}

/// Two, three and three convolutions, the first of each stage with stride 2.
fn detail(config: &Config, channels: usize, vb: &VarBuilder) -> Result<Vec<ConvBlock>> {
    let mut inputs = channels;
    let mut blocks = Vec::new();
    for (index, (outputs, count)) in config.detail_channels.into_iter().zip([2, 3, 3]).enumerate() {
        for place in 0..count {
            let window = Window::new(3).stride(if place == 0 { 2 } else { 1 });
            blocks.push(ConvBlock::new(inputs, outputs, window, vb.pp(format!("{index}.{place}")))?);
            inputs = outputs;
        }
    }
    Ok(blocks)
}

/// Halves the image twice, the second time by convolutions and by pooling.
#[derive(Debug)]
struct Stem {
    first: ConvBlock,
    convs: [ConvBlock; 2],
    fuse: ConvBlock,
}

impl Stem {
    fn new(inputs: usize, outputs: usize, vb: VarBuilder) -> Result<Self> {
        let block =
            |inputs, outputs, window, name: &str| ConvBlock::new(inputs, outputs, window, vb.pp(name));
        let (square, half) = (Window::new(3), outputs / 2);
        Ok(Self {
            first: block(inputs, outputs, square.stride(2), "conv_first")?,
            convs: [
                block(outputs, half, Window::new(1), "convs.0")?,
                block(half, outputs, square.stride(2), "convs.1")?,
            ],
            fuse: block(2 * outputs, outputs, square, "fuse_last")?,
        })
    }

    fn forward(&self, x: &Tensor, ctx: &Context) -> Result<Tensor> {
        let x = self.first.forward(x, ctx)?;
        let convolved = self.convs.iter().try_fold(x.clone(), |x, block| block.forward(&x, ctx))?;
        let options = PoolOptions { stride: [2; 2], padding: [1; 2], ..PoolOptions::new([3; 2]) };
        self.fuse.forward(&Tensor::cat(&[convolved, ops::max_pool2d(&x, &options)?], 1)?, ctx)
    }
}

/// The gather-and-expansion layer. One with other outputs than inputs, which begins a stage, has stride 2.
#[derive(Debug)]
struct GatherExpand {
    gather: ConvBlock,
    expand: Vec<ConvBlock>,
    project: ConvBlock,
    shortcut: Option<SeparableBlock>,
}

impl GatherExpand {
    fn new(inputs: usize, outputs: usize, ratio: usize, vb: VarBuilder) -> Result<Self> {
        let (square, inner) = (Window::new(3), inputs * ratio);
        let expand = |index: usize, inputs, window| {
            ConvBlock::grouped(inputs, inner, window, inputs, vb.pp(format!("dwconv.{index}")))
        };
        let strided = square.stride(2);
        let begins = inputs != outputs;
        let shortcut = begins.then(|| {
            SeparableBlock::new(inputs, outputs, strided, vb.pp("shortcut.0"))
                .map(SeparableBlock::without_relu)
        });
        Ok(Self {
            gather: ConvBlock::new(inputs, inputs, square, vb.pp("conv1"))?,
            expand: if begins {
                vec![expand(0, inputs, strided)?.without_relu(), expand(1, inner, square)?]
            } else {
                vec![expand(0, inputs, square)?]
            },
            project: ConvBlock::new(inner, outputs, Window::new(1), vb.pp("conv2.0"))?.without_relu(),
            shortcut: shortcut.transpose()?,
        })
    }

    fn forward(&self, x: &Tensor, ctx: &Context) -> Result<Tensor> {
        let gathered = self.gather.forward(x, ctx)?;
        let expanded = self.expand.iter().try_fold(gathered, |x, block| block.forward(&x, ctx))?;
        let shortcut = match &self.shortcut {
            Some(block) => block.forward(x, ctx)?,
            None => x.clone(),
        };
        ops::relu(&(self.project.forward(&expanded, ctx)? + shortcut)?)
    }
}

/// Adds what the whole map says to every pixel.
#[derive(Debug)]
struct ContextEmbedding {
    norm: BatchNorm,
    global: ConvBlock,
    last: ConvBlock,
}

impl ContextEmbedding {
    fn new(channels: usize, vb: VarBuilder) -> Result<Self> {
        Ok(Self {
            norm: batch_norm(channels, vb.pp("gap.1"))?,
            global: ConvBlock::new(channels, channels, Window::new(1), vb.pp("conv_gap"))?,
            last: ConvBlock::new(channels, channels, Window::new(3), vb.pp("conv_last"))?,
        })
    }

    fn forward(&self, x: &Tensor, ctx: &Context) -> Result<Tensor> {
        let mean = self.norm.forward(&ops::adaptive_avg_pool2d(x, [1, 1])?, ctx)?;
        self.last.forward(&x.broadcast_add(&self.global.forward(&mean, ctx)?)?, ctx)
    }
}

/// Bilateral guided aggregation: each branch weights the other.
#[derive(Debug)]
struct Aggregation {
    detail: (ConvBlock, Conv2d),
    detail_down: ConvBlock,
    semantic_up: ConvBlock,
    semantic: (ConvBlock, Conv2d),
    conv: ConvBlock,
}

impl Aggregation {
    fn new(channels: usize, vb: VarBuilder) -> Result<Self> {
        let square = Window::new(3);
        let block = |window, name: &str| ConvBlock::new(channels, channels, window, vb.pp(name));
        let separable = |name: &str| {
            let vb = vb.pp(name);
            let depthwise =
                ConvBlock::grouped(channels, channels, square, channels, vb.pp("depthwise_conv"))?;
            let pointwise = Window::new(1).biased(channels, channels, vb.pp("pointwise_conv.conv"))?;
            Ok::<_, segbench_nn::Error>((depthwise.without_relu(), pointwise))
        };
        Ok(Self {
            detail: separable("detail_dwconv.0")?,
            detail_down: block(square.stride(2), "detail_down.0")?.without_relu(),
            semantic_up: block(square, "semantic_conv.0")?.without_relu(),
            semantic: separable("semantic_dwconv.0")?,
            conv: block(square, "conv")?,
        })
    }

    fn forward(&self, detail: &Tensor, semantic: &Tensor, ctx: &Context) -> Result<Tensor> {
        let separable = |(depthwise, pointwise): &(ConvBlock, Conv2d), x| {
            pointwise.forward(&depthwise.forward(x, ctx)?, ctx)
        };
        let large = separable(&self.detail, detail)?;
        let guide = resize_like(&self.semantic_up.forward(semantic, ctx)?, &large, false)?;
        let large = (large * sigmoid(&guide)?)?;
        let options = PoolOptions { stride: [2; 2], padding: [1; 2], ..PoolOptions::new([3; 2]) };
        let small = ops::avg_pool2d(&self.detail_down.forward(detail, ctx)?, &options, true)?;
        let small = (small * sigmoid(&separable(&self.semantic, semantic)?)?)?;
        self.conv.forward(&(&large + resize_like(&small, &large, false)?)?, ctx)
    }
}
