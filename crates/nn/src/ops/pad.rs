//! Maps with a border around them.

use candle_core::Tensor;

use crate::{Error, Result};

/// What the border of a padded map holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Padding {
    /// One value.
    Constant(f64),
    /// The map mirrored at its outermost pixels, which are not repeated: at most one pixel less than the map has.
    Reflect,
    /// The outermost pixels again and again.
    Replicate,
}

/// Puts a border around maps, `sides` pixels wide: `[top, bottom, left, right]`.
///
/// # Shapes
///
/// `x: (B, C, H, W)`, result `(B, C, top + H + bottom, left + W + right)`.
///
/// # Errors
///
/// [`Error::Shape`] if `x` is not four-dimensional, has no pixel to mirror or repeat, or is too small to be mirrored that far.
pub fn pad2d(x: &Tensor, sides: [usize; 4], padding: Padding) -> Result<Tensor> {
    let [top, bottom, left, right] = sides;
    let (rows, columns) = ([top, bottom], [left, right]);
    let fits = match *x.dims() {
        [_, _, height, width] => reaches(height, rows, padding) && reaches(width, columns, padding),
        _ => false,
    };
    if !fits {
        let problem = format!(
            "got {:?} to pad by {sides:?} with {padding:?}, expected (B, C, H, W) and enough pixels to fill the border",
            x.dims()
        );
        return Err(Error::shape("pad2d", problem));
    }
    Ok(along(&along(x, 2, rows, padding)?, 3, columns, padding)?)
}

/// Whether `size` pixels fill a border.
fn reaches(size: usize, border: [usize; 2], padding: Padding) -> bool {
    match padding {
        Padding::Constant(_) => true,
        Padding::Reflect => border.iter().all(|&width| width < size.max(1)),
        Padding::Replicate => size > 0 || border == [0, 0],
    }
}

/// Pads one axis by operations of candle whose gradients are right.
fn along(
    x: &Tensor,
    axis: usize,
    [before, after]: [usize; 2],
    padding: Padding,
) -> candle_core::Result<Tensor> {
    let size = x.dim(axis)?;
    if before + after == 0 {
        return Ok(x.clone());
    }
    let positions: Vec<u32> = match padding {
        Padding::Constant(0.0) => return x.pad_with_zeros(axis, before, after),
        Padding::Constant(value) => {
            let border = |width| {
                let mut dims = x.dims().to_vec();
                dims[axis] = width;
                Tensor::full(value, dims, x.device())?.to_dtype(x.dtype())
            };
            return Tensor::cat(&[&border(before)?, x, &border(after)?], axis);
        }
        Padding::Reflect => (1..=before)
            .rev()
            .chain(0..size)
            .chain((0..after).map(|step| size - 2 - step))
            .map(|p| p as u32)
            .collect(),
        Padding::Replicate => {
            let repeated = |position: usize, times| std::iter::repeat_n(position, times);
            repeated(0, before).chain(0..size).chain(repeated(size - 1, after)).map(|p| p as u32).collect()
        }
    };
    let positions = Tensor::from_vec(positions, before + size + after, x.device())?;
    x.contiguous()?.index_select(&positions, axis)
}
