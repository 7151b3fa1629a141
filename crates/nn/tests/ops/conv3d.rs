//! Convolution of volumes and its transpose against PyTorch (`fixtures/conv.py`) and their definitions.

use candle_core::Tensor;
use segbench_nn::Context;
use segbench_nn::layers::Conv3d;
use segbench_nn::ops::{self, Conv3dOptions, ConvTranspose3dOptions};

use crate::convolution::{check, five, naive, naive_transposed};
use crate::fixture::Fixture;
use crate::support::random;

fn options(stride: usize, padding: usize, groups: usize) -> Conv3dOptions {
    Conv3dOptions { stride: [stride; 3], groups, ..Conv3dOptions::padded(padding) }
}

fn transposed(stride: usize, padding: usize, groups: usize) -> ConvTranspose3dOptions {
    ConvTranspose3dOptions { stride: [stride; 3], groups, ..ConvTranspose3dOptions::padded(padding) }
}

#[test]
fn volumes_equal_pytorch_in_value_and_gradient() {
    let reference = Fixture::read("conv");
    let mixed = Conv3dOptions {
        stride: [1, 2, 3],
        padding: [[2; 2], [0; 2], [1; 2]],
        dilation: [2, 1, 1],
        groups: 1,
    };
    for (case, options) in [
        ("volume_k5p2", options(1, 2, 1)),
        ("volume_k2s2", options(2, 0, 1)),
        ("volume_k3s2p1", options(2, 1, 2)),
        ("volume_mixed", mixed),
        ("volume_depthwise", Conv3dOptions { stride: [2, 1, 1], ..options(1, 1, 3) }),
        ("volume_k1", options(1, 0, 1)),
    ] {
        reference.check(case, |t| ops::conv3d(&t[0], &t[1], t.get(2), &options));
    }
    for (case, options) in [
        ("volume_up_k2s2", transposed(2, 0, 1)),
        ("volume_up_k3s2p1op1", ConvTranspose3dOptions { output_padding: [1, 0, 1], ..transposed(2, 1, 1) }),
        ("volume_up_depthwise", transposed(2, 1, 3)),
    ] {
        reference.check(case, |t| ops::conv_transpose3d(&t[0], &t[1], t.get(2), &options));
    }
}

#[test]
fn volumes_equal_their_definition_in_value_and_gradient() {
    let sides = Conv3dOptions {
        stride: [2, 1, 2],
        padding: [[0, 2], [1, 0], [3, 1]],
        dilation: [1, 2, 1],
        groups: 1,
    };
    let cases: &[(&[usize], &[usize], Conv3dOptions)] = &[
        (&[1, 1, 3, 4, 5], &[2, 1, 5, 5, 5], options(1, 2, 1)),
        (&[2, 2, 3, 5, 4], &[3, 2, 2, 3, 2], sides),
        (&[1, 2, 3, 5, 4], &[4, 1, 2, 3, 2], Conv3dOptions { groups: 2, ..sides }),
        (&[1, 4, 4, 3, 5], &[2, 2, 2, 2, 2], options(2, 0, 2)),
    ];
    for &(x, weight, options) in cases {
        let what = format!("{x:?} {weight:?} {options:?}");
        check(
            &what,
            &[x, weight, &weight[..1]],
            |t| ops::conv3d(&t[0], &t[1], t.get(2), &options).unwrap(),
            |inputs| naive(five(x), five(weight), &options, inputs),
        );
    }
    let sides = ConvTranspose3dOptions {
        stride: [2, 1, 3],
        padding: [[0, 1], [1, 0], [2, 1]],
        output_padding: [1, 0, 2],
        dilation: [1, 2, 1],
        groups: 1,
    };
    let cases: &[(&[usize], &[usize], ConvTranspose3dOptions)] = &[
        (&[2, 2, 2, 3, 4], &[2, 3, 2, 2, 2], transposed(2, 0, 1)),
        (&[1, 2, 3, 2, 3], &[2, 2, 2, 3, 3], sides),
        (&[1, 2, 3, 2, 3], &[2, 1, 2, 3, 3], ConvTranspose3dOptions { groups: 2, ..sides }),
    ];
    for &(x, weight, options) in cases {
        check(
            &format!("{x:?} {weight:?} {options:?}"),
            &[x, weight, &[weight[1] * options.groups]],
            |t: &[Tensor]| ops::conv_transpose3d(&t[0], &t[1], t.get(2), &options).unwrap(),
            |inputs| naive_transposed(five(x), five(weight), &options, inputs),
        );
    }
}

#[test]
fn volumes_that_do_not_fit_are_errors() {
    let x = random(1, &[1, 3, 4, 5, 7]);
    let err = ops::conv3d(&x, &random(2, &[2, 3, 3, 3]), None, &options(1, 0, 1)).unwrap_err().to_string();
    assert!(err.starts_with("conv3d: expected a weight of 5 axes"), "{err}");
    let weight = random(2, &[2, 3, 5, 3, 3]);
    let err = ops::conv3d(&x, &weight, None, &options(1, 0, 1)).unwrap_err().to_string();
    assert!(err.contains("does not fit into maps [1, 3, 4, 5, 7]"), "{err}");
    let err = ops::conv_transpose3d(&x, &weight, None, &transposed(1, 0, 1)).unwrap_err().to_string();
    assert!(err.starts_with("conv_transpose3d: ") && err.contains("expects 2 channels"), "{err}");
}

#[test]
fn the_layer_counts_every_product() {
    let ctx = Context::eval();
    let layer = Conv3d::from_parts(random(1, &[4, 2, 5, 5, 5]), Some(random(2, &[4])), options(1, 2, 1));
    assert_eq!(layer.forward(&random(3, &[1, 2, 3, 5, 4]), &ctx).unwrap().dims(), [1, 4, 3, 5, 4]);
    assert_eq!(ctx.macs(), 4 * 3 * 5 * 4 * 2 * 125);
}
