//! The gradient of every operation against central differences, at odd sizes.

use crate::support::{assert_close, check_gradient, random, values};
use candle_core::{D, Tensor};
use segbench_nn::ops::{self, Conv2dOptions};
use segbench_nn::{Context, Result};

/// For functions that are linear in each input, whose differences are exact but for rounding.
const LINEAR: f32 = 1e-3;
/// For curved functions: the truncation error of the differences.
const CURVED: f32 = 4e-3;

#[test]
fn linear_has_the_gradients_of_its_definition() {
    for (x, weight) in [([2, 5, 7].as_slice(), [3, 7]), (&[5], [4, 5]), (&[2, 3, 1, 6], [1, 6])] {
        let inputs = [random(1, x), random(2, &weight), random(3, &weight[..1])];
        check_gradient("linear", &inputs, LINEAR, |t| ops::linear(&t[0], &t[1], Some(&t[2])).unwrap());
        check_gradient("linear without bias", &inputs[..2], LINEAR, |t| {
            ops::linear(&t[0], &t[1], None).unwrap()
        });
        let expected = inputs[0].reshape(((), weight[1])).unwrap().matmul(&inputs[1].t().unwrap()).unwrap();
        let expected = expected.broadcast_add(&inputs[2]).unwrap();
        let y = ops::linear(&inputs[0], &inputs[1], Some(&inputs[2])).unwrap();
        assert_close("linear", &values(&y), &values(&expected), 1e-5);
    }
}

#[test]
fn products_of_views_have_the_gradients_of_their_definition() {
    let ctx = Context::eval();
    // The products of an attention: heads are cut out of tokens without copying them.
    let inputs = [random(1, &[2, 5, 2, 3]), random(2, &[2, 7, 2, 3])];
    let heads = |t: &Tensor| t.transpose(1, 2).unwrap();
    check_gradient("scores", &inputs, LINEAR, |t| {
        ops::matmul(&heads(&t[0]), &heads(&t[1]).t().unwrap(), &Context::eval()).unwrap()
    });
    let a = heads(&inputs[0]);
    let b = heads(&inputs[1]).t().unwrap();
    let expected = a.contiguous().unwrap().matmul(&b.contiguous().unwrap()).unwrap();
    assert_close("scores", &values(&ops::matmul(&a, &b, &ctx).unwrap()), &values(&expected), 1e-5);
    assert_eq!(ctx.macs(), 2 * 2 * 5 * 7 * 3);
    assert!(ops::matmul(&a, &a, &ctx).is_err());
}

#[test]
fn row_operations_have_the_gradients_of_their_definitions() {
    for dims in [[2, 5, 7], [3, 2, 37]] {
        let width = dims[2];
        let inputs = [random(1, &dims), random(2, &[width]), random(3, &[width])];
        check_gradient("layer_norm", &inputs, 2.0 * CURVED, |t| {
            ops::layer_norm(&t[0], &t[1], &t[2], 1e-6).unwrap()
        });
        check_gradient("softmax", &inputs[..1], CURVED, |t| {
            ops::softmax(&(&t[0] * 3.0).unwrap(), D::Minus1).unwrap()
        });
        check_gradient("gelu", &inputs[..1], CURVED, |t| ops::gelu(&(&t[0] * 2.5).unwrap()).unwrap());
    }
}

#[test]
fn relu_stops_the_gradient_of_what_is_not_positive() {
    let x = candle_core::Var::new(&[-2f32, -0.0, 0.0, 3.0], &candle_core::Device::Cpu).unwrap();
    let y = ops::relu(&x).unwrap();
    assert_eq!(values(&y), [0.0, 0.0, 0.0, 3.0]);
    assert_eq!(values(y.sum_all().unwrap().backward().unwrap().get(&x).unwrap()), [0.0, 0.0, 0.0, 1.0]);
}

#[test]
fn batch_normalization_has_the_gradients_of_its_definition() {
    for dims in [[2, 3, 5, 7], [3, 2, 1, 3]] {
        let inputs = [random(1, &dims), random(2, &dims[1..2]), random(3, &dims[1..2])];
        check_gradient("train", &inputs, 2.0 * CURVED, |t| {
            ops::batch_norm_train(&t[0], &t[1], &t[2], 1e-5).unwrap().0
        });
        let (mean, variance) = (random(4, &dims[1..2]), (random(5, &dims[1..2]) + 1.5).unwrap());
        check_gradient("eval", &inputs, LINEAR, |t| {
            ops::batch_norm_eval(&t[0], &t[1], &t[2], &mean, &variance, 1e-5).unwrap()
        });
    }
}

#[test]
fn bilinear_interpolation_has_the_gradient_of_its_definition() {
    for align_corners in [false, true] {
        for (height, width) in [(5, 7), (13, 9), (3, 4), (1, 15), (10, 1), (2, 20)] {
            let what = format!("{height} x {width}, {align_corners}");
            check_gradient(&what, &[random(1, &[2, 3, 5, 7])], LINEAR, |t| {
                ops::resize_bilinear(&t[0], height, width, align_corners).unwrap()
            });
        }
    }
}

#[test]
fn gradients_of_a_tensor_that_is_used_twice_add_up() {
    let options = Conv2dOptions { groups: 4, ..Conv2dOptions::padded(1) };
    let block = |t: &[Tensor]| -> Result<Tensor> {
        let x = ops::relu(&(&t[0] + 2.0)?)?;
        let left = ops::conv2d(&x, &t[1], None, &options)?;
        let right = ops::resize_bilinear(&ops::resize_bilinear(&x, 3, 4, false)?, 5, 7, false)?;
        let tokens = ops::softmax(&ops::linear(&x.permute((0, 2, 3, 1))?, &t[2], None)?, D::Minus1)?;
        Ok((((left + right)? + &x)? + tokens.permute((0, 3, 1, 2))?)?)
    };
    let inputs = [random(1, &[2, 4, 5, 7]), random(2, &[4, 1, 3, 3]), random(3, &[4, 4])];
    check_gradient("shared", &inputs, CURVED, |t| block(t).unwrap());
}
