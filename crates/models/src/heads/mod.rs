//! Decoders that several networks share.

pub mod aspp;
mod classifier;
pub mod fcn;
pub mod ppm;

pub use classifier::Classifier;
pub(crate) use classifier::problems;
