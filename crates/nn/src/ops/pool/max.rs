//! The largest value of windows, and back.

use std::sync::{Arc, OnceLock};

use candle_core::{Shape, Tensor};

use super::PoolOptions;
use super::windows::adaptive;
use crate::cpu::{Backward, Function, Operand, apply, chunk_rows, for_each_chunk, for_each_chunk2};
use crate::ops::kernels::maxima::{self, Scratch, Windows};
use crate::ops::on_cpu;
use crate::{Error, Result};

/// The largest value of each window. The gradient goes to the first of equal values, in the order of rows; NaN is larger than
/// all.
///
/// # Shapes
///
/// `x: (B, C, H, W)`, result `(B, C, h, w)` as [`PoolOptions::output_size`] says.
///
/// # Errors
///
/// [`Error::Shape`] if no window fits, one has no pixel of the map in it, or the padding is more than half the kernel.
pub fn max_pool2d(x: &Tensor, options: &PoolOptions) -> Result<Tensor> {
    let windows = options.windows("max_pool2d", x)?;
    Ok(pool(x, windows, x.track_op())?.0)
}

/// The largest value of each window as [`max_pool2d`], and its place in the plane: `row * W + column`, in u32.
///
/// # Shapes
///
/// `x: (B, C, H, W)`, both results `(B, C, h, w)`.
///
/// # Errors
///
/// Those of [`max_pool2d`].
pub fn max_pool2d_with_indices(x: &Tensor, options: &PoolOptions) -> Result<(Tensor, Tensor)> {
    let windows = options.windows("max_pool2d_with_indices", x)?;
    match pool(x, windows, true)? {
        (y, Some(places)) => Ok((y, places)),
        (y, None) => Err(Error::shape("max_pool2d_with_indices", format!("no places for {:?}", y.dims()))),
    }
}

/// The largest values of windows that share out the map evenly: `size` of them, `[height, width]`, whatever the size of the map.
///
/// # Shapes
///
/// `x: (B, C, H, W)`, result `(B, C, size[0], size[1])`.
///
/// # Errors
///
/// [`Error::Shape`] if `x` is not four-dimensional or a size is zero.
pub fn adaptive_max_pool2d(x: &Tensor, size: [usize; 2]) -> Result<Tensor> {
    let windows = adaptive("adaptive_max_pool2d", x, size)?;
    Ok(pool(x, windows, x.track_op())?.0)
}

/// The largest values, and their places if they are asked for.
fn pool(
    x: &Tensor,
    [rows, columns]: [Windows; 2],
    with_places: bool,
) -> candle_core::Result<(Tensor, Option<Tensor>)> {
    if !on_cpu(&[x]) {
        let (y, places) = portable(x, &rows, &columns)?;
        return Ok((y, Some(places)));
    }
    let places = with_places.then(Arc::<OnceLock<Vec<u32>>>::default);
    let y = apply(MaxPool { rows, columns, places: places.clone() }, &[x])?;
    let places = places.as_deref().and_then(OnceLock::get);
    let places = places.map(|places| Tensor::from_slice(places, y.dims(), x.device())).transpose()?;
    Ok((y, places))
}

/// The pixels of every window side by side, short windows filled up with their first pixel, of which the first largest is taken.
fn portable(x: &Tensor, rows: &Windows, columns: &Windows) -> candle_core::Result<(Tensor, Tensor)> {
    let longest = |windows: &Windows| {
        windows.ranges.iter().map(|range| range.len().div_ceil(windows.step)).max().unwrap_or(0)
    };
    let taps = longest(rows) * longest(columns);
    let mut places = Vec::new();
    for row_range in &rows.ranges {
        for column_range in &columns.ranges {
            let end = places.len() + taps;
            for row in row_range.clone().step_by(rows.step) {
                let line = column_range.clone().step_by(columns.step);
                places.extend(line.map(|column| (row * columns.input + column) as u32));
            }
            let first = (row_range.start * columns.input + column_range.start) as u32;
            places.resize(end, first);
        }
    }
    let (batch, channels, _, _) = x.dims4()?;
    let (height, width) = (rows.ranges.len(), columns.ranges.len());
    let places = Tensor::from_vec(places, height * width * taps, x.device())?;
    let windows = (batch, channels, height * width, taps);
    let pixels = x.flatten(2, 3)?.contiguous()?.index_select(&places, 2)?.reshape(windows)?;
    let largest = pixels.argmax_keepdim(3)?;
    let places = places.reshape((1, 1, height * width, taps))?.broadcast_as(windows)?.contiguous()?;
    let out = (batch, channels, height, width);
    Ok((pixels.gather(&largest, 3)?.reshape(out)?, places.gather(&largest, 3)?.reshape(out)?))
}

struct MaxPool {
    rows: Windows,
    columns: Windows,
    /// Where the largest values were, once that is known; None if nobody asks.
    places: Option<Arc<OnceLock<Vec<u32>>>>,
}

impl Function for MaxPool {
    const NAME: &'static str = "max_pool2d";

    fn forward(&self, inputs: &[Operand]) -> candle_core::Result<(Vec<f32>, Shape)> {
        let x = inputs[0].dense()?;
        let (rows, columns) = (&self.rows, &self.columns);
        let (size_in, size) = (rows.input * columns.input, rows.ranges.len() * columns.ranges.len());
        let together = chunk_rows(size_in);
        let plane = |index: usize, number: usize| &x[(index * together + number) * size_in..][..size_in];
        let mut y = vec![0.0; x.len() / size_in * size];
        if let Some(kept) = &self.places {
            let mut places = vec![0; y.len()];
            for_each_chunk2((&mut y, together * size), (&mut places, together * size), |index, y, places| {
                let mut scratch = Scratch::default();
                let out = y.chunks_exact_mut(size).zip(places.chunks_exact_mut(size));
                for (number, out) in out.enumerate() {
                    maxima::values_and_places(plane(index, number), rows, columns, out, &mut scratch);
                }
            });
            kept.get_or_init(|| places);
        } else {
            for_each_chunk(&mut y, together * size, |index, y| {
                let mut scratch = Scratch::default();
                for (number, y) in y.chunks_exact_mut(size).enumerate() {
                    maxima::values(plane(index, number), rows, columns, y, &mut scratch);
                }
            });
        }
        let dims: Vec<usize> = inputs[0]
            .dims()
            .iter()
            .take(2)
            .copied()
            .chain([rows.ranges.len(), columns.ranges.len()])
            .collect();
        Ok((y, dims.into()))
    }

    fn backward(&self, pass: &Backward) -> candle_core::Result<Vec<Option<Vec<f32>>>> {
        let Some(places) = self.places.as_ref().and_then(|places| places.get()) else {
            candle_core::bail!("max_pool2d: the places of the largest values are gone")
        };
        let (size_in, size) =
            (self.rows.input * self.columns.input, self.rows.ranges.len() * self.columns.ranges.len());
        Ok(vec![Some(spread(&pass.gradient.dense()?, places, size, size_in, |to, value| *to += value))])
    }
}

/// For planes of `size` values each, zeros of `size_out` in which every value is put to its place.
fn spread(
    values: &[f32],
    places: &[u32],
    size: usize,
    size_out: usize,
    put: impl Fn(&mut f32, f32) + Send + Sync,
) -> Vec<f32> {
    let mut out = vec![0.0; values.len() / size.max(1) * size_out];
    let together = chunk_rows(size_out);
    for_each_chunk(&mut out, together * size_out, |index, out| {
        for (number, out) in out.chunks_exact_mut(size_out).enumerate() {
            let here = (index * together + number) * size;
            for (value, place) in values[here..here + size].iter().zip(&places[here..here + size]) {
                put(&mut out[*place as usize], *value);
            }
        }
    });
    out
}

/// Puts every value to its place in a map of zeros: what [`max_pool2d_with_indices`] took, where it took it.
///
/// Of values for one place the last stays, and all of them get its gradient, as in PyTorch.
///
/// # Shapes
///
/// `x: (B, C, h, w)`, `indices: (B, C, h, w)` in u32, `row * width + column`; result `(B, C, height, width)`.
///
/// # Errors
///
/// [`Error::Shape`] if the shapes differ or a place is outside the map.
///
/// # Source
///
/// Badrinarayanan, Kendall, Cipolla, [SegNet](https://arxiv.org/abs/1511.00561), section 3.
pub fn max_unpool2d(x: &Tensor, indices: &Tensor, [height, width]: [usize; 2]) -> Result<Tensor> {
    let size = height * width;
    let (&[batch, channels, h, w], true) = (x.dims(), x.dims() == indices.dims()) else {
        let problem =
            format!("got {:?} and indices {:?}, expected (B, C, H, W) twice", x.dims(), indices.dims());
        return Err(Error::shape("max_unpool2d", problem));
    };
    let places = indices.flatten_all()?.to_vec1::<u32>()?;
    if let Some(place) = places.iter().find(|place| **place as usize >= size) {
        let problem = format!("got the index {place}, expected less than {height} x {width}");
        return Err(Error::shape("max_unpool2d", problem));
    }
    if !on_cpu(&[x]) {
        let zeros = Tensor::zeros((batch, channels, size), x.dtype(), x.device())?;
        let flat = |t: &Tensor| t.reshape((batch, channels, h * w));
        #[expect(clippy::disallowed_methods, reason = "zeros need no gradient, and the source's is right")]
        let y = zeros.scatter(&flat(indices)?.contiguous()?, &flat(x)?.contiguous()?, 2)?;
        return Ok(y.reshape((batch, channels, height, width))?);
    }
    Ok(apply(Unpool { places, height, width }, &[x])?)
}

struct Unpool {
    places: Vec<u32>,
    height: usize,
    width: usize,
}

impl Unpool {
    /// The elements of a plane before and after.
    fn sizes(&self, dims: &[usize]) -> (usize, usize) {
        (dims.iter().skip(2).product(), self.height * self.width)
    }
}

impl Function for Unpool {
    const NAME: &'static str = "max_unpool2d";

    fn forward(&self, inputs: &[Operand]) -> candle_core::Result<(Vec<f32>, Shape)> {
        let (size_in, size) = self.sizes(inputs[0].dims());
        let y = spread(&inputs[0].dense()?, &self.places, size_in, size, |to, value| *to = value);
        let outer = inputs[0].dims().iter().take(2);
        let dims: Vec<usize> = outer.copied().chain([self.height, self.width]).collect();
        Ok((y, dims.into()))
    }

    fn backward(&self, pass: &Backward) -> candle_core::Result<Vec<Option<Vec<f32>>>> {
        let (size_in, size) = self.sizes(pass.inputs[0].dims());
        let grad = pass.gradient.dense()?;
        let mut out = vec![0.0; self.places.len()];
        let together = chunk_rows(size_in);
        for_each_chunk(&mut out, together * size_in, |index, out| {
            for (number, out) in out.chunks_exact_mut(size_in).enumerate() {
                let plane = index * together + number;
                let places = &self.places[plane * size_in..][..size_in];
                for (to, place) in out.iter_mut().zip(places) {
                    *to = grad[plane * size + *place as usize];
                }
            }
        });
        Ok(vec![Some(out)])
    }
}
