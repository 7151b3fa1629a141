//! What keeps networks off candle's own operators: for each defect, our operator is right and candle's is not.
//!
//! When candle repairs one, the test says so: then its case goes, and so may our operator.

use candle_core::{D, Tensor, Var};
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
];

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
