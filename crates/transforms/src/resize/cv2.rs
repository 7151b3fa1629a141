//! OpenCV's `resize` on 8-bit data: `INTER_LINEAR` and `INTER_NEAREST`.
//!
//! Coefficients of 11 fractional bits, rows kept in integers, a vertical pass that drops four bits before it multiplies, and the mean
//! of 2x2 pixels when both sides are exactly halved. No anti-aliasing.
//!
//! # Source
//! OpenCV 4.11, `modules/imgproc/src/resize.cpp` (`HResizeLinear`, `VResizeLinear` for `uchar`, `resizeNN`).

use image::RgbImage;
use rayon::prelude::*;
use segbench_types::LabelMap;

use super::{BAND, CHANNELS, Window};
use crate::kernels::{self, PixelPairs, Simd, Work};

/// Bits of OpenCV's fixed-point coefficients.
const COEFFICIENT_BITS: u32 = 11;
const ONE: i32 = 1 << COEFFICIENT_BITS;

/// A window of the labels at `size` = (width, height).
pub(crate) fn nearest(labels: &LabelMap, size: (u32, u32), window: Window) -> LabelMap {
    let columns = nearest_sources(labels.width(), size.0, window.x, window.width);
    let rows = nearest_sources(labels.height(), size.1, window.y, window.height);
    let mut out = LabelMap::filled(window.width, window.height, 0);
    for (row, &y) in out.as_mut_slice().chunks_exact_mut((window.width as usize).max(1)).zip(&rows) {
        let source = labels.row(y as u32);
        for (label, &x) in row.iter_mut().zip(&columns) {
            *label = source[x];
        }
    }
    out
}

/// A window of the image at `size` = (width, height).
pub(crate) fn linear(image: &RgbImage, size: (u32, u32), window: Window) -> RgbImage {
    let mut out = RgbImage::new(window.width, window.height);
    let pitch = CHANNELS * window.width as usize;
    if pitch == 0 || window.height == 0 {
        return out;
    }
    let same_size = (image.width(), image.height()) == size;
    let halved = u64::from(image.width()) == 2 * u64::from(size.0)
        && u64::from(image.height()) == 2 * u64::from(size.1);
    let columns = taps(image.width(), size.0, window.x, window.width, Edge::Clamped);
    let columns = PixelPairs::new(
        image.width() as usize,
        columns.iter().map(|tap| ([tap.first, tap.second], tap.weights)),
    );
    let rows = taps(image.height(), size.1, window.y, window.height, Edge::Repeated);
    out.par_chunks_mut(BAND * pitch).enumerate().for_each(|(band, pixels)| {
        let first_row = band * BAND;
        if same_size {
            copy_rows(image, window, first_row, pixels);
        } else if halved {
            kernels::dispatch(Halving { image, window, first_row, pixels });
        } else {
            kernels::dispatch(Linear { image, columns: &columns, rows: &rows[first_row..], pixels });
        }
    });
    out
}

/// The two source positions of one output position and their coefficients.
#[derive(Debug, Clone, Copy)]
struct Tap {
    first: usize,
    second: usize,
    weights: [i16; 2],
}

/// What a tap beyond the border does. OpenCV moves columns back inside, but for rows it repeats the border row under the weights
/// of the position outside, which rounds differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edge {
    Clamped,
    Repeated,
}

fn taps(source: u32, target: u32, start: u32, count: u32, edge: Edge) -> Vec<Tap> {
    assert!(source > 0, "an empty image has no pixels to interpolate");
    // OpenCV computes the inverse scale first; `source / target` would round otherwise for some sizes.
    let scale = 1.0 / (f64::from(target) / f64::from(source));
    let last = i64::from(source) - 1;
    let fixed = |weight: f32| (weight * ONE as f32).round_ties_even() as i16;
    (start..start + count)
        .map(|position| {
            let exact = ((f64::from(position) + 0.5) * scale - 0.5) as f32;
            let floor = exact.floor();
            let (mut index, mut fraction) = (floor as i64, exact - floor);
            if edge == Edge::Clamped && !(0..last).contains(&index) {
                (index, fraction) = (index.clamp(0, last), 0.0);
            }
            Tap {
                first: index.clamp(0, last) as usize,
                second: (index + 1).clamp(0, last) as usize,
                weights: [fixed(1.0 - fraction), fixed(fraction)],
            }
        })
        .collect()
}

fn nearest_sources(source: u32, target: u32, start: u32, count: u32) -> Vec<usize> {
    assert!(source > 0 || count == 0, "an empty map has no labels to take");
    let scale = 1.0 / (f64::from(target) / f64::from(source));
    (start..start + count)
        .map(|position| ((f64::from(position) * scale).floor() as usize).min(source as usize - 1))
        .collect()
}

fn copy_rows(image: &RgbImage, window: Window, first_row: usize, pixels: &mut [u8]) {
    let (pitch, source_pitch) = (CHANNELS * window.width as usize, CHANNELS * image.width() as usize);
    for (row, out) in pixels.chunks_exact_mut(pitch).enumerate() {
        let start = (window.y as usize + first_row + row) * source_pitch + CHANNELS * window.x as usize;
        out.copy_from_slice(&image.as_raw()[start..start + pitch]);
    }
}

/// Rows of which every pixel is the mean of four.
struct Halving<'a> {
    image: &'a RgbImage,
    window: Window,
    first_row: usize,
    pixels: &'a mut [u8],
}

impl Work for Halving<'_> {
    #[inline(always)]
    fn run(self, simd: impl Simd) {
        let Self { image, window, first_row, pixels } = self;
        let (pitch, source_pitch) = (CHANNELS * window.width as usize, CHANNELS * image.width() as usize);
        for (row, out) in pixels.chunks_exact_mut(pitch).enumerate() {
            let start =
                2 * (window.y as usize + first_row + row) * source_pitch + 2 * CHANNELS * window.x as usize;
            let upper = &image.as_raw()[start..start + 2 * pitch];
            let lower = &image.as_raw()[start + source_pitch..start + source_pitch + 2 * pitch];
            simd.halve(upper, lower, out);
        }
    }
}

/// Rows that mix two source rows each.
struct Linear<'a> {
    image: &'a RgbImage,
    columns: &'a PixelPairs,
    rows: &'a [Tap],
    pixels: &'a mut [u8],
}

impl Work for Linear<'_> {
    #[inline(always)]
    fn run(self, simd: impl Simd) {
        let Self { image, columns, rows, pixels } = self;
        let (pitch, source_pitch) = (CHANNELS * columns.len(), CHANNELS * image.width() as usize);
        // The source rows at the target width, and which rows they are. Neighbouring output rows mostly share both.
        let mut lines = [columns.line(), columns.line()];
        let mut held = [usize::MAX; 2];
        for (out, tap) in pixels.chunks_exact_mut(pitch).zip(rows) {
            if held[0] != tap.first && held[1] == tap.first {
                lines.swap(0, 1);
                held.swap(0, 1);
            }
            for (slot, wanted) in [tap.first, tap.second].into_iter().enumerate() {
                if held[slot] != wanted {
                    held[slot] = wanted;
                    let source = &image.as_raw()[wanted * source_pitch..][..source_pitch];
                    simd.mix_pixels(source, columns, &mut lines[slot]);
                }
            }
            let [upper, lower] = &lines;
            // The upper half of a 16-bit product.
            let part = |weight: i16, value: i16| ((i32::from(weight) * i32::from(value)) >> 16) as i16;
            for ((out, &upper), &lower) in out.iter_mut().zip(upper).zip(lower) {
                let sum = part(tap.weights[0], upper) + part(tap.weights[1], lower);
                *out = ((sum + 2) >> 2) as u8;
            }
        }
    }
}
