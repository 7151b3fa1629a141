//! DeepLab v2 (Chen et al., PAMI 2018), <https://arxiv.org/abs/1606.00915>: a dilated ResNet, the sum of convolutions of several dilations,
//! and the largest score over several sizes of the image.
//!
//! Reference: kazuto1011/deeplab-pytorch at 4219467, a port of the authors' Caffe network whose checkpoints it reads; tensor names
//! follow it. Images come with red first and are turned to blue first, as these checkpoints want them. Training also looks at the
//! scores of each size. Differences from the paper: no conditional random field. Differences from the reference: scores are resized
//! to the labels and not labels to the scores; BatchNorm is trained, which the reference freezes.

use candle_core::Tensor;
use candle_nn::{Init, VarBuilder};
use segbench_nn::layers::{BatchNorm, BatchNormConfig, Conv2d, Conv2dConfig};
use segbench_nn::ops::{self, Conv2dOptions, Interpolation, PoolOptions, ResizeTo};
use segbench_nn::{Context, Result as LayerResult};
use serde::{Deserialize, Serialize};

use crate::architecture::{Architecture, Layout, Presets, Tensors, size_of};
use crate::blocks::{Window, blue_first, resize_like};
use crate::card::{ModelCard, Preprocessing, Reference};
use crate::heads::problems;
use crate::{InputSpec, Result, SegOutput, Segmentor};

static CARD: ModelCard = ModelCard {
    name: "deeplabv2",
    title: "DeepLab v2",
    year: 2018,
    paper_url: "https://arxiv.org/abs/1606.00915",
    references: &[
        Reference { project: "kazuto1011/deeplab-pytorch 4219467", path: "libs/models/msc.py MSC" },
        Reference {
            project: "kazuto1011/deeplab-pytorch 4219467",
            path: "libs/models/deeplabv2.py DeepLabV2",
        },
    ],
    preprocessing: Preprocessing::CAFFE,
    ..ModelCard::MMSEGMENTATION
};

/// Stride and dilation of each stage of the encoder.
const STEPS: [(usize, usize); 4] = [(1, 1), (2, 1), (1, 2), (1, 4)];
/// Channels of a block's result for one inside it.
const EXPANSION: usize = 4;
/// What the scores of each size and their maximum count in training: the same.
const AUXILIARY_WEIGHT: f64 = 1.0;

/// Settings of the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Blocks of each stage of the encoder. ResNet-101: 3, 4, 23, 3.
    pub depths: [usize; 4],
    /// Channels of the stem. Paper: 64.
    pub base_channels: usize,
    /// Steps between the taps of each convolution whose scores are added. Paper: 6, 12, 18, 24.
    pub dilations: Vec<usize>,
    /// Sizes at which the image is looked at beside its own, as shares of it. Paper: 0.5, 0.75.
    pub scales: Vec<f64>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            depths: [3, 4, 23, 3],
            base_channels: 64,
            dilations: vec![6, 12, 18, 24],
            scales: vec![0.5, 0.75],
        }
    }
}

/// The architecture's place in the registry.
pub(super) struct DeepLabV2;

impl Architecture for DeepLabV2 {
    type Config = Config;

    const CARD: &'static ModelCard = &CARD;
    const DEFAULT_PRESET: &'static str = "r101";
    const PRESETS: Presets<Config> = &[
        ("r101", Config::default),
        ("r50", || Config { depths: [3, 4, 6, 3], ..Default::default() }),
        ("tiny", || {
            let dilations = vec![1, 2, 3, 4];
            Config { depths: [1, 2, 1, 1], base_channels: 4, dilations, ..Default::default() }
        }),
    ];

    fn problems(config: &Config) -> Vec<String> {
        let mut problems = problems(config.base_channels, 0.0);
        if config.depths.contains(&0) {
            problems.push(format!("depths {:?} contain 0", config.depths));
        }
        if config.dilations.is_empty() || config.dilations.contains(&0) {
            problems.push(format!("dilations {:?} are empty or contain 0", config.dilations));
        }
        if !config.scales.iter().all(|scale| (0.1..=4.0).contains(scale)) {
            problems.push(format!("scales {:?} are not all in 0.1..=4", config.scales));
        }
        problems
    }

    fn build(config: &Config, io: InputSpec, vb: VarBuilder) -> Result<Box<dyn Segmentor>> {
        let vb = vb.pp("base");
        let stem = Window::new(7).stride(2);
        let stem = Unit::new(io.channels, config.base_channels, stem, vb.pp("layer1.conv1"))?;
        let mut inputs = config.base_channels;
        let mut stages = Vec::new();
        for (index, (&depth, (stride, dilation))) in config.depths.iter().zip(STEPS).enumerate() {
            let channels = config.base_channels << index;
            let blocks = (1..=depth).map(|number| {
                let shortcut = (number == 1).then_some(stride);
                let vb = vb.pp(format!("layer{}.block{number}", index + 2));
                let block = Block::new(inputs, channels, shortcut, dilation, &vb);
                inputs = channels * EXPANSION;
                block
            });
            stages.push(blocks.collect::<LayerResult<Vec<_>>>()?);
        }
        let branches = config.dilations.iter().enumerate().map(|(index, &dilation)| {
            let options = Conv2dOptions { dilation: [dilation; 2], ..Conv2dOptions::padded(dilation) };
            let init = Some(Init::Randn { mean: 0.0, stdev: 0.01 });
            let config = Conv2dConfig { options, init, ..Default::default() };
            Conv2d::new(inputs, io.classes, [3; 2], config, vb.pp(format!("aspp.c{index}")))
        });
        Ok(Box::new(Network {
            stem,
            branches: branches.collect::<LayerResult<_>>()?,
            stages,
            scales: config.scales.clone(),
            io,
        }))
    }

    fn layouts() -> &'static [Layout] {
        &[]
    }

    fn recognize(config: Config, tensors: &Tensors) -> Result<(Config, InputSpec), String> {
        let classes = size_of(tensors, "base.aspp.c0.weight", 0)?;
        let channels = size_of(tensors, "base.layer1.conv1.conv.weight", 1)?;
        Ok((config, InputSpec { classes, channels }))
    }
}

/// A convolution and BatchNorm, whose statistics follow the batches slowly.
#[derive(Debug)]
struct Unit {
    conv: Conv2d,
    norm: BatchNorm,
}

impl Unit {
    fn new(inputs: usize, outputs: usize, window: Window, vb: VarBuilder) -> LayerResult<Self> {
        let norm = BatchNormConfig { momentum: 0.001, ..Default::default() };
        Ok(Self {
            conv: window.conv(inputs, outputs, 1, vb.pp("conv"))?,
            norm: BatchNorm::new(outputs, norm, vb.pp("bn"))?,
        })
    }

    fn forward(&self, x: &Tensor, ctx: &Context) -> LayerResult<Tensor> {
        self.norm.forward(&self.conv.forward(x, ctx)?, ctx)
    }
}

/// Three convolutions beside a shortcut; the first one strides, as in Caffe's ResNet.
#[derive(Debug)]
struct Block {
    units: [Unit; 3],
    shortcut: Option<Unit>,
}

impl Block {
    /// `shortcut` is the stride of a block whose shortcut has a convolution.
    fn new(
        inputs: usize,
        channels: usize,
        shortcut: Option<usize>,
        dilation: usize,
        vb: &VarBuilder,
    ) -> LayerResult<Self> {
        let outputs = channels * EXPANSION;
        let first = Window::new(1).stride(shortcut.unwrap_or(1));
        let wide = Window::new(3).dilation(dilation);
        let shortcut = shortcut.map(|_| Unit::new(inputs, outputs, first, vb.pp("shortcut")));
        Ok(Self {
            units: [
                Unit::new(inputs, channels, first, vb.pp("reduce"))?,
                Unit::new(channels, channels, wide, vb.pp("conv3x3"))?,
                Unit::new(channels, outputs, Window::new(1), vb.pp("increase"))?,
            ],
            shortcut: shortcut.transpose()?,
        })
    }

    fn forward(&self, x: &Tensor, ctx: &Context) -> LayerResult<Tensor> {
        let [reduce, wide, increase] = &self.units;
        let y = ops::relu(&reduce.forward(x, ctx)?)?;
        let y = increase.forward(&ops::relu(&wide.forward(&y, ctx)?)?, ctx)?;
        let shortcut = match &self.shortcut {
            Some(unit) => unit.forward(x, ctx)?,
            None => x.clone(),
        };
        ops::relu(&(y + shortcut)?)
    }
}

/// The network.
#[derive(Debug)]
struct Network {
    stem: Unit,
    stages: Vec<Vec<Block>>,
    branches: Vec<Conv2d>,
    scales: Vec<f64>,
    io: InputSpec,
}

impl Network {
    /// The maps of the encoder's stages.
    fn encode(&self, x: &Tensor, ctx: &Context) -> LayerResult<Vec<Tensor>> {
        let x = ops::relu(&self.stem.forward(x, ctx)?)?;
        let window =
            PoolOptions { stride: [2; 2], padding: [1; 2], ceil_mode: true, ..PoolOptions::new([3; 2]) };
        let mut x = ops::max_pool2d(&x, &window)?;
        let mut maps = Vec::with_capacity(self.stages.len());
        for blocks in &self.stages {
            x = blocks.iter().try_fold(x, |x, block| block.forward(&x, ctx))?;
            maps.push(x.clone());
        }
        Ok(maps)
    }

    /// The scores of an encoded image.
    fn score(&self, maps: &[Tensor], ctx: &Context) -> LayerResult<Tensor> {
        let last = &maps[maps.len() - 1];
        let mut sum = self.branches[0].forward(last, ctx)?;
        for branch in &self.branches[1..] {
            sum = (sum + branch.forward(last, ctx)?)?;
        }
        Ok(sum)
    }
}

impl Segmentor for Network {
    fn forward(&self, input: &Tensor, ctx: &Context) -> Result<SegOutput> {
        self.io.check(CARD.title, 1, input)?;
        let input = blue_first(input)?;
        let maps = self.encode(&input, ctx)?;
        maps.iter().enumerate().for_each(|(index, map)| ctx.record(&format!("backbone.{index}"), map));
        let mut all = vec![self.score(&maps, ctx)?];
        for &scale in &self.scales {
            let to = ResizeTo::Factor([scale; 2]);
            let small = ops::resize(&input, to, Interpolation::Bilinear { align_corners: false })?;
            all.push(self.score(&self.encode(&small, ctx)?, ctx)?);
        }
        let mut logits = all[0].clone();
        for scores in &all[1..] {
            logits = logits.maximum(&resize_like(scores, &all[0], false)?)?;
        }
        ctx.record("head", &logits);
        let auxiliary = if ctx.is_training() { all } else { Vec::new() };
        Ok(SegOutput { auxiliary, ..logits.into() })
    }

    fn align_corners(&self) -> bool {
        false
    }

    fn auxiliary_weight(&self) -> f64 {
        AUXILIARY_WEIGHT
    }
}
