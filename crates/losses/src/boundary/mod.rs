//! Losses that look at how far a pixel is from the border of a class.

mod hausdorff;
mod level;
pub(crate) mod seed;

pub use hausdorff::Hausdorff;
pub use level::Boundary;
