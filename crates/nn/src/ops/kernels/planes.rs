//! A batch of maps as planes: the values of one channel of one image.

use std::ops::Range;

use rayon::prelude::*;

use crate::cpu::share;

/// Elements in one piece of work.
const PIECE: usize = 1 << 14;

/// The sizes of a batch of maps `(B, C, ..)`.
#[derive(Clone, Copy)]
pub(in crate::ops) struct Planes {
    pub(in crate::ops) batch: usize,
    pub(in crate::ops) channels: usize,
    /// Elements of one channel of one image.
    pub(in crate::ops) plane: usize,
}

impl Planes {
    pub(in crate::ops) fn of(dims: &[usize]) -> Self {
        match dims {
            &[batch, channels, ref rest @ ..] => Self { batch, channels, plane: rest.iter().product() },
            _ => Self { batch: 0, channels: 0, plane: 0 },
        }
    }

    /// Calls `work(channel, place, piece)` for pieces of `out` that lie in one plane, with the place of each in the whole.
    pub(in crate::ops) fn for_each_piece(
        self,
        out: &mut [f32],
        work: impl Fn(usize, Range<usize>, &mut [f32]) + Send + Sync,
    ) {
        if out.is_empty() {
            return;
        }
        let Self { channels, plane, .. } = self;
        let at_once = (PIECE / plane).max(1) * plane;
        let run = |index: usize, planes: &mut [f32]| {
            for (number, out) in planes.chunks_mut(plane).enumerate() {
                let start = index * at_once + number * plane;
                work(start / plane % channels, start..start + out.len(), out);
            }
        };
        if plane <= PIECE {
            crate::cpu::for_each_chunk(out, at_once, run);
            return;
        }
        let pieces = out.chunks_mut(plane).enumerate().flat_map(|(index, plane_out)| {
            plane_out.chunks_mut(PIECE).enumerate().map(move |(number, out)| (index, number * PIECE, out))
        });
        share(pieces.collect(), |_, (index, offset, out): (usize, usize, &mut [f32])| {
            let start = index * plane + offset;
            work(index % channels, start..start + out.len(), out);
        });
    }

    /// `sum(channel, place)` of each plane, added up over pieces of fixed length.
    pub(in crate::ops) fn sums(self, sum: impl Fn(usize, Range<usize>) -> f64 + Send + Sync) -> Vec<f64> {
        let of_plane = |index: usize| -> f64 {
            let (start, end) = (index * self.plane, (index + 1) * self.plane);
            let pieces = (start..end).step_by(PIECE).map(|from| from..end.min(from + PIECE));
            let channel = index % self.channels;
            if self.plane < 4 * PIECE {
                return pieces.map(|piece| sum(channel, piece)).sum();
            }
            let pieces: Vec<Range<usize>> = pieces.collect();
            let sums: Vec<f64> = pieces.into_par_iter().map(|piece| sum(channel, piece)).collect();
            sums.into_iter().sum()
        };
        (0..self.batch * self.channels).into_par_iter().map(of_plane).collect()
    }

    /// The sums over the images of what was found for each plane, one for each channel.
    pub(in crate::ops) fn over_batch(self, of_planes: &[f64]) -> Vec<f64> {
        let mut sums = vec![0.0; self.channels];
        for of_image in of_planes.chunks_exact(self.channels.max(1)) {
            for (sum, value) in sums.iter_mut().zip(of_image) {
                *sum += value;
            }
        }
        sums
    }
}
