//! The losses a segmentation network is trained with, each the same number and the same gradient as its reference.
//!
//! A [`Loss`] compares the logits of a network, `(B, C, H, W)` or `(B, C, D, H, W)` before any softmax, with a [`Target`] of the same
//! size. Pixels labelled [`segbench_types::IGNORE`] take no part: they add nothing to the loss and get no gradient, and a target of
//! nothing else has the loss 0. Every loss is in [`LOSSES`] with its name, formula and source, and is made by [`build`] from its name and
//! options; [`Recipe`] adds several with weights that may change during a training.
//!
//! On the CPU each loss is one fused operation, from slices to a value and a gradient; sums over pixels are in f64 and in one order
//! whatever the number of threads. On other devices the same formula is put together from operations of tensors ([`Loss::composed`]).

mod batch;
mod boundary;
mod composed;
mod distribution;
mod error;
mod fused;
mod loss;
mod masked;
mod matching;
mod options;
mod recipe;
mod region;
mod registry;
mod target;

pub use boundary::{Boundary, Hausdorff};
pub use distribution::{
    CrossEntropy, DistancePenalizedCrossEntropy, DistancePenalty, Focal, Mean, TopK, WeightedCrossEntropy,
};
pub use error::{Error, Result};
pub use loss::{Form, Loss, Needs};
pub use matching::Costs;
pub use recipe::{Recipe, RecipeOptions, TermOptions, Weight};
pub use region::{
    AsymmetricSimilarity, Average, Dice, FocalTversky, GeneralizedDice, Iou, LovaszSoftmax, Over, Penalty,
    Power, Present, SensitivitySpecificity, Surrogate, Tversky,
};
pub use registry::{Card, LOSSES, build, card};
pub use target::Target;
