//! Windows as columns of a matrix and back, against PyTorch (`fixtures/conv.py`) and plain candle.

use candle_core::Var;
use segbench_nn::ops::{self, Conv2dOptions};

use crate::fixture::Fixture;
use crate::support::{assert_close, random, values};

#[test]
fn unfold_and_fold_equal_pytorch_in_value_and_gradient() {
    let reference = Fixture::read("conv");
    let mixed = Conv2dOptions { stride: [2, 1], padding: [[1; 2], [0; 2]], ..Conv2dOptions::default() };
    let dilated = Conv2dOptions { dilation: [6; 2], ..Conv2dOptions::padded(6) };
    reference.check("unfold", |t| ops::unfold(&t[0], [3, 2], &mixed));
    reference.check("unfold_dilated", |t| ops::unfold(&t[0], [3, 3], &dilated));
    reference.check("unfold_view", |t| {
        ops::unfold(&t[0].transpose(2, 3)?.narrow(2, 1, 5)?, [3, 3], &Conv2dOptions::default())
    });
    reference.check("fold", |t| ops::fold(&t[0], [7, 8], [3, 2], &mixed));
    let apart = Conv2dOptions { stride: [3; 2], ..Conv2dOptions::default() };
    reference.check("fold_stride_beyond_kernel", |t| ops::fold(&t[0], [8, 7], [2, 2], &apart));
}

#[test]
fn a_product_with_the_windows_is_a_convolution() {
    let options = Conv2dOptions { padding: [[0, 2], [3, 1]], stride: [1, 2], ..Conv2dOptions::default() };
    let (x, weight) = (random(1, &[3, 7, 5, 6]), random(2, &[4, 7, 3, 2]));
    let y = ops::conv2d(&x, &weight, None, &options).unwrap();
    let windows = ops::unfold(&x, [3, 2], &options).unwrap();
    let product = weight.flatten_from(1).unwrap().broadcast_left(3).unwrap().matmul(&windows).unwrap();
    assert_close("product", &values(&product), &values(&y), 1e-5);
}

#[test]
fn plain_candle_has_no_gradient_for_windows() {
    let x = Var::from_tensor(&random(1, &[2, 9])).unwrap();
    assert!(x.unfold(1, 3, 2).unwrap().sqr().unwrap().backward().is_err());
}

#[test]
fn windows_that_do_not_fit_are_errors() {
    let (plain, grouped) =
        (Conv2dOptions::default(), Conv2dOptions { groups: 2, ..Conv2dOptions::default() });
    let x = random(1, &[1, 2, 4, 5]);
    let cases = [
        (ops::unfold(&x, [5, 3], &plain), "unfold: ", "does not fit into maps [1, 2, 4, 5]"),
        (ops::unfold(&x, [3, 3], &grouped), "unfold: ", "no groups"),
        (
            ops::fold(&random(2, &[1, 18, 7]), [4, 5], [3, 3], &plain),
            "fold: ",
            "windows [1, 18, 6], got [1, 18, 7]",
        ),
        (
            ops::fold(&random(2, &[1, 17, 6]), [4, 5], [3, 3], &plain),
            "fold: ",
            "windows [1, 9, 6], got [1, 17, 6]",
        ),
        (ops::fold(&x, [4, 5], [3, 3], &plain), "fold: ", "got [1, 2, 4, 5]"),
    ];
    for (result, operation, problem) in cases {
        let err = result.unwrap_err().to_string();
        assert!(err.starts_with(operation) && err.contains(problem), "{err}");
    }
}
