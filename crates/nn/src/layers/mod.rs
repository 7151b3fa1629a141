//! Operations with parameters.
//!
//! Layers take their parameters from a `VarBuilder` under the names that PyTorch gives them, with a hint how to initialize them
//! for training from nothing, and add their multiply-adds to the [`crate::Context`].

mod batch_norm;
mod conv;
mod dropout;
mod layer_norm;
mod linear;

pub use batch_norm::{BatchNorm2d, BatchNormConfig};
pub use conv::{Conv2d, Conv2dConfig};
pub use dropout::{DropPath, Dropout, Dropout2d};
pub use layer_norm::LayerNorm;
pub use linear::{Linear, LinearConfig};
