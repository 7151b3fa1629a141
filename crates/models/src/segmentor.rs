//! What every network can do: turn normalized images into class scores.

use std::collections::BTreeMap;

use candle_core::Tensor;
use segbench_nn::Context;

use crate::Result;

/// What mmsegmentation gives the auxiliary heads of most networks.
pub(crate) const AUXILIARY_WEIGHT: f64 = 0.4;

/// A network with its weights.
pub trait Segmentor: Send + Sync {
    /// Computes class scores.
    ///
    /// # Shapes
    ///
    /// `input: (B, channels, H, W)`, normalized as the card's [`Preprocessing`](crate::Preprocessing) says; the logits are
    /// `(B, classes, h, w)` at the network's own output size.
    ///
    /// # Errors
    ///
    /// [`Error::Input`](crate::Error::Input) if the network cannot take the input's shape.
    fn forward(&self, input: &Tensor, ctx: &Context) -> Result<SegOutput>;

    /// How the logits are to be resized to the image.
    fn align_corners(&self) -> bool;

    /// Weight of the loss of each of the [auxiliary](SegOutput::auxiliary) scores beside that of the logits.
    fn auxiliary_weight(&self) -> f64 {
        AUXILIARY_WEIGHT
    }
}

/// What a network computes.
#[derive(Debug, Clone)]
pub struct SegOutput {
    /// Class scores `(B, classes, h, w)` before the softmax.
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
}
