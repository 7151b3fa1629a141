//! What backbones, necks and heads hand to each other: maps of several sizes.

use candle_core::Tensor;
use segbench_nn::{Context, Result};

use crate::{Labels, SegOutput};

/// What is known of a map before it is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stage {
    /// Channels.
    pub channels: usize,
    /// Pixels of the image for one step of the map.
    pub stride: usize,
}

/// Turns an image into maps, the largest first.
pub trait Backbone: Send + Sync {
    /// The maps it makes.
    fn stages(&self) -> &[Stage];

    /// The smallest height and width of an image that it takes.
    fn smallest_input(&self) -> usize {
        1
    }

    /// Computes the maps.
    ///
    /// # Shapes
    ///
    /// `x: (B, channels, H, W)`, results `(B, stages[i].channels, ~H / stages[i].stride, ~W / stages[i].stride)`.
    ///
    /// # Errors
    ///
    /// [`segbench_nn::Error::Shape`] if the image is too small.
    fn forward(&self, x: &Tensor, ctx: &Context) -> Result<Vec<Tensor>>;
}

/// Turns the maps of a backbone into others.
pub trait Neck: Send + Sync {
    /// The maps it makes.
    fn stages(&self) -> &[Stage];

    /// Computes the maps.
    ///
    /// # Errors
    ///
    /// [`segbench_nn::Error::Shape`] if the maps are not those it was built for.
    fn forward(&self, features: &[Tensor], ctx: &Context) -> Result<Vec<Tensor>>;
}

/// Turns maps into class scores.
pub trait Head: Send + Sync {
    /// Computes the scores `(B, classes, h, w)` at the head's own size, and in training what else its loss needs.
    ///
    /// # Errors
    ///
    /// [`segbench_nn::Error::Shape`] if the maps are not those it was built for.
    fn forward(&self, features: &[Tensor], ctx: &Context) -> Result<SegOutput>;

    /// What [`Segmentor::own_loss`](crate::Segmentor::own_loss) says of a network with this head.
    ///
    /// # Errors
    ///
    /// [`segbench_nn::Error::Shape`] if the labels are not those of the pass's images.
    fn own_loss(&self, _output: &SegOutput, _labels: &Labels) -> Result<Option<Tensor>> {
        Ok(None)
    }
}
