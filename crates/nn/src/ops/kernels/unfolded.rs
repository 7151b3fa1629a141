//! Convolution as a product with a matrix of windows (im2col).
//!
//! The windows are laid out for a band of output rows at a time, few enough to stay in the cache. What is computed does not
//! depend on the number of threads: only whether the images of a batch or the parts of one image are shared among them does.

use std::ops::Range;

use rayon::prelude::*;

use super::gemm::{Matrix, MatrixMut, gemm};
use super::geometry::Geometry;
use super::windows::Windows;
use crate::cpu::sum_partials;

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
    for_each_image(&mut y, image_out, |index, y, parallel| {
        start_with(bias, groups.pixels, y);
        let x = &x[index * image..][..image];
        let mut scratch = groups.scratch();
        for group in 0..geometry.groups {
            let (x, weight) = (groups.input(x, group), groups.weight(weight, group));
            for band in groups.bands() {
                let columns = groups.windows(x, &band, &mut scratch, parallel);
                let shape = [groups.outputs, band.len() * groups.width];
                let data = &mut y[groups.start(group, &band)..];
                let out = MatrixMut { data, shape, stride: groups.pixels };
                gemm(out, bias.is_some(), weight, columns, parallel);
            }
        }
    });
    y
}

/// The gradient of the input, to which `bias` is added: without it the gradient of a convolution, with it the result of a
/// transposed convolution.
pub(in crate::ops) fn input_gradient(
    geometry: &Geometry,
    weight: &[f32],
    grad: &[f32],
    bias: Option<&[f32]>,
) -> Vec<f32> {
    let groups = Groups::of(geometry);
    let plane = geometry.input_plane();
    let (image, image_out) = (geometry.channels * plane, geometry.outputs * groups.pixels);
    let mut x_grad = vec![0.0; geometry.batch * image];
    for_each_image(&mut x_grad, image, |index, x_grad, parallel| {
        start_with(bias, plane, x_grad);
        let grad = &grad[index * image_out..][..image_out];
        let mut scratch = groups.scratch();
        for (group, x_grad) in x_grad.chunks_exact_mut(groups.channels * plane).enumerate() {
            let weight = groups.weight(weight, group).t();
            for band in groups.bands() {
                let grad = groups.gradient(grad, group, &band);
                if geometry.is_pointwise() {
                    let out = MatrixMut::new(&mut *x_grad, groups.channels, plane);
                    gemm(out, bias.is_some(), weight, grad, parallel);
                    continue;
                }
                let columns = band.len() * groups.width;
                let matrix = &mut scratch[..groups.rows * columns];
                gemm(MatrixMut::new(matrix, groups.rows, columns), false, weight, grad, parallel);
                groups.windows.add(matrix, &band, x_grad, parallel);
            }
        }
    });
    x_grad
}

/// The gradient of the weight.
pub(in crate::ops) fn weight_gradient(geometry: &Geometry, x: &[f32], grad: &[f32]) -> Vec<f32> {
    let groups = Groups::of(geometry);
    let (image, image_out) = (geometry.channels * geometry.input_plane(), geometry.outputs * groups.pixels);
    let size = geometry.outputs * groups.rows;
    let pieces = if size > LARGE_WEIGHT { 1 } else { geometry.batch.clamp(1, PIECES) };
    let images = geometry.batch.div_ceil(pieces).max(1);
    let pieces = geometry.batch.div_ceil(images).max(1);
    let mut partials = vec![0.0; pieces * size];
    for_each_image(&mut partials, size, |piece, weight_grad, parallel| {
        let mut scratch = groups.scratch();
        for index in piece * images..geometry.batch.min((piece + 1) * images) {
            let (x, grad) = (&x[index * image..][..image], &grad[index * image_out..][..image_out]);
            for (group, out) in weight_grad.chunks_exact_mut(groups.outputs * groups.rows).enumerate() {
                for band in groups.bands() {
                    let grad = groups.gradient(grad, group, &band);
                    let columns = groups.windows(groups.input(x, group), &band, &mut scratch, parallel);
                    let out = MatrixMut::new(&mut *out, groups.outputs, groups.rows);
                    gemm(out, true, grad, columns.t(), parallel);
                }
            }
        }
    });
    if pieces == 1 { partials } else { sum_partials(&partials, size) }
}

/// Calls `work(index, image, parallel)` for each image: many images are shared among the threads, few are shared inside.
fn for_each_image(out: &mut [f32], size: usize, work: impl Fn(usize, &mut [f32], bool) + Send + Sync) {
    if out.len() / size < rayon::current_num_threads() {
        out.chunks_exact_mut(size).enumerate().for_each(|(index, image)| work(index, image, true));
    } else {
        out.par_chunks_exact_mut(size).enumerate().for_each(|(index, image)| work(index, image, false));
    }
}

/// Fills each map with its bias.
fn start_with(bias: Option<&[f32]>, plane: usize, maps: &mut [f32]) {
    if let Some(bias) = bias {
        maps.chunks_exact_mut(plane).zip(bias).for_each(|(map, bias)| map.fill(*bias));
    }
}

/// The sizes of one group of channels, and how its windows are cut into bands.
struct Groups<'a> {
    geometry: &'a Geometry,
    windows: Windows<'a>,
    /// Input channels of a group.
    channels: usize,
    /// Output channels of a group.
    outputs: usize,
    /// Rows of the matrix of windows: taps of all channels.
    rows: usize,
    /// Width of the output.
    width: usize,
    /// Elements of a map of the output.
    pixels: usize,
    /// Output rows in one band.
    band: usize,
}

impl<'a> Groups<'a> {
    fn of(geometry: &'a Geometry) -> Self {
        let channels = geometry.channels / geometry.groups;
        let windows = Windows::new(geometry, channels);
        let (rows, width) = (windows.rows(), geometry.output[2]);
        // A single element's window needs no band: its matrix is the input itself.
        let band = if geometry.is_pointwise() { usize::MAX } else { BAND / (rows * width).max(1) };
        Self {
            geometry,
            channels,
            outputs: geometry.outputs / geometry.groups,
            rows,
            width,
            pixels: geometry.output_plane(),
            band: band.clamp(1, windows.output_rows()),
            windows,
        }
    }

    fn scratch(&self) -> Vec<f32> {
        let needed = if self.geometry.is_pointwise() { 0 } else { self.rows * self.band * self.width };
        vec![0.0; needed]
    }

    fn bands(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let (rows, band) = (self.windows.output_rows(), self.band);
        (0..rows).step_by(band).map(move |start| start..(start + band).min(rows))
    }

    fn input<'x>(&self, image: &'x [f32], group: usize) -> &'x [f32] {
        let size = self.channels * self.geometry.input_plane();
        &image[group * size..][..size]
    }

    fn weight<'x>(&self, weight: &'x [f32], group: usize) -> Matrix<'x> {
        let size = self.outputs * self.rows;
        Matrix::new(&weight[group * size..][..size], self.outputs, self.rows)
    }

    /// Where a band of a group begins in an image of the output.
    fn start(&self, group: usize, band: &Range<usize>) -> usize {
        group * self.outputs * self.pixels + band.start * self.width
    }

    fn gradient<'x>(&self, image: &'x [f32], group: usize, band: &Range<usize>) -> Matrix<'x> {
        let shape = [self.outputs, band.len() * self.width];
        Matrix { data: &image[self.start(group, band)..], shape, strides: [self.pixels, 1] }
    }

    /// The windows of a band of output rows, one in each column.
    fn windows<'x>(
        &self,
        x: &'x [f32],
        band: &Range<usize>,
        scratch: &'x mut [f32],
        parallel: bool,
    ) -> Matrix<'x> {
        if self.geometry.is_pointwise() {
            return Matrix::new(x, self.channels, self.pixels);
        }
        let columns = band.len() * self.width;
        let matrix = &mut scratch[..self.rows * columns];
        self.windows.read(x, band, matrix, parallel);
        Matrix::new(matrix, self.rows, columns)
    }
}
