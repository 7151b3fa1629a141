//! Interpolation and padding against PyTorch, and interpolation against its definition in f64.

use candle_core::Tensor;
use segbench_nn::ops::{Interpolation, Padding, ResizeTo, pad2d, resize};

use crate::anywhere::{Case, case};
use crate::fixture::Fixture;
use crate::oracle::check_definition;
use crate::support::{random, values};

/// Positions in f32 move weights by some units in the last place.
const TOLERANCE: f32 = 4e-6;

fn interpolation(case: &str, align_corners: bool) -> Interpolation {
    match case.split('_').next() {
        Some("nearest") => Interpolation::Nearest,
        Some("nearest-exact") => Interpolation::NearestExact,
        Some("bilinear") => Interpolation::Bilinear { align_corners },
        Some("bicubic") => Interpolation::Bicubic { align_corners },
        _ => panic!("{case} is of no known mode"),
    }
}

#[test]
fn interpolation_equals_pytorch_by_size_and_by_factor() {
    let fixture = Fixture::read("resize");
    for case in fixture.cases("nearest").union(&fixture.cases("bi")) {
        let options: Vec<f64> = fixture.tensor(&format!("{case}.options")).to_vec1().unwrap();
        let to = match options[1] {
            1.0 => ResizeTo::Factor([options[2], options[3]]),
            _ => ResizeTo::Size([options[2] as usize, options[3] as usize]),
        };
        let interpolation = interpolation(case, options[0] == 1.0);
        fixture.check_within(case, TOLERANCE, |t| resize(&t[0], to, interpolation));
    }
}

#[test]
fn padding_equals_pytorch() {
    let fixture = Fixture::read("resize");
    for case in fixture.cases("pad_") {
        let sides: Vec<f64> = fixture.tensor(&format!("{case}.options")).to_vec1().unwrap();
        let sides = [0, 1, 2, 3].map(|side| sides[side] as usize);
        let padding = match case {
            _ if case.contains("constant") => Padding::Constant(2.5),
            _ if case.contains("reflect") => Padding::Reflect,
            _ => Padding::Replicate,
        };
        fixture.check_within(case, 1e-6, |t| pad2d(&t[0], sides, padding));
        fixture.check_within(case, 1e-6, |t| {
            let view = t[0].transpose(2, 3)?.contiguous()?.transpose(2, 3)?;
            pad2d(&view, sides, padding)
        });
    }
}

/// How near a pixel at `distance` counts.
fn kernel(interpolation: Interpolation, distance: f64) -> f64 {
    let d = distance.abs();
    match interpolation {
        Interpolation::Bicubic { .. } if d <= 1.0 => 1.25 * d.powi(3) - 2.25 * d.powi(2) + 1.0,
        Interpolation::Bicubic { .. } if d < 2.0 => -0.75 * (d.powi(3) - 5.0 * d.powi(2) + 8.0 * d - 4.0),
        Interpolation::Bicubic { .. } => 0.0,
        _ => (1.0 - d).max(0.0),
    }
}

/// The definition: every pixel of an endless map whose edges are repeated, weighted by the kernel.
fn definition(x: &[f64], from: [usize; 2], to: [usize; 2], interpolation: Interpolation) -> Vec<f64> {
    let align = matches!(
        interpolation,
        Interpolation::Bilinear { align_corners: true } | Interpolation::Bicubic { align_corners: true }
    );
    let source = |axis: usize, position: usize| match (align, to[axis]) {
        (true, 1) => 0.0,
        (true, size) => position as f64 * (from[axis] - 1) as f64 / (size - 1) as f64,
        (false, size) => (position as f64 + 0.5) * from[axis] as f64 / size as f64 - 0.5,
    };
    let weights = |axis: usize, position: usize| -> Vec<f64> {
        let mut weights = vec![0.0; from[axis]];
        for pixel in -3..from[axis] as i64 + 3 {
            let place = pixel.clamp(0, from[axis] as i64 - 1) as usize;
            weights[place] += kernel(interpolation, source(axis, position) - pixel as f64);
        }
        weights
    };
    let mut y = Vec::new();
    for plane in x.chunks_exact(from[0] * from[1]) {
        for row in 0..to[0] {
            for column in 0..to[1] {
                let (rows, columns) = (weights(0, row), weights(1, column));
                let pixel = |i: usize| plane[i] * rows[i / from[1]] * columns[i % from[1]];
                y.push((0..plane.len()).map(pixel).sum());
            }
        }
    }
    y
}

#[test]
fn interpolation_and_its_gradient_equal_the_definition() {
    for align_corners in [false, true] {
        for interpolation in
            [Interpolation::Bilinear { align_corners }, Interpolation::Bicubic { align_corners }]
        {
            for to in [[5, 7], [13, 9], [6, 10], [12, 20], [24, 40], [2, 3], [1, 15], [10, 1]] {
                let from = [3, 5];
                let what = format!("{from:?} {to:?} {interpolation:?}");
                let function = |t: &[Tensor]| {
                    // The input counts a second time in the graph, before and after.
                    let y = resize(&t[0], ResizeTo::Size(to), interpolation).unwrap();
                    let sum = t[0].sum_keepdim((2, 3)).unwrap();
                    sum.broadcast_add(&y).unwrap().broadcast_add(&sum).unwrap()
                };
                check_definition(&what, &[random(1, &[2, 1, 3, 5])], 1e-5, function, |x| {
                    let mut y = definition(&x[0], from, to, interpolation);
                    for (plane, y) in y.chunks_exact_mut(to[0] * to[1]).enumerate() {
                        let sum: f64 = x[0][plane * 15..][..15].iter().sum();
                        y.iter_mut().for_each(|y| *y += 2.0 * sum);
                    }
                    y
                });
            }
        }
    }
}

#[test]
fn a_factor_that_does_not_give_a_whole_size_differs_from_that_size() {
    let x = random(2, &[1, 1, 5, 7]);
    let how = Interpolation::Bilinear { align_corners: false };
    let (factor, size) = (ResizeTo::Factor([1.3, 1.0]), ResizeTo::Size([6, 7]));
    let [by_factor, by_size] = [factor, size].map(|to| resize(&x, to, how).unwrap());
    assert_eq!(by_factor.dims(), by_size.dims());
    assert_ne!(values(&by_factor), values(&by_size));
}

#[test]
fn infinite_pixels_do_not_reach_beyond_their_neighbors() {
    let mut pixels = vec![1.0; 35];
    pixels[17] = f32::INFINITY;
    pixels[0] = 1e30;
    let x = Tensor::from_vec(pixels, (1, 1, 5, 7), &candle_core::Device::Cpu).unwrap();
    let y = values(
        &resize(&x, ResizeTo::Size([20, 28]), Interpolation::Bilinear { align_corners: false }).unwrap(),
    );
    assert!(y.iter().all(|value| !value.is_nan()));
    assert_eq!((y[0], y[20 * 28 - 1]), (1e30, 1.0));
}

#[test]
fn resizing_and_padding_that_do_not_fit_say_what_was_got_and_what_is_expected() {
    let x = random(1, &[1, 2, 3, 4]);
    let how = Interpolation::Nearest;
    let errors = [
        resize(&random(1, &[3, 4]), ResizeTo::Size([2, 2]), how),
        resize(&x, ResizeTo::Size([0, 2]), how),
        resize(&x, ResizeTo::Factor([0.2, 1.0]), how),
        resize(&x, ResizeTo::Factor([f64::NAN, 1.0]), how),
        resize(&x, ResizeTo::Factor([-1.0, 1.0]), how),
        resize(&x, ResizeTo::Factor([f64::INFINITY, 1.0]), how),
        pad2d(&x, [3, 0, 0, 0], Padding::Reflect),
        pad2d(&x, [0, 0, 0, 4], Padding::Reflect),
        pad2d(&random(1, &[3, 4]), [1; 4], Padding::Replicate),
    ];
    for result in errors {
        let text = result.unwrap_err().to_string();
        assert!(text.contains(": got ") && text.contains("expected"), "{text}");
    }
}

pub(crate) fn cases() -> Vec<Case> {
    let to = |interpolation, to: ResizeTo| move |t: &[Tensor]| resize(&t[0], to, interpolation);
    let dims: &[&[usize]] = &[&[3, 9, 23, 31]];
    let bicubic = Interpolation::Bicubic { align_corners: false };
    vec![
        case("nearest", dims, to(Interpolation::Nearest, ResizeTo::Size([46, 62]))),
        case("nearest down", dims, to(Interpolation::NearestExact, ResizeTo::Size([11, 17]))),
        case(
            "bilinear x4",
            dims,
            to(Interpolation::Bilinear { align_corners: false }, ResizeTo::Factor([4.0; 2])),
        ),
        case("bicubic", dims, to(bicubic, ResizeTo::Size([37, 70]))),
        case("bicubic down", dims, to(bicubic, ResizeTo::Factor([0.6, 0.3]))),
        case("pad2d", dims, |t| pad2d(&t[0], [3, 1, 0, 2], Padding::Reflect)),
    ]
}
