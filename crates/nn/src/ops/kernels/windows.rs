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
    /// For each tap.
    places: Vec<Place>,
}

/// Where a tap reads: in each axis the output positions inside the input, and the input position of the first.
struct Place {
    depth: (Range<usize>, usize),
    height: (Range<usize>, usize),
    width: (Range<usize>, usize),
}

impl<'a> Windows<'a> {
    pub(in crate::ops) fn new(geometry: &'a Geometry, channels: usize) -> Self {
        let place = |tap| {
            let [depth, height, width] = geometry.tap(tap);
            let [depth, height, width] =
                [(0, depth), (1, height), (2, width)].map(|(axis, steps)| geometry.inside(axis, steps));
            Place { depth, height, width }
        };
        Self { geometry, channels, places: (0..geometry.taps()).map(place).collect() }
    }

    /// Rows of the matrix.
    pub(in crate::ops) fn rows(&self) -> usize {
        self.channels * self.places.len()
    }

    /// Rows of the output.
    pub(in crate::ops) fn output_rows(&self) -> usize {
        self.geometry.output[0] * self.geometry.output[1]
    }

    /// Writes the windows of a band of maps `x` to `matrix`.
    pub(in crate::ops) fn read(&self, x: &[f32], band: &Range<usize>, matrix: &mut [f32], parallel: bool) {
        let columns = band.len() * self.geometry.output[2];
        let (taps, plane) = (self.places.len(), self.geometry.input_plane());
        share(matrix, columns, parallel, |row, to| {
            self.read_row(&x[row / taps * plane..][..plane], band, &self.places[row % taps], to);
        });
    }

    /// Adds the windows of a band to the maps they lie in.
    pub(in crate::ops) fn add(&self, matrix: &[f32], band: &Range<usize>, maps: &mut [f32], parallel: bool) {
        let columns = band.len() * self.geometry.output[2];
        let taps = self.places.len();
        share(maps, self.geometry.input_plane(), parallel, |channel, map| {
            for (tap, place) in self.places.iter().enumerate() {
                self.add_row(&matrix[(channel * taps + tap) * columns..][..columns], band, place, map);
            }
        });
    }

    /// For each output row of a band where the row of a map begins that a tap meets; None outside of the map.
    fn sources(&self, place: &Place, band: &Range<usize>) -> impl Iterator<Item = Option<usize>> {
        let Geometry { input, output, stride, .. } = *self.geometry;
        let ((depths, front), (heights, top)) = (&place.depth, &place.height);
        let (mut depth, mut height) = (band.start / output[1], band.start % output[1]);
        band.clone().map(move |_| {
            let met = depths.contains(&depth) && heights.contains(&height);
            let source = met.then(|| {
                let depth = front + (depth - depths.start) * stride[0];
                (depth * input[1] + top + (height - heights.start) * stride[1]) * input[2]
            });
            height += 1;
            if height == output[1] {
                (depth, height) = (depth + 1, 0);
            }
            source
        })
    }

    fn read_row(&self, map: &[f32], band: &Range<usize>, place: &Place, to: &mut [f32]) {
        let (inside, left) = &place.width;
        let rows = to.chunks_exact_mut(self.geometry.output[2]);
        for (source, to) in self.sources(place, band).zip(rows) {
            match source {
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

    fn add_row(&self, from: &[f32], band: &Range<usize>, place: &Place, map: &mut [f32]) {
        let (inside, left) = &place.width;
        let rows = from.chunks_exact(self.geometry.output[2]);
        for (source, from) in self.sources(place, band).zip(rows) {
            if let Some(start) = source {
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
