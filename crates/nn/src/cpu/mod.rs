//! What differentiable functions on the CPU are made of: slices in, slices out.
//!
//! A [`Function`] computes its result and the gradients of its inputs from slices; [`apply`] puts it into candle's graph. Beside
//! them stand the tools that such functions share: work in pieces whose results do not depend on the number of threads
//! ([`for_each_chunk`]), loops compiled for the vectors of the machine ([`crate::vectorized!`]), elementary functions and sums
//! that those loops can use ([`math`]).

mod dense;
mod function;
pub mod math;
mod parallel;
mod profile;
mod simd;

#[doc(hidden)]
pub use ::pulp;

pub use function::{Backward, Function, Operand, apply, with_dense};
pub use parallel::{
    ColumnTile, chunk_rows, column_tiles, for_each_chunk, for_each_chunk2, share, share_chunks, sum_partials,
};
pub use profile::{Times, profile};
pub use simd::LANES;
