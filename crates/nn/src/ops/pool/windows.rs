//! Which pixels a window covers.

use candle_core::Tensor;

use crate::ops::kernels::maxima::Windows;
use crate::{Error, Result};

/// How a window moves over a map; every pair is `[height, width]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolOptions {
    /// The size of the window.
    pub kernel: [usize; 2],
    /// Steps between two windows.
    pub stride: [usize; 2],
    /// Pixels beyond each side that windows may reach, at most half the kernel. A maximum never sees them.
    pub padding: [usize; 2],
    /// Steps between two pixels of a window. Averages know 1 only.
    pub dilation: [usize; 2],
    /// Whether a last window that leaves the map beyond the padding counts too, as long as it begins on the map or in the padding
    /// before it.
    pub ceil_mode: bool,
}

impl PoolOptions {
    /// Windows side by side: stride like the kernel, no padding, dilation 1, `ceil_mode` off.
    pub fn new(kernel: [usize; 2]) -> Self {
        Self { kernel, stride: kernel, padding: [0; 2], dilation: [1; 2], ceil_mode: false }
    }

    /// The size of the output; None if an option is not allowed or no window fits.
    pub fn output_size(&self, input: [usize; 2]) -> Option<[usize; 2]> {
        Some([self.output(0, input[0])?, self.output(1, input[1])?])
    }

    fn output(&self, axis: usize, input: usize) -> Option<usize> {
        let (stride, padding) = (self.stride[axis], self.padding[axis]);
        if stride == 0 || self.dilation[axis] == 0 || padding > self.kernel[axis] / 2 {
            return None;
        }
        let span = self.dilation[axis] * self.kernel[axis].checked_sub(1)? + 1;
        let extra = if self.ceil_mode { stride - 1 } else { 0 };
        let output = (input + 2 * padding + extra).checked_sub(span)? / stride + 1;
        // The last window has to begin on the map or in the padding before it.
        let leaves = self.ceil_mode && (output - 1) * stride >= input + padding;
        (if leaves { output - 1 } else { output }).checked_sub(1)?;
        Some(if leaves { output - 1 } else { output })
    }

    /// The pixels of every window along an axis; None if there is no window, or one without a pixel.
    fn along(&self, axis: usize, input: usize) -> Option<Windows> {
        let (stride, padding, step) = (self.stride[axis], self.padding[axis], self.dilation[axis]);
        let range = |window: usize| {
            // Positions are counted from the beginning of the padding until the end.
            let before = (window * stride..).step_by(step).find(|&position| position >= padding)?;
            let end = (window * stride + step * (self.kernel[axis] - 1) + 1).min(input + padding);
            (before < end).then(|| before - padding..end - padding)
        };
        let ranges = (0..self.output(axis, input)?).map(range).collect::<Option<_>>()?;
        Some(Windows { input, ranges, step })
    }

    /// The windows along the rows and along the columns of `x`.
    pub(super) fn windows(&self, operation: &'static str, x: &Tensor) -> Result<[Windows; 2]> {
        if let &[_, _, height, width] = x.dims()
            && let (Some(rows), Some(columns)) = (self.along(0, height), self.along(1, width))
        {
            return Ok([rows, columns]);
        }
        let problem = format!(
            "got {:?} and {self:?}, expected (B, C, H, W), a padding of at most half the kernel, and a pixel in every window",
            x.dims()
        );
        Err(Error::shape(operation, problem))
    }
}

/// The windows that share out `x` evenly among `size` outputs; neighbors overlap where the size does not divide.
pub(super) fn adaptive(operation: &'static str, x: &Tensor, size: [usize; 2]) -> Result<[Windows; 2]> {
    match *x.dims() {
        [_, _, height, width] if height * width * size[0] * size[1] > 0 => {
            let along = |input: usize, output: usize| {
                let range = |window: usize| window * input / output..((window + 1) * input).div_ceil(output);
                Windows { input, ranges: (0..output).map(range).collect(), step: 1 }
            };
            Ok([along(height, size[0]), along(width, size[1])])
        }
        ref dims => {
            let problem =
                format!("got {dims:?} to pool to {size:?}, expected (B, C, H, W) and sizes above zero");
            Err(Error::shape(operation, problem))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_pytorch() {
        let size = |kernel, stride, padding, dilation, ceil_mode, input| {
            let pair = |n: usize| [n, n];
            PoolOptions {
                kernel: pair(kernel),
                stride: pair(stride),
                padding: pair(padding),
                dilation: pair(dilation),
                ceil_mode,
            }
            .output_size([input, input])
            .map(|size| size[0])
        };
        // From `F.max_pool2d` of PyTorch 2.6.
        for (expected, kernel, stride, padding, dilation, ceil_mode, input) in [
            (Some(3), 2, 2, 0, 1, false, 7),
            (Some(4), 2, 2, 0, 1, true, 7),
            (Some(4), 3, 2, 1, 1, false, 7),
            (Some(4), 3, 2, 1, 1, true, 7),
            (Some(2), 1, 4, 0, 1, true, 5),
            (Some(2), 2, 5, 1, 1, true, 5),
            (Some(2), 3, 2, 0, 2, false, 7),
            (Some(3), 3, 2, 0, 2, true, 8),
            (Some(1), 3, 7, 1, 1, true, 5),
            (None, 3, 1, 0, 1, false, 2),
            (Some(1), 3, 2, 0, 1, true, 2),
            (None, 3, 1, 0, 1, true, 2),
            (None, 3, 1, 2, 1, false, 5),
            (None, 0, 1, 0, 1, false, 5),
            (None, 2, 0, 0, 1, false, 5),
            (None, 2, 1, 0, 0, false, 5),
        ] {
            let got = size(kernel, stride, padding, dilation, ceil_mode, input);
            assert_eq!(got, expected, "{kernel} {stride} {padding} {dilation} {ceil_mode} {input}");
        }
    }
}
