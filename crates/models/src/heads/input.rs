//! Which of the maps a head reads.

use candle_core::Tensor;
use segbench_nn::Result;
use serde::{Deserialize, Serialize};

use crate::blocks::resize_like;
use crate::features::Stage;

/// The maps that a head reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Input {
    /// One map, counted from the largest.
    Stage(usize),
    /// All maps, resized to the largest and put beside each other.
    Concat,
}

impl Input {
    /// What is wrong with the choice.
    pub(crate) fn problem(self, stages: &[Stage]) -> Option<String> {
        match self {
            Self::Stage(stage) if stage >= stages.len() => {
                Some(format!("stage {stage} of {} maps", stages.len()))
            }
            _ => None,
        }
    }

    /// Channels of what it gives.
    pub(crate) fn channels(self, stages: &[Stage]) -> usize {
        match self {
            Self::Stage(stage) => stages[stage].channels,
            Self::Concat => stages.iter().map(|stage| stage.channels).sum(),
        }
    }

    /// What it gives of these maps.
    pub(crate) fn of(self, features: &[Tensor], align_corners: bool) -> Result<Tensor> {
        match self {
            Self::Stage(stage) => Ok(features[stage].clone()),
            Self::Concat => {
                let resized = features.iter().map(|x| resize_like(x, &features[0], align_corners));
                Ok(Tensor::cat(&resized.collect::<Result<Vec<_>>>()?, 1)?)
            }
        }
    }
}
