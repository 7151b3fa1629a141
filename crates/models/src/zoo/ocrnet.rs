//! OCRNet: Object-Contextual Representations (Yuan et al., ECCV 2020), <https://arxiv.org/abs/1909.11065>.
//!
//! Reference: mmsegmentation 1.2.2 `FCNHead` and `OCRHead` in a `CascadeEncoderDecoder` on `HRNet` or `ResNetV1c`, whose tensor names
//! it has. The scores of the first head are those of an auxiliary one. Differences from the reference: the scale of the
//! probability map is 1, as in all its configurations.

use candle_core::{D, Tensor};
use candle_nn::VarBuilder;
use segbench_nn::{Context, Result, ops};
use serde::{Deserialize, Serialize};

use crate::SegOutput;
use crate::architecture::Presets;
use crate::backbones::{self, hrnet, resnet};
use crate::blocks::{ConvBlock, Window};
use crate::card::{ModelCard, Reference};
use crate::encoder_decoder::{Config, HeadConfig, Recipe};
use crate::features::{Head, Stage};
use crate::heads::{Classifier, Input, fcn, problems};

static CARD: ModelCard = ModelCard {
    name: "ocrnet",
    title: "OCRNet",
    year: 2020,
    paper_url: "https://arxiv.org/abs/1909.11065",
    references: &[
        hrnet::REFERENCE,
        resnet::REFERENCE,
        Reference::mmsegmentation("models/decode_heads/ocr_head.py OCRHead"),
    ],
    ..ModelCard::MMSEGMENTATION
};

/// Settings of the two heads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OcrConfig {
    /// The head that says where which class seems to be.
    pub first: fcn::Config,
    /// The maps the second head reads.
    pub input: Input,
    /// Channels of the second head. Paper: 512.
    pub channels: usize,
    /// Channels of its attention. Paper: 256.
    pub ocr_channels: usize,
    /// Probability of dropping a channel in front of its classifier, in 0..1. On HRNet: 0.
    pub drop_rate: f32,
}

impl Default for OcrConfig {
    fn default() -> Self {
        Self {
            first: fcn::Config::pointwise(hrnet::Config::default().total_channels()),
            input: Input::Concat,
            channels: 512,
            ocr_channels: 256,
            drop_rate: 0.0,
        }
    }
}

/// The architecture's place in the registry.
pub(super) struct OcrNet;

impl Recipe for OcrNet {
    type Head = OcrConfig;

    const CARD: &'static ModelCard = &CARD;
    const DEFAULT_PRESET: &'static str = "hr18";
    const PRESETS: Presets<Config<OcrConfig>> = &[
        ("hr18", || on_hrnet(hrnet::Config::default(), OcrConfig::default())),
        ("hr18s", || on_hrnet(hrnet::Config::small(), OcrConfig::default())),
        ("hr48", || on_hrnet(hrnet::Config::wide(), OcrConfig::default())),
        ("r101-d8", || {
            let first = fcn::Config::auxiliary(256);
            let head = OcrConfig { first, input: Input::Stage(3), drop_rate: 0.1, ..Default::default() };
            let backbone = resnet::Config::default().depth(101);
            Config { auxiliary_heads: Vec::new(), ..Config::on_resnet(backbone, head, 0) }
        }),
        ("tiny", || {
            let head = OcrConfig { channels: 12, ocr_channels: 10, drop_rate: 0.1, ..Default::default() };
            on_hrnet(hrnet::Config::tiny(), head)
        }),
    ];
}

fn on_hrnet(backbone: hrnet::Config, head: OcrConfig) -> Config<OcrConfig> {
    let first = fcn::Config::pointwise(backbone.total_channels());
    Config::on(backbones::Config::Hrnet(backbone), OcrConfig { first, ..head }, Vec::new())
}

impl HeadConfig for OcrConfig {
    const CLASSIFIER: &'static str = "1.conv_seg.weight";

    fn problems(&self, stages: &[Stage]) -> Vec<String> {
        let mut problems = problems(self.channels, self.drop_rate);
        if self.ocr_channels == 0 {
            problems.push("ocr_channels is 0".into());
        }
        problems.extend(self.input.problem(stages));
        problems.extend(self.first.problems(stages).iter().map(|problem| format!("first: {problem}")));
        problems
    }

    fn build(&self, stages: &[Stage], classes: usize, align: bool, vb: VarBuilder) -> Result<Box<dyn Head>> {
        let first = self.first.build(stages, classes, align, vb.pp("0"))?;
        let vb = vb.pp("1");
        let (inputs, channels) = (self.input.channels(stages), self.channels);
        let attention = vb.pp("object_context_block");
        Ok(Box::new(OcrHead {
            first,
            input: self.input,
            reduce: ConvBlock::new(inputs, channels, Window::new(3), vb.pp("bottleneck"))?,
            attention: ObjectAttention::new(channels, self.ocr_channels, attention)?,
            classifier: Classifier::new(channels, classes, self.drop_rate, vb)?,
            align_corners: align,
        }))
    }
}

struct OcrHead {
    first: Box<dyn Head>,
    input: Input,
    reduce: ConvBlock,
    attention: ObjectAttention,
    classifier: Classifier,
    align_corners: bool,
}

impl Head for OcrHead {
    fn forward(&self, features: &[Tensor], ctx: &Context) -> Result<SegOutput> {
        let first = self.first.forward(features, ctx)?.logits;
        let x = self.reduce.forward(&self.input.of(features, self.align_corners)?, ctx)?;
        // Each class's mean of the pixels, weighted by where the class is: (B, C, H*W) x (B, H*W, classes).
        let shares = ops::softmax(&first.flatten_from(2)?, D::Minus1)?;
        let objects = ops::matmul(&x.flatten_from(2)?, &shares.transpose(1, 2)?, ctx)?;
        let x = self.attention.forward(&x, &objects.unsqueeze(3)?, ctx)?;
        let mut output = SegOutput::from(self.classifier.forward(&x, ctx)?);
        if ctx.is_training() {
            output.auxiliary.push(first);
        }
        Ok(output)
    }
}

/// Gives every pixel what it needs of the objects.
#[derive(Debug)]
struct ObjectAttention {
    query: [ConvBlock; 2],
    key: [ConvBlock; 2],
    value: ConvBlock,
    out: ConvBlock,
    bottleneck: ConvBlock,
    scale: f64,
}

impl ObjectAttention {
    fn new(channels: usize, inner: usize, vb: VarBuilder) -> Result<Self> {
        let block =
            |name: &str, inputs, outputs| ConvBlock::new(inputs, outputs, Window::new(1), vb.pp(name));
        Ok(Self {
            query: [block("query_project.0", channels, inner)?, block("query_project.1", inner, inner)?],
            key: [block("key_project.0", channels, inner)?, block("key_project.1", inner, inner)?],
            value: block("value_project", channels, inner)?,
            out: block("out_project", inner, channels)?,
            bottleneck: block("bottleneck", 2 * channels, channels)?,
            scale: (inner as f64).powf(-0.5),
        })
    }

    /// `x: (B, C, H, W)`, `objects: (B, C, classes, 1)`; the result has the shape of `x`.
    fn forward(&self, x: &Tensor, objects: &Tensor, ctx: &Context) -> Result<Tensor> {
        let project = |blocks: &[ConvBlock], x: &Tensor| {
            blocks.iter().try_fold(x.clone(), |x, block| block.forward(&x, ctx))
        };
        let query = project(&self.query, x)?;
        let (batch, inner, height, width) = query.dims4()?;
        // (B, C, H*W)^T x (B, C, classes) -> (B, H*W, classes)
        let key = project(&self.key, objects)?.flatten_from(2)?;
        let scores = ops::matmul(&query.flatten_from(2)?.transpose(1, 2)?, &key, ctx)?;
        let weights = ops::softmax(&scores.affine(self.scale, 0.0)?, D::Minus1)?;
        // (B, C, classes) x (B, classes, H*W) -> (B, C, H*W)
        let value = self.value.forward(objects, ctx)?.flatten_from(2)?;
        let context = ops::matmul(&value, &weights.transpose(1, 2)?, ctx)?;
        let context = self.out.forward(&context.reshape((batch, inner, height, width))?, ctx)?;
        self.bottleneck.forward(&Tensor::cat(&[&context, x], 1)?, ctx)
    }
}
