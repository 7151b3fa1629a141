//! From the canvas to the picture: averaged down, a little blurred, with the noise of a sensor.

use segbench_types::Rng;

use super::noise::hash;
use super::painter::Painter;

/// The 8-bit picture, red, green, blue, row after row.
pub(super) fn develop(painter: &Painter, rng: &mut Rng) -> Vec<u8> {
    let (width, height) = (painter.camera.width as usize, painter.camera.height as usize);
    let detail = painter.detail;
    let share = 1.0 / (detail * detail) as f32;
    let mut small = vec![[0.0_f32; 3]; width * height];
    for (row, line) in painter.pixels.chunks_exact(painter.width).enumerate() {
        let target = &mut small[row / detail * width..(row / detail + 1) * width];
        for (pixel, sources) in target.iter_mut().zip(line.chunks_exact(detail)) {
            for source in sources {
                for channel in 0..3 {
                    pixel[channel] += source[channel] * share;
                }
            }
        }
    }
    let blur = rng.range(0.03, 0.16);
    let contrast = rng.range(0.94, 1.1);
    let noise = rng.range(0.008, 0.026);
    let cast: [f32; 3] = std::array::from_fn(|_| rng.range(0.97, 1.03));
    let seed = rng.bits() as u32;
    let mut bytes = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        let (above, below) = (y.saturating_sub(1) * width, (y + 1).min(height - 1) * width);
        for x in 0..width {
            let (left, right) = (x.saturating_sub(1), (x + 1).min(width - 1));
            let here = small[y * width + x];
            let around =
                [small[above + x], small[below + x], small[y * width + left], small[y * width + right]];
            // Nearly normal, from the sum of two uniform numbers; a part of it is the same in all channels.
            let shared = hash(x as i32, y as i32, seed) + hash(x as i32, y as i32, seed ^ 0xA5) - 1.0;
            for channel in 0..3 {
                let mean = around.iter().map(|pixel| pixel[channel]).sum::<f32>() * 0.25;
                let soft = here[channel] + (mean - here[channel]) * blur * 2.0;
                let own = hash(x as i32, y as i32, seed ^ (channel as u32 + 1)) - 0.5;
                let value = (soft * cast[channel] - 0.45) * contrast + 0.45 + noise * (shared + own);
                bytes.push((value * 255.0 + 0.5).clamp(0.0, 255.0) as u8);
            }
        }
    }
    bytes
}
