//! EncNet: Context Encoding for Semantic Segmentation (Zhang et al., CVPR 2018), <https://arxiv.org/abs/1803.08904>.
//!
//! Reference: mmsegmentation 1.2.2 `EncHead` on `ResNetV1c`, whose tensor names it has. In training the output has in addition
//! `se_logits: (B, classes)`: for each class a score that it is somewhere in the image, for the semantic encoding loss (binary
//! cross entropy, weight 0.2), the network's own loss. Differences from the reference: no lateral connections (its `add_lateral`, off in all its
//! configurations).

use candle_core::{D, Tensor};
use candle_nn::{Init, VarBuilder};
use segbench_nn::layers::{BatchNorm, Linear, LinearConfig};
use segbench_nn::{Context, Result, ops};
use serde::{Deserialize, Serialize};

use crate::architecture::Presets;
use crate::backbones::resnet;
use crate::blocks::{ConvBlock, Window, batch_norm, sigmoid};
use crate::card::{ModelCard, Reference};
use crate::encoder_decoder::{Config, HeadConfig, Recipe};
use crate::features::{Head, Stage};
use crate::heads::{Classifier, problems};
use crate::{Labels, SegOutput, own_loss};

static CARD: ModelCard = ModelCard {
    name: "encnet",
    title: "EncNet",
    year: 2018,
    paper_url: "https://arxiv.org/abs/1803.08904",
    references: &[
        resnet::REFERENCE,
        Reference::mmsegmentation("models/decode_heads/enc_head.py EncHead"),
        Reference::mmsegmentation("models/utils/encoding.py Encoding"),
    ],
    ..ModelCard::MMSEGMENTATION
};

/// What the semantic encoding loss counts beside that of the scores. Paper and mmsegmentation: 0.2.
const PRESENCE_WEIGHT: f64 = 0.2;

/// Settings of the head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EncConfig {
    /// Channels that are encoded. Paper: 512.
    pub channels: usize,
    /// Code words. Paper: 32.
    pub num_codes: usize,
    /// Whether there is a layer that predicts which classes are in the image. Paper: yes.
    pub se_loss: bool,
    /// Probability of dropping a channel in front of the classifier, in 0..1.
    pub drop_rate: f32,
}

impl Default for EncConfig {
    fn default() -> Self {
        Self { channels: 512, num_codes: 32, se_loss: true, drop_rate: 0.1 }
    }
}

/// The architecture's place in the registry.
pub(super) struct EncNet;

impl Recipe for EncNet {
    type Head = EncConfig;

    const CARD: &'static ModelCard = &CARD;
    const DEFAULT_PRESET: &'static str = "r50-d8";
    const PRESETS: Presets<Config<EncConfig>> = &[
        ("r101-d8", || Config::on_resnet(resnet::Config::default().depth(101), EncConfig::default(), 256)),
        ("r50-d8", Config::default),
        ("tiny", || {
            let head = EncConfig { channels: 8, num_codes: 5, ..Default::default() };
            Config::on_resnet(resnet::Config::tiny(), head, 4)
        }),
    ];
}

impl HeadConfig for EncConfig {
    fn problems(&self, _: &[Stage]) -> Vec<String> {
        let mut problems = problems(self.channels, self.drop_rate);
        if self.num_codes == 0 {
            problems.push("num_codes is 0".into());
        }
        problems
    }

    fn build(&self, stages: &[Stage], classes: usize, _: bool, vb: VarBuilder) -> Result<Box<dyn Head>> {
        let (stage, inputs) = (stages.len() - 1, stages[stages.len() - 1].channels);
        let (channels, module) = (self.channels, vb.pp("enc_module"));
        let linear = |outputs, vb| Linear::new(channels, outputs, LinearConfig::default(), vb);
        let present = self.se_loss.then(|| linear(classes, vb.pp("se_layer")));
        Ok(Box::new(EncHead {
            stage,
            bottleneck: ConvBlock::new(inputs, channels, Window::new(3), vb.pp("bottleneck"))?,
            project: ConvBlock::new(channels, channels, Window::new(1), module.pp("encoding_project"))?,
            encoding: Encoding::new(channels, self.num_codes, module.pp("encoding.0"))?,
            norm: batch_norm(self.num_codes, module.pp("encoding.1"))?,
            importance: linear(channels, module.pp("fc.0"))?,
            present: present.transpose()?,
            classifier: Classifier::new(channels, classes, self.drop_rate, vb)?,
        }))
    }
}

#[derive(Debug)]
struct EncHead {
    stage: usize,
    bottleneck: ConvBlock,
    project: ConvBlock,
    encoding: Encoding,
    norm: BatchNorm,
    importance: Linear,
    present: Option<Linear>,
    classifier: Classifier,
}

impl Head for EncHead {
    fn forward(&self, features: &[Tensor], ctx: &Context) -> Result<SegOutput> {
        let x = self.bottleneck.forward(&features[self.stage], ctx)?;
        let codes = self.encoding.forward(&self.project.forward(&x, ctx)?, ctx)?;
        // (B, codes, C): normalized over the batch and the channels of each code.
        let codes = ops::relu(&self.norm.forward(&codes.unsqueeze(3)?, ctx)?.squeeze(3)?)?;
        let summary = codes.mean(1)?;
        let importance = sigmoid(&self.importance.forward(&summary, ctx)?)?.unsqueeze(2)?.unsqueeze(3)?;
        let x = ops::relu(&(&x + x.broadcast_mul(&importance)?)?)?;
        let mut output = SegOutput::from(self.classifier.forward(&x, ctx)?);
        if let (Some(present), true) = (&self.present, ctx.is_training()) {
            output.extra.insert("se_logits", present.forward(&summary, ctx)?);
        }
        Ok(output)
    }

    fn own_loss(&self, output: &SegOutput, labels: &Labels) -> Result<Option<Tensor>> {
        let Some(logits) = output.extra.get("se_logits") else { return Ok(None) };
        Ok(Some((own_loss::presence(logits, labels)? * PRESENCE_WEIGHT)?))
    }
}

/// Assigns pixels to code words and adds up, for each word, how far its pixels are from it.
#[derive(Debug)]
struct Encoding {
    /// (codes, C)
    codewords: Tensor,
    /// (codes): how sharply the assignment falls with the distance.
    scale: Tensor,
}

impl Encoding {
    fn new(channels: usize, codes: usize, vb: VarBuilder) -> Result<Self> {
        let reach = 1.0 / ((codes * channels) as f64).sqrt();
        let between = |lo, up| Init::Uniform { lo, up };
        Ok(Self {
            codewords: vb.get_with_hints((codes, channels), "codewords", between(-reach, reach))?,
            scale: vb.get_with_hints(codes, "scale", between(-1.0, 0.0))?,
        })
    }

    /// (B, C, H, W) -> (B, codes, C)
    fn forward(&self, x: &Tensor, ctx: &Context) -> Result<Tensor> {
        let (words, scale) = (ctx.parameter(&self.codewords), ctx.parameter(&self.scale));
        // (B, C, H, W) -> (B, H*W, C)
        let pixels = x.flatten_from(2)?.transpose(1, 2)?.contiguous()?;
        // Word by word, so that no tensor has the size of all pixels times all words.
        let distances = (0..words.dim(0)?).map(|index| {
            let word = words.narrow(0, index, 1)?.unsqueeze(0)?;
            Ok(pixels.broadcast_sub(&word)?.sqr()?.sum_keepdim(2)?)
        });
        let distances = Tensor::cat(&distances.collect::<Result<Vec<_>>>()?, 2)?;
        // (B, H*W, codes)
        let shares = ops::softmax(&distances.broadcast_mul(&scale)?, D::Minus1)?;
        let sums = ops::matmul(&shares.transpose(1, 2)?, &pixels, ctx)?;
        let totals = shares.sum(1)?.unsqueeze(2)?;
        Ok((sums - totals.broadcast_mul(&words.unsqueeze(0)?)?)?)
    }
}
