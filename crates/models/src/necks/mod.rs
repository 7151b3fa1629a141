//! What can stand between an encoder and its heads.

pub mod fpn;

use candle_nn::VarBuilder;
use segbench_nn::Result;
use serde::{Deserialize, Serialize};

use crate::features::{Neck, Stage};

/// Settings of any neck.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Config {
    /// A feature pyramid.
    Fpn(fpn::Config),
}

impl Config {
    /// Everything that is wrong with the settings.
    pub fn problems(&self) -> Vec<String> {
        match self {
            Self::Fpn(config) => config.problems(),
        }
    }

    /// The maps it makes of these.
    pub fn stages(&self, stages: &[Stage]) -> Vec<Stage> {
        match self {
            Self::Fpn(config) => config.stages(stages),
        }
    }

    /// Builds the neck for these maps.
    ///
    /// # Errors
    ///
    /// Whatever `vb` reports for a parameter.
    pub fn build(&self, stages: &[Stage], vb: VarBuilder) -> Result<Box<dyn Neck>> {
        Ok(match self {
            Self::Fpn(config) => Box::new(fpn::Fpn::new(config, stages, vb)?),
        })
    }
}
