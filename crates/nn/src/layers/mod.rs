//! Operations with parameters.
//!
//! Layers take their parameters from a `VarBuilder` under the names that PyTorch gives them, with a hint how to initialize them
//! for training from nothing, and add their multiply-adds to the [`crate::Context`].

mod batch_norm;
mod conv;
mod conv_transpose;
mod dropout;
mod layer_norm;
mod linear;

pub use batch_norm::{BatchNorm2d, BatchNormConfig};
pub use conv::{Conv, Conv2d, Conv2dConfig, Conv3d, Conv3dConfig, ConvConfig};
pub use conv_transpose::{
    ConvTranspose, ConvTranspose2d, ConvTranspose2dConfig, ConvTranspose3d, ConvTranspose3dConfig,
    ConvTransposeConfig,
};
pub use dropout::{DropPath, Dropout, Dropout2d};
pub use layer_norm::LayerNorm;
pub use linear::{Linear, LinearConfig};
