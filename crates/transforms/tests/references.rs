//! Resizing and upsampling against OpenCV and PyTorch. The fixtures hold hashes of the references' outputs, made by
//! `fixtures/make.py`; the inputs are repeated here.

#![expect(clippy::expect_used, reason = "a broken fixture should fail loudly")]

use image::RgbImage;
use segbench_transforms::{Kernel, resize_image, resize_labels, upsample_argmax};
use segbench_types::LabelMap;

/// Bytes of the linear congruential generator that `fixtures/make.py` uses.
fn noise(size: usize, mut state: u64) -> Vec<u8> {
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..size).map(|_| next()).collect()
}

/// FNV-1a, 64 bits.
fn fnv(data: &[u8]) -> u64 {
    data.iter()
        .fold(0xCBF2_9CE4_8422_2325, |value, &byte| (value ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
}

fn rows(text: &str) -> Vec<Vec<u64>> {
    text.lines().map(|line| line.split(' ').map(|word| word.parse().expect("a number")).collect()).collect()
}

#[test]
fn images_and_labels_are_resized_as_opencv_pillow_and_pytorch_do() {
    for row in rows(include_str!("fixtures/resize.txt")) {
        let [h, w, out_h, out_w] = [0, 1, 2, 3].map(|column| row[column] as u32);
        let pixels = h as usize * w as usize;
        let image = RgbImage::from_raw(w, h, noise(3 * pixels, 1)).expect("the right size");
        for (kernel, column) in Kernel::ALL.iter().zip([4, 6, 7, 8]) {
            let resized = resize_image(&image, out_w, out_h, *kernel);
            let is_as_expected = row[column] == 0 || fnv(resized.as_raw()) == row[column];
            assert!(is_as_expected, "{} {w}x{h} to {out_w}x{out_h}", kernel.name());
        }
        let labels = LabelMap::new(w, h, noise(pixels, 1)).expect("the right size");
        let resized = resize_labels(&labels, out_w, out_h);
        assert_eq!(fnv(resized.as_slice()), row[5], "labels {w}x{h} to {out_w}x{out_h}");
    }
}

#[test]
fn upsampling_wins_the_classes_that_two_resizes_and_an_argmax_of_pytorch_win() {
    for row in rows(include_str!("fixtures/upsample.txt")) {
        let [classes, h, w, middle_h, middle_w, out_h, out_w] =
            [0, 1, 2, 3, 4, 5, 6].map(|column| row[column] as usize);
        let (smooth, align_corners) = (row[7] == 1, row[8] == 1);
        let fine = noise(classes * h * w, 1);
        let coarse = noise(classes * h * w, 2);
        let logits: Vec<f32> = (0..fine.len())
            .map(|index| {
                let (x, y, class) = (index % w, index / w % h, index / w / h);
                let patch = f32::from(coarse[(class * h + y / 6) * w + x / 6]);
                (f32::from(fine[index]) + if smooth { 4.0 * patch } else { 0.0 }) / 37.0
            })
            .collect();
        let labels =
            upsample_argmax(&logits, classes, (h, w), (middle_h, middle_w), (out_h, out_w), align_corners);
        assert_eq!(fnv(labels.as_slice()), row[9], "{row:?}");
    }
}
