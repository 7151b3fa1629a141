//! The mean of windows.

use candle_core::Tensor;

use super::PoolOptions;
use super::windows::adaptive;
use crate::ops::kernels::maxima::Windows;
use crate::ops::kernels::resample::Axis;
use crate::ops::resample::resample;
use crate::{Error, Result};

/// The mean of each window.
///
/// With `count_include_pad`, PyTorch's default, the padding counts as zeros: the sum is divided by the size of the window
/// without what leaves even the padding. Otherwise it is divided by the number of pixels of the map in the window.
///
/// # Shapes
///
/// `x: (B, C, H, W)`, result `(B, C, h, w)` as [`PoolOptions::output_size`] says.
///
/// # Errors
///
/// [`Error::Shape`] if no window fits, the padding is more than half the kernel, or there is a dilation.
pub fn avg_pool2d(x: &Tensor, options: &PoolOptions, count_include_pad: bool) -> Result<Tensor> {
    if options.dilation != [1, 1] {
        let problem = format!("got dilation {:?}, expected [1, 1]", options.dilation);
        return Err(Error::shape("avg_pool2d", problem));
    }
    let [rows, columns] = options.windows("avg_pool2d", x)?;
    let axis = |windows: &Windows, axis: usize| {
        let (stride, padding) = (options.stride[axis], options.padding[axis]);
        means(windows, |window, pixels| {
            let begin = window * stride;
            let end = (begin + options.kernel[axis]).min(windows.input + 2 * padding);
            if count_include_pad { end - begin } else { pixels }
        })
    };
    Ok(resample(x, axis(&rows, 0), axis(&columns, 1))?)
}

/// The means of windows that share out the map evenly: `size` of them, `[height, width]`, whatever the size of the map.
///
/// # Shapes
///
/// `x: (B, C, H, W)`, result `(B, C, size[0], size[1])`.
///
/// # Errors
///
/// [`Error::Shape`] if `x` is not four-dimensional or a size is zero.
pub fn adaptive_avg_pool2d(x: &Tensor, size: [usize; 2]) -> Result<Tensor> {
    let [rows, columns] = adaptive("adaptive_avg_pool2d", x, size)?;
    if size == [1, 1] {
        // candle's mean differentiates correctly, and its gradient is a view that needs no memory.
        return Ok(x.mean_keepdim((2, 3))?);
    }
    let axis = |windows: &Windows| means(windows, |_, pixels| pixels);
    Ok(resample(x, axis(&rows), axis(&columns))?)
}

/// Equal weights for the pixels of each window; `divisor` is told the window and the number of its pixels.
fn means(windows: &Windows, divisor: impl Fn(usize, usize) -> usize) -> Axis {
    let taps =
        windows.ranges.iter().enumerate().map(|(window, range)| {
            (range.start, vec![1.0 / divisor(window, range.len()) as f32; range.len()])
        });
    Axis::new(windows.input, taps)
}
