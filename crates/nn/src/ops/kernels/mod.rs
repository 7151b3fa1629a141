//! The loops behind the operations on the CPU: slices in, slices out, no tensors.

mod dense;
pub(super) mod depthwise;
mod gemm;
mod geometry;
mod math;
mod parallel;
pub(super) mod rows;
mod simd;
pub(super) mod unfolded;

pub(super) use dense::Dense;
pub(super) use gemm::{Matrix, MatrixMut, gemm, gemm_tall};
pub(super) use geometry::Geometry;
pub(super) use parallel::{chunk_rows, for_each_chunk, for_each_chunk2, share_chunks, sum_partials};
