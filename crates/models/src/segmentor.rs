//! What every network can do: turn normalized images or volumes into class scores, and these into labels.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use segbench_nn::Context;
use segbench_transforms::upsample_argmax;
use segbench_types::{LabelMap, Volume};

use crate::own_loss::Labels;
use crate::{Error, Result};

/// What mmsegmentation gives the auxiliary heads of most networks.
pub(crate) const AUXILIARY_WEIGHT: f64 = 0.4;

/// A network with its weights.
pub trait Segmentor: Send + Sync {
    /// Computes class scores.
    ///
    /// # Shapes
    ///
    /// `input: (B, channels, H, W)`, normalized as the card's [`Preprocessing`](crate::Preprocessing) says; the logits are
    /// `(B, classes, h, w)` at the network's own output size. A network of volumes takes `(B, channels, D, H, W)` and gives
    /// `(B, classes, D, H, W)`.
    ///
    /// # Errors
    ///
    /// [`Error::Input`](crate::Error::Input) if the network cannot take the input's shape.
    fn forward(&self, input: &Tensor, ctx: &Context) -> Result<SegOutput>;

    /// How the logits are to be resized to the image.
    fn align_corners(&self) -> bool;

    /// The label map of each image of a pass, at `size` = (height, width): the logits are resized, and the largest wins.
    ///
    /// The map of a volume has its slices below each other, so `size` is (depth * height, width); logits of volumes are not
    /// resized.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] if `size` is not that of a volume's logits.
    fn labels(&self, output: &SegOutput, size: (usize, usize)) -> Result<Vec<LabelMap>> {
        labels(&output.logits, size, self.align_corners())
    }

    /// Weight of the loss of each of the [auxiliary](SegOutput::auxiliary) scores beside that of the logits.
    fn auxiliary_weight(&self) -> f64 {
        AUXILIARY_WEIGHT
    }

    /// The network's own loss, to be added to that of the scores: a scalar over the [extra](SegOutput::extra) results of a pass that
    /// trains. None for the networks that have none.
    ///
    /// # Errors
    ///
    /// [`Error::Layer`] if the labels are not those of the pass's images.
    fn own_loss(&self, _output: &SegOutput, _labels: &Labels) -> Result<Option<Tensor>> {
        Ok(None)
    }
}

/// What a network computes.
#[derive(Debug, Clone)]
pub struct SegOutput {
    /// Class scores `(B, classes, h, w)` or `(B, classes, D, H, W)` before the softmax.
    pub logits: Tensor,
    /// Class scores that only training uses, of auxiliary heads and of the earlier heads of a cascade; empty in a pass that
    /// predicts.
    pub auxiliary: Vec<Tensor>,
    /// What else the network's own loss needs, under names that its file documents; empty in a pass that predicts.
    pub extra: BTreeMap<&'static str, Tensor>,
}

impl From<Tensor> for SegOutput {
    fn from(logits: Tensor) -> Self {
        Self { logits, auxiliary: Vec::new(), extra: BTreeMap::new() }
    }
}

fn labels(logits: &Tensor, size: (usize, usize), align_corners: bool) -> Result<Vec<LabelMap>> {
    let (classes, own) = match *logits.dims() {
        [_, classes, height, width] => (classes, (height, width)),
        // The slices of a volume lie below each other already.
        [_, classes, depth, height, width] if (depth * height, width) == size => (classes, size),
        ref dims => {
            return Err(Error::Input {
                problem: format!("logits {dims:?} are not those of a volume of {size:?} rows and columns"),
                help: "a network of volumes labels them at their own size".into(),
            });
        }
    };
    let values = logits.detach().flatten_all()?.to_vec1::<f32>()?;
    let maps = values.chunks_exact(classes * own.0 * own.1);
    Ok(maps.map(|map| upsample_argmax(map, classes, own, size, size, align_corners)).collect())
}

/// What a network looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// Color images.
    Image,
    /// Volumes of one channel, as scanners make them.
    Volume,
}

impl Input {
    /// Channels of what it looks at.
    pub fn channels(self) -> usize {
        match self {
            Self::Image => 3,
            Self::Volume => 1,
        }
    }
}

/// A volume as a network's input: with mean 0 and variance 1.
///
/// # Shapes
///
/// (1, 1, D, H, W) f32.
///
/// # Errors
///
/// candle's, if the device cannot hold it.
pub fn volume_input(volume: &Volume, device: &Device) -> Result<Tensor> {
    let [depth, height, width] = volume.size();
    Ok(Tensor::from_vec(volume.standardized(), (1, 1, depth, height, width), device)?)
}

/// What a network is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputSpec {
    /// Classes to tell apart.
    pub classes: usize,
    /// Channels of an image; 3 for color.
    pub channels: usize,
}

impl InputSpec {
    /// Color images and this many classes.
    pub fn rgb(classes: usize) -> Self {
        Self { classes, channels: 3 }
    }

    /// Refuses what is no batch of images with these channels and sides of at least `smallest` pixels.
    pub(crate) fn check(&self, network: &str, smallest: usize, input: &Tensor) -> Result<()> {
        match *input.dims() {
            [batch, channels, height, width]
                if batch > 0 && channels == self.channels && height.min(width) >= smallest.max(1) =>
            {
                Ok(())
            }
            ref dims => {
                let sides = match smallest {
                    0 | 1 => String::new(),
                    _ => format!(" with sides of at least {smallest} pixels"),
                };
                Err(Error::Input {
                    problem: format!("{network} cannot take an input of shape {dims:?}"),
                    help: format!("it takes (batch, {}, height, width){sides}", self.channels),
                })
            }
        }
    }
}
