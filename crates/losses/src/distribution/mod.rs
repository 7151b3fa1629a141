//! Losses that compare the distribution over the classes pixel by pixel.

mod cross_entropy;
mod distance_penalized;
mod focal;
pub(crate) mod pixelwise;
mod topk;
mod weighted_cross_entropy;

pub use cross_entropy::CrossEntropy;
pub use distance_penalized::{DistancePenalizedCrossEntropy, Penalty as DistancePenalty};
pub use focal::Focal;
pub(crate) use pixelwise::Pixel;
pub use topk::TopK;
pub use weighted_cross_entropy::{Mean, WeightedCrossEntropy};
