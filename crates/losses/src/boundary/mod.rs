//! Losses that look at how far a pixel is from the border of a class.

mod erosion;
mod hausdorff;
mod level;
pub(crate) mod seed;
pub(crate) mod weighted;

pub use hausdorff::Hausdorff;
pub use level::Boundary;
pub(crate) use weighted::Errors;
