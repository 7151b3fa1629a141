//! Random changes of brightness, contrast, saturation and hue.
//!
//! # Source
//! mmsegmentation 1.2.2, `PhotoMetricDistortion` with its defaults: the same order, probabilities, ranges and roundings. The
//! random numbers are this project's own.

use image::RgbImage;
use segbench_types::Rng;

use crate::color::{hsv_to_rgb, rgb_to_hsv};

const BRIGHTNESS_DELTA: f32 = 32.0;
const CONTRAST: (f32, f32) = (0.5, 1.5);
const SATURATION: (f32, f32) = (0.5, 1.5);
const HUE_DELTA: usize = 18;

/// Distorts the colors in place; each of the four changes happens with probability one half.
pub(crate) fn distort(image: &mut RgbImage, rng: &mut Rng) {
    if rng.chance(0.5) {
        let delta = rng.range(-BRIGHTNESS_DELTA, BRIGHTNESS_DELTA);
        map_values(image, &converted(1.0, delta));
    }
    let contrast_first = rng.chance(0.5);
    if contrast_first {
        contrast(image, rng);
    }
    if rng.chance(0.5) {
        let table = converted(rng.range(SATURATION.0, SATURATION.1), 0.0);
        map_hsv(image, |[h, s, v]| [h, table[usize::from(s)], v]);
    }
    if rng.chance(0.5) {
        // In -18..18, the upper end left out as in NumPy's `randint`; hue is counted in steps of two degrees.
        let shift = 180 - HUE_DELTA + rng.below(2 * HUE_DELTA);
        map_hsv(image, |[h, s, v]| [((usize::from(h) + shift) % 180) as u8, s, v]);
    }
    if !contrast_first {
        contrast(image, rng);
    }
}

fn contrast(image: &mut RgbImage, rng: &mut Rng) {
    if rng.chance(0.5) {
        let factor = rng.range(CONTRAST.0, CONTRAST.1);
        map_values(image, &converted(factor, 0.0));
    }
}

/// `value * factor + delta`, clipped and cut to an integer as NumPy's cast does.
fn converted(factor: f32, delta: f32) -> [u8; 256] {
    std::array::from_fn(|value| (value as f32 * factor + delta).clamp(0.0, 255.0) as u8)
}

fn map_values(image: &mut RgbImage, table: &[u8; 256]) {
    image.iter_mut().for_each(|value| *value = table[usize::from(*value)]);
}

fn map_hsv(image: &mut RgbImage, change: impl Fn([u8; 3]) -> [u8; 3]) {
    for pixel in image.pixels_mut() {
        pixel.0 = hsv_to_rgb(change(rgb_to_hsv(pixel.0)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversion_clips_and_truncates() {
        let table = converted(1.5, -32.0);
        // 21 * 1.5 - 32 = -0.5, 22 * 1.5 - 32 = 1, 101 * 1.5 - 32 = 119.5, 200 * 1.5 - 32 = 268.
        assert_eq!([21, 22, 101, 200].map(|value: usize| table[value]), [0, 1, 119, 255]);
    }

    #[test]
    fn gray_stays_gray_because_it_has_no_hue_to_turn() {
        for seed in 0..40 {
            let mut image = RgbImage::from_pixel(3, 2, image::Rgb([90, 90, 90]));
            distort(&mut image, &mut Rng::new(seed, &[]));
            assert!(image.pixels().all(|pixel| pixel.0[0] == pixel.0[1] && pixel.0[1] == pixel.0[2]));
        }
    }

    #[test]
    fn a_color_moves_in_most_draws_but_not_in_all() {
        let moved = (0..200)
            .filter(|&seed| {
                let mut image = RgbImage::from_pixel(1, 1, image::Rgb([200, 60, 20]));
                distort(&mut image, &mut Rng::new(seed, &[]));
                image.get_pixel(0, 0).0 != [200, 60, 20]
            })
            .count();
        // All four changes stay away with probability 1/16: 187.5 of 200 are expected to move.
        assert!((175..200).contains(&moved), "{moved}");
    }
}
