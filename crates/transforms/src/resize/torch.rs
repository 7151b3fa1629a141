//! PyTorch's `interpolate(mode="bilinear")` on the samples of an image as f32, rounded to 8 bits half to even as torchvision does.

use image::RgbImage;
use rayon::prelude::*;

use super::{BAND, CHANNELS};
use crate::axis::{Axis, mix};
use crate::kernels::{self, Simd, Work};

/// The image at `size` = (width, height).
pub(super) fn bilinear(image: &RgbImage, (width, height): (u32, u32), align_corners: bool) -> RgbImage {
    let mut out = RgbImage::new(width, height);
    let pitch = CHANNELS * width as usize;
    if pitch == 0 || height == 0 {
        return out;
    }
    assert!(image.width() > 0 && image.height() > 0, "an empty image has no pixels to interpolate");
    let columns = Axis::new(image.width() as usize, width as usize, align_corners);
    let rows = Axis::new(image.height() as usize, height as usize, align_corners);
    out.par_chunks_mut(BAND * pitch).enumerate().for_each(|(band, pixels)| {
        kernels::dispatch(Bilinear { image, columns: &columns, rows: &rows, first_row: band * BAND, pixels });
    });
    out
}

struct Bilinear<'a> {
    image: &'a RgbImage,
    columns: &'a Axis,
    rows: &'a Axis,
    first_row: usize,
    pixels: &'a mut [u8],
}

impl Work for Bilinear<'_> {
    #[inline(always)]
    fn run(self, _: impl Simd) {
        let Self { image, columns, rows, first_row, pixels } = self;
        let (pitch, source_pitch) = (CHANNELS * columns.len(), CHANNELS * image.width() as usize);
        let mut lines = [vec![0.0; pitch], vec![0.0; pitch]];
        let mut held = [usize::MAX; 2];
        for (row, out) in pixels.chunks_exact_mut(pitch).enumerate() {
            let (first, second) = rows.pair(first_row + row);
            if held[0] != first && held[1] == first {
                lines.swap(0, 1);
                held.swap(0, 1);
            }
            for (slot, wanted) in [first, second].into_iter().enumerate() {
                if held[slot] != wanted {
                    held[slot] = wanted;
                    let source = image.as_raw()[wanted * source_pitch..][..source_pitch].as_chunks().0;
                    line(source, columns, &mut lines[slot]);
                }
            }
            let weight = rows.weight(first_row + row);
            let [upper, lower] = &lines;
            for ((out, &upper), &lower) in out.iter_mut().zip(upper).zip(lower) {
                *out = mix(upper, lower, weight).round_ties_even() as u8;
            }
        }
    }
}

/// A source row at the target width.
#[inline(always)]
fn line(source: &[[u8; CHANNELS]], columns: &Axis, line: &mut [f32]) {
    for (position, out) in line.as_chunks_mut::<CHANNELS>().0.iter_mut().enumerate() {
        let (first, second) = columns.pair(position);
        let (first, second) = (source[first].map(f32::from), source[second].map(f32::from));
        let weight = columns.weight(position);
        *out = std::array::from_fn(|channel| mix(first[channel], second[channel], weight));
    }
}
