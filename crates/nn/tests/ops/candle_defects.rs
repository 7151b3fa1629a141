//! What keeps networks off candle's own operators: for each defect, our operator is right and candle's is not.
//!
//! When candle repairs one, the test says so: then its case goes, and so may our operator.

use candle_core::{D, Device, Tensor, Var};
use candle_nn::Module;
use segbench_nn::Result;
use segbench_nn::ops::{self, Interpolation, PoolOptions, ResizeTo};

use crate::oracle::distinct;
use crate::support::{random, values};

type Operator = fn(&[Tensor]) -> Result<Tensor>;

/// One operator at the sizes where candle's fails.
struct Defect {
    name: &'static str,
    /// The shapes of the inputs; all get a gradient.
    inputs: &'static [&'static [usize]],
    ours: Operator,
    candle: Operator,
}

#[test]
fn our_operators_are_right_where_those_of_candle_are_not() {
    for Defect { name, inputs, ours, candle } in DEFECTS {
        let inputs: Vec<Tensor> = inputs.iter().map(|dims| distinct(dims)).collect();
        assert_eq!(verdict(&inputs, *ours), Ok(()), "{name}");
        assert!(verdict(&inputs, *candle).is_err(), "{name}: candle's operator is right now");
    }
}

/// Half the distance of the points of a central difference; less than half the distance of two elements of the inputs.
const STEP: f64 = 1.0 / 256.0;
/// Rounding of results in f32, divided by the distance.
const TOLERANCE: f64 = 2e-3;

/// Whether the gradients of a function are its central differences; if not, what is wrong.
fn verdict(inputs: &[Tensor], function: Operator) -> Result<(), String> {
    let text = |err: &dyn std::fmt::Display| err.to_string();
    let vars: Vec<Var> =
        inputs.iter().map(|input| Var::from_tensor(&input.copy().unwrap()).unwrap()).collect();
    let tracked: Vec<Tensor> = vars.iter().map(|var| var.as_tensor().clone()).collect();
    let y = function(&tracked).map_err(|err| text(&err))?;
    let weights = random(99, y.dims());
    let grads = (&y * &weights).and_then(|y| y.sum_all()?.backward()).map_err(|err| text(&err))?;
    for (number, var) in vars.iter().enumerate() {
        let grad = values(grads.get(var).ok_or("no gradient")?);
        for (place, grad) in grad.iter().enumerate() {
            let loss = |step: f64| -> Result<f64> {
                let mut arguments = inputs.to_vec();
                let mut moved = values(&inputs[number]);
                moved[place] += step as f32;
                arguments[number] = Tensor::from_vec(moved, inputs[number].dims(), inputs[number].device())?;
                let y = values(&function(&arguments)?).into_iter().zip(values(&weights));
                Ok(y.map(|(y, weight)| f64::from(y) * f64::from(weight)).sum())
            };
            let moved = [loss(STEP), loss(-STEP)].map(|loss| loss.map_err(|err| text(&err)));
            let [above, below] = moved;
            let expected = (above? - below?) / (2.0 * STEP);
            if (f64::from(*grad) - expected).abs() > TOLERANCE * (1.0 + expected.abs()) {
                return Err(format!("gradient of input {number} [{place}]: {grad}, expected {expected}"));
            }
        }
    }
    Ok(())
}

const DEFECTS: &[Defect] = &[
    Defect {
        name: "max_pool2d 2x2 divides the gradient by the size of the window",
        inputs: &[&[2, 3, 8, 8]],
        ours: |t| ops::max_pool2d(&t[0], &pool(2, 2, 0)),
        candle: |t| Ok(t[0].max_pool2d(2)?),
    },
    Defect {
        name: "max_pool2d 2x2 of 7x7",
        inputs: &[&[2, 3, 7, 7]],
        ours: |t| ops::max_pool2d(&t[0], &pool(2, 2, 0)),
        candle: |t| Ok(t[0].max_pool2d(2)?),
    },
    Defect {
        name: "max_pool2d 3x3, stride 2",
        inputs: &[&[2, 3, 7, 9]],
        ours: |t| ops::max_pool2d(&t[0], &pool(3, 2, 0)),
        candle: |t| Ok(t[0].max_pool2d_with_stride(3, 2)?),
    },
    Defect {
        name: "max_pool2d 3x3, stride 2, zeros around",
        inputs: &[&[2, 3, 8, 8]],
        ours: |t| ops::max_pool2d(&zeros_around(&t[0])?, &pool(3, 2, 0)),
        candle: |t| Ok(zeros_around(&t[0])?.max_pool2d_with_stride(3, 2)?),
    },
    Defect {
        name: "avg_pool2d 2x2 of 7x7 is wrong where the window leaves a remainder",
        inputs: &[&[2, 3, 7, 7]],
        ours: |t| ops::avg_pool2d(&t[0], &pool(2, 2, 0), true),
        candle: |t| Ok(t[0].avg_pool2d(2)?),
    },
    Defect {
        name: "avg_pool2d 3x3, stride 2",
        inputs: &[&[2, 3, 7, 9]],
        ours: |t| ops::avg_pool2d(&t[0], &pool(3, 2, 0), true),
        candle: |t| Ok(t[0].avg_pool2d_with_stride(3, 2)?),
    },
    Defect {
        name: "upsample_nearest2d drops what else its input passes on",
        inputs: &[&[2, 3, 4, 5]],
        ours: |t| twice(&t[0], |x| ops::resize(x, ResizeTo::Size([8, 10]), Interpolation::Nearest)),
        candle: |t| twice(&t[0], |x| Ok(x.upsample_nearest2d(8, 10)?)),
    },
    Defect {
        name: "upsample_nearest2d by 2 and 4",
        inputs: &[&[2, 3, 4, 4]],
        ours: |t| ops::resize(&t[0], ResizeTo::Size([8, 16]), Interpolation::Nearest),
        candle: |t| Ok(t[0].upsample_nearest2d(8, 16)?),
    },
    Defect {
        name: "upsample_nearest2d from 4x4 to 7x7",
        inputs: &[&[2, 3, 4, 4]],
        ours: |t| ops::resize(&t[0], ResizeTo::Size([7, 7]), Interpolation::Nearest),
        candle: |t| Ok(t[0].upsample_nearest2d(7, 7)?),
    },
    Defect {
        name: "upsample_nearest2d from 8x8 down to 4x4",
        inputs: &[&[2, 3, 8, 8]],
        ours: |t| ops::resize(&t[0], ResizeTo::Size([4, 4]), Interpolation::Nearest),
        candle: |t| Ok(t[0].upsample_nearest2d(4, 4)?),
    },
    Defect {
        name: "upsample_bilinear2d",
        inputs: &[&[2, 3, 4, 5]],
        ours: |t| ops::resize_bilinear(&t[0], 8, 10, false),
        candle: |t| Ok(t[0].upsample_bilinear2d(8, 10, false)?),
    },
    Defect {
        name: "upsample_bilinear2d with aligned corners",
        inputs: &[&[2, 3, 4, 5]],
        ours: |t| ops::resize_bilinear(&t[0], 8, 10, true),
        candle: |t| Ok(t[0].upsample_bilinear2d(8, 10, true)?),
    },
    Defect {
        name: "LayerNorm cuts the graph",
        inputs: &[&[3, 5, 7], &[7], &[7]],
        ours: |t| ops::layer_norm(&t[0], &t[1], &t[2], 1e-2),
        candle: |t| Ok(candle_nn::LayerNorm::new(t[1].clone(), t[2].clone(), 1e-2).forward(&t[0])?),
    },
    Defect {
        name: "softmax_last_dim cuts the graph",
        inputs: &[&[3, 5, 7]],
        ours: |t| ops::softmax(&t[0], D::Minus1),
        candle: |t| Ok(candle_nn::ops::softmax_last_dim(&t[0])?),
    },
    Defect {
        name: "rms_norm, which no network here has, cuts the graph",
        inputs: &[&[3, 5, 7], &[7]],
        ours: |t| Ok(candle_nn::ops::rms_norm_slow(&t[0], &t[1], 1e-2)?),
        candle: |t| Ok(candle_nn::ops::rms_norm(&t[0], &t[1], 1e-2)?),
    },
    Defect {
        name: "scatter passes gradients to what was overwritten",
        inputs: &[&[3, 5], &[3, 2]],
        ours: |t| ops::scatter(&t[0], &narrow_places(), &t[1], 1),
        candle: |t| Ok(t[0].scatter(&narrow_places(), &t[1], 1)?),
    },
    Defect {
        name: "scatter_add of a narrow source",
        inputs: &[&[3, 5], &[3, 2]],
        ours: |t| ops::scatter_add(&t[0], &narrow_places(), &t[1], 1),
        candle: |t| Ok(t[0].scatter_add(&narrow_places(), &t[1], 1)?),
    },
    Defect {
        name: "scatter_add of a wide source loses gradients",
        inputs: &[&[3, 5], &[3, 5]],
        ours: |t| ops::scatter_add(&t[0], &wide_places(), &t[1], 1),
        candle: |t| Ok(t[0].scatter_add(&wide_places(), &t[1], 1)?),
    },
    Defect {
        name: "conv2d, stride 2, of 8x7",
        inputs: &[&[2, 4, 8, 7], &[3, 4, 3, 3]],
        ours: |t| ops::conv2d(&t[0], &t[1], None, &strided()),
        candle: |t| Ok(t[0].conv2d(&t[1], 1, 2, 1, 1)?),
    },
    Defect {
        name: "conv2d, stride 2, of 7x8",
        inputs: &[&[2, 4, 7, 8], &[3, 4, 3, 3]],
        ours: |t| ops::conv2d(&t[0], &t[1], None, &strided()),
        candle: |t| Ok(t[0].conv2d(&t[1], 1, 2, 1, 1)?),
    },
    Defect {
        name: "unfold",
        inputs: &[&[2, 9]],
        ours: |t| {
            let windows = ops::unfold(&t[0].reshape((2, 1, 1, 9))?, [1, 3], &ops::Conv2dOptions::default())?;
            Ok(windows.transpose(1, 2)?)
        },
        candle: |t| Ok(t[0].unfold(1, 3, 1)?),
    },
];

fn strided() -> ops::Conv2dOptions {
    ops::Conv2dOptions { stride: [2; 2], ..ops::Conv2dOptions::padded(1) }
}

/// Two of five places of each row.
fn narrow_places() -> Tensor {
    Tensor::new(&[[3u32, 0], [1, 4], [2, 3]], &Device::Cpu).unwrap()
}

/// Five of five places of each row, some more than once.
fn wide_places() -> Tensor {
    Tensor::new(&[[3u32, 0, 1, 1, 4], [1, 4, 2, 2, 2], [0, 0, 0, 0, 1]], &Device::Cpu).unwrap()
}

fn pool(kernel: usize, stride: usize, padding: usize) -> PoolOptions {
    PoolOptions { stride: [stride; 2], padding: [padding; 2], ..PoolOptions::new([kernel; 2]) }
}

fn zeros_around(x: &Tensor) -> Result<Tensor> {
    Ok(x.pad_with_zeros(D::Minus1, 1, 1)?.pad_with_zeros(D::Minus2, 1, 1)?)
}

/// An enlarged map beside other uses of the same map.
fn twice(x: &Tensor, enlarge: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
    let x = (x * 1.5)?;
    let large = enlarge(&x)?;
    Ok(Tensor::cat(&[large.flatten_all()?, x.sqr()?.flatten_all()?, x.exp()?.flatten_all()?], 0)?)
}
