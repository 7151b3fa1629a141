//! Pooling: the largest value or the mean of windows, and the way back from the largest.
//!
//! Sizes, divisors and ties are those of PyTorch. Every window of these functions has at least one pixel of the input in it.

mod average;
mod max;
mod windows;

pub use average::{adaptive_avg_pool2d, avg_pool2d};
pub use max::{adaptive_max_pool2d, max_pool2d, max_pool2d_with_indices, max_unpool2d};
pub use windows::PoolOptions;
