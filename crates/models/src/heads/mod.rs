//! Decoders that several networks share.

pub mod aspp;
mod classifier;
pub mod fcn;
pub mod fpn;
mod input;
pub mod ppm;

pub use classifier::Classifier;
pub(crate) use classifier::problems;
pub use input::Input;
