//! What a loss may ask of a batch of logits, wherever they are.
//!
//! A loss is written once, against [`Batch`]: for slices on the CPU, where each pass is fused (`fused`), and for tensors on any
//! device (`composed`). Every pass takes numbers that do not depend on logits, or whose gradient is not wanted, from plain code on the CPU.

use crate::boundary::Errors;
use crate::distribution::Pixel;
use crate::masked::Masked;
use crate::region::{Overlap, Slopes, Squares};
use crate::{Result, Target};

/// The passes over pixels that losses are made of. Ignored pixels take no part in any.
pub(crate) trait Batch {
    /// The value of a loss, and where it is asked for its gradient.
    type Value;

    fn target(&self) -> &Target;

    fn classes(&self) -> usize;

    /// The cross-entropy of every pixel; minus infinity where it does not count.
    fn losses(&self) -> Result<Vec<f32>>;

    /// For each pixel that counts, the class of more than half its probability; [`segbench_types::IGNORE`] for the others.
    fn predicted(&self) -> Result<Vec<u8>>;

    /// The sum of `shape` over the pixels; `shape` gives the value of a pixel and its slope in the pixel's cross-entropy.
    fn sum(&mut self, shape: impl Fn(Pixel) -> (f64, f64) + Send + Sync) -> Result<Self::Value>;

    /// A loss of the overlaps: `reduce` gets one per image and class, image after image, and gives the value and a slope for each.
    fn overlaps(
        &mut self,
        squares: Squares,
        reduce: impl FnOnce(&[Overlap]) -> (f64, Vec<Slopes>),
    ) -> Result<Self::Value>;

    /// The sum of `scale` times errors times weights over pixels and classes; `fill(image, weights)` writes the weights of an image,
    /// class after class, over those of the image before.
    fn weigh(
        &mut self,
        errors: Errors,
        scale: f64,
        fill: impl FnMut(usize, &mut [f32]),
    ) -> Result<Self::Value>;

    /// What `work` makes of slices and, where it is asked for, of room for the gradient, filled with zeros.
    fn evaluate(
        &mut self,
        work: impl FnOnce(&Masked, Option<&mut [f32]>) -> Result<f64>,
    ) -> Result<Self::Value>;
}
