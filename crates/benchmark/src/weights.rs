//! Where the weights of a run come from.

use std::path::{Path, PathBuf};

use candle_core::Device;
use segbench_models::{Inference, Tensors, shipped, zoo};
use segbench_nn::weights::read_checkpoint;
use segbench_types::{Protocol, TrainingSummary};
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
    /// The publisher's mIoU of these weights in percent, if the run is the publisher's: the same data set, its validation split, and
    /// the same kind of inference.
    pub fn published_miou(&self, dataset: &str, split: &str, protocol: &Protocol) -> Option<f64> {
        let models = zoo::models();
        let mut sources = models.iter().flat_map(|model| model.card().weights);
        let source = sources.find(|source| source.tag == self.tag)?;
        let name = match source.inference {
            Inference::Whole { .. } => "mmseg-whole@1",
            Inference::Slide { .. } => "mmseg-slide@1",
        };
        let is_same = source.dataset == dataset && split == "val" && protocol.name == name;
        source.published.filter(|_| is_same).map(|published| published.miou)
    }

    /// Where the course of the training lies for a weights file, if it was trained here.
    pub fn curve_beside(weights: &Path) -> PathBuf {
        weights.with_extension("curve.parquet")
    }

    /// The course of the training, where it is kept beside the weights.
    pub fn curve(&self) -> Option<PathBuf> {
        self.path.as_deref().map(Self::curve_beside).filter(|path| path.is_file())
    }

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
