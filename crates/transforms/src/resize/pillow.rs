//! Pillow's `Image.resize` with `BILINEAR` on 8-bit data.
//!
//! A triangle as wide as two steps between target pixels, at least two source pixels, in fixed point; columns first, rounded to 8
//! bits, then rows.
//!
//! # Source
//! Pillow 11.3, `src/libImaging/Resample.c` (`precompute_coeffs`, `normalize_coeffs_8bpc`, `ImagingResampleHorizontal_8bpc`,
//! `ImagingResampleVertical_8bpc`). Pillow 13 takes rows first where the height shrinks more than the width, which rounds
//! differently; what toolkits published was measured before.

use std::borrow::Cow;

use image::RgbImage;
use rayon::prelude::*;

use super::{BAND, CHANNELS};
use crate::kernels::{self, Simd, Work};

/// Bits of Pillow's fixed-point coefficients.
const COEFFICIENT_BITS: u32 = 32 - 8 - 2;
/// Added before coefficients' bits are dropped.
const HALF: i32 = 1 << (COEFFICIENT_BITS - 1);

/// The image at `size` = (width, height).
pub(super) fn bilinear(image: &RgbImage, (width, height): (u32, u32)) -> RgbImage {
    let image = if width == image.width() { Cow::Borrowed(image) } else { Cow::Owned(columns(image, width)) };
    let pitch = CHANNELS * width as usize;
    if height == image.height() {
        return image.into_owned();
    } else if pitch == 0 {
        return RgbImage::new(width, height);
    }
    let (image, taps) = (image.as_ref(), taps(image.height(), height));
    let mut out = RgbImage::new(width, height);
    out.par_chunks_mut(BAND * pitch).zip(taps.par_chunks(BAND)).for_each(|(pixels, taps)| {
        kernels::dispatch(Rows { image, taps, pixels });
    });
    out
}

fn columns(image: &RgbImage, width: u32) -> RgbImage {
    let mut out = RgbImage::new(width, image.height());
    let (pitch, source_pitch) = (CHANNELS * width as usize, CHANNELS * image.width() as usize);
    if pitch == 0 {
        return out;
    }
    let taps = taps(image.width(), width);
    out.par_chunks_mut(BAND * pitch).zip(image.as_raw().par_chunks(BAND * source_pitch)).for_each(
        |(pixels, source)| {
            kernels::dispatch(Columns { source, source_pitch, taps: &taps, pixels });
        },
    );
    out
}

/// Neighboring source positions and their coefficients.
struct Tap {
    first: usize,
    weights: Vec<i32>,
}

fn taps(source: u32, target: u32) -> Vec<Tap> {
    assert!(source > 0 || target == 0, "an empty image has no pixels to interpolate");
    let scale = f64::from(source) / f64::from(target);
    let support = scale.max(1.0);
    let tap = |position: u32| {
        let center = (f64::from(position) + 0.5) * scale;
        let first = ((center - support + 0.5) as i64).max(0);
        let last = ((center + support + 0.5) as i64).min(i64::from(source));
        let triangle = |x: i64| (1.0 - ((x as f64 - center + 0.5) * (1.0 / support)).abs()).max(0.0);
        let weights: Vec<f64> = (first..last).map(triangle).collect();
        let sum: f64 = weights.iter().sum();
        let fixed = |weight: f64| {
            let share = if sum == 0.0 { weight } else { weight / sum };
            (0.5 + share * f64::from(1_u32 << COEFFICIENT_BITS)) as i32
        };
        Tap { first: first as usize, weights: weights.into_iter().map(fixed).collect() }
    };
    (0..target).map(tap).collect()
}

/// Drops the coefficients' bits.
#[inline(always)]
fn rounded(sum: i32) -> u8 {
    (sum >> COEFFICIENT_BITS).clamp(0, 255) as u8
}

struct Columns<'a> {
    source: &'a [u8],
    source_pitch: usize,
    taps: &'a [Tap],
    pixels: &'a mut [u8],
}

impl Work for Columns<'_> {
    #[inline(always)]
    fn run(self, _: impl Simd) {
        let pitch = CHANNELS * self.taps.len();
        for (out, source) in
            self.pixels.chunks_exact_mut(pitch).zip(self.source.chunks_exact(self.source_pitch))
        {
            for (out, tap) in out.as_chunks_mut::<CHANNELS>().0.iter_mut().zip(self.taps) {
                let mut sums = [HALF; CHANNELS];
                let pixels = source[CHANNELS * tap.first..].as_chunks::<CHANNELS>().0;
                for (pixel, &weight) in pixels.iter().zip(&tap.weights) {
                    for (sum, &value) in sums.iter_mut().zip(pixel) {
                        *sum += weight * i32::from(value);
                    }
                }
                *out = sums.map(rounded);
            }
        }
    }
}

struct Rows<'a> {
    image: &'a RgbImage,
    taps: &'a [Tap],
    pixels: &'a mut [u8],
}

impl Work for Rows<'_> {
    #[inline(always)]
    fn run(self, _: impl Simd) {
        let pitch = CHANNELS * self.image.width() as usize;
        let mut sums = vec![0_i32; pitch];
        for (out, tap) in self.pixels.chunks_exact_mut(pitch).zip(self.taps) {
            sums.fill(HALF);
            let rows = self.image.as_raw()[tap.first * pitch..].chunks_exact(pitch);
            for (row, &weight) in rows.zip(&tap.weights) {
                for (sum, &value) in sums.iter_mut().zip(row) {
                    *sum += weight * i32::from(value);
                }
            }
            for (out, &sum) in out.iter_mut().zip(&sums) {
                *out = rounded(sum);
            }
        }
    }
}
