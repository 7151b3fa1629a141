//! Logits to labels at the size of Cityscapes, and the training augmentation. `upsample.py` beside this file measures PyTorch on the
//! same logits. One thread: `RAYON_NUM_THREADS=1 cargo bench -p segbench-transforms`.

use criterion::{Criterion, criterion_group, criterion_main};
use image::RgbImage;
use segbench_transforms::{Kernel, resize_image, upsample_argmax};

const SIZE: (usize, usize) = (128, 256);
const OUTPUT: (usize, usize) = (1024, 2048);

fn noise(index: usize) -> f32 {
    let hash = (index as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((hash ^ (hash >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 40) as f32 / 16_777_216.0
}

/// Noise alone, or noise on patches of 12 x 12 in which one class is ahead, as a network's logits are.
fn logits(classes: usize, patch: f32) -> Vec<f32> {
    let (height, width) = SIZE;
    let value = |index: usize| {
        let (x, y, class) = (index % width, index / width % height, index / width / height);
        let winner = (noise(10_000_000 + y / 12 * width + x / 12) * classes as f32) as usize;
        noise(index) + if class == winner { patch } else { 0.0 }
    };
    (0..classes * height * width).map(value).collect()
}

fn upsampling(c: &mut Criterion) {
    for (classes, name, patch) in
        [(19, "patches", 6.0), (19, "noise", 0.0), (150, "patches", 6.0), (150, "noise", 0.0)]
    {
        let logits = logits(classes, patch);
        c.bench_function(&format!("upsample_argmax {classes}x128x256 to 1024x2048, {name}"), |bencher| {
            bencher.iter(|| upsample_argmax(&logits, classes, SIZE, OUTPUT, OUTPUT, false));
        });
    }
    let logits = logits(19, 6.0);
    c.bench_function("upsample_argmax 19x128x256 to 512x1024 to 1024x2048, patches", |bencher| {
        bencher.iter(|| upsample_argmax(&logits, 19, SIZE, (512, 1024), OUTPUT, false));
    });
}

fn resizing(c: &mut Criterion) {
    let image = RgbImage::from_fn(2048, 1024, |x, y| image::Rgb([x as u8, y as u8, (x ^ y) as u8]));
    for kernel in Kernel::ALL {
        for (width, height) in [(1433, 717), (3584, 1792), (1024, 512)] {
            let name = format!("resize_image 2048x1024 to {width}x{height}, {}", kernel.name());
            c.bench_function(&name, |bencher| bencher.iter(|| resize_image(&image, width, height, *kernel)));
        }
    }
}

criterion_group!(benches, upsampling, resizing);
criterion_main!(benches);
