//! RGB to HSV and back on 8-bit pixels, in OpenCV's ranges: hue in steps of two degrees (0..180), saturation and value in 0..=255.
//!
//! # Source
//! OpenCV 4.11, `modules/imgproc/src/color_hsv.simd.hpp` (`RGB2HSV_b`, `HSV2RGB_b`). The way to HSV uses OpenCV's integer
//! tables. The way back is its scalar formula; OpenCV's vector code associates the products differently, so a channel may differ
//! from it by one.

/// Fractional bits of the division tables.
const SHIFT: u32 = 12;

/// Hue, saturation and value of a pixel.
pub(crate) fn rgb_to_hsv([r, g, b]: [u8; 3]) -> [u8; 3] {
    let [r, g, b] = [r, g, b].map(i32::from);
    let value = r.max(g).max(b);
    let range = value - r.min(g).min(b);
    let saturation = (range * divided(255, 1, value) + (1 << (SHIFT - 1))) >> SHIFT;
    let distance = if value == r {
        g - b
    } else if value == g {
        b - r + 2 * range
    } else {
        r - g + 4 * range
    };
    let hue = (distance * divided(180, 6, range) + (1 << (SHIFT - 1))) >> SHIFT;
    [if hue < 0 { hue + 180 } else { hue } as u8, saturation as u8, value as u8]
}

/// The pixel with this hue, saturation and value.
pub(crate) fn hsv_to_rgb([hue, saturation, value]: [u8; 3]) -> [u8; 3] {
    let (saturation, value) = (f32::from(saturation) / 255.0, f32::from(value) / 255.0);
    let angle = f32::from(hue % 180) * (6.0 / 180.0);
    let sector = angle.floor();
    let fraction = angle - sector;
    let (low, falling, rising) = (
        value * (1.0 - saturation),
        value * (1.0 - saturation * fraction),
        value * (1.0 - saturation * (1.0 - fraction)),
    );
    let rgb = match sector as u8 {
        0 => [value, rising, low],
        1 => [falling, value, low],
        2 => [low, value, rising],
        3 => [low, falling, value],
        4 => [rising, low, value],
        _ => [value, low, falling],
    };
    rgb.map(|channel| (channel * 255.0).round_ties_even() as u8)
}

/// `scale / (factor * divisor)` in fixed point, 0 for a divisor of 0.
fn divided(scale: i32, factor: i32, divisor: i32) -> i32 {
    if divisor == 0 {
        return 0;
    }
    (f64::from(scale << SHIFT) / f64::from(factor * divisor)).round_ties_even() as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversions_agree_with_opencv_on_a_sample_of_colors() {
        // rgb, then hsv = cv2.cvtColor(rgb, COLOR_RGB2HSV) and cv2.cvtColor(hsv, COLOR_HSV2RGB), OpenCV 4.11; see
        // tests/fixtures/make.py.
        let table = include_bytes!("../tests/fixtures/hsv.bin");
        for row in table.chunks_exact(9) {
            let rgb = [row[0], row[1], row[2]];
            let hsv = [row[3], row[4], row[5]];
            assert_eq!(rgb_to_hsv(rgb), hsv, "{rgb:?}");
            let back = hsv_to_rgb(hsv);
            assert!(
                back.iter().zip(&row[6..]).all(|(ours, theirs)| ours.abs_diff(*theirs) <= 1),
                "{hsv:?} {back:?} {row:?}"
            );
        }
    }
}
