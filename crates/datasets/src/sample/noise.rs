//! Noise: a hash of lattice points, smoothed.

use std::sync::LazyLock;

/// A hash of a lattice point, uniform in [0, 1).
pub(super) fn hash(x: i32, y: i32, seed: u32) -> f32 {
    let mut bits = (x as u32).wrapping_mul(0x9E37_79B1)
        ^ (y as u32).wrapping_mul(0x85EB_CA77)
        ^ seed.wrapping_mul(0xC2B2_AE3D);
    bits = (bits ^ (bits >> 15)).wrapping_mul(0x2C1B_3C6D);
    bits = (bits ^ (bits >> 12)).wrapping_mul(0x297A_2D39);
    (bits ^ (bits >> 15)) as f32 * (1.0 / 4_294_967_296.0)
}

/// Smooth noise in [0, 1) with features of size one.
pub(super) fn smooth(x: f32, y: f32, seed: u32) -> f32 {
    let (x0, y0) = (floor(x), floor(y));
    let (fx, fy) = (ease(x - x0 as f32), ease(y - y0 as f32));
    let (x1, y1) = (x0.wrapping_add(1), y0.wrapping_add(1));
    let upper = mix(hash(x0, y0, seed), hash(x1, y0, seed), fx);
    let lower = mix(hash(x0, y1, seed), hash(x1, y1, seed), fx);
    mix(upper, lower, fy)
}

/// Samples of the cloud texture per feature, and along its side.
const FINE: f32 = 8.0;
const SIDE: usize = 512;

/// Noise of three sizes, each half the one before, in [0, 1). It repeats after 64 features.
pub(super) fn cloudy(x: f32, y: f32, seed: u32) -> f32 {
    static TEXTURE: LazyLock<Vec<f32>> = LazyLock::new(texture);
    let texture = TEXTURE.as_slice();
    let (x, y) = (x * FINE, y * FINE);
    let (x0, y0) = (floor(x), floor(y));
    let (fx, fy) = (x - x0 as f32, y - y0 as f32);
    // Every seed looks at another part of the texture.
    let shift = seed.wrapping_mul(0x9E37_79B1);
    let at = |x: i32, y: i32| {
        let column = (x as u32).wrapping_add(shift >> 20) as usize % SIDE;
        let row = (y as u32).wrapping_add(shift >> 5 & 0xFFF) as usize % SIDE;
        texture[row * SIDE + column]
    };
    let (x1, y1) = (x0.wrapping_add(1), y0.wrapping_add(1));
    mix(mix(at(x0, y0), at(x1, y0), fx), mix(at(x0, y1), at(x1, y1), fx), fy)
}

/// The cloud texture, computed once.
fn texture() -> Vec<f32> {
    let octave = |x: f32, y: f32, period: i32| {
        let (x0, y0) = (floor(x), floor(y));
        let (fx, fy) = (ease(x - x0 as f32), ease(y - y0 as f32));
        let at = |x: i32, y: i32| hash(x.rem_euclid(period), y.rem_euclid(period), period as u32);
        mix(mix(at(x0, y0), at(x0 + 1, y0), fx), mix(at(x0, y0 + 1), at(x0 + 1, y0 + 1), fx), fy)
    };
    let period = (SIDE as f32 / FINE) as i32;
    (0..SIDE * SIDE)
        .map(|index| {
            let (x, y) = ((index % SIDE) as f32 / FINE, (index / SIDE) as f32 / FINE);
            let large = octave(x, y, period) * 4.0 + octave(x * 2.0, y * 2.0, period * 2) * 2.0;
            (large + octave(x * 4.0, y * 4.0, period * 4)) / 7.0
        })
        .collect()
}

/// Rounds down; the standard library's own is a call on processors without an instruction for it.
fn floor(x: f32) -> i32 {
    let toward_zero = x as i32;
    toward_zero - i32::from(x < toward_zero as f32)
}

/// From `a` to `b`.
pub(super) fn mix(a: f32, b: f32, part: f32) -> f32 {
    a + (b - a) * part
}

/// From 0 below `low` to 1 above `high`, smoothly.
pub(super) fn step(low: f32, high: f32, x: f32) -> f32 {
    ease(((x - low) / (high - low)).clamp(0.0, 1.0))
}

fn ease(x: f32) -> f32 {
    x * x * (3.0 - 2.0 * x)
}
