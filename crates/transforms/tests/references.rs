//! Resizing and upsampling against OpenCV and PyTorch. The fixtures hold hashes of the references' outputs, made by
//! `fixtures/make.py`; the inputs are repeated here.

#![expect(clippy::expect_used, reason = "a broken fixture should fail loudly")]

use image::RgbImage;
use segbench_transforms::{Kernel, View, Window, label_views, resize_image, resize_labels, upsample_argmax};
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

/// Logits of patches, so that tiles are left out, or of noise, so that some are not.
fn planes(classes: usize, (h, w): (usize, usize), smooth: bool, state: u64) -> Vec<f32> {
    let fine = noise(classes * h * w, state);
    let coarse = noise(classes * h * w, state + 1);
    let logit = |index: usize| {
        let (x, y, class) = (index % w, index / w % h, index / w / h);
        let patch = f32::from(coarse[(class * h + y / 6) * w + x / 6]);
        (f32::from(fine[index]) + if smooth { 4.0 * patch } else { 0.0 }) / 37.0
    };
    (0..fine.len()).map(logit).collect()
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
        let logits = planes(classes, (h, w), smooth, 1);
        let labels =
            upsample_argmax(&logits, classes, (h, w), (middle_h, middle_w), (out_h, out_w), align_corners);
        assert_eq!(fnv(labels.as_slice()), row[9], "{row:?}");
    }
}

/// The only window of a view.
fn whole(
    classes: usize,
    size: (usize, usize),
    extent: (usize, usize),
    smooth: bool,
    state: u64,
) -> Vec<Window> {
    vec![Window { place: (0, 0), extent, size, logits: planes(classes, size, smooth, state) }]
}

/// Views, classes, size of the labels.
type Case = (Vec<View>, usize, (usize, usize));

fn cases(smooth: bool) -> [Case; 5] {
    let mut states = (1..).step_by(2);
    let mut windows = Vec::new();
    for top in [0, 32, 42] {
        for left in [0, 40, 67] {
            let logits = planes(7, (12, 16), smooth, states.next().expect("endless"));
            windows.push(Window { place: (top, left), extent: (48, 64), size: (12, 16), logits });
        }
    }
    let slide = View { windows, image: (90, 131), is_mirrored: false, is_resized_twice: true };
    let sizes = [(34, 45), (67, 89), (101, 134)].into_iter().flat_map(|size| [(size, false), (size, true)]);
    let scales = sizes.zip((100..).step_by(2)).map(|((size, is_mirrored), state)| View {
        windows: whole(5, (size.0 / 4, size.1 / 4), size, smooth, state),
        image: size,
        is_mirrored,
        is_resized_twice: true,
    });
    let padded = View {
        windows: whole(150, (8, 12), (64, 96), smooth, 200),
        image: (61, 75),
        is_mirrored: false,
        is_resized_twice: true,
    };
    let once = [0, 2].map(|more| View {
        windows: whole(4, (20 + more, 31 + more), (0, 0), smooth, 300 + more as u64),
        image: (0, 0),
        is_mirrored: false,
        is_resized_twice: false,
    });
    [
        (vec![slide.clone()], 7, (90, 131)),
        (vec![slide], 7, (137, 71)),
        (scales.collect(), 5, (67, 89)),
        (vec![padded], 150, (99, 103)),
        (once.to_vec(), 4, (83, 111)),
    ]
}

#[test]
fn windows_and_views_win_the_classes_that_they_win_in_pytorch() {
    for row in rows(include_str!("fixtures/views.txt")) {
        let (views, classes, output) = &cases(row[1] == 1)[row[0] as usize];
        let labels = label_views(views, *classes, *output, row[2] == 1);
        assert_eq!(fnv(labels.as_slice()), row[3], "{row:?}");
    }
}

#[test]
fn no_number_of_threads_changes_a_label() {
    for (views, classes, output) in cases(true) {
        let of = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            pool.install(|| label_views(&views, classes, output, false))
        };
        assert_eq!(of(1), of(3));
    }
}
