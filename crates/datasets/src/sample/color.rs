//! Colors as three numbers from 0 to 1.

use segbench_types::Rng;

use super::noise::mix;

/// Red, green and blue from 0 to 1.
pub(super) type Color = [f32; 3];

/// A color written as `0xRRGGBB`.
pub(super) const fn rgb(hex: u32) -> Color {
    [(hex >> 16 & 255) as f32 / 255.0, (hex >> 8 & 255) as f32 / 255.0, (hex & 255) as f32 / 255.0]
}

/// The color made lighter or darker.
pub(super) fn scaled(color: Color, factor: f32) -> Color {
    color.map(|channel| channel * factor)
}

/// The color at `part` of the way from `a` to `b`.
pub(super) fn blend(a: Color, b: Color, part: f32) -> Color {
    [mix(a[0], b[0], part), mix(a[1], b[1], part), mix(a[2], b[2], part)]
}

/// One of several colors, varied a little.
pub(super) fn pick(rng: &mut Rng, colors: &[u32]) -> Color {
    let color = rgb(colors[rng.below(colors.len())]);
    let light = rng.range(0.9, 1.1);
    color.map(|channel| (channel * light + rng.range(-0.02, 0.02)).clamp(0.0, 1.0))
}
