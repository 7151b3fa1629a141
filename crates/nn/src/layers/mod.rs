//! Operations with parameters.
//!
//! Layers take their parameters from a `VarBuilder` under the names that PyTorch gives them, with a hint how to initialize them
//! for training from nothing, and add their multiply-adds to the [`crate::Context`].

mod batch_norm;
mod conv;
mod conv_transpose;
mod dropout;
mod group_norm;
mod layer_norm;
mod linear;
mod prelu;

pub use batch_norm::{BatchNorm, BatchNormConfig};
pub use conv::{Conv, Conv2d, Conv2dConfig, Conv3d, Conv3dConfig, ConvConfig};
pub use conv_transpose::{
    ConvTranspose, ConvTranspose2d, ConvTranspose2dConfig, ConvTranspose3d, ConvTranspose3dConfig,
    ConvTransposeConfig,
};
pub use dropout::{DropPath, Dropout, Dropout2d};
pub use group_norm::{GroupNorm, InstanceNorm};
pub use layer_norm::{LayerNorm, LayerNorm2d};
pub use linear::{Linear, LinearConfig};
pub use prelu::Prelu;
