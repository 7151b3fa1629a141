//! PointRend: Image Segmentation as Rendering (Kirillov et al., CVPR 2020), <https://arxiv.org/abs/1912.08193>, on Semantic FPN.
//!
//! Reference: mmsegmentation 1.2.2 `PointHead` behind `FPNHead`, whose tensor names it has. A pass that predicts enlarges the scores
//! of Semantic FPN step by step and computes anew those of the points that are least certain. A pass that trains gives the scores of
//! Semantic FPN and in addition `points: (B, P, 2)`, coordinates `(x, y)` from 0 to 1, most of them where these scores are least
//! certain, and `point_logits: (B, classes, P)`, whose cross entropy is the network's own loss. Differences from the reference: none.

use candle_core::{D, DType, Tensor};
use candle_nn::{Init, VarBuilder};
use segbench_nn::layers::{Conv2d, Dropout};
use segbench_nn::ops::{self, Conv2dOptions, Interpolation, ResizeTo};
use segbench_nn::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::architecture::Presets;
use crate::backbones::resnet;
use crate::card::{ModelCard, Reference};
use crate::encoder_decoder::{Config, HeadConfig, Recipe};
use crate::features::{Head, Stage};
use crate::heads::{self, problems};
use crate::necks::{self, fpn};
use crate::{Labels, SegOutput, own_loss};

static CARD: ModelCard = ModelCard {
    name: "pointrend",
    title: "PointRend",
    year: 2020,
    paper_url: "https://arxiv.org/abs/1912.08193",
    references: &[
        resnet::REFERENCE,
        Reference::mmsegmentation("models/necks/fpn.py FPN"),
        Reference::mmsegmentation("models/decode_heads/fpn_head.py FPNHead"),
        Reference::mmsegmentation("models/decode_heads/point_head.py PointHead"),
    ],
    ..ModelCard::MMSEGMENTATION
};

/// Settings of both heads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PointConfig {
    /// The head that scores all points coarsely.
    pub first: heads::fpn::Config,
    /// Channels of the layers that score single points. Paper: 256.
    pub channels: usize,
    /// These layers, beside the last one. Paper: 3.
    pub num_layers: usize,
    /// Points of an image that training looks at. Paper: 2048.
    pub train_points: usize,
    /// Candidates for each of these points that are chosen for being uncertain. Paper: 3.
    pub oversampling: f64,
    /// The share of points that are chosen so, in 0..=1; the others are random. Paper: 0.75.
    pub uncertain_share: f64,
    /// Doublings of the scores' size in a pass that predicts. Paper: 2.
    pub subdivisions: usize,
    /// Points that are scored anew after each of them, at most. mmsegmentation: 8196.
    pub subdivision_points: usize,
    /// Probability of dropping a value in front of the last layer, in 0..1.
    pub drop_rate: f32,
}

impl Default for PointConfig {
    fn default() -> Self {
        Self {
            first: heads::fpn::Config { drop_rate: 0.0, ..Default::default() },
            channels: 256,
            num_layers: 3,
            train_points: 2048,
            oversampling: 3.0,
            uncertain_share: 0.75,
            subdivisions: 2,
            subdivision_points: 8196,
            drop_rate: 0.0,
        }
    }
}

/// The architecture's place in the registry.
pub(super) struct PointRend;

impl Recipe for PointRend {
    type Head = PointConfig;

    const CARD: &'static ModelCard = &CARD;
    const DEFAULT_PRESET: &'static str = "r50";
    const PRESETS: Presets<Config<PointConfig>> = &[
        ("r101", || on(resnet::Config::default().depth(101), 256, PointConfig::default())),
        ("r50", || on(resnet::Config::default(), 256, PointConfig::default())),
        ("tiny", || {
            let first = heads::fpn::Config { channels: 6, drop_rate: 0.0 };
            let (train_points, subdivision_points) = (40, 150);
            let head =
                PointConfig { first, channels: 10, train_points, subdivision_points, ..Default::default() };
            on(resnet::Config::tiny(), 8, head)
        }),
    ];
}

fn on(backbone: resnet::Config, neck: usize, head: PointConfig) -> Config<PointConfig> {
    Config {
        neck: Some(necks::Config::Fpn(fpn::Config { channels: neck })),
        auxiliary_heads: Vec::new(),
        ..Config::on_resnet(backbone.output_stride(32), head, 0)
    }
}

impl PointConfig {
    /// How many points of training are chosen for being uncertain, and among how many; and how many are random.
    fn counts(&self) -> [usize; 3] {
        let chosen = (self.uncertain_share * self.train_points as f64) as usize;
        [chosen, (self.train_points as f64 * self.oversampling) as usize, self.train_points - chosen]
    }
}

impl HeadConfig for PointConfig {
    const CLASSIFIER: &'static str = "1.fc_seg.weight";

    fn problems(&self, stages: &[Stage]) -> Vec<String> {
        let mut problems = problems(self.channels, self.drop_rate);
        if self.train_points == 0 || self.subdivision_points == 0 {
            problems.push("train_points and subdivision_points must be at least 1".into());
        }
        if !(1.0..=100.0).contains(&self.oversampling) {
            problems.push(format!("oversampling {} is not in 1..=100", self.oversampling));
        }
        if !(0.0..=1.0).contains(&self.uncertain_share) {
            problems.push(format!("uncertain_share {} is not in 0..=1", self.uncertain_share));
        }
        if self.subdivisions > 4 {
            problems.push(format!("{} subdivisions are more than 4", self.subdivisions));
        }
        problems.extend(self.first.problems(stages).iter().map(|problem| format!("first: {problem}")));
        problems
    }

    fn build(&self, stages: &[Stage], classes: usize, align: bool, vb: VarBuilder) -> Result<Box<dyn Head>> {
        let first = self.first.build(stages, classes, align, vb.pp("0"))?;
        let vb = vb.pp("1");
        let fine = stages[0].channels;
        let layers = (0..self.num_layers).map(|index| {
            let inputs = if index == 0 { fine } else { self.channels } + classes;
            point_layer(inputs, self.channels, None, vb.pp(format!("fcs.{index}.conv")))
        });
        let last = if self.num_layers == 0 { fine } else { self.channels } + classes;
        let init = Init::Randn { mean: 0.0, stdev: 0.01 };
        Ok(Box::new(PointHead {
            first,
            layers: layers.collect::<Result<_>>()?,
            last: point_layer(last, classes, Some(init), vb.pp("fc_seg"))?,
            dropout: Dropout::new(self.drop_rate),
            config: self.clone(),
            align_corners: align,
        }))
    }
}

/// A layer that looks at one point at a time. Its weight is that of a convolution along the points, `(outputs, inputs, 1)`.
fn point_layer(inputs: usize, outputs: usize, init: Option<Init>, vb: VarBuilder) -> Result<Conv2d> {
    let fan_out = Init::Randn { mean: 0.0, stdev: (2.0 / outputs as f64).sqrt() };
    let weight = vb.get_with_hints((outputs, inputs, 1), "weight", init.unwrap_or(fan_out))?;
    let bias = vb.get_with_hints(outputs, "bias", Init::Const(0.0))?;
    Ok(Conv2d::from_parts(weight.unsqueeze(3)?, Some(bias), Conv2dOptions::default()))
}

struct PointHead {
    first: Box<dyn Head>,
    layers: Vec<Conv2d>,
    last: Conv2d,
    dropout: Dropout,
    config: PointConfig,
    align_corners: bool,
}

impl PointHead {
    /// The scores `(B, classes, P)` at `points: (B, P, 2)`.
    fn score(&self, fine: &Tensor, coarse: &Tensor, points: &Tensor, ctx: &Context) -> Result<Tensor> {
        // (B, C, P) -> (B, C, P, 1)
        let sample =
            |map: &Tensor| Ok::<_, segbench_nn::Error>(ops::point_sample(map, points)?.unsqueeze(3)?);
        let coarse = sample(coarse)?;
        let mut x = Tensor::cat(&[&sample(fine)?, &coarse], 1)?;
        for layer in &self.layers {
            x = Tensor::cat(&[&ops::relu(&layer.forward(&x, ctx)?)?, &coarse], 1)?;
        }
        Ok(self.last.forward(&self.dropout.forward(&x, ctx)?, ctx)?.squeeze(3)?)
    }

    /// The points of a training pass, which carry no gradient.
    fn training_points(&self, coarse: &Tensor, ctx: &Context) -> Result<Tensor> {
        let coarse = coarse.detach();
        let batch = coarse.dim(0)?;
        let [chosen, candidates, others] = self.config.counts();
        let mut rng = ctx.random_stream();
        let mut random = |count: usize| {
            let mut unit = || rng.as_mut().map_or(0.0, segbench_types::Rng::unit);
            let values: Vec<f32> = (0..batch * count * 2).map(|_| unit()).collect();
            Tensor::from_vec(values, (batch, count, 2), coarse.device())
        };
        let points = random(candidates)?;
        let uncertain = uncertainty(&ops::point_sample(&coarse, &points)?)?;
        let (_, indices) = ops::top_k(&uncertain, chosen)?;
        let indices = indices.unsqueeze(2)?.broadcast_as((batch, chosen, 2))?.contiguous()?;
        let points = ops::gather(&points, &indices, 1)?;
        Ok(Tensor::cat(&[points, random(others)?], 1)?)
    }

    /// The scores, twice as large, with those computed anew that are least certain.
    fn subdivide(&self, scores: &Tensor, fine: &Tensor, coarse: &Tensor, ctx: &Context) -> Result<Tensor> {
        let interpolation = Interpolation::Bilinear { align_corners: self.align_corners };
        let larger = ops::resize(scores, ResizeTo::Factor([2.0; 2]), interpolation)?;
        let (batch, classes, height, width) = larger.dims4()?;
        let flat = larger.flatten_from(2)?;
        let count = self.config.subdivision_points.min(height * width);
        let (_, indices) = ops::top_k(&uncertainty(&flat)?, count)?;
        let [column, row] = [width, height].map(|side| 1.0 / side as f64);
        let points = indices.flatten_all()?.to_vec1::<u32>()?.into_iter().flat_map(|index| {
            let at = |step: f64, place: usize| (step / 2.0) as f32 + place as f32 * step as f32;
            [at(column, index as usize % width), at(row, index as usize / width)]
        });
        let points = Tensor::from_iter(points, larger.device())?.reshape((batch, count, 2))?;
        let anew = self.score(fine, coarse, &points, ctx)?;
        let indices = indices.unsqueeze(1)?.broadcast_as((batch, classes, count))?.contiguous()?;
        Ok(ops::scatter(&flat, &indices, &anew, D::Minus1)?.reshape((batch, classes, height, width))?)
    }
}

impl Head for PointHead {
    fn forward(&self, features: &[Tensor], ctx: &Context) -> Result<SegOutput> {
        let coarse = self.first.forward(features, ctx)?.logits;
        let fine = &features[0];
        if ctx.is_training() {
            let points = self.training_points(&coarse, ctx)?;
            let scores = self.score(fine, &coarse, &points, ctx)?;
            let mut output = SegOutput::from(coarse);
            output.extra = [("point_logits", scores), ("points", points)].into();
            return Ok(output);
        }
        let mut scores = coarse.clone();
        for _ in 0..self.config.subdivisions {
            scores = self.subdivide(&scores, fine, &coarse, ctx)?;
        }
        Ok(scores.into())
    }

    fn own_loss(&self, output: &SegOutput, labels: &Labels) -> Result<Option<Tensor>> {
        match (output.extra.get("point_logits"), output.extra.get("points")) {
            (Some(logits), Some(points)) => Ok(Some(own_loss::at_points(logits, points, labels)?)),
            _ => Ok(None),
        }
    }
}

/// How little the best class of each point is ahead of the second: the negative difference of their scores.
///
/// # Shapes
///
/// `scores: (B, classes, P)`, result `(B, P)`.
fn uncertainty(scores: &Tensor) -> Result<Tensor> {
    let (batch, classes, points) = scores.dims3()?;
    let values = scores.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
    let mut uncertain = Vec::with_capacity(batch * points);
    for image in values.chunks_exact((classes * points).max(1)) {
        let mut best = vec![[f32::NEG_INFINITY; 2]; points];
        for scores in image.chunks_exact(points) {
            for (best, &score) in best.iter_mut().zip(scores) {
                let second = best[1].max(score.min(best[0]));
                *best = [best[0].max(score), second];
            }
        }
        uncertain.extend(best.iter().map(|[first, second]| second - first));
    }
    Ok(Tensor::from_vec(uncertain, (batch, points), scores.device())?)
}
