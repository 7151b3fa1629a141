//! Training targets: how often each class occurs, and the weights made of that.
//!
//! [`Frequencies`] are a query over the manifest, which holds the pixels of every class in every image; no label map is opened again.
//! A [`Scheme`] is a formula from frequencies to one weight per class, and says so in words with [`Scheme::formula`]; an [`Adjustment`]
//! scales and bounds what comes of it.
//! [`ClassDistances`] are exact Euclidean distances to the border of each class, for the losses that look at borders.
//!
//! # Examples
//! ```
//! use segbench_targets::{Frequencies, Scheme};
//!
//! let frequencies = Frequencies {
//!     pixels: vec![900, 100, 0],
//!     image_pixels: vec![1200, 600, 0],
//!     image_labelled: vec![1000, 500, 0],
//!     images: vec![2, 1, 0],
//!     labelled: 1000,
//!     ignored: 200,
//! };
//! let weights = Scheme::parse("inverse")?.weights(&frequencies);
//! assert_eq!(weights, [Some(1000.0 / 900.0), Some(10.0), None]);
//! # Ok::<(), segbench_targets::Error>(())
//! ```

mod adjustment;
mod distance;
mod error;
mod frequencies;
mod scheme;
mod table;

pub use adjustment::{Adjustment, Normalization};
pub use distance::{
    ClassDistances, DistanceCode, DistanceMap, Grid, ImageDistances, Instructions, to_nearest,
};
pub use error::Error;
pub use frequencies::Frequencies;
pub use scheme::{EFFECTIVE_NUMBER_BETA, Scheme};
pub use table::{ClassWeights, ClassWeightsRow};
