//! Transposed convolution of maps against PyTorch (`fixtures/conv.py`) and its definition.

use candle_core::Tensor;
use segbench_nn::Context;
use segbench_nn::layers::{ConvTranspose2d, ConvTranspose3d};
use segbench_nn::ops::{self, ConvTranspose2dOptions, ConvTranspose3dOptions};

use crate::convolution::{check, five, naive_transposed};
use crate::fixture::Fixture;
use crate::support::random;

fn options(stride: usize, padding: usize, dilation: usize, groups: usize) -> ConvTranspose2dOptions {
    ConvTranspose2dOptions {
        stride: [stride; 2],
        dilation: [dilation; 2],
        groups,
        ..ConvTranspose2dOptions::padded(padding)
    }
}

#[test]
fn transposed_convolutions_equal_pytorch_in_value_and_gradient() {
    let reference = Fixture::read("conv");
    let rest = |rest: usize, options| ConvTranspose2dOptions { output_padding: [rest; 2], ..options };
    for (case, options) in [
        ("up_k2s2", options(2, 0, 1, 1)),
        ("up_k4s2p1", options(2, 1, 1, 1)),
        ("up_k3s2p1op1", rest(1, options(2, 1, 1, 1))),
        ("up_k16s8p4", options(8, 4, 1, 1)),
        ("up_k3d2", options(1, 0, 2, 1)),
        ("up_k3d3op2", rest(2, options(2, 2, 3, 1))),
        (
            "up_groups",
            ConvTranspose2dOptions { stride: [2, 1], padding: [[1; 2], [0; 2]], ..options(1, 0, 1, 2) },
        ),
        ("up_depthwise", options(2, 1, 1, 3)),
        ("up_depthwise_multiplier", options(2, 0, 1, 2)),
        ("up_stride_beyond_kernel", options(3, 0, 1, 1)),
        (
            "up_cut_per_side",
            ConvTranspose2dOptions { stride: [2, 3], padding: [[1, 0], [2, 4]], ..options(1, 0, 1, 1) },
        ),
        ("up_k1", options(1, 0, 1, 1)),
    ] {
        reference.check(case, |t| ops::conv_transpose2d(&t[0], &t[1], t.get(2), &options));
    }
    reference.check("up_view", |t| {
        ops::conv_transpose2d(&t[0].transpose(2, 3)?, &t[1], None, &options(2, 0, 1, 1))
    });
}

#[test]
fn transposed_convolutions_equal_their_definition_in_value_and_gradient() {
    let lopsided = ConvTranspose2dOptions {
        stride: [2, 3],
        padding: [[1, 0], [0, 4]],
        output_padding: [0, 2],
        dilation: [2, 1],
        groups: 1,
    };
    let cases: &[(&[usize], &[usize], ConvTranspose2dOptions)] = &[
        (&[1, 3, 4, 5], &[3, 2, 2, 2], options(2, 0, 1, 1)),
        (&[3, 1, 3, 4], &[1, 2, 4, 4], options(2, 1, 1, 1)),
        (&[2, 4, 3, 5], &[4, 3, 3, 3], options(2, 1, 1, 2)),
        (&[1, 2, 3, 4], &[2, 3, 3, 2], lopsided),
        // Reaches that end before the input begins: nothing of the first and last elements is left.
        (&[1, 2, 5, 4], &[2, 2, 1, 2], options(2, 2, 1, 1)),
        (&[2, 3, 4, 3], &[3, 1, 4, 4], options(2, 1, 1, 3)),
        (&[2, 4, 4, 3], &[4, 1, 3, 2], options(3, 2, 2, 2)),
    ];
    for &(x, weight, options) in cases {
        let what = format!("{x:?} {weight:?} {options:?}");
        let flat = ConvTranspose3dOptions {
            stride: [1, options.stride[0], options.stride[1]],
            padding: [[0; 2], options.padding[0], options.padding[1]],
            output_padding: [0, options.output_padding[0], options.output_padding[1]],
            dilation: [1, options.dilation[0], options.dilation[1]],
            groups: options.groups,
        };
        let oracle = |inputs: &[Vec<f64>]| naive_transposed(five(x), five(weight), &flat, inputs);
        let conv = |t: &[Tensor]| ops::conv_transpose2d(&t[0], &t[1], t.get(2), &options).unwrap();
        check(&what, &[x, weight, &[weight[1] * options.groups]], conv, oracle);
        check(&what, &[x, weight], conv, oracle);
    }
}

#[test]
fn a_transposed_convolution_that_does_not_fit_says_what_was_expected_and_what_it_got() {
    let plain = options(2, 0, 1, 1);
    let x = random(1, &[1, 3, 5, 7]);
    let cases = [
        ([4, 2, 2, 2], None, plain, "expects 4 channels, got [1, 3, 5, 7]"),
        ([3, 2, 2, 2], None, options(2, 0, 1, 2), "2 groups do not divide 3 channels"),
        ([3, 2, 2, 2], Some(3), plain, "expected a bias [2], got [3]"),
        ([3, 2, 2, 2], None, options(2, 9, 1, 1), "nothing is left of maps [1, 3, 5, 7]"),
        (
            [3, 2, 2, 2],
            None,
            ConvTranspose2dOptions { output_padding: [0, 2], ..plain },
            "less than stride or dilation",
        ),
        ([3, 2, 2, 2], None, options(0, 0, 1, 1), "at least 1"),
    ];
    for (weight, bias, options, problem) in cases {
        let (weight, bias) = (random(2, &weight), bias.map(|size| random(3, &[size])));
        let err = ops::conv_transpose2d(&x, &weight, bias.as_ref(), &options).unwrap_err().to_string();
        assert!(err.starts_with("conv_transpose2d: ") && err.contains(problem), "{err}");
    }
}

#[test]
fn the_layers_count_every_product() {
    let ctx = Context::eval();
    let layer =
        ConvTranspose2d::from_parts(random(1, &[4, 3, 2, 2]), Some(random(2, &[6])), options(2, 0, 1, 2));
    assert_eq!(layer.forward(&random(3, &[2, 4, 3, 5]), &ctx).unwrap().dims(), [2, 6, 6, 10]);
    assert_eq!(ctx.macs(), 2 * 4 * 3 * 5 * 3 * 4);
    let ctx = Context::eval();
    let doubled = ConvTranspose3dOptions { stride: [2; 3], ..ConvTranspose3dOptions::default() };
    let layer = ConvTranspose3d::from_parts(random(1, &[2, 3, 2, 2, 2]), None, doubled);
    assert_eq!(layer.forward(&random(3, &[1, 2, 3, 4, 5]), &ctx).unwrap().dims(), [1, 3, 6, 8, 10]);
    assert_eq!(ctx.macs(), 2 * 3 * 4 * 5 * 3 * 8);
}
