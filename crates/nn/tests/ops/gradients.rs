//! The gradient of every operation against central differences, at odd sizes.

use crate::support::{assert_close, check_gradient, random, values};
use candle_core::Tensor;
use segbench_nn::ops::{self, Conv2dOptions};
use segbench_nn::{Context, Result};

/// For functions that are linear in each input, whose differences are exact but for rounding.
const LINEAR: f32 = 1e-3;
/// For curved functions: the truncation error of the differences.
const CURVED: f32 = 4e-3;

struct Conv {
    x: [usize; 4],
    weight: [usize; 4],
    options: Conv2dOptions,
}

fn conv(
    x: [usize; 4],
    weight: [usize; 4],
    stride: usize,
    padding: usize,
    dilation: usize,
    groups: usize,
) -> Conv {
    let options =
        Conv2dOptions { stride: [stride; 2], padding: [padding; 2], dilation: [dilation; 2], groups };
    Conv { x, weight, options }
}

fn convolutions() -> Vec<Conv> {
    let lopsided = Conv2dOptions { stride: [2, 3], padding: [0, 2], dilation: [2, 1], groups: 1 };
    let strip = Conv2dOptions { stride: [1, 2], padding: [3, 0], dilation: [1, 1], groups: 3 };
    vec![
        conv([2, 3, 13, 18], [4, 3, 7, 7], 4, 3, 1, 1),
        conv([1, 2, 5, 8], [3, 2, 3, 3], 2, 1, 1, 1),
        conv([3, 2, 5, 7], [3, 2, 3, 3], 1, 1, 1, 1),
        conv([2, 3, 9, 10], [2, 3, 4, 4], 4, 0, 1, 1),
        conv([2, 2, 17, 9], [2, 2, 8, 8], 8, 0, 1, 1),
        conv([2, 5, 5, 7], [4, 5, 1, 1], 1, 0, 1, 1),
        conv([1, 2, 5, 7], [2, 2, 1, 1], 2, 0, 1, 1),
        conv([2, 2, 5, 7], [2, 2, 3, 3], 1, 2, 2, 1),
        conv([1, 2, 3, 2], [2, 2, 3, 3], 1, 6, 6, 1),
        conv([2, 4, 5, 7], [6, 2, 3, 3], 1, 1, 1, 2),
        Conv { x: [2, 2, 7, 8], weight: [3, 2, 3, 5], options: lopsided },
        // One filter for each channel, with all that can differ.
        conv([2, 3, 5, 7], [3, 1, 3, 3], 1, 1, 1, 3),
        conv([1, 9, 5, 7], [9, 1, 3, 3], 1, 1, 1, 9),
        conv([2, 2, 8, 7], [2, 1, 5, 5], 2, 2, 1, 2),
        conv([1, 2, 9, 7], [2, 1, 3, 3], 3, 0, 2, 2),
        Conv { x: [1, 3, 5, 12], weight: [3, 1, 7, 1], options: strip },
    ]
}

/// The definition, in f64.
fn naive_conv(x: &Tensor, weight: &Tensor, bias: &[f32], options: &Conv2dOptions) -> Vec<f32> {
    let (batch, channels, height, width) = x.dims4().unwrap();
    let (outputs, per_group, kernel_h, kernel_w) = weight.dims4().unwrap();
    let [out_h, out_w] = options.output_size([height, width], [kernel_h, kernel_w]).unwrap();
    let (x, weight) = (values(x), values(weight));
    let mut y = Vec::new();
    for image in 0..batch {
        for output in 0..outputs {
            let first = output / (outputs / options.groups) * per_group;
            for place in 0..out_h * out_w {
                let mut sum = f64::from(bias[output]);
                for tap in 0..per_group * kernel_h * kernel_w {
                    let (channel, tap_y, tap_x) =
                        (tap / (kernel_h * kernel_w), tap / kernel_w % kernel_h, tap % kernel_w);
                    let row = place / out_w * options.stride[0] + tap_y * options.dilation[0];
                    let column = place % out_w * options.stride[1] + tap_x * options.dilation[1];
                    let (Some(row), Some(column)) =
                        (row.checked_sub(options.padding[0]), column.checked_sub(options.padding[1]))
                    else {
                        continue;
                    };
                    if row < height && column < width {
                        let pixel = x[((image * channels + first + channel) * height + row) * width + column];
                        sum += f64::from(pixel)
                            * f64::from(weight[output * per_group * kernel_h * kernel_w + tap]);
                    }
                }
                y.push(sum as f32);
            }
        }
    }
    y
}

#[test]
fn convolutions_equal_their_definition() {
    for Conv { x, weight, options } in convolutions() {
        let (x, weight, bias) = (random(1, &x), random(2, &weight), random(3, &weight[..1]));
        let y = ops::conv2d(&x, &weight, Some(&bias), &options).unwrap();
        let what = format!("{:?} {:?} {options:?}", x.dims(), weight.dims());
        assert_close(&what, &values(&y), &naive_conv(&x, &weight, &values(&bias), &options), 1e-5);
        let without = ops::conv2d(&x, &weight, None, &options).unwrap();
        let zeros = vec![0.0; weight.dims()[0]];
        assert_close(&what, &values(&without), &naive_conv(&x, &weight, &zeros, &options), 1e-5);
    }
}

#[test]
fn convolutions_have_the_gradients_of_their_definition() {
    for Conv { x, weight, options } in convolutions() {
        let what = format!("{x:?} {weight:?} {options:?}");
        let inputs = [random(4, &x), random(5, &weight), random(6, &weight[..1])];
        check_gradient(&what, &inputs, LINEAR, |t| ops::conv2d(&t[0], &t[1], Some(&t[2]), &options).unwrap());
        check_gradient(&what, &inputs[..2], LINEAR, |t| ops::conv2d(&t[0], &t[1], None, &options).unwrap());
    }
}

#[test]
fn a_convolution_reads_views() {
    let x = random(7, &[2, 7, 5, 3]);
    let options = Conv2dOptions { padding: [1; 2], ..Conv2dOptions::default() };
    check_gradient("view", &[x, random(8, &[4, 3, 3, 3])], LINEAR, |t| {
        let view = t[0].permute((0, 3, 2, 1)).unwrap();
        ops::conv2d(&view, &t[1], None, &options).unwrap()
    });
}

#[test]
fn a_convolution_that_does_not_fit_is_an_error() {
    let default = Conv2dOptions::default();
    let cases = [
        (random(1, &[1, 3, 5, 7]), random(2, &[2, 4, 3, 3]), None, default),
        (random(1, &[1, 3, 2, 7]), random(2, &[2, 3, 3, 3]), None, default),
        (random(1, &[1, 3, 5, 7]), random(2, &[2, 3, 3, 3]), Some(random(3, &[3])), default),
        (random(1, &[1, 4, 5, 7]), random(2, &[3, 2, 3, 3]), None, Conv2dOptions { groups: 2, ..default }),
        (
            random(1, &[1, 3, 5, 7]),
            random(2, &[2, 3, 3, 3]),
            None,
            Conv2dOptions { stride: [0, 1], ..default },
        ),
        (random(1, &[3, 5, 7]), random(2, &[2, 3, 3, 3]), None, default),
    ];
    for (x, weight, bias, options) in cases {
        let err = ops::conv2d(&x, &weight, bias.as_ref(), &options).unwrap_err();
        assert!(err.to_string().starts_with("conv2d: "), "{err}");
    }
}

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
        check_gradient("softmax", &inputs[..1], CURVED, |t| ops::softmax(&(&t[0] * 3.0).unwrap()).unwrap());
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
    let options = Conv2dOptions { padding: [1; 2], groups: 4, ..Conv2dOptions::default() };
    let block = |t: &[Tensor]| -> Result<Tensor> {
        let x = ops::relu(&(&t[0] + 2.0)?)?;
        let left = ops::conv2d(&x, &t[1], None, &options)?;
        let right = ops::resize_bilinear(&ops::resize_bilinear(&x, 3, 4, false)?, 5, 7, false)?;
        let tokens = ops::softmax(&ops::linear(&x.permute((0, 2, 3, 1))?, &t[2], None)?)?;
        Ok((((left + right)? + &x)? + tokens.permute((0, 3, 1, 2))?)?)
    };
    let inputs = [random(1, &[2, 4, 5, 7]), random(2, &[4, 1, 3, 3]), random(3, &[4, 4])];
    check_gradient("shared", &inputs, CURVED, |t| block(t).unwrap());
}
