//! Where the weights of a run come from.

use std::path::PathBuf;

use candle_core::Device;
use segbench_models::{Tensors, shipped};
use segbench_nn::weights::read_checkpoint;
use segbench_types::TrainingSummary;
use serde::{Deserialize, Serialize};

use crate::Error;

/// Weights by tag and content.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightsSource {
    /// Tag, or the file's name.
    pub tag: String,
    /// SHA-256 of the file.
    pub sha256: String,
    /// The file; nothing for weights that are part of the program.
    pub path: Option<PathBuf>,
    /// How they were trained, where that is known.
    pub training: Option<TrainingSummary>,
}

impl WeightsSource {
    /// The tensors, under the names of the file.
    ///
    /// # Errors
    /// [`Error::Nn`] if the file cannot be read, [`Error::Models`] if the program has no weights of this tag.
    pub fn tensors(&self, device: &Device) -> Result<Tensors, Error> {
        match (&self.path, shipped().iter().find(|shipped| shipped.tag == self.tag)) {
            (Some(path), _) => Ok(read_checkpoint(path, device)?),
            (None, Some(shipped)) => Ok(shipped.tensors(device)?),
            (None, None) => Err(Error::NotShipped { tag: self.tag.clone() }),
        }
    }
}
