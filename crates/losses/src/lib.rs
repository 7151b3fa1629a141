//! Losses a segmentation network is trained with, each the same number and the same gradient as its reference.
//!
//! A loss compares the logits of a network, `(B, C, H, W)` before any softmax, with a [`Target`] of the same size. Pixels
//! labelled [`segbench_types::IGNORE`] take no part: they add nothing to the loss and get no gradient, and a target of nothing
//! else has the loss 0.

mod distribution;
mod error;
mod target;

pub use distribution::cross_entropy;
pub use error::{Error, Result};
pub use target::Target;
