//! Losses that compare the distribution over the classes pixel by pixel.

mod cross_entropy;

pub use cross_entropy::cross_entropy;
