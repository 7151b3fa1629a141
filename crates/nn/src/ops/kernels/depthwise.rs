//! Convolution with one filter for each channel.
//!
//! A map is copied into a frame of zeros. In it a tap is a fixed distance, so that the whole map is one long row: its result is a
//! sum of shifted copies, computed for all columns of the frame, of which those beside the output are dropped. Strides are
//! served by computing every position and keeping some.

use super::geometry::Geometry;
use crate::cpu::LANES;
use crate::cpu::{for_each_chunk, for_each_chunk2, sum_partials};
use crate::vectorized;

/// Maps in one piece of work, which shares scratch memory.
const MAPS: usize = 8;
/// Elements of the result that are kept in registers over all taps.
const BLOCK: usize = 4 * LANES;

/// The result of the convolution.
pub(in crate::ops) fn forward(
    geometry: &Geometry,
    x: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
) -> Vec<f32> {
    let frame = Frame::of(geometry);
    let (plane, plane_out) = (geometry.input_plane(), geometry.output_plane());
    let mut y = vec![0.0; geometry.batch * geometry.channels * plane_out];
    for_each_chunk(&mut y, MAPS * plane_out, |index, chunk| {
        let (mut framed, mut full) = (vec![0.0; frame.size], vec![0.0; frame.positions]);
        for (map, y) in chunk.chunks_exact_mut(plane_out).enumerate() {
            let map = index * MAPS + map;
            let channel = map % geometry.channels;
            frame.enter(&x[map * plane..][..plane], &mut framed);
            let start = bias.map_or(0.0, |bias| bias[channel]);
            correlate(&framed, &frame.offsets, filter(geometry, weight, channel), start, &mut full);
            frame.keep(&full, y);
        }
    });
    y
}

/// The gradients of the input and of the weight.
pub(in crate::ops) fn backward(
    geometry: &Geometry,
    x: &[f32],
    weight: &[f32],
    grad: &[f32],
) -> (Vec<f32>, Vec<f32>) {
    let frame = Frame::of(geometry);
    let (plane, plane_out, taps) = (geometry.input_plane(), geometry.output_plane(), geometry.taps());
    // The gradient of the result lies behind as many zeros as the farthest tap reaches, and taps reach backwards.
    let reach = frame.offsets.last().copied().unwrap_or(0);
    let backwards: Vec<usize> = frame.offsets.iter().map(|offset| reach - offset).collect();

    let mut x_grad = vec![0.0; x.len()];
    let mut partials = vec![0.0; geometry.batch * geometry.channels * taps];
    for_each_chunk2((&mut x_grad, MAPS * plane), (&mut partials, MAPS * taps), |index, chunk, sums| {
        let (mut framed, mut full) = (vec![0.0; frame.size], vec![0.0; frame.size]);
        let mut spread = vec![0.0; reach + frame.size];
        for (map, (x_grad, sums)) in
            chunk.chunks_exact_mut(plane).zip(sums.chunks_exact_mut(taps)).enumerate()
        {
            let map = index * MAPS + map;
            frame.enter(&x[map * plane..][..plane], &mut framed);
            frame.spread(&grad[map * plane_out..][..plane_out], &mut spread[reach..]);
            products(&spread[reach..][..frame.positions], &framed, &frame.offsets, sums);
            correlate(&spread, &backwards, filter(geometry, weight, map % geometry.channels), 0.0, &mut full);
            frame.leave(&full, x_grad);
        }
    });
    (x_grad, sum_partials(&partials, geometry.channels * taps))
}

fn filter<'a>(geometry: &Geometry, weight: &'a [f32], channel: usize) -> &'a [f32] {
    &weight[channel * geometry.taps()..][..geometry.taps()]
}

/// A map with its padding.
struct Frame {
    input: [usize; 2],
    padding: [usize; 2],
    output: [usize; 2],
    stride: [usize; 2],
    /// Columns of the frame.
    width: usize,
    /// Elements of the frame.
    size: usize,
    /// Elements from the first position of the window to the last.
    positions: usize,
    /// How far each tap lies from the first.
    offsets: Vec<usize>,
}

impl Frame {
    fn of(geometry: &Geometry) -> Self {
        let (options, [kernel_h, kernel_w]) = (geometry.options, geometry.kernel);
        let [height, width] = [0, 1].map(|axis| geometry.input[axis] + 2 * options.padding[axis]);
        let places = (0..kernel_h).flat_map(|y| (0..kernel_w).map(move |x| (y, x)));
        let offsets: Vec<usize> =
            places.map(|(y, x)| y * options.dilation[0] * width + x * options.dilation[1]).collect();
        let size = height * width;
        let positions = size - offsets.last().copied().unwrap_or(0);
        let Geometry { input, output, .. } = *geometry;
        Self {
            input,
            padding: options.padding,
            output,
            stride: options.stride,
            width,
            size,
            positions,
            offsets,
        }
    }

    /// The inner rows of the frame.
    fn inner(&self, row: usize) -> std::ops::Range<usize> {
        let start = (row + self.padding[0]) * self.width + self.padding[1];
        start..start + self.input[1]
    }

    fn enter(&self, map: &[f32], framed: &mut [f32]) {
        for (row, from) in map.chunks_exact(self.input[1]).enumerate() {
            framed[self.inner(row)].copy_from_slice(from);
        }
    }

    fn leave(&self, framed: &[f32], map: &mut [f32]) {
        for (row, to) in map.chunks_exact_mut(self.input[1]).enumerate() {
            to.copy_from_slice(&framed[self.inner(row)]);
        }
    }

    /// Keeps the positions that the window stops at.
    fn keep(&self, full: &[f32], map: &mut [f32]) {
        for (row, to) in map.chunks_exact_mut(self.output[1]).enumerate() {
            let from = &full[row * self.stride[0] * self.width..];
            if self.stride[1] == 1 {
                to.copy_from_slice(&from[..to.len()]);
            } else {
                to.iter_mut().zip(from.iter().step_by(self.stride[1])).for_each(|(to, from)| *to = *from);
            }
        }
    }

    /// Puts values to the positions that the window stops at; the others keep their zeros.
    fn spread(&self, map: &[f32], full: &mut [f32]) {
        for (row, from) in map.chunks_exact(self.output[1]).enumerate() {
            let to = &mut full[row * self.stride[0] * self.width..];
            if self.stride[1] == 1 {
                to[..from.len()].copy_from_slice(from);
            } else {
                to.iter_mut().step_by(self.stride[1]).zip(from).for_each(|(to, from)| *to = *from);
            }
        }
    }
}

vectorized! {
    /// `out[i] = start + Σ weight[t] · x[i + offsets[t]]`.
    fn correlate<'a>(x: &'a [f32], offsets: &'a [usize], weight: &'a [f32], start: f32, out: &'a mut [f32]) {
        let mut blocks = out.chunks_exact_mut(BLOCK);
        let mut place = 0;
        for block in &mut blocks {
            let mut sums = [start; BLOCK];
            for (offset, weight) in offsets.iter().zip(weight) {
                let x = &x[place + offset..][..BLOCK];
                for (sum, x) in sums.iter_mut().zip(x) {
                    *sum = x.mul_add(*weight, *sum);
                }
            }
            block.copy_from_slice(&sums);
            place += BLOCK;
        }
        let rest = blocks.into_remainder();
        rest.fill(start);
        for (offset, weight) in offsets.iter().zip(weight) {
            let x = &x[place + offset..][..rest.len()];
            for (sum, x) in rest.iter_mut().zip(x) {
                *sum = x.mul_add(*weight, *sum);
            }
        }
    }

    /// `sums[t] = Σ grad[i] · x[i + offsets[t]]`.
    fn products<'a>(grad: &'a [f32], x: &'a [f32], offsets: &'a [usize], sums: &'a mut [f32]) {
        for (offset, sum) in offsets.iter().zip(sums) {
            *sum = crate::cpu::math::long_dot(grad, &x[*offset..]);
        }
    }
}
