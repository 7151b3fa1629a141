//! The matrix of windows of a convolution (im2col), and its transpose (col2im).
//!
//! A row stands for a tap of the window in a channel, a column for a position of the output. A band is a range of rows of the
//! output, counted through all of its depth.

use std::ops::Range;

use super::geometry::Geometry;
use crate::cpu::for_each_chunk;

/// The windows over some of the channels.
pub(in crate::ops) struct Windows<'a> {
    geometry: &'a Geometry,
    channels: usize,
}

/// Where a row of the matrix reads: in each axis the output positions inside the input, and the input position of the first.
struct Place {
    channel: usize,
    depth: (Range<usize>, usize),
    height: (Range<usize>, usize),
    width: (Range<usize>, usize),
}

impl<'a> Windows<'a> {
    pub(in crate::ops) fn new(geometry: &'a Geometry, channels: usize) -> Self {
        Self { geometry, channels }
    }

    /// Rows of the matrix.
    pub(in crate::ops) fn rows(&self) -> usize {
        self.channels * self.geometry.taps()
    }

    /// Rows of the output.
    pub(in crate::ops) fn output_rows(&self) -> usize {
        self.geometry.output[0] * self.geometry.output[1]
    }

    /// Writes the windows of a band of maps `x` to `matrix`.
    pub(in crate::ops) fn read(&self, x: &[f32], band: &Range<usize>, matrix: &mut [f32], parallel: bool) {
        let columns = band.len() * self.geometry.output[2];
        share(matrix, columns, parallel, |row, to| self.read_row(x, band, row, to));
    }

    /// Adds the windows of a band to the maps they lie in.
    pub(in crate::ops) fn add(&self, matrix: &[f32], band: &Range<usize>, maps: &mut [f32], parallel: bool) {
        let columns = band.len() * self.geometry.output[2];
        let taps = self.geometry.taps();
        share(maps, self.geometry.input_plane(), parallel, |channel, map| {
            for row in channel * taps..(channel + 1) * taps {
                self.add_row(&matrix[row * columns..][..columns], band, row, map);
            }
        });
    }

    fn place(&self, row: usize) -> Place {
        let taps = self.geometry.taps();
        let [depth, height, width] = self.geometry.tap(row % taps);
        Place {
            channel: row / taps,
            depth: self.geometry.inside(0, depth),
            height: self.geometry.inside(1, height),
            width: self.geometry.inside(2, width),
        }
    }

    /// Where the row of a map begins that output row `row` of the window meets; None outside of the map.
    fn source(&self, place: &Place, row: usize) -> Option<usize> {
        let (depth, height) = (row / self.geometry.output[1], row % self.geometry.output[1]);
        if !place.depth.0.contains(&depth) || !place.height.0.contains(&height) {
            return None;
        }
        let [stride_d, stride_h, _] = self.geometry.stride;
        let depth = place.depth.1 + (depth - place.depth.0.start) * stride_d;
        let height = place.height.1 + (height - place.height.0.start) * stride_h;
        Some((depth * self.geometry.input[1] + height) * self.geometry.input[2])
    }

    fn read_row(&self, x: &[f32], band: &Range<usize>, row: usize, to: &mut [f32]) {
        let place = self.place(row);
        let plane = self.geometry.input_plane();
        let map = &x[place.channel * plane..][..plane];
        let (inside, left) = &place.width;
        for (row, to) in band.clone().zip(to.chunks_exact_mut(self.geometry.output[2])) {
            match self.source(&place, row) {
                Some(start) if !inside.is_empty() => {
                    to[..inside.start].fill(0.0);
                    to[inside.end..].fill(0.0);
                    let from = &map[start..][..self.geometry.input[2]];
                    take_every(&from[*left..], self.geometry.stride[2], &mut to[inside.clone()]);
                }
                _ => to.fill(0.0),
            }
        }
    }

    fn add_row(&self, from: &[f32], band: &Range<usize>, row: usize, map: &mut [f32]) {
        let place = self.place(row);
        let (inside, left) = &place.width;
        if inside.is_empty() {
            return;
        }
        for (row, from) in band.clone().zip(from.chunks_exact(self.geometry.output[2])) {
            if let Some(start) = self.source(&place, row) {
                let to = &mut map[start..][..self.geometry.input[2]];
                add_every(&from[inside.clone()], self.geometry.stride[2], &mut to[*left..]);
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
pub(super) fn take_every(from: &[f32], stride: usize, to: &mut [f32]) {
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

/// Adds to every `stride`-th element; the usual strides are constants to the compiler.
pub(super) fn add_every(from: &[f32], stride: usize, to: &mut [f32]) {
    fn constant<const STRIDE: usize>(from: &[f32], to: &mut [f32]) {
        for (to, from) in to.chunks_mut(STRIDE).zip(from) {
            to[0] += from;
        }
    }
    match stride {
        1 => to.iter_mut().zip(from).for_each(|(to, from)| *to += from),
        2 => constant::<2>(from, to),
        4 => constant::<4>(from, to),
        8 => constant::<8>(from, to),
        _ => to.iter_mut().step_by(stride).zip(from).for_each(|(to, from)| *to += from),
    }
}
