//! Where the weights of a run come from.

use std::path::{Path, PathBuf};

use candle_core::Device;
use segbench_models::{Inference, Tensors, WeightSource, shipped, zoo};
use segbench_nn::weights::read_checkpoint;
use segbench_types::{Protocol, TrainingSummary, Window};
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
    /// The published checkpoint that these weights are.
    fn published(&self) -> Option<&'static WeightSource> {
        let models = zoo::models();
        let mut sources = models.iter().flat_map(|model| model.card().weights);
        sources.find(|source| source.tag == self.tag)
    }

    /// The name of the protocol by which the publisher of these weights measures them on a data set.
    pub fn protocol(&self, dataset: &str) -> Option<&'static str> {
        let source = self.published().filter(|source| source.dataset == dataset)?;
        Some(match source.inference {
            Inference::Whole { .. } => "mmseg-whole@1",
            Inference::Slide { .. } => "mmseg-slide@1",
        })
    }

    /// The protocol on a data set, with the publisher's windows if it is the publisher's.
    pub fn protocol_on(&self, protocol: Protocol, dataset: &str) -> Protocol {
        let mut protocol = protocol.for_dataset(dataset);
        let is_publishers = self.protocol(dataset) == Some(protocol.name.as_str());
        if let Some(Inference::Slide { window, stride }) =
            self.published().filter(|_| is_publishers).map(|source| source.inference)
        {
            protocol.inference.window = Some(Window { size: [window; 2], stride: [stride; 2] });
        }
        protocol
    }

    /// The publisher's mIoU of these weights in percent, if the run is the publisher's: the same data set, its validation split, and
    /// the same kind of inference.
    pub fn published_miou(&self, dataset: &str, split: &str, protocol: &Protocol) -> Option<f64> {
        let is_same = split == "val" && self.protocol(dataset) == Some(protocol.name.as_str());
        self.published()?.published.filter(|_| is_same).map(|published| published.miou)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(tag: &str) -> WeightsSource {
        WeightsSource { tag: tag.into(), sha256: String::new(), path: None, training: None }
    }

    #[test]
    fn published_weights_are_measured_as_their_publisher_does() {
        let streets = weights("segformer-b0.cityscapes.mmseg");
        assert_eq!(streets.protocol("cityscapes"), Some("mmseg-slide@1"));
        assert_eq!(streets.protocol("camvid"), None);
        let protocol = streets.protocol_on(Protocol::mmseg_slide(), "cityscapes");
        assert_eq!(protocol.inference.window, Some(Window { size: [1024, 1024], stride: [768, 768] }));
        assert_eq!(streets.published_miou("cityscapes", "val", &protocol), Some(76.54));
        assert_eq!(streets.published_miou("cityscapes", "val", &Protocol::mmseg_whole()), None);
        assert_eq!(weights("segformer-b0.ade20k.mmseg").protocol("ade20k"), Some("mmseg-whole@1"));
        assert_eq!(weights("segformer-b0.sample").protocol("sample"), None);
    }
}
