//! The sizes of a convolution.

use std::ops::Range;

/// The sizes of a convolution; every triple is `[depth, height, width]`, and maps without depth have a depth of 1.
///
/// A transposed convolution is described by the convolution that it transposes: `input` is what it writes and `output` what it
/// reads.
#[derive(Debug, Clone, Copy)]
pub(in crate::ops) struct Geometry {
    pub(in crate::ops) batch: usize,
    pub(in crate::ops) channels: usize,
    pub(in crate::ops) outputs: usize,
    pub(in crate::ops) groups: usize,
    pub(in crate::ops) input: [usize; 3],
    pub(in crate::ops) kernel: [usize; 3],
    pub(in crate::ops) output: [usize; 3],
    pub(in crate::ops) stride: [usize; 3],
    /// Zeros before the first element; how many follow the last one shows in the size of the output.
    pub(in crate::ops) padding: [usize; 3],
    pub(in crate::ops) dilation: [usize; 3],
}

/// Sizes along the last axes, with `first` for the axes that are missing.
///
/// # Panics
///
/// If there are more than three axes.
pub(in crate::ops) fn with_depth<const N: usize>(values: [usize; N], first: usize) -> [usize; 3] {
    let mut all = [first; 3];
    all[3 - N..].copy_from_slice(&values);
    all
}

impl Geometry {
    /// Filters that see one channel each.
    pub(in crate::ops) fn is_depthwise(&self) -> bool {
        self.groups == self.channels && self.channels > 1
    }

    /// Elements of a map of the input.
    pub(in crate::ops) fn input_plane(&self) -> usize {
        self.input.iter().product()
    }

    /// Elements of a map of the output.
    pub(in crate::ops) fn output_plane(&self) -> usize {
        self.output.iter().product()
    }

    /// Taps of the window.
    pub(in crate::ops) fn taps(&self) -> usize {
        self.kernel.iter().product()
    }

    /// Where tap `tap` lies in the window, in steps of the dilation.
    pub(in crate::ops) fn tap(&self, tap: usize) -> [usize; 3] {
        let [_, height, width] = self.kernel;
        [tap / (height * width), tap / width % height, tap % width]
    }

    /// Elements from the first that a window covers to the last, zeros around the input included.
    pub(in crate::ops) fn reach(&self) -> [usize; 3] {
        [0, 1, 2].map(|axis| {
            (self.output[axis] - 1) * self.stride[axis] + (self.kernel[axis] - 1) * self.dilation[axis] + 1
        })
    }

    /// Whether the window is a single element and moves by one, so that the input need not be rearranged.
    pub(super) fn is_pointwise(&self) -> bool {
        self.kernel == [1; 3] && self.stride == [1; 3] && self.padding == [0; 3] && self.output == self.input
    }

    /// The output positions along an axis at which step `tap` of the window lies inside the input, and the input position of
    /// the first.
    pub(super) fn inside(&self, axis: usize, tap: usize) -> (Range<usize>, usize) {
        let (stride, padding) = (self.stride[axis], self.padding[axis]);
        let shift = tap * self.dilation[axis];
        let first = padding.saturating_sub(shift).div_ceil(stride);
        // The input position of output position o is o * stride + shift - padding.
        let end = (self.input[axis] + padding).saturating_sub(shift).div_ceil(stride).min(self.output[axis]);
        if first >= end { (0..0, 0) } else { (first..end, first * stride + shift - padding) }
    }
}
