//! Convolution of maps against PyTorch (`fixtures/conv.py`), its definition, and plain candle.

use candle_core::{Device, Tensor, Var};
use segbench_nn::ops::{self, Conv2dOptions, Conv3dOptions};

use crate::convolution::{check, five, naive};
use crate::fixture::Fixture;
use crate::support::{assert_close, random, values};

fn options(stride: [usize; 2], padding: [usize; 2], dilation: usize, groups: usize) -> Conv2dOptions {
    Conv2dOptions { stride, padding: padding.map(|size| [size; 2]), dilation: [dilation; 2], groups }
}

#[test]
fn convolutions_equal_pytorch_in_value_and_gradient() {
    let reference = Fixture::read("conv");
    for (case, options) in [
        ("stride_8x7", options([2; 2], [1; 2], 1, 1)),
        ("stride_7x8", options([2; 2], [1; 2], 1, 1)),
        ("stride_beyond_kernel", options([3, 5], [0; 2], 1, 1)),
        ("dilation_beyond_map", options([1; 2], [9; 2], 9, 1)),
        ("strip_1x7", options([1; 2], [0, 3], 1, 1)),
        ("strip_7x1", options([1, 2], [3, 0], 1, 1)),
        ("groups", options([1; 2], [1; 2], 1, 3)),
        (
            "padded_per_side",
            Conv2dOptions { stride: [2, 1], padding: [[0, 3], [2, 1]], ..Conv2dOptions::default() },
        ),
        (
            "depthwise_per_side",
            Conv2dOptions { stride: [2; 2], padding: [[0, 1], [1, 2]], dilation: [1; 2], groups: 7 },
        ),
        ("depthwise_multiplier", options([1, 2], [1, 2], 1, 3)),
        ("depthwise_dilated", options([1; 2], [6; 2], 6, 3)),
        ("depthwise_stride_beyond_kernel", options([3; 2], [0; 2], 1, 3)),
        ("depthwise_stride_dilated", options([2; 2], [3; 2], 3, 2)),
    ] {
        reference.check(case, |t| ops::conv2d(&t[0], &t[1], t.get(2), &options));
    }
}

#[test]
fn views_and_tensors_used_twice_equal_pytorch() {
    let reference = Fixture::read("conv");
    let padded = Conv2dOptions::padded(1);
    reference.check("transposed_view", |t| ops::conv2d(&t[0].transpose(2, 3)?, &t[1], None, &padded));
    reference.check("narrowed_view", |t| {
        ops::conv2d(&t[0].narrow(1, 1, 3)?.narrow(3, 2, 5)?, &t[1], None, &padded)
    });
    reference.check("used_twice", |t| {
        let y = ops::conv2d(&t[0], &t[1], None, &padded)?;
        let y = ops::conv2d(&y, &t[1], None, &options([2; 2], [0; 2], 1, 1))?;
        let every_second = Tensor::new(&[0u32, 2], &Device::Cpu)?;
        Ok((y + ops::index_select(&ops::index_select(&t[0], &every_second, 2)?, &every_second, 3)?)?)
    });
}

#[test]
fn sums_over_many_channels_equal_pytorch() {
    let reference = Fixture::read("conv");
    let vars = [&[1, 64, 8, 7][..], &[64, 64, 3, 3], &[64]].into_iter().enumerate().map(|(number, dims)| {
        let count: usize = dims.iter().product();
        let values: Vec<f32> =
            (0..count).map(|i| ((i * 7919 + number * 31) % 2003) as f32 / 1001.0 - 1.0).collect();
        Var::from_vec(values, dims, &Device::Cpu).unwrap()
    });
    let vars: Vec<Var> = vars.collect();
    let y = ops::conv2d(&vars[0], &vars[1], Some(&vars[2]), &Conv2dOptions::padded(1)).unwrap();
    let weights: Vec<f32> = (0..y.elem_count()).map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0).collect();
    let weights = Tensor::from_vec(weights, y.dims(), &Device::Cpu).unwrap();
    let grads = (&y * weights).unwrap().sum_all().unwrap().backward().unwrap();
    let check = |name: &str, got: &Tensor| {
        let got: Vec<f32> = values(got).into_iter().step_by(97).collect();
        // Sums of 576 products, some of which cancel.
        assert_close(name, &got, &values(reference.tensor(&format!("wide_channels.{name}"))), 1e-4);
    };
    check("y", &y);
    for (name, var) in ["grad0", "grad1", "grad2"].into_iter().zip(&vars) {
        check(name, grads.get(var).unwrap());
    }
}

#[test]
fn convolutions_equal_their_definition_in_value_and_gradient() {
    let lopsided = Conv2dOptions { stride: [2, 3], padding: [[0; 2], [2; 2]], dilation: [2, 1], groups: 1 };
    let strip = Conv2dOptions { stride: [1, 2], padding: [[3; 2], [0; 2]], dilation: [1; 2], groups: 3 };
    let sides = Conv2dOptions { stride: [2; 2], padding: [[2, 0], [0, 5]], ..Conv2dOptions::default() };
    let cases: &[(&[usize], &[usize], Conv2dOptions)] = &[
        (&[2, 3, 13, 18], &[4, 3, 7, 7], options([4; 2], [3; 2], 1, 1)),
        (&[1, 2, 5, 8], &[3, 2, 3, 3], options([2; 2], [1; 2], 1, 1)),
        (&[3, 2, 5, 7], &[3, 2, 3, 3], options([1; 2], [1; 2], 1, 1)),
        (&[2, 3, 9, 10], &[2, 3, 4, 4], options([4; 2], [0; 2], 1, 1)),
        (&[2, 2, 17, 9], &[2, 2, 8, 8], options([8; 2], [0; 2], 1, 1)),
        (&[2, 5, 5, 7], &[4, 5, 1, 1], options([1; 2], [0; 2], 1, 1)),
        (&[2, 5, 5, 7], &[4, 5, 1, 1], options([1; 2], [1; 2], 1, 1)),
        (&[1, 2, 5, 7], &[2, 2, 1, 1], options([2; 2], [0; 2], 1, 1)),
        (&[2, 2, 5, 7], &[2, 2, 3, 3], options([1; 2], [2; 2], 2, 1)),
        (&[1, 2, 3, 2], &[2, 2, 3, 3], options([1; 2], [6; 2], 6, 1)),
        (&[2, 4, 5, 7], &[6, 2, 3, 3], options([1; 2], [1; 2], 1, 2)),
        (&[2, 2, 7, 8], &[3, 2, 3, 5], lopsided),
        (&[2, 2, 6, 7], &[3, 2, 3, 4], sides),
        // Filters that see one channel each, with all that can differ.
        (&[2, 3, 5, 7], &[3, 1, 3, 3], options([1; 2], [1; 2], 1, 3)),
        (&[1, 9, 5, 7], &[9, 1, 3, 3], options([1; 2], [1; 2], 1, 9)),
        (&[2, 3, 5, 7], &[6, 1, 3, 3], options([2, 1], [1; 2], 1, 3)),
        (&[2, 2, 8, 7], &[2, 1, 5, 5], options([2; 2], [2; 2], 1, 2)),
        (&[1, 2, 9, 7], &[2, 1, 3, 3], options([3; 2], [0; 2], 2, 2)),
        (&[1, 2, 3, 5], &[2, 1, 1, 1], options([5, 1], [3, 0], 1, 2)),
        (&[1, 3, 5, 12], &[3, 1, 7, 1], strip),
        (&[3, 2, 6, 7], &[4, 1, 3, 4], Conv2dOptions { groups: 2, ..sides }),
    ];
    for &(x, weight, options) in cases {
        let what = format!("{x:?} {weight:?} {options:?}");
        let flat = Conv3dOptions {
            stride: [1, options.stride[0], options.stride[1]],
            padding: [[0; 2], options.padding[0], options.padding[1]],
            dilation: [1, options.dilation[0], options.dilation[1]],
            groups: options.groups,
        };
        let oracle = |inputs: &[Vec<f64>]| naive(five(x), five(weight), &flat, inputs);
        let conv = |t: &[Tensor]| ops::conv2d(&t[0], &t[1], t.get(2), &options).unwrap();
        check(&what, &[x, weight, &weight[..1]], conv, oracle);
        check(&what, &[x, weight], conv, oracle);
    }
}

/// Without a gradient where height and width leave different remainders.
#[test]
fn plain_candle_has_no_gradient_for_8x7_and_7x8_at_stride_2() {
    let weight = random(2, &[2, 2, 3, 3]);
    for dims in [[1, 2, 8, 7], [1, 2, 7, 8]] {
        let x = Var::from_tensor(&random(1, &dims)).unwrap();
        assert!(x.conv2d(&weight, 1, 2, 1, 1).unwrap().backward().is_err());
        assert!(ops::conv2d(&x, &weight, None, &options([2; 2], [1; 2], 1, 1)).unwrap().backward().is_ok());
    }
}

#[test]
fn a_convolution_that_does_not_fit_says_what_was_expected_and_what_it_got() {
    let default = Conv2dOptions::default();
    let x = random(1, &[1, 3, 5, 7]);
    let cases = [
        (&x, [2, 4, 3, 3], None, default, "expects 4 channels, got [1, 3, 5, 7]"),
        (&x, [2, 3, 6, 3], None, default, "does not fit into maps [1, 3, 5, 7]"),
        (&x, [2, 3, 3, 3], Some(3), default, "expected a bias [2], got [3]"),
        (&x, [4, 1, 3, 3], None, Conv2dOptions { groups: 3, ..default }, "3 groups do not divide"),
        (&x, [2, 3, 3, 3], None, Conv2dOptions { stride: [0, 1], ..default }, "at least 1, got"),
        (&x, [2, 3, 3, 3], None, Conv2dOptions { dilation: [1, 0], ..default }, "at least 1, got"),
        (&x, [2, 3, 0, 3], None, default, "does not fit"),
    ];
    for (x, weight, bias, options, problem) in cases {
        let (weight, bias) = (random(2, &weight), bias.map(|size| random(3, &[size])));
        let err = ops::conv2d(x, &weight, bias.as_ref(), &options).unwrap_err().to_string();
        assert!(err.starts_with("conv2d: ") && err.contains(problem), "{err}");
    }
    let flat = random(1, &[3, 5, 7]);
    let err = ops::conv2d(&flat, &random(2, &[2, 3, 3, 3]), None, &default).unwrap_err().to_string();
    assert!(err.contains("expected maps of 4 axes") && err.contains("got [3, 5, 7]"), "{err}");
    let err = ops::conv2d(&x, &flat, None, &default).unwrap_err().to_string();
    assert!(err.contains("expected a weight of 4 axes"), "{err}");
}
