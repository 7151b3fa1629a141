//! Convolution as a product with a matrix of windows (im2col).
//!
//! The windows are laid out for a band of output rows at a time, few enough to stay in the cache. What is computed does not
//! depend on the number of threads: only whether the images of a batch or the parts of one image are shared among them does.

use std::ops::Range;

use rayon::prelude::*;

use super::gemm::{Matrix, MatrixMut, gemm};
use super::geometry::Geometry;
use crate::cpu::{for_each_chunk, sum_partials};

/// Elements of the matrix of windows of one band: 2 MiB.
const BAND: usize = 1 << 19;
/// A weight with more elements than this is not kept once for each piece of the batch.
const LARGE_WEIGHT: usize = 1 << 20;
/// Pieces of a batch whose weight gradients are added up separately.
const PIECES: usize = 8;

/// The result of the convolution.
pub(in crate::ops) fn forward(
    geometry: &Geometry,
    x: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
) -> Vec<f32> {
    let groups = Groups::of(geometry);
    let (image, image_out) = (geometry.channels * geometry.input_plane(), geometry.outputs * groups.pixels);
    let mut y = vec![0.0; geometry.batch * image_out];
    let inside = geometry.batch < rayon::current_num_threads();
    let convolve = |index: usize, y: &mut [f32]| {
        if let Some(bias) = bias {
            y.chunks_exact_mut(groups.pixels).zip(bias).for_each(|(plane, bias)| plane.fill(*bias));
        }
        let x = &x[index * image..][..image];
        let mut windows = groups.scratch();
        for group in 0..geometry.options.groups {
            let (x, weight) = (groups.input(x, group), groups.weight(weight, group));
            for band in groups.bands() {
                let columns = groups.windows(x, &band, &mut windows, inside);
                let out = &mut y[group * groups.outputs * groups.pixels + band.start * groups.width..];
                let shape = [groups.outputs, band.len() * groups.width];
                let out = MatrixMut { data: out, shape, stride: groups.pixels };
                gemm(out, bias.is_some(), weight, columns, inside);
            }
        }
    };
    if inside {
        y.chunks_exact_mut(image_out).enumerate().for_each(|(index, y)| convolve(index, y));
    } else {
        y.par_chunks_exact_mut(image_out).enumerate().for_each(|(index, y)| convolve(index, y));
    }
    y
}

/// The gradients of the input, empty if it is not wanted, and of the weight.
pub(in crate::ops) fn backward(
    geometry: &Geometry,
    x: &[f32],
    weight: &[f32],
    grad: &[f32],
    x_wanted: bool,
) -> (Vec<f32>, Vec<f32>) {
    let groups = Groups::of(geometry);
    let (image, image_out) = (geometry.channels * geometry.input_plane(), geometry.outputs * groups.pixels);
    let pieces = if weight.len() > LARGE_WEIGHT { 1 } else { geometry.batch.clamp(1, PIECES) };
    let images = geometry.batch.div_ceil(pieces).max(1);
    let pieces = geometry.batch.div_ceil(images);
    let inside = pieces < rayon::current_num_threads();

    let mut x_grad = vec![0.0; if x_wanted { x.len() } else { 0 }];
    let mut x_pieces: Vec<&mut [f32]> = x_grad.chunks_mut((images * image).max(1)).collect();
    x_pieces.resize_with(pieces, Default::default);
    let mut partials = vec![0.0; pieces * weight.len()];
    let run = |piece: usize, weight_grad: &mut [f32], x_grad: &mut [f32]| {
        let mut windows = groups.scratch();
        for index in 0..images.min(geometry.batch - piece * images) {
            let (x, grad) =
                (&x[(piece * images + index) * image..], &grad[(piece * images + index) * image_out..]);
            let mut x_grad = x_grad.chunks_exact_mut(image).nth(index);
            for group in 0..geometry.options.groups {
                let x = groups.input(x, group);
                let weight_grad =
                    &mut weight_grad[group * groups.outputs * groups.rows..][..groups.outputs * groups.rows];
                let weight = groups.weight(weight, group);
                for band in groups.bands() {
                    let width = band.len() * groups.width;
                    let start = group * groups.outputs * groups.pixels + band.start * groups.width;
                    let strides = [groups.pixels, 1];
                    let grad = Matrix { data: &grad[start..], shape: [groups.outputs, width], strides };
                    let columns = groups.windows(x, &band, &mut windows, inside);
                    let out = MatrixMut::new(&mut *weight_grad, groups.outputs, groups.rows);
                    gemm(out, true, grad, columns.t(), inside);
                    if let Some(x_grad) = &mut x_grad {
                        let plane = groups.channels * geometry.input_plane();
                        let x_grad = &mut x_grad[group * plane..][..plane];
                        groups.add_input_gradient(weight.t(), grad, &band, &mut windows, x_grad, inside);
                    }
                }
            }
        }
    };
    if inside {
        let all = partials.chunks_exact_mut(weight.len()).zip(x_pieces);
        all.enumerate().for_each(|(piece, (weight_grad, x_grad))| run(piece, weight_grad, x_grad));
    } else {
        let all = partials.par_chunks_exact_mut(weight.len()).zip(x_pieces);
        all.enumerate().for_each(|(piece, (weight_grad, x_grad))| run(piece, weight_grad, x_grad));
    }
    let weight_grad = if pieces == 1 { partials } else { sum_partials(&partials, weight.len()) };
    (x_grad, weight_grad)
}

/// The sizes of one group of channels, and how its windows are cut into bands.
struct Groups<'a> {
    geometry: &'a Geometry,
    /// Input channels of a group.
    channels: usize,
    /// Output channels of a group.
    outputs: usize,
    /// Rows of the matrix of windows: taps of all channels.
    rows: usize,
    /// Width of the output.
    width: usize,
    /// Pixels of the output.
    pixels: usize,
    /// Output rows in one band.
    band: usize,
}

impl<'a> Groups<'a> {
    fn of(geometry: &'a Geometry) -> Self {
        let channels = geometry.channels / geometry.options.groups;
        let rows = channels * geometry.taps();
        let [height, width] = geometry.output;
        // A single pixel's window needs no band: its matrix is the input itself.
        let band =
            if geometry.is_pointwise() { height } else { (BAND / (rows * width).max(1)).clamp(1, height) };
        let outputs = geometry.outputs / geometry.options.groups;
        Self { geometry, channels, outputs, rows, width, pixels: geometry.output_plane(), band }
    }

    fn scratch(&self) -> Vec<f32> {
        let needed = if self.geometry.is_pointwise() { 0 } else { self.rows * self.band * self.width };
        vec![0.0; needed]
    }

    fn bands(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let (height, band) = (self.geometry.output[0], self.band);
        (0..height).step_by(band).map(move |start| start..(start + band).min(height))
    }

    fn input<'x>(&self, image: &'x [f32], group: usize) -> &'x [f32] {
        let size = self.channels * self.geometry.input_plane();
        &image[group * size..][..size]
    }

    fn weight<'x>(&self, weight: &'x [f32], group: usize) -> Matrix<'x> {
        let size = self.outputs * self.rows;
        Matrix::new(&weight[group * size..][..size], self.outputs, self.rows)
    }

    /// The channel and the row and column of the tap that a row of the matrix of windows stands for.
    fn place(&self, row: usize) -> (usize, usize, usize) {
        let [kernel_h, kernel_w] = self.geometry.kernel;
        (row / (kernel_h * kernel_w), row / kernel_w % kernel_h, row % kernel_w)
    }

    /// The windows of a band of output rows, one in each column.
    fn windows<'x>(
        &self,
        x: &'x [f32],
        band: &Range<usize>,
        windows: &'x mut [f32],
        parallel: bool,
    ) -> Matrix<'x> {
        if self.geometry.is_pointwise() {
            return Matrix::new(x, self.channels, self.pixels);
        }
        let columns = band.len() * self.width;
        let windows = &mut windows[..self.rows * columns];
        share(windows, columns, parallel, |row, to| self.fill_row(x, band, row, to));
        Matrix::new(windows, self.rows, columns)
    }

    fn fill_row(&self, x: &[f32], band: &Range<usize>, row: usize, to: &mut [f32]) {
        let (channel, tap_y, tap_x) = self.place(row);
        let [height, width] = self.geometry.input;
        let plane = &x[channel * height * width..][..height * width];
        let ((inside_y, top), (inside_x, left)) =
            (self.geometry.inside(0, tap_y), self.geometry.inside(1, tap_x));
        let [stride_y, stride_x] = self.geometry.options.stride;
        for (y, to) in band.clone().zip(to.chunks_exact_mut(self.width)) {
            if !inside_y.contains(&y) || inside_x.is_empty() {
                to.fill(0.0);
                continue;
            }
            let from = &plane[(top + (y - inside_y.start) * stride_y) * width..][..width];
            to[..inside_x.start].fill(0.0);
            to[inside_x.end..].fill(0.0);
            take_every(&from[left..], stride_x, &mut to[inside_x.clone()]);
        }
    }

    /// Adds the gradient that reaches the input through a band of output rows.
    fn add_input_gradient(
        &self,
        weight: Matrix,
        grad: Matrix,
        band: &Range<usize>,
        windows: &mut [f32],
        x_grad: &mut [f32],
        parallel: bool,
    ) {
        if self.geometry.is_pointwise() {
            gemm(MatrixMut::new(x_grad, self.channels, self.pixels), true, weight, grad, parallel);
            return;
        }
        let columns = band.len() * self.width;
        let windows = &mut windows[..self.rows * columns];
        gemm(MatrixMut::new(windows, self.rows, columns), false, weight, grad, parallel);
        let taps = self.geometry.taps();
        let windows = &*windows;
        share(x_grad, self.geometry.input_plane(), parallel, |channel, plane| {
            for row in channel * taps..(channel + 1) * taps {
                self.add_row(&windows[row * columns..][..columns], band, row, plane);
            }
        });
    }

    fn add_row(&self, from: &[f32], band: &Range<usize>, row: usize, plane: &mut [f32]) {
        let (_, tap_y, tap_x) = self.place(row);
        let width = self.geometry.input[1];
        let ((inside_y, top), (inside_x, left)) =
            (self.geometry.inside(0, tap_y), self.geometry.inside(1, tap_x));
        let [stride_y, stride_x] = self.geometry.options.stride;
        if inside_x.is_empty() {
            return;
        }
        for (y, from) in band.clone().zip(from.chunks_exact(self.width)) {
            if inside_y.contains(&y) {
                let to = &mut plane[(top + (y - inside_y.start) * stride_y) * width..][..width];
                add_every(&from[inside_x.clone()], stride_x, &mut to[left..]);
            }
        }
    }
}

fn share(out: &mut [f32], size: usize, parallel: bool, work: impl Fn(usize, &mut [f32]) + Send + Sync) {
    if parallel {
        for_each_chunk(out, size, work);
    } else {
        out.chunks_exact_mut(size.max(1)).enumerate().for_each(|(index, chunk)| work(index, chunk));
    }
}

/// Copies every `stride`-th element; the usual strides are constants to the compiler.
fn take_every(from: &[f32], stride: usize, to: &mut [f32]) {
    fn constant<const STRIDE: usize>(from: &[f32], to: &mut [f32]) {
        for (to, from) in to.iter_mut().zip(from.chunks(STRIDE)) {
            *to = from[0];
        }
    }
    match stride {
        1 => to.copy_from_slice(&from[..to.len()]),
        2 => constant::<2>(from, to),
        4 => constant::<4>(from, to),
        8 => constant::<8>(from, to),
        _ => to.iter_mut().zip(from.iter().step_by(stride)).for_each(|(to, from)| *to = *from),
    }
}

/// Adds to every `stride`-th element.
fn add_every(from: &[f32], stride: usize, to: &mut [f32]) {
    if stride == 1 {
        to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
    } else {
        to.iter_mut().step_by(stride).zip(from).for_each(|(to, from)| *to += from);
    }
}
