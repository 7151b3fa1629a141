//! Sorting and the largest elements along the last dimension.
//!
//! Indices are found on the CPU, whatever the device; values are gathered by them, which gives them their gradients.

use candle_core::{D, DType, Device, Tensor};

use super::gather;
use super::kernels::radix;
use crate::cpu::with_dense;
use crate::{Error, Result};

/// In which order elements are sorted. NaN counts as the largest, as in PyTorch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The smallest first.
    Ascending,
    /// The largest first.
    Descending,
}

/// The elements along the last dimension in order, and the index of each; equal elements keep their order.
///
/// # Shapes
///
/// `x: (.., N)`, both results too; the indices are u32.
///
/// # Errors
///
/// [`Error::Shape`] if `x` has no dimension, or is of f64 or integers, which f32 does not order.
pub fn sort(x: &Tensor, order: Order) -> Result<(Tensor, Tensor)> {
    let width = last_dimension("sort", x)?;
    ordered(x, width, |row| radix::sort(row, order == Order::Descending))
}

/// The `count` largest elements along the last dimension, the largest first, and the index of each; of equal elements the first
/// comes first.
///
/// # Shapes
///
/// `x: (.., N)`, both results `(.., count)`; the indices are u32.
///
/// # Errors
///
/// [`Error::Shape`] if there are fewer than `count`, or `x` is of f64 or integers, which f32 does not order.
pub fn top_k(x: &Tensor, count: usize) -> Result<(Tensor, Tensor)> {
    let width = last_dimension("top_k", x)?;
    if count > width {
        return Err(Error::shape("top_k", format!("got {:?}, expected at least {count} in a row", x.dims())));
    }
    ordered(x, count, |row| radix::largest(row, count))
}

fn last_dimension(operation: &'static str, x: &Tensor) -> Result<usize> {
    match (x.dims().last(), x.dtype()) {
        (Some(&width), DType::F32 | DType::F16 | DType::BF16) if u32::try_from(width).is_ok() => Ok(width),
        _ => {
            let problem = format!("got {:?} of {:?}, expected rows of F32, F16 or BF16", x.dims(), x.dtype());
            Err(Error::shape(operation, problem))
        }
    }
}

/// `width` elements of each row, in the order of the indices that `find` returns.
fn ordered(
    x: &Tensor,
    width: usize,
    find: impl Fn(&[f32]) -> Vec<u32> + Send + Sync,
) -> Result<(Tensor, Tensor)> {
    let mut dims = x.dims().to_vec();
    let columns = dims.last().copied().unwrap_or(1).max(1);
    if let Some(last) = dims.last_mut() {
        *last = width;
    }
    let on_host = x.detach().to_device(&Device::Cpu)?.to_dtype(DType::F32)?;
    let indices = with_dense(&on_host, |values| radix::for_each_row(values, columns, &find))?;
    let indices = Tensor::from_vec(indices, dims, &Device::Cpu)?.to_device(x.device())?;
    Ok((gather(x, &indices, D::Minus1)?, indices))
}
