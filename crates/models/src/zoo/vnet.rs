//! V-Net: Fully Convolutional Neural Networks for Volumetric Medical Image Segmentation (Milletari et al., 3DV 2016),
//! <https://arxiv.org/abs/1606.04797>: convolutions of 5x5x5 voxels with residual connections, down four times and up again.
//!
//! Reference: MONAI 1.5.2 `VNet` with three dimensions, whose tensor names it has. It trains with the Dice loss of the paper unless
//! asked for another. Differences from the paper: BatchNorm and ELU in place of PReLU alone, as in the authors' code and the
//! reference. Differences from the reference: other widths than 16 (for tests and small data), and any size: sides that are no
//! multiples of 16 are filled up with zeros, the mean of a standardized volume, and the logits cut to the input's size.

use candle_core::Tensor;
use candle_nn::VarBuilder;
use segbench_losses::RecipeOptions;
use segbench_nn::layers::{
    BatchNorm, Conv3d, Conv3dConfig, ConvTranspose3d, ConvTranspose3dConfig, Dropout2d,
};
use segbench_nn::ops::{self, Conv3dOptions, ConvTransposeOptions};
use segbench_nn::{Context, Result as LayerResult};
use serde::{Deserialize, Serialize};

use crate::architecture::{Architecture, Layout, Presets, Tensors, size_of};
use crate::blocks::batch_norm;
use crate::card::{ModelCard, Reference};
use crate::{Error, Input, InputSpec, Result, SegOutput, Segmentor};

static CARD: ModelCard = ModelCard {
    name: "vnet",
    title: "V-Net",
    year: 2016,
    paper_url: "https://arxiv.org/abs/1606.04797",
    references: &[Reference { project: "MONAI 1.5.2", path: "networks/nets/vnet.py VNet" }],
    ..ModelCard::MMSEGMENTATION
};

/// The network halves each side four times.
const DIVISOR: usize = 16;
const KERNEL: usize = 5;
const ELU_ALPHA: f64 = 1.0;

/// The stages on the way down: name, and convolutions. Names carry the width that the paper's network has there.
const DOWN: [(&str, usize); 4] = [("down_tr32", 1), ("down_tr64", 2), ("down_tr128", 3), ("down_tr256", 2)];
/// The stages on the way up: name, width as a multiple of the first one's, convolutions, and whether its input is dropped.
const UP: [(&str, usize, usize, bool); 4] =
    [("up_tr256", 16, 2, true), ("up_tr128", 8, 2, true), ("up_tr64", 4, 1, false), ("up_tr32", 2, 1, false)];
/// The stages on the way down that drop channels.
const DROPPING: std::ops::Range<usize> = 2..4;

/// Settings of V-Net; the default is the paper's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Channels of the first stage, a multiple of the input's channels; each stage doubles them. Paper: 16.
    pub base_channels: usize,
    /// Probability of dropping a channel in the two deepest stages, in 0..1. Reference: 0.5.
    pub drop_rate: f32,
    /// Probability of dropping a channel of what a stage on the way up gets from the way down, in 0..1. Reference: 0.5.
    pub skip_drop_rate: f32,
}

impl Default for Config {
    fn default() -> Self {
        Self { base_channels: 16, drop_rate: 0.5, skip_drop_rate: 0.5 }
    }
}

impl Config {
    fn narrow(base_channels: usize) -> Self {
        Self { base_channels, ..Self::default() }
    }
}

/// The architecture's place in the registry.
pub(super) struct VNet;

impl Architecture for VNet {
    type Config = Config;

    const CARD: &'static ModelCard = &CARD;
    const DEFAULT_PRESET: &'static str = "base";
    const PRESETS: Presets<Config> =
        &[("base", Config::default), ("small", || Config::narrow(4)), ("tiny", || Config::narrow(1))];
    const INPUT: Input = Input::Volume;

    fn loss() -> RecipeOptions {
        let mut loss = RecipeOptions::of("dice");
        loss.0.values_mut().for_each(|term| {
            term.options.insert("squared".into(), true.into());
        });
        loss
    }

    fn problems(config: &Config) -> Vec<String> {
        let mut problems = Vec::new();
        if config.base_channels == 0 {
            problems.push("base_channels is 0".into());
        }
        for (name, rate) in [("drop_rate", config.drop_rate), ("skip_drop_rate", config.skip_drop_rate)] {
            if !(0.0..1.0).contains(&rate) {
                problems.push(format!("{name} {rate} is not in 0..1"));
            }
        }
        problems
    }

    fn build(config: &Config, io: InputSpec, vb: VarBuilder) -> Result<Box<dyn Segmentor>> {
        let base = config.base_channels;
        if !base.is_multiple_of(io.channels) {
            let problems =
                vec![format!("base_channels {base} is no multiple of {} input channels", io.channels)];
            return Err(Error::Config { model: CARD.name.into(), problems });
        }
        let mut down = Vec::new();
        for (stage, (name, convs)) in DOWN.into_iter().enumerate() {
            let drop_rate = if DROPPING.contains(&stage) { config.drop_rate } else { 0.0 };
            down.push(Down::new(base << stage, convs, drop_rate, vb.pp(name))?);
        }
        let mut up = Vec::new();
        let mut inputs = base << DOWN.len();
        for (name, width, convs, drops) in UP {
            let drop_rate = if drops { config.drop_rate } else { 0.0 };
            up.push(Up::new([inputs, width * base], convs, [drop_rate, config.skip_drop_rate], vb.pp(name))?);
            inputs = width * base;
        }
        let last = vb.pp("out_tr");
        let classify =
            Conv3d::new(io.classes, io.classes, [1; 3], Conv3dConfig::default(), last.pp("conv2"))?;
        Ok(Box::new(Network {
            first: ConvNorm::new(io.channels, base, vb.pp("in_tr.conv_block"))?,
            down,
            up,
            last: ConvNorm::new(inputs, io.classes, last.pp("conv_block"))?,
            classify,
            repeats: base / io.channels,
            io,
        }))
    }

    fn layouts() -> &'static [Layout] {
        &[]
    }

    fn recognize(mut config: Config, tensors: &Tensors) -> Result<(Config, InputSpec), String> {
        let first = "in_tr.conv_block.conv.weight";
        config.base_channels = size_of(tensors, first, 0)?;
        let channels = size_of(tensors, first, 1)?;
        Ok((config, InputSpec { classes: size_of(tensors, "out_tr.conv2.weight", 0)?, channels }))
    }
}

/// The whole network.
#[derive(Debug)]
struct Network {
    first: ConvNorm,
    down: Vec<Down>,
    up: Vec<Up>,
    last: ConvNorm,
    classify: Conv3d,
    /// How often the input is repeated beside the first convolution's channels.
    repeats: usize,
    io: InputSpec,
}

impl Segmentor for Network {
    fn forward(&self, input: &Tensor, ctx: &Context) -> Result<SegOutput> {
        let size = match *input.dims() {
            [batch, channels, depth, height, width]
                if batch * depth * height * width > 0 && channels == self.io.channels =>
            {
                [depth, height, width]
            }
            ref dims => {
                return Err(Error::Input {
                    problem: format!("V-Net cannot take an input of shape {dims:?}"),
                    help: format!("it takes (batch, {}, depth, height, width)", self.io.channels),
                });
            }
        };
        let x = filled_up(input)?;
        let copies = Tensor::cat(&vec![&x; self.repeats], 1)?;
        let mut maps = vec![elu(&(self.first.forward(&x, ctx)? + copies)?)?];
        for stage in &self.down {
            maps.push(stage.forward(&maps[maps.len() - 1], ctx)?);
        }
        maps.iter().enumerate().for_each(|(index, map)| ctx.record(&format!("backbone.{index}"), map));
        let (skips, deepest) = maps.split_at(self.down.len());
        let mut x = deepest[0].clone();
        for (index, (stage, skip)) in self.up.iter().zip(skips.iter().rev()).enumerate() {
            x = stage.forward(&x, skip, ctx)?;
            ctx.record(&format!("neck.{index}"), &x);
        }
        let mut logits = self.classify.forward(&elu(&self.last.forward(&x, ctx)?)?, ctx)?;
        for (axis, side) in size.into_iter().enumerate() {
            logits = logits.narrow(axis + 2, 0, side)?;
        }
        let logits = logits.contiguous()?;
        ctx.record("head", &logits);
        Ok(logits.into())
    }

    fn align_corners(&self) -> bool {
        false
    }
}

/// Zeros at the end of each axis, up to the next multiple of what the network halves.
fn filled_up(x: &Tensor) -> LayerResult<Tensor> {
    let mut x = x.clone();
    for axis in 2..5 {
        let side = x.dim(axis)?;
        x = x.pad_with_zeros(axis, 0, side.next_multiple_of(DIVISOR) - side)?;
    }
    Ok(x.contiguous()?)
}

fn elu(x: &Tensor) -> LayerResult<Tensor> {
    ops::elu(x, ELU_ALPHA)
}

/// A convolution that keeps the size, without bias, and BatchNorm.
#[derive(Debug)]
struct ConvNorm {
    conv: Conv3d,
    norm: BatchNorm,
}

impl ConvNorm {
    fn new(inputs: usize, outputs: usize, vb: VarBuilder) -> LayerResult<Self> {
        let config = Conv3dConfig { options: Conv3dOptions::padded(KERNEL / 2), bias: false, init: None };
        Ok(Self {
            conv: Conv3d::new(inputs, outputs, [KERNEL; 3], config, vb.pp("conv"))?,
            norm: batch_norm(outputs, vb.pp("adn.N"))?,
        })
    }

    fn forward(&self, x: &Tensor, ctx: &Context) -> LayerResult<Tensor> {
        self.norm.forward(&self.conv.forward(x, ctx)?, ctx)
    }
}

/// Convolutions with ELU whose input is added to their output.
#[derive(Debug)]
struct Residual(Vec<ConvNorm>);

impl Residual {
    fn new(channels: usize, convs: usize, vb: VarBuilder) -> LayerResult<Self> {
        let conv = |index| ConvNorm::new(channels, channels, vb.pp(format!("ops.{index}.conv_block")));
        Ok(Self((0..convs).map(conv).collect::<LayerResult<_>>()?))
    }

    /// `added` is `x`, but for channels that were dropped from it.
    fn forward(&self, x: &Tensor, added: &Tensor, ctx: &Context) -> LayerResult<Tensor> {
        let mut y = x.clone();
        for conv in &self.0 {
            y = elu(&conv.forward(&y, ctx)?)?;
        }
        elu(&(y + added)?)
    }
}

/// Halves the sides and doubles the channels.
#[derive(Debug)]
struct Down {
    halve: Conv3d,
    norm: BatchNorm,
    dropout: Dropout2d,
    convs: Residual,
}

impl Down {
    fn new(inputs: usize, convs: usize, drop_rate: f32, vb: VarBuilder) -> LayerResult<Self> {
        let outputs = 2 * inputs;
        let options = Conv3dOptions { stride: [2; 3], ..Conv3dOptions::default() };
        let config = Conv3dConfig { options, bias: false, init: None };
        Ok(Self {
            halve: Conv3d::new(inputs, outputs, [2; 3], config, vb.pp("down_conv"))?,
            norm: batch_norm(outputs, vb.pp("bn1"))?,
            dropout: Dropout2d::new(drop_rate),
            convs: Residual::new(outputs, convs, vb)?,
        })
    }

    fn forward(&self, x: &Tensor, ctx: &Context) -> LayerResult<Tensor> {
        let x = elu(&self.norm.forward(&self.halve.forward(x, ctx)?, ctx)?)?;
        self.convs.forward(&self.dropout.forward(&x, ctx)?, &x, ctx)
    }
}

/// Doubles the sides and puts the map of the way down beside the result.
#[derive(Debug)]
struct Up {
    double: ConvTranspose3d,
    norm: BatchNorm,
    dropout: Dropout2d,
    skip_dropout: Dropout2d,
    convs: Residual,
}

impl Up {
    fn new(
        [inputs, outputs]: [usize; 2],
        convs: usize,
        [drop_rate, skip_drop_rate]: [f32; 2],
        vb: VarBuilder,
    ) -> LayerResult<Self> {
        let half = outputs / 2;
        let options = ConvTransposeOptions { stride: [2; 3], ..Default::default() };
        let config = ConvTranspose3dConfig { options, ..Default::default() };
        Ok(Self {
            double: ConvTranspose3d::new(inputs, half, [2; 3], config, vb.pp("up_conv"))?,
            norm: batch_norm(half, vb.pp("bn1"))?,
            dropout: Dropout2d::new(drop_rate),
            skip_dropout: Dropout2d::new(skip_drop_rate),
            convs: Residual::new(outputs, convs, vb)?,
        })
    }

    fn forward(&self, x: &Tensor, skip: &Tensor, ctx: &Context) -> LayerResult<Tensor> {
        let x = self.double.forward(&self.dropout.forward(x, ctx)?, ctx)?;
        let x = elu(&self.norm.forward(&x, ctx)?)?;
        let x = Tensor::cat(&[&x, &self.skip_dropout.forward(skip, ctx)?], 1)?;
        self.convs.forward(&x, &x, ctx)
    }
}
