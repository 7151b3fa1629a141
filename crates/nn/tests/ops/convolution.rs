//! The definitions of convolution and of its transpose in f64, and operations compared with them.

use candle_core::{Tensor, Var};
use segbench_nn::ops::{Conv3dOptions, ConvTranspose3dOptions};

use crate::support::{assert_close, random, values};

/// f32 against f64, for sums of some hundred products of numbers below one.
const TOLERANCE: f32 = 2e-5;

/// Dimensions of maps or volumes as (batch, channels, depth, height, width).
pub(crate) fn five(dims: &[usize]) -> [usize; 5] {
    match *dims {
        [batch, channels, height, width] => [batch, channels, 1, height, width],
        [batch, channels, depth, height, width] => [batch, channels, depth, height, width],
        _ => panic!("{dims:?}"),
    }
}

/// Calls `visit(x, weight, y)` with the places of every product of a convolution; `size` is that of the result.
fn for_each_product(
    x: [usize; 5],
    weight: [usize; 5],
    size: [usize; 3],
    options: &Conv3dOptions,
    mut visit: impl FnMut(usize, usize, usize),
) {
    let [batch, channels, depth, height, width] = x;
    let [outputs, per_group, taps_d, taps_h, taps_w] = weight;
    let places = |[a, b, c]: [usize; 3]| {
        (0..a).flat_map(move |i| (0..b).flat_map(move |j| (0..c).map(move |k| [i, j, k])))
    };
    for image in 0..batch {
        for output in 0..outputs {
            for channel in 0..per_group {
                let from = output / (outputs / options.groups) * per_group + channel;
                for [z, y, x] in places(size) {
                    for [tap_z, tap_y, tap_x] in places([taps_d, taps_h, taps_w]) {
                        let along = |axis: usize, place: usize, tap: usize| {
                            (place * options.stride[axis] + tap * options.dilation[axis])
                                .checked_sub(options.padding[axis][0])
                        };
                        let (Some(in_z), Some(in_y), Some(in_x)) =
                            (along(0, z, tap_z), along(1, y, tap_y), along(2, x, tap_x))
                        else {
                            continue;
                        };
                        if in_z < depth && in_y < height && in_x < width {
                            visit(
                                (((image * channels + from) * depth + in_z) * height + in_y) * width + in_x,
                                (((output * per_group + channel) * taps_d + tap_z) * taps_h + tap_y) * taps_w
                                    + tap_x,
                                (((image * outputs + output) * size[0] + z) * size[1] + y) * size[2] + x,
                            );
                        }
                    }
                }
            }
        }
    }
}

/// The result of a convolution of the first by the second of `inputs`, with the third as bias if there is one.
pub(crate) fn naive(
    x: [usize; 5],
    weight: [usize; 5],
    options: &Conv3dOptions,
    inputs: &[Vec<f64>],
) -> Vec<f64> {
    let size = options.output_size([x[2], x[3], x[4]], [weight[2], weight[3], weight[4]]).unwrap();
    let mut y = biased(x[0], weight[0], size, inputs.get(2));
    for_each_product(x, weight, size, options, |x, weight, place| {
        y[place] += inputs[0][x] * inputs[1][weight];
    });
    y
}

/// The result of a transposed convolution: every element is spread to where a convolution would read it from.
pub(crate) fn naive_transposed(
    x: [usize; 5],
    weight: [usize; 5],
    options: &ConvTranspose3dOptions,
    inputs: &[Vec<f64>],
) -> Vec<f64> {
    let size = options.output_size([x[2], x[3], x[4]], [weight[2], weight[3], weight[4]]).unwrap();
    let outputs = weight[1] * options.groups;
    let mut y = biased(x[0], outputs, size, inputs.get(2));
    let ConvTranspose3dOptions { stride, padding, dilation, groups, .. } = *options;
    let options = Conv3dOptions { stride, padding, dilation, groups };
    let result = [x[0], outputs, size[0], size[1], size[2]];
    for_each_product(result, weight, [x[2], x[3], x[4]], &options, |place, weight, x| {
        y[place] += inputs[0][x] * inputs[1][weight];
    });
    y
}

fn biased(batch: usize, outputs: usize, size: [usize; 3], bias: Option<&Vec<f64>>) -> Vec<f64> {
    let plane: usize = size.iter().product();
    (0..batch * outputs * plane).map(|place| bias.map_or(0.0, |bias| bias[place / plane % outputs])).collect()
}

/// Compares the result of `operation`, and its gradients by all inputs, with `oracle` and its central differences. The oracle is
/// linear in each input, so that its differences are its derivatives.
pub(crate) fn check(
    what: &str,
    dims: &[&[usize]],
    operation: impl Fn(&[Tensor]) -> Tensor,
    oracle: impl Fn(&[Vec<f64>]) -> Vec<f64>,
) {
    let vars: Vec<Var> = dims
        .iter()
        .enumerate()
        .map(|(seed, dims)| Var::from_tensor(&random(seed as u64 + 1, dims)).unwrap())
        .collect();
    let arguments: Vec<Tensor> = vars.iter().map(|var| var.as_tensor().clone()).collect();
    let mut inputs: Vec<Vec<f64>> =
        arguments.iter().map(|input| values(input).into_iter().map(f64::from).collect()).collect();
    let y = operation(&arguments);
    let expected: Vec<f32> = oracle(&inputs).into_iter().map(|y| y as f32).collect();
    assert_close(what, &values(&y), &expected, TOLERANCE);

    let weights = random(99, y.dims());
    let grads = (&y * &weights).unwrap().sum_all().unwrap().backward().unwrap();
    let weights = values(&weights);
    let loss = |inputs: &[Vec<f64>]| -> f64 {
        oracle(inputs).into_iter().zip(&weights).map(|(y, weight)| y * f64::from(*weight)).sum()
    };
    for (number, var) in vars.iter().enumerate() {
        let expected: Vec<f32> = (0..inputs[number].len())
            .map(|place| {
                let original = inputs[number][place];
                let [above, below] = [0.5, -0.5].map(|step| {
                    inputs[number][place] = original + step;
                    loss(&inputs)
                });
                inputs[number][place] = original;
                (above - below) as f32
            })
            .collect();
        let grad = grads.get(var).unwrap_or_else(|| panic!("{what}: no gradient for input {number}"));
        assert_eq!(grad.dims(), var.dims(), "{what}");
        assert_close(&format!("{what}: gradient {number}"), &values(grad), &expected, TOLERANCE);
    }
}
