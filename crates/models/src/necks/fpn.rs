//! The feature pyramid (Lin et al., CVPR 2017), <https://arxiv.org/abs/1612.03144>: maps of all sizes with the same channels, each
//! with what the smaller ones saw.
//!
//! Reference: mmsegmentation 1.2.2 `models/necks/fpn.py`, whose tensor names it has. Differences from the reference: as many maps
//! as the backbone makes, convolutions without normalization.

use candle_core::Tensor;
use candle_nn::VarBuilder;
use segbench_nn::layers::Conv2d;
use segbench_nn::ops::Interpolation;
use segbench_nn::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::blocks::{Window, add_top_down};
use crate::features::{Neck, Stage};

/// Settings of the neck.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Channels of every map. Paper: 256.
    pub channels: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { channels: 256 }
    }
}

impl Config {
    /// Everything that is wrong with the settings.
    pub fn problems(&self) -> Vec<String> {
        if self.channels == 0 { vec!["neck: channels is 0".into()] } else { Vec::new() }
    }

    /// The maps it makes of these.
    pub fn stages(&self, stages: &[Stage]) -> Vec<Stage> {
        stages.iter().map(|stage| Stage { channels: self.channels, ..*stage }).collect()
    }
}

/// The neck.
#[derive(Debug)]
pub struct Fpn {
    laterals: Vec<Conv2d>,
    convs: Vec<Conv2d>,
    stages: Vec<Stage>,
}

impl Fpn {
    /// A neck for these maps.
    ///
    /// # Errors
    ///
    /// Whatever `vb` reports for a parameter.
    pub fn new(config: &Config, stages: &[Stage], vb: VarBuilder) -> Result<Self> {
        let channels = config.channels;
        let lateral = |(index, stage): (usize, &Stage)| {
            Window::new(1).biased(stage.channels, channels, vb.pp(format!("lateral_convs.{index}.conv")))
        };
        let conv =
            |index| Window::new(3).biased(channels, channels, vb.pp(format!("fpn_convs.{index}.conv")));
        Ok(Self {
            laterals: stages.iter().enumerate().map(lateral).collect::<Result<_>>()?,
            convs: (0..stages.len()).map(conv).collect::<Result<_>>()?,
            stages: config.stages(stages),
        })
    }
}

impl Neck for Fpn {
    fn stages(&self) -> &[Stage] {
        &self.stages
    }

    fn forward(&self, features: &[Tensor], ctx: &Context) -> Result<Vec<Tensor>> {
        let laterals = self.laterals.iter().zip(features).map(|(conv, x)| conv.forward(x, ctx));
        let mut maps: Vec<Tensor> = laterals.collect::<Result<_>>()?;
        add_top_down(&mut maps, Interpolation::Nearest)?;
        self.convs.iter().zip(&maps).map(|(conv, x)| conv.forward(x, ctx)).collect()
    }
}
