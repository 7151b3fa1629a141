//! DeepLab v1 with a large field of view (Chen et al., ICLR 2015), <https://arxiv.org/abs/1412.7062>: VGG-16 whose last poolings do not
//! stride, and one dilated convolution in place of its first fully connected layer.
//!
//! Reference: wangleihitcs/DeepLab-V1-PyTorch at 950b489, whose tensor names it has. Images come with red first and are turned to
//! blue first, as its checkpoints want them. Differences from the paper: whole channels are dropped, as in the reference, and there
//! is no conditional random field behind the network. Differences from the reference: none.

use candle_core::Tensor;
use candle_nn::{Init, VarBuilder};
use segbench_nn::Context;
use segbench_nn::layers::{Conv2d, Conv2dConfig, Dropout2d};
use segbench_nn::ops::{self, Conv2dOptions, PoolOptions};
use serde::{Deserialize, Serialize};

use crate::architecture::{Architecture, Layout, Presets, Tensors, size_of};
use crate::backbones::vgg::{self, Vgg};
use crate::blocks::blue_first;
use crate::card::{ModelCard, Preprocessing, Reference};
use crate::heads::problems;
use crate::{InputSpec, Result, SegOutput, Segmentor};

static CARD: ModelCard = ModelCard {
    name: "deeplabv1",
    title: "DeepLab v1",
    year: 2015,
    paper_url: "https://arxiv.org/abs/1412.7062",
    references: &[Reference {
        project: "wangleihitcs/DeepLab-V1-PyTorch 950b489",
        path: "nets/vgg.py VGG16_LargeFOV",
    }],
    preprocessing: Preprocessing::CAFFE,
    ..ModelCard::MMSEGMENTATION
};

/// Numbers in the reference's sequence of layers: the first convolution of each block, and the three behind the encoder.
const BLOCKS: [usize; 5] = [0, 5, 10, 17, 24];
const LAYERS: [usize; 3] = [32, 35, 38];

/// Settings of the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Channels of the first block of VGG. Paper: 64.
    pub base_channels: usize,
    /// Channels of the layers behind VGG. Paper: 1024.
    pub hidden_channels: usize,
    /// Steps between the taps of the first of them. Paper: 12.
    pub dilation: usize,
    /// Probability of dropping a channel behind each of them, in 0..1. Paper: 0.5.
    pub drop_rate: f32,
}

impl Default for Config {
    fn default() -> Self {
        Self { base_channels: 64, hidden_channels: 1024, dilation: 12, drop_rate: 0.5 }
    }
}

/// The architecture's place in the registry.
pub(super) struct DeepLabV1;

impl Architecture for DeepLabV1 {
    type Config = Config;

    const CARD: &'static ModelCard = &CARD;
    const DEFAULT_PRESET: &'static str = "largefov";
    const PRESETS: Presets<Config> = &[
        ("largefov", Config::default),
        ("tiny", || Config { base_channels: 4, hidden_channels: 24, dilation: 3, ..Default::default() }),
    ];

    fn problems(config: &Config) -> Vec<String> {
        let mut problems = problems(config.hidden_channels.min(config.base_channels), config.drop_rate);
        if config.dilation == 0 {
            problems.push("dilation is 0".into());
        }
        problems
    }

    fn build(config: &Config, io: InputSpec, vb: VarBuilder) -> Result<Box<dyn Segmentor>> {
        let vb = vb.pp("features");
        let pool = |stride| PoolOptions { stride: [stride; 2], padding: [1; 2], ..PoolOptions::new([3; 2]) };
        let shape = vgg::Shape {
            base: config.base_channels,
            first_padding: 1,
            last_dilation: 2,
            pools: [2, 2, 2, 1, 1].map(pool),
        };
        let name = |block: usize, place: usize| (BLOCKS[block] + 2 * place).to_string();
        let conv = |index: usize, inputs, outputs, side, options, init| {
            let config = Conv2dConfig { options, init, ..Default::default() };
            Conv2d::new(inputs, outputs, [side; 2], config, vb.pp(LAYERS[index].to_string()))
        };
        let (hidden, dilation) = (config.hidden_channels, config.dilation);
        let wide = Conv2dOptions { dilation: [dilation; 2], ..Conv2dOptions::padded(dilation) };
        let point = Conv2dOptions::default();
        let init = Init::Randn { mean: 0.0, stdev: 0.01 };
        Ok(Box::new(Network {
            encoder: Vgg::new(&shape, io.channels, name, &vb)?,
            hidden: [
                conv(0, vgg::channels(config.base_channels)[4], hidden, 3, wide, None)?,
                conv(1, hidden, hidden, 1, point, None)?,
            ],
            dropout: Dropout2d::new(config.drop_rate),
            score: conv(2, hidden, io.classes, 1, point, Some(init))?,
            io,
        }))
    }

    fn layouts() -> &'static [Layout] {
        &[]
    }

    fn recognize(config: Config, tensors: &Tensors) -> Result<(Config, InputSpec), String> {
        let classes = size_of(tensors, "features.38.weight", 0)?;
        Ok((config, InputSpec { classes, channels: size_of(tensors, "features.0.weight", 1)? }))
    }
}

/// The network.
#[derive(Debug)]
struct Network {
    encoder: Vgg,
    hidden: [Conv2d; 2],
    dropout: Dropout2d,
    score: Conv2d,
    io: InputSpec,
}

impl Segmentor for Network {
    fn forward(&self, input: &Tensor, ctx: &Context) -> Result<SegOutput> {
        self.io.check(CARD.title, 1, input)?;
        let maps = self.encoder.forward(&blue_first(input)?, ctx)?;
        let window = PoolOptions { stride: [1; 2], padding: [1; 2], ..PoolOptions::new([3; 2]) };
        let mut x = ops::avg_pool2d(&maps[4], &window, true)?;
        for hidden in &self.hidden {
            x = self.dropout.forward(&ops::relu(&hidden.forward(&x, ctx)?)?, ctx)?;
        }
        let logits = self.score.forward(&x, ctx)?;
        ctx.record("head", &logits);
        Ok(logits.into())
    }

    fn align_corners(&self) -> bool {
        true
    }
}
