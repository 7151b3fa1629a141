//! Interpolation of maps to another size, without antialiasing.
//!
//! Positions and weights are those of PyTorch's `F.interpolate`, computed in f32 as there: `mode="nearest"`, `"nearest-exact"`,
//! `"bilinear"` and `"bicubic"`, each by size and by factor.

use candle_core::Tensor;

use super::kernels::resample::Axis;
use super::resample::resample;
use crate::{Error, Result};

/// How values between pixels are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interpolation {
    /// The pixel whose upper left corner is at or before the position scaled down; PyTorch's `nearest`, which is half a pixel
    /// off.
    Nearest,
    /// The pixel that the position falls on; PyTorch's `nearest-exact`, and what Pillow and OpenCV's `INTER_NEAREST_EXACT` call
    /// nearest.
    NearestExact,
    /// The mean of the two neighbors along each axis, weighted by nearness.
    Bilinear {
        /// Whether the centers of the corner pixels stay where they are, instead of the corners of the image.
        align_corners: bool,
    },
    /// The cubic through four neighbors along each axis, with Keys' parameter -0.75. Values can leave the range of the input.
    Bicubic {
        /// As for [`Interpolation::Bilinear`].
        align_corners: bool,
    },
}

/// What a map is resized to; both pairs are `[height, width]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ResizeTo {
    /// A size in pixels. Positions are scaled by input size / output size.
    Size([usize; 2]),
    /// The size times a factor, rounded down. Positions are scaled by 1 / factor even where rounding made the ratio of the sizes
    /// another one: PyTorch's `scale_factor` with `recompute_scale_factor` not set. With aligned corners only the sizes count.
    Factor([f64; 2]),
}

/// Resizes maps.
///
/// # Shapes
///
/// `x: (B, C, H, W)`, result `(B, C, height, width)`.
///
/// # Errors
///
/// [`Error::Shape`] if `x` is not four-dimensional, a size is zero or a factor is not a positive number.
///
/// # Source
///
/// `F.interpolate` of PyTorch 2.6; Keys, [Cubic Convolution Interpolation for Digital Image
/// Processing](https://doi.org/10.1109/TASSP.1981.1163711).
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use segbench_nn::ops::{Interpolation, ResizeTo, resize};
///
/// let x = Tensor::new(&[[[[1f32, 3.0]]]], &Device::Cpu)?;
/// let y = resize(&x, ResizeTo::Factor([1.0, 2.0]), Interpolation::Bilinear { align_corners: false })?;
/// assert_eq!(y.flatten_all()?.to_vec1::<f32>()?, [1.0, 1.5, 2.5, 3.0]);
/// # Ok::<(), segbench_nn::Error>(())
/// ```
pub fn resize(x: &Tensor, to: ResizeTo, interpolation: Interpolation) -> Result<Tensor> {
    let axis = |number: usize| -> Option<Axis> {
        let input = *x.dims().get(number + 2)?;
        let (output, factor) = match to {
            ResizeTo::Size(size) => (size[number], None),
            ResizeTo::Factor(factor) => {
                let factor = factor[number];
                (
                    ((input as f64) * factor).floor() as usize,
                    (factor.is_finite() && factor > 0.0).then_some(factor),
                )
            }
        };
        let known = matches!(to, ResizeTo::Size(_)) || factor.is_some();
        (known && input > 0 && output > 0).then(|| axis(input, output, factor, interpolation))
    };
    let (4, Some(rows), Some(columns)) = (x.rank(), axis(0), axis(1)) else {
        let problem =
            format!("got {:?} to resize by {to:?}, expected (B, C, H, W) and sizes above zero", x.dims());
        return Err(Error::shape("resize", problem));
    };
    if x.dims()[2..] == [rows.output(), columns.output()] && matches!(to, ResizeTo::Size(_)) {
        return Ok(x.clone());
    }
    Ok(resample(x, rows, columns)?)
}

/// [`resize`] to a size by bilinear interpolation.
///
/// # Shapes
///
/// `x: (B, C, H, W)`, result `(B, C, height, width)`.
///
/// # Errors
///
/// Those of [`resize`].
pub fn resize_bilinear(x: &Tensor, height: usize, width: usize, align_corners: bool) -> Result<Tensor> {
    resize(x, ResizeTo::Size([height, width]), Interpolation::Bilinear { align_corners })
}

fn axis(input: usize, output: usize, factor: Option<f64>, interpolation: Interpolation) -> Axis {
    let scale = match factor {
        Some(factor) => (1.0 / factor) as f32,
        None => input as f32 / output as f32,
    };
    let last = input - 1;
    match interpolation {
        Interpolation::Nearest => Axis::new(
            input,
            (0..output).map(|position| (((position as f32 * scale) as usize).min(last), [1.0])),
        ),
        Interpolation::NearestExact => Axis::new(
            input,
            (0..output).map(|position| ((((position as f32 + 0.5) * scale) as usize).min(last), [1.0])),
        ),
        Interpolation::Bilinear { align_corners } => {
            let source = source(input, output, scale, align_corners);
            let taps = |position| {
                let source = source(position).max(0.0);
                let low = (source as usize).min(last);
                let weight = (source - low as f32).clamp(0.0, 1.0);
                if low == last { (low, vec![1.0]) } else { (low, vec![1.0 - weight, weight]) }
            };
            Axis::new(input, (0..output).map(taps))
        }
        Interpolation::Bicubic { align_corners } => {
            let source = source(input, output, scale, align_corners);
            Axis::new(input, (0..output).map(|position| cubic(source(position), last)))
        }
    }
}

/// Where an output position lies among the centers of the input's pixels.
fn source(input: usize, output: usize, scale: f32, align_corners: bool) -> impl Fn(usize) -> f32 {
    let apart = if output > 1 { (input - 1) as f32 / (output - 1) as f32 } else { 0.0 };
    move |position| {
        let position = position as f32;
        if align_corners { apart * position } else { scale * (position + 0.5) - 0.5 }
    }
}

/// The first of the pixels that a cubic at `source` goes through and their weights; beyond the edges the edge counts again.
fn cubic(source: f32, last: usize) -> (usize, Vec<f32>) {
    let floor = source.floor().min(last as f32);
    let t = (source - floor).clamp(0.0, 1.0);
    let near = |x: f32| ((KEYS + 2.0) * x - (KEYS + 3.0)) * x * x + 1.0;
    let far = |x: f32| ((KEYS * x - 5.0 * KEYS) * x + 8.0 * KEYS) * x - 4.0 * KEYS;
    let clamped = |step: i64| (floor as i64 + step).clamp(0, last as i64) as usize;
    let first = clamped(-1);
    let mut weights = vec![0.0; clamped(2) - first + 1];
    for (step, weight) in [(-1, far(t + 1.0)), (0, near(t)), (1, near(1.0 - t)), (2, far(2.0 - t))] {
        weights[clamped(step) - first] += weight;
    }
    (first, weights)
}

/// The slope of Keys' kernel at distance 1.
const KEYS: f32 = -0.75;
