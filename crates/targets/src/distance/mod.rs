//! Exact Euclidean distance maps of label maps and masks.
//!
//! Distances are computed squared, between centers of pixels or voxels; in pixels of a plane they are integers, and exact. A [`Grid`]
//! says how the elements lie, [`to_nearest`] serves one mask, and [`ClassDistances`] all classes of a label map together.
//!
//! Two cases have no answer in the geometry and get one here: a class that is nowhere has the map 0, and so has a class that is
//! everywhere, because nothing lies outside of it.

mod classes;
mod code;
mod envelope;
mod grid;
mod kernels;
mod map;
mod planar;
mod runs;
mod strips;

pub use classes::{ClassDistances, ImageDistances};
pub use code::DistanceCode;
pub use envelope::to_nearest;
pub use grid::Grid;
pub use kernels::Instructions;
pub use map::DistanceMap;
