//! The sizes of a convolution.

use std::ops::Range;

use crate::ops::Conv2dOptions;

/// The sizes of a convolution; every pair is `[height, width]`.
#[derive(Debug, Clone, Copy)]
pub(in crate::ops) struct Geometry {
    pub(in crate::ops) batch: usize,
    pub(in crate::ops) channels: usize,
    pub(in crate::ops) outputs: usize,
    pub(in crate::ops) input: [usize; 2],
    pub(in crate::ops) kernel: [usize; 2],
    pub(in crate::ops) output: [usize; 2],
    pub(in crate::ops) options: Conv2dOptions,
}

impl Geometry {
    /// One filter for each channel.
    pub(in crate::ops) fn is_depthwise(&self) -> bool {
        self.options.groups == self.channels && self.outputs == self.channels && self.channels > 1
    }

    /// Pixels of a map of the input.
    pub(super) fn input_plane(&self) -> usize {
        self.input[0] * self.input[1]
    }

    /// Pixels of a map of the output.
    pub(super) fn output_plane(&self) -> usize {
        self.output[0] * self.output[1]
    }

    /// Taps of the window.
    pub(super) fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Whether the window is a single pixel and moves by one, so that the input need not be rearranged.
    pub(super) fn is_pointwise(&self) -> bool {
        let Conv2dOptions { stride, padding, .. } = self.options;
        self.kernel == [1; 2] && stride == [1; 2] && padding == [0; 2]
    }

    /// The output positions along an axis at which tap `tap` lies inside the input, and the input position of the first.
    pub(super) fn inside(&self, axis: usize, tap: usize) -> (Range<usize>, usize) {
        let (stride, padding) = (self.options.stride[axis], self.options.padding[axis]);
        let shift = tap * self.options.dilation[axis];
        let first = padding.saturating_sub(shift).div_ceil(stride);
        // The input position of output position o is o * stride + shift - padding.
        let end = (self.input[axis] + padding).saturating_sub(shift).div_ceil(stride).min(self.output[axis]);
        if first >= end { (0..0, 0) } else { (first..end, first * stride + shift - padding) }
    }
}
