//! The loops behind the operations on the CPU: slices in, slices out, no tensors.

pub(super) mod attention;
pub(super) mod channel_norm;
pub(super) mod depthwise;
mod gemm;
mod geometry;
pub(super) mod maxima;
pub(super) mod planes;
pub(super) mod pointwise;
pub(super) mod radix;
pub(super) mod resample;
pub(super) mod rows;
pub(super) mod softmax;
pub(super) mod unfolded;
mod windows;

pub(super) use gemm::{Matrix, MatrixMut, gemm, gemm_tall};
pub(super) use geometry::{Geometry, with_depth};
pub(super) use windows::Windows;
