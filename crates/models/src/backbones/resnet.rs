//! ResNet (He et al., CVPR 2016), <https://arxiv.org/abs/1512.03385>, with the stems and dilations of segmentation.
//!
//! Reference: mmsegmentation 1.2.2 `models/backbones/resnet.py`, whose tensor names it has. Variants: `v1` has the paper's 7x7
//! stem; `v1c` three 3x3 convolutions in its place; `v1d` (He et al., <https://arxiv.org/abs/1812.01187>) in addition an average
//! pooling in front of every convolution that would stride on the shortcut. Differences from the reference: none.

use candle_core::Tensor;
use candle_nn::VarBuilder;
use segbench_nn::layers::{BatchNorm, Conv2d};
use segbench_nn::ops::{self, PoolOptions};
use segbench_nn::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::blocks::{Window, batch_norm};
use crate::card::Reference;
use crate::features::{Backbone, Stage};

const STAGES: usize = 4;

/// What the cards of networks on it refer to.
pub(crate) const REFERENCE: Reference = Reference::mmsegmentation("models/backbones/resnet.py ResNetV1c");

/// Settings of a ResNet; the default is the dilated ResNet-50 v1c of mmsegmentation's `r50-d8` networks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Layers by the paper's count: 18, 34, 50, 101 or 152.
    pub depth: usize,
    /// The stem and the shortcuts.
    pub variant: Variant,
    /// Pixels of the image for one step of the last map: 8, 16 or 32. Strides that are left out become dilations.
    pub output_stride: usize,
    /// Channels of the stem's result and inside the first stage. Paper: 64.
    pub base_channels: usize,
    /// Whether the first block of a dilated stage has half its dilation. mmsegmentation: yes.
    pub contract_dilation: bool,
}

/// The published variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Variant {
    /// A stem of one 7x7 convolution.
    V1,
    /// A stem of three 3x3 convolutions.
    V1c,
    /// As `v1c`, with average pooling on shortcuts that shrink the map.
    V1d,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            depth: 50,
            variant: Variant::V1c,
            output_stride: 8,
            base_channels: 64,
            contract_dilation: true,
        }
    }
}

impl Config {
    /// Below 200,000 parameters, for tests.
    pub fn tiny() -> Self {
        Self { depth: 18, base_channels: 8, ..Self::default() }
    }

    /// The same with this many layers.
    pub fn depth(self, depth: usize) -> Self {
        Self { depth, ..self }
    }

    /// The same with this many pixels of the image for one step of the last map.
    pub fn output_stride(self, output_stride: usize) -> Self {
        Self { output_stride, ..self }
    }

    /// Everything that is wrong with the settings.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.blocks().is_none() {
            problems.push(format!("depth {} is not one of 18, 34, 50, 101, 152", self.depth));
        }
        if ![8, 16, 32].contains(&self.output_stride) {
            problems.push(format!("output_stride {} is not one of 8, 16, 32", self.output_stride));
        }
        if self.base_channels < 2 || !self.base_channels.is_multiple_of(2) {
            problems.push(format!("base_channels {} is not even and positive", self.base_channels));
        }
        problems
    }

    /// Blocks of each stage.
    fn blocks(&self) -> Option<[usize; STAGES]> {
        Some(match self.depth {
            18 => [2, 2, 2, 2],
            34 | 50 => [3, 4, 6, 3],
            101 => [3, 4, 23, 3],
            152 => [3, 8, 36, 3],
            _ => return None,
        })
    }

    /// Whether blocks have three convolutions, and by how much their result has more channels.
    fn expansion(&self) -> usize {
        if self.depth < 50 { 1 } else { 4 }
    }

    /// Stride and dilation of each stage.
    fn steps(&self) -> [(usize, usize); STAGES] {
        match self.output_stride {
            8 => [(1, 1), (2, 1), (1, 2), (1, 4)],
            16 => [(1, 1), (2, 1), (2, 1), (1, 2)],
            _ => [(1, 1), (2, 1), (2, 1), (2, 1)],
        }
    }

    /// The maps of the four stages.
    pub fn stages(&self) -> Vec<Stage> {
        let mut stride = 4;
        let stages = self.steps().into_iter().enumerate().map(|(index, (step, _))| {
            stride *= step;
            Stage { channels: (self.base_channels << index) * self.expansion(), stride }
        });
        stages.collect()
    }
}

/// The backbone.
#[derive(Debug)]
pub struct ResNet {
    stem: Vec<(Conv2d, BatchNorm)>,
    layers: Vec<Vec<Block>>,
    stages: Vec<Stage>,
}

impl ResNet {
    /// A backbone for images with `channels` channels.
    ///
    /// # Errors
    ///
    /// Whatever `vb` reports for a parameter.
    pub fn new(config: &Config, channels: usize, vb: VarBuilder) -> Result<Self> {
        let base = config.base_channels;
        let stem = match config.variant {
            Variant::V1 => {
                let conv = Window::new(7).stride(2).conv(channels, base, 1, vb.pp("conv1"))?;
                vec![(conv, batch_norm(base, vb.pp("bn1"))?)]
            }
            Variant::V1c | Variant::V1d => {
                let layer = |place: usize, inputs, outputs, stride| {
                    let window = Window::new(3).stride(stride);
                    let conv = window.conv(inputs, outputs, 1, vb.pp(format!("stem.{place}")))?;
                    Ok((conv, batch_norm(outputs, vb.pp(format!("stem.{}", place + 1)))?))
                };
                let half = base / 2;
                let layers = [layer(0, channels, half, 2), layer(3, half, half, 1), layer(6, half, base, 1)];
                layers.into_iter().collect::<Result<_>>()?
            }
        };
        let mut inputs = base;
        let mut layers = Vec::new();
        for (index, (count, (stride, dilation))) in
            config.blocks().unwrap_or_default().into_iter().zip(config.steps()).enumerate()
        {
            let vb = vb.pp(format!("layer{}", index + 1));
            let blocks = (0..count).map(|place| {
                let first = place == 0;
                let contracted =
                    if first && config.contract_dilation { dilation.div_ceil(2) } else { dilation };
                let shape = BlockShape {
                    inputs,
                    channels: base << index,
                    outputs: (base << index) * config.expansion(),
                    stride: if first { stride } else { 1 },
                    dilation: contracted,
                    pools: config.variant == Variant::V1d,
                };
                inputs = shape.outputs;
                Block::new(&shape, first, vb.pp(place.to_string()))
            });
            layers.push(blocks.collect::<Result<_>>()?);
        }
        Ok(Self { stem, layers, stages: config.stages() })
    }
}

impl Backbone for ResNet {
    fn stages(&self) -> &[Stage] {
        &self.stages
    }

    fn forward(&self, x: &Tensor, ctx: &Context) -> Result<Vec<Tensor>> {
        let mut x = x.clone();
        for (conv, norm) in &self.stem {
            x = ops::relu(&norm.forward(&conv.forward(&x, ctx)?, ctx)?)?;
        }
        x = ops::max_pool2d(
            &x,
            &PoolOptions { stride: [2; 2], padding: [1; 2], ..PoolOptions::new([3; 2]) },
        )?;
        let mut maps = Vec::with_capacity(STAGES);
        for blocks in &self.layers {
            for block in blocks {
                x = block.forward(&x, ctx)?;
            }
            maps.push(x.clone());
        }
        Ok(maps)
    }
}

/// The sizes of a [`Block`].
pub(super) struct BlockShape {
    pub(super) inputs: usize,
    pub(super) channels: usize,
    /// More than `channels` in a block of three convolutions.
    pub(super) outputs: usize,
    pub(super) stride: usize,
    pub(super) dilation: usize,
    /// Whether a shortcut that shrinks the map pools instead of striding.
    pub(super) pools: bool,
}

/// Two or three convolutions beside a shortcut.
#[derive(Debug)]
pub(super) struct Block {
    convs: Vec<(Conv2d, BatchNorm)>,
    shortcut: Option<Shortcut>,
}

#[derive(Debug)]
struct Shortcut {
    /// The side of the windows that are averaged.
    pool: Option<usize>,
    conv: Conv2d,
    norm: BatchNorm,
}

impl Block {
    pub(super) fn new(shape: &BlockShape, first: bool, vb: VarBuilder) -> Result<Self> {
        let BlockShape { inputs, channels, outputs, stride, dilation, pools } = *shape;
        let strided = Window::new(3).stride(stride).dilation(dilation);
        // The second convolution of a basic block is never dilated, in the reference and so in its checkpoints.
        let windows = if outputs == channels {
            vec![(inputs, channels, strided), (channels, channels, Window::new(3))]
        } else {
            let point = Window::new(1);
            vec![(inputs, channels, point), (channels, channels, strided), (channels, outputs, point)]
        };
        let convs = windows.into_iter().zip(1..).map(|((inputs, outputs, window), number)| {
            let conv = window.conv(inputs, outputs, 1, vb.pp(format!("conv{number}")))?;
            Ok((conv, batch_norm(outputs, vb.pp(format!("bn{number}")))?))
        });
        let shortcut = (first && (stride != 1 || inputs != outputs)).then(|| {
            let window = Window::new(1).stride(if pools { 1 } else { stride });
            let place = usize::from(pools);
            Ok::<_, segbench_nn::Error>(Shortcut {
                pool: pools.then_some(stride),
                conv: window.conv(inputs, outputs, 1, vb.pp(format!("downsample.{place}")))?,
                norm: batch_norm(outputs, vb.pp(format!("downsample.{}", place + 1)))?,
            })
        });
        Ok(Self { convs: convs.collect::<Result<_>>()?, shortcut: shortcut.transpose()? })
    }

    pub(super) fn forward(&self, x: &Tensor, ctx: &Context) -> Result<Tensor> {
        let mut y = x.clone();
        for (index, (conv, norm)) in self.convs.iter().enumerate() {
            y = norm.forward(&conv.forward(&y, ctx)?, ctx)?;
            if index + 1 < self.convs.len() {
                y = ops::relu(&y)?;
            }
        }
        let shortcut = match &self.shortcut {
            Some(shortcut) => shortcut.forward(x, ctx)?,
            None => x.clone(),
        };
        ops::relu(&(y + shortcut)?)
    }
}

impl Shortcut {
    fn forward(&self, x: &Tensor, ctx: &Context) -> Result<Tensor> {
        let x = match self.pool {
            Some(side) => {
                let options = PoolOptions { ceil_mode: true, ..PoolOptions::new([side; 2]) };
                ops::avg_pool2d(x, &options, false)?
            }
            None => x.clone(),
        };
        self.norm.forward(&self.conv.forward(&x, ctx)?, ctx)
    }
}
