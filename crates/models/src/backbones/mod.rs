//! Encoders that several networks share.

pub mod mit;
pub mod resnet;

use candle_nn::VarBuilder;
use segbench_nn::Result;
use serde::{Deserialize, Serialize};

use crate::features::{Backbone, Stage};

/// Settings of any backbone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Config {
    /// A residual network.
    Resnet(resnet::Config),
}

impl Config {
    /// Everything that is wrong with the settings.
    pub fn problems(&self) -> Vec<String> {
        match self {
            Self::Resnet(config) => config.problems(),
        }
    }

    /// The maps it makes.
    pub fn stages(&self) -> Vec<Stage> {
        match self {
            Self::Resnet(config) => config.stages(),
        }
    }

    /// A parameter whose second dimension is the channels of the image.
    pub fn first_weight(&self) -> &'static str {
        match self {
            Self::Resnet(resnet::Config { variant: resnet::Variant::V1, .. }) => "conv1.weight",
            Self::Resnet(_) => "stem.0.weight",
        }
    }

    /// Builds the backbone for images with `channels` channels.
    ///
    /// # Errors
    ///
    /// Whatever `vb` reports for a parameter.
    pub fn build(&self, channels: usize, vb: VarBuilder) -> Result<Box<dyn Backbone>> {
        Ok(match self {
            Self::Resnet(config) => Box::new(resnet::ResNet::new(config, channels, vb)?),
        })
    }
}
