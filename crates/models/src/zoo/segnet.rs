//! SegNet (Badrinarayanan et al., PAMI 2017), <https://arxiv.org/abs/1511.00561>: VGG-16 with BatchNorm, and a decoder that puts values
//! back to where the poolings found them.
//!
//! Reference: meetps/pytorch-semseg at 801fb20, whose tensor names it has. Differences from the paper: none. Differences from the
//! reference: its last layer has BatchNorm and ReLU behind the convolution, so that no score is below 0; here that is a setting,
//! which checkpoints with these tensors switch on.

use candle_core::Tensor;
use candle_nn::VarBuilder;
use segbench_nn::layers::{BatchNorm, Conv2d};
use segbench_nn::ops::{self, PoolOptions};
use segbench_nn::{Context, Result as LayerResult};
use serde::{Deserialize, Serialize};

use crate::architecture::{Architecture, Layout, Presets, Tensors, size_of};
use crate::backbones::vgg;
use crate::blocks::{Window, batch_norm, size};
use crate::card::{ModelCard, Reference};
use crate::heads::problems;
use crate::{InputSpec, Result, SegOutput, Segmentor};

static CARD: ModelCard = ModelCard {
    name: "segnet",
    title: "SegNet",
    year: 2017,
    paper_url: "https://arxiv.org/abs/1511.00561",
    references: &[Reference {
        project: "meetps/pytorch-semseg 801fb20",
        path: "ptsemseg/models/segnet.py segnet",
    }],
    ..ModelCard::MMSEGMENTATION
};

/// Pixels of the image for one step of the smallest map.
const STRIDE: usize = 32;

/// Settings of the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Channels of the first block. Paper: 64.
    pub base_channels: usize,
    /// Whether BatchNorm and ReLU follow the last convolution. Paper: no; reference: yes.
    pub norm_scores: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { base_channels: 64, norm_scores: false }
    }
}

/// The architecture's place in the registry.
pub(super) struct SegNet;

impl Architecture for SegNet {
    type Config = Config;

    const CARD: &'static ModelCard = &CARD;
    const DEFAULT_PRESET: &'static str = "vgg16";
    const PRESETS: Presets<Config> =
        &[("tiny", || Config { base_channels: 4, ..Default::default() }), ("vgg16", Config::default)];

    fn problems(config: &Config) -> Vec<String> {
        problems(config.base_channels, 0.0)
    }

    fn build(config: &Config, io: InputSpec, vb: VarBuilder) -> Result<Box<dyn Segmentor>> {
        let widths = vgg::channels(config.base_channels);
        let (mut encoder, mut decoder) = (Vec::new(), Vec::new());
        for (index, &depth) in vgg::DEPTHS.iter().enumerate() {
            let before = index.checked_sub(1).map(|before| widths[before]);
            let unit = |side: &str, place: usize, inputs, outputs, normed| {
                let name = format!("{side}{}.conv{}.cbr_unit", index + 1, place + 1);
                Unit::new(inputs, outputs, normed, vb.pp(name))
            };
            let width = widths[index];
            let down = (0..depth).map(|place| {
                let inputs = if place == 0 { before.unwrap_or(io.channels) } else { width };
                unit("down", place, inputs, width, true)
            });
            encoder.push(down.collect::<LayerResult<Vec<_>>>()?);
            let up = (0..depth).map(|place| match (place + 1 == depth, before) {
                (true, Some(outputs)) => unit("up", place, width, outputs, true),
                (true, None) => unit("up", place, width, io.classes, config.norm_scores),
                (false, _) => unit("up", place, width, width, true),
            });
            decoder.push(up.collect::<LayerResult<Vec<_>>>()?);
        }
        Ok(Box::new(Network { encoder, decoder, io }))
    }

    fn layouts() -> &'static [Layout] {
        &[]
    }

    fn recognize(config: Config, tensors: &Tensors) -> Result<(Config, InputSpec), String> {
        let classes = size_of(tensors, "up1.conv2.cbr_unit.0.weight", 0)?;
        let channels = size_of(tensors, "down1.conv1.cbr_unit.0.weight", 1)?;
        let norm_scores = tensors.contains_key("up1.conv2.cbr_unit.1.weight");
        Ok((Config { norm_scores, ..config }, InputSpec { classes, channels }))
    }
}

/// A convolution with bias, and perhaps BatchNorm and ReLU.
#[derive(Debug)]
struct Unit {
    conv: Conv2d,
    norm: Option<BatchNorm>,
}

impl Unit {
    fn new(inputs: usize, outputs: usize, normed: bool, vb: VarBuilder) -> LayerResult<Self> {
        let norm = normed.then(|| batch_norm(outputs, vb.pp("1"))).transpose()?;
        Ok(Self { conv: Window::new(3).biased(inputs, outputs, vb.pp("0"))?, norm })
    }

    fn forward(&self, x: &Tensor, ctx: &Context) -> LayerResult<Tensor> {
        let x = self.conv.forward(x, ctx)?;
        match &self.norm {
            Some(norm) => ops::relu(&norm.forward(&x, ctx)?),
            None => Ok(x),
        }
    }
}

/// The network.
#[derive(Debug)]
struct Network {
    encoder: Vec<Vec<Unit>>,
    /// The blocks that belong to those of the encoder, so that the last one comes first in a pass.
    decoder: Vec<Vec<Unit>>,
    io: InputSpec,
}

impl Segmentor for Network {
    fn forward(&self, input: &Tensor, ctx: &Context) -> Result<SegOutput> {
        self.io.check(CARD.title, STRIDE, input)?;
        let through = |units: &[Unit], x: Tensor| units.iter().try_fold(x, |x, unit| unit.forward(&x, ctx));
        let mut x = input.clone();
        let mut places = Vec::with_capacity(self.encoder.len());
        for (index, units) in self.encoder.iter().enumerate() {
            let map = through(units, x)?;
            let (pooled, found) = ops::max_pool2d_with_indices(&map, &PoolOptions::new([2; 2]))?;
            ctx.record(&format!("backbone.{index}"), &pooled);
            places.push((found, size(&map)?));
            x = pooled;
        }
        for (units, (found, size)) in self.decoder.iter().zip(places).rev() {
            x = through(units, ops::max_unpool2d(&x, &found, size)?)?;
        }
        ctx.record("head", &x);
        Ok(x.into())
    }

    fn align_corners(&self) -> bool {
        false
    }
}
