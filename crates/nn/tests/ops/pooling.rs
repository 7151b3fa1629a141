//! Pooling against PyTorch, against its definition in f64, and at the edges of what is allowed.

use candle_core::{DType, Device, Tensor, Var};
use segbench_nn::Result;
use segbench_nn::ops::{
    PoolOptions, adaptive_avg_pool2d, adaptive_max_pool2d, avg_pool2d, max_pool2d, max_pool2d_with_indices,
    max_unpool2d,
};

use crate::anywhere::{Case, case};
use crate::fixture::Fixture;
use crate::oracle::{check_definition, distinct};
use crate::support::{random, values};

/// Sums of up to a few hundred products in another order.
const TOLERANCE: f32 = 1e-6;

fn options(numbers: &[usize]) -> PoolOptions {
    let pair = |place: usize| [numbers[2 * place], numbers[2 * place + 1]];
    PoolOptions {
        kernel: pair(0),
        stride: pair(1),
        padding: pair(2),
        dilation: pair(3),
        ceil_mode: numbers[8] == 1,
    }
}

fn pool(kernel: usize, stride: usize, padding: usize) -> PoolOptions {
    PoolOptions { stride: [stride; 2], padding: [padding; 2], ..PoolOptions::new([kernel; 2]) }
}

fn tensor(values: &[f32], dims: &[usize]) -> Tensor {
    Tensor::from_slice(values, dims, &Device::Cpu).unwrap()
}

fn places(tensor: &Tensor) -> Vec<u32> {
    tensor.to_dtype(DType::U32).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn maxima_their_places_and_gradients_equal_pytorch() {
    let fixture = Fixture::read("pool");
    for case in fixture.cases("max_") {
        let options = options(&fixture.options(case));
        fixture.check_within(case, 0.0, |t| max_pool2d(&t[0], &options));
        fixture.check_within(case, 0.0, |t| Ok(max_pool2d_with_indices(&t[0], &options)?.0));
        let (_, indices) = max_pool2d_with_indices(fixture.tensor(&format!("{case}.in0")), &options).unwrap();
        assert_eq!(places(&indices), places(fixture.tensor(&format!("{case}.places"))), "{case}");
    }
}

#[test]
fn averages_equal_pytorch() {
    let fixture = Fixture::read("pool");
    for case in fixture.cases("avg_") {
        let numbers = fixture.options(case);
        fixture.check_within(case, TOLERANCE, |t| avg_pool2d(&t[0], &options(&numbers), numbers[9] == 1));
    }
}

#[test]
fn adaptive_pooling_equals_pytorch() {
    let fixture = Fixture::read("pool");
    for case in fixture.cases("adaptive_avg_") {
        let size = fixture.options(case);
        fixture.check_within(case, TOLERANCE, |t| adaptive_avg_pool2d(&t[0], [size[0], size[1]]));
    }
    for case in fixture.cases("adaptive_max_") {
        let size = fixture.options(case);
        fixture.check_within(case, 0.0, |t| adaptive_max_pool2d(&t[0], [size[0], size[1]]));
    }
}

#[test]
fn unpooling_equals_pytorch() {
    let fixture = Fixture::read("pool");
    for case in fixture.cases("unpool_") {
        let size = fixture.options(case);
        let indices = fixture.tensor(&format!("{case}.places")).to_dtype(DType::U32).unwrap();
        fixture.check_within(case, 0.0, |t| max_unpool2d(&t[0], &indices, [size[0], size[1]]));
    }
}

/// For every window the pixels in it, by the definition and for each pixel anew, and the number of places beside dilation that the
/// window has on the map and its padding.
fn windows(dims: &[usize], options: &PoolOptions) -> Vec<(Vec<usize>, usize)> {
    let [height, width] = [dims[2], dims[3]];
    let [out_h, out_w] = options.output_size([height, width]).unwrap();
    let mut all = Vec::new();
    for window in 0..out_h * out_w {
        let (mut pixels, mut reached) = (Vec::new(), 0);
        for tap in 0..options.kernel[0] * options.kernel[1] {
            let at = |axis: usize, window: usize, tap: usize| {
                (window * options.stride[axis] + tap * options.dilation[axis]) as i64
                    - options.padding[axis] as i64
            };
            let row = at(0, window / out_w, tap / options.kernel[1]);
            let column = at(1, window % out_w, tap % options.kernel[1]);
            let within = |position: i64, size: usize, padding: usize| position < (size + padding) as i64;
            reached += usize::from(
                within(row, height, options.padding[0]) && within(column, width, options.padding[1]),
            );
            if (0..height as i64).contains(&row) && (0..width as i64).contains(&column) {
                pixels.push(row as usize * width + column as usize);
            }
        }
        all.push((pixels, reached));
    }
    all
}

/// Applies `reduce` to the pixels of each window of each plane.
fn by_definition(
    x: &[f64],
    plane: usize,
    windows: &[(Vec<usize>, usize)],
    reduce: impl Fn(&[f64], usize) -> f64,
) -> Vec<f64> {
    let of_plane = |x: &[f64]| -> Vec<f64> {
        let pixels = |window: &[usize]| -> Vec<f64> { window.iter().map(|place| x[*place]).collect() };
        windows.iter().map(|(window, reached)| reduce(&pixels(window), *reached)).collect()
    };
    x.chunks_exact(plane).flat_map(of_plane).collect()
}

fn largest(pixels: &[f64], _: usize) -> f64 {
    pixels.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

fn all_options() -> Vec<([usize; 4], PoolOptions)> {
    let lopsided = PoolOptions { kernel: [2, 3], stride: [3, 1], padding: [1, 0], ..pool(1, 1, 0) };
    let dilated = PoolOptions { dilation: [2, 1], ..pool(3, 2, 1) };
    let mut all = vec![
        ([1, 3, 7, 5], pool(2, 2, 0)),
        ([3, 1, 5, 8], pool(3, 2, 1)),
        ([1, 7, 4, 5], pool(3, 1, 1)),
        ([1, 1, 9, 11], pool(2, 4, 1)),
        ([2, 3, 7, 6], lopsided),
        ([1, 2, 7, 9], dilated),
        ([1, 1, 1, 1], pool(1, 1, 0)),
    ];
    let rounded_up = all.iter().map(|&(dims, options)| (dims, PoolOptions { ceil_mode: true, ..options }));
    all.extend(rounded_up.collect::<Vec<_>>());
    all
}

#[test]
fn pooling_and_its_gradient_equal_the_definition() {
    for (dims, options) in all_options() {
        let what = format!("{dims:?} {options:?}");
        let (windows, plane) = (windows(&dims, &options), dims[2] * dims[3]);
        let check = |what: String,
                     function: &dyn Fn(&Tensor) -> Result<Tensor>,
                     reduce: &dyn Fn(&[f64], usize) -> f64| {
            check_definition(
                &what,
                &[distinct(&dims)],
                TOLERANCE,
                |t| function(&t[0]).unwrap(),
                |x| by_definition(&x[0], plane, &windows, reduce),
            );
        };
        check(format!("max {what}"), &|x| max_pool2d(x, &options), &largest);
        if options.dilation == [1, 1] {
            check(format!("with pad {what}"), &|x| avg_pool2d(x, &options, true), &|pixels, reached| {
                pixels.iter().sum::<f64>() / reached as f64
            });
            check(format!("without pad {what}"), &|x| avg_pool2d(x, &options, false), &|pixels, _| {
                pixels.iter().sum::<f64>() / pixels.len() as f64
            });
        }
    }
}

#[test]
fn unpooling_has_the_gradient_of_its_definition() {
    let dims = [2, 3, 5, 7];
    let (y, indices) = max_pool2d_with_indices(&distinct(&dims), &pool(2, 2, 0)).unwrap();
    let at = places(&indices);
    check_definition(
        "unpool",
        &[y.detach()],
        TOLERANCE,
        |t| max_unpool2d(&t[0], &indices, [5, 7]).unwrap(),
        |x| {
            let mut out = vec![0.0; dims.iter().product()];
            for (number, value) in x[0].iter().enumerate() {
                out[number / 6 * 35 + at[number] as usize] = *value;
            }
            out
        },
    );
}

#[test]
fn not_a_number_is_the_largest_and_padding_is_never_seen() {
    let x = tensor(&[-1e30, f32::NAN, -3.0, f32::NEG_INFINITY, -5.0, -1e30], &[1, 1, 2, 3]);
    let (y, indices) = max_pool2d_with_indices(&x, &pool(3, 2, 1)).unwrap();
    assert!(values(&y).iter().all(|value| value.is_nan()));
    assert_eq!(places(&indices), [1, 1]);
    for x in [tensor(&[-1e30; 6], &[1, 1, 2, 3]), tensor(&[f32::NEG_INFINITY; 6], &[1, 1, 2, 3])] {
        let (y, indices) = max_pool2d_with_indices(&x, &pool(3, 2, 1)).unwrap();
        assert_eq!(values(&y), values(&x)[..2]);
        assert_eq!(values(&max_pool2d(&x, &pool(3, 2, 1)).unwrap()), values(&y));
        assert_eq!(places(&indices), [0, 1]);
    }
    let large = avg_pool2d(&tensor(&[1e30, -1e30, 3e38, 3e38], &[1, 1, 2, 2]), &pool(2, 2, 0), true).unwrap();
    assert!((values(&large)[0] / 1.5e38 - 1.0).abs() < 1e-6);
}

#[test]
fn the_first_of_equal_values_gets_the_whole_gradient() {
    let x = Var::from_tensor(&Tensor::ones((1, 1, 4, 4), DType::F32, &Device::Cpu).unwrap()).unwrap();
    let grads = max_pool2d(&x, &pool(2, 2, 0)).unwrap().sum_all().unwrap().backward().unwrap();
    let expected = [1., 0., 1., 0., 0., 0., 0., 0., 1., 0., 1., 0., 0., 0., 0., 0.];
    assert_eq!(values(grads.get(&x).unwrap()), expected);
}

#[test]
fn pooling_reads_views_and_adds_up_gradients_of_a_shared_input() {
    let dims = [2, 7, 5, 3];
    let permuted = |x: &[f64]| -> Vec<f64> {
        // (B, H, W, C) to (B, C, H, W).
        (0..x.len()).map(|i| x[i / 105 * 105 + (i % 35) * 3 + i % 105 / 35]).collect()
    };
    let shape = [2, 3, 7, 5];
    let two = windows(&shape, &pool(2, 1, 0));
    let mean = |pixels: &[f64], _: usize| pixels.iter().sum::<f64>() / pixels.len() as f64;
    check_definition(
        "shared view",
        &[distinct(&dims)],
        TOLERANCE,
        |t| {
            let x = t[0].permute((0, 3, 1, 2)).unwrap();
            let (max, mean) =
                (max_pool2d(&x, &pool(2, 1, 0)).unwrap(), avg_pool2d(&x, &pool(2, 1, 0), true).unwrap());
            let narrow = x.narrow(2, 1, 6).unwrap().narrow(3, 1, 4).unwrap();
            ((max + mean).unwrap() + narrow).unwrap()
        },
        |x| {
            let x = permuted(&x[0]);
            let max = by_definition(&x, 35, &two, largest);
            let mean = by_definition(&x, 35, &two, mean);
            let place = |i: usize| x[i / 24 * 35 + (i % 24 / 4 + 1) * 5 + i % 4 + 1];
            (0..max.len()).map(|i| max[i] + mean[i] + place(i)).collect()
        },
    );
}

#[test]
fn unpooling_what_was_pooled_keeps_the_maxima_where_they_were() {
    let x = random(5, &[1, 3, 6, 8]);
    let (y, indices) = max_pool2d_with_indices(&x, &pool(2, 2, 0)).unwrap();
    let back = max_unpool2d(&y, &indices, [6, 8]).unwrap();
    for (back, x) in values(&back).into_iter().zip(values(&x)) {
        assert!(back == 0.0 || back == x);
    }
    assert_eq!(values(&max_pool2d_with_indices(&back, &pool(6, 6, 0)).unwrap().0).len(), 3);
}

#[test]
fn pooling_that_does_not_fit_says_what_was_got_and_what_is_expected() {
    let x = random(1, &[1, 3, 5, 7]);
    let flat = random(1, &[3, 5, 7]);
    // Both taps beside a map of two pixels.
    let beside = PoolOptions { dilation: [3; 2], ..pool(2, 1, 1) };
    let narrow = random(1, &[1, 1, 2, 2]);
    let (_, indices) = max_pool2d_with_indices(&x, &pool(2, 2, 0)).unwrap();
    let errors = [
        max_pool2d(&flat, &pool(2, 2, 0)),
        max_pool2d(&x, &pool(6, 1, 0)),
        max_pool2d(&x, &pool(3, 1, 2)),
        max_pool2d(&x, &pool(2, 0, 0)),
        max_pool2d(&narrow, &beside),
        avg_pool2d(&x, &pool(0, 1, 0), true),
        avg_pool2d(&x, &PoolOptions { dilation: [1, 2], ..pool(2, 1, 0) }, true),
        adaptive_avg_pool2d(&x, [0, 1]),
        adaptive_max_pool2d(&flat, [1, 1]),
        max_unpool2d(&x, &indices, [5, 7]),
        max_unpool2d(&random(1, &[1, 3, 2, 3]), &indices, [3, 3]),
    ];
    for (number, result) in errors.into_iter().enumerate() {
        let text = result.expect_err(&number.to_string()).to_string();
        assert!(text.contains("pool2d: got ") && text.contains("expected"), "{text}");
    }
}

pub(crate) fn cases() -> Vec<Case> {
    let stem = PoolOptions { ceil_mode: true, ..pool(3, 2, 1) };
    vec![
        case("max_pool2d", &[&[3, 9, 45, 67]], move |t| max_pool2d(&t[0], &stem)),
        case("max_pool2d with ties", &[&[3, 9, 45, 67]], |t| {
            let steps = (&t[0] * 2.0)?.floor()?;
            max_pool2d(&((steps.detach() - &t[0])? + &t[0])?, &pool(3, 1, 1))
        }),
        case("avg_pool2d", &[&[3, 9, 45, 67]], move |t| avg_pool2d(&t[0], &stem, true)),
        case("avg_pool2d without pad", &[&[1, 9, 45, 67]], move |t| avg_pool2d(&t[0], &stem, false)),
        case("adaptive_avg_pool2d", &[&[3, 9, 45, 67]], |t| adaptive_avg_pool2d(&t[0], [6, 5])),
        case("adaptive_max_pool2d", &[&[3, 9, 45, 67]], |t| adaptive_max_pool2d(&t[0], [6, 5])),
        case("max_unpool2d", &[&[3, 9, 45, 67]], |t| {
            let (y, indices) = max_pool2d_with_indices(&t[0], &pool(2, 2, 0))?;
            max_unpool2d(&y, &indices, [45, 67])
        }),
    ]
}
