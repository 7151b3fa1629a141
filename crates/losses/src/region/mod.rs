//! Losses that compare the region of a class with the region predicted for it.

mod asymmetric_similarity;
mod averaging;
mod dice;
mod focal_tversky;
mod generalized_dice;
mod iou;
mod lovasz;
pub(crate) mod overlap;
mod penalty;
mod ranking;
mod sensitivity_specificity;
mod tversky;

pub use asymmetric_similarity::AsymmetricSimilarity;
pub use averaging::{Average, Over};
pub use dice::Dice;
pub use focal_tversky::{FocalTversky, Power};
pub use generalized_dice::GeneralizedDice;
pub use iou::Iou;
pub use lovasz::{LovaszSoftmax, Present, Surrogate};
pub(crate) use overlap::{Overlap, Slopes, Squares};
pub use penalty::Penalty;
pub use sensitivity_specificity::SensitivitySpecificity;
pub use tversky::Tversky;
