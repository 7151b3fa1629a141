//! Activations, softmax and its logarithm against PyTorch and against their definitions in f64.

use candle_core::{Tensor, Var};
use segbench_nn::{Result, ops};

use crate::fixture::Fixture;
use crate::oracle::check_definition;
use crate::support::{random, values};

#[test]
fn activations_equal_pytorch() {
    let reference = Fixture::read("activation");
    type Curve = fn(&Tensor) -> Result<Tensor>;
    let curves: [(&str, Curve); 11] = [
        ("relu", ops::relu),
        ("relu6", ops::relu6),
        ("gelu", ops::gelu),
        ("gelu_tanh", ops::gelu_tanh),
        ("sigmoid", ops::sigmoid),
        ("silu", ops::silu),
        ("tanh", ops::tanh),
        ("hard_swish", ops::hard_swish),
        ("hard_sigmoid", ops::hard_sigmoid),
        ("leaky_relu", |x| ops::leaky_relu(x, 0.01)),
        ("elu", |x| ops::elu(x, 0.7)),
    ];
    for (name, curve) in curves {
        reference.check(name, |t| curve(&t[0]));
    }
    for case in ["prelu", "prelu_one", "prelu_row"] {
        reference.check(case, |t| ops::prelu(&t[0], &t[1]));
    }
}

#[test]
fn softmax_and_its_logarithm_equal_pytorch_over_every_dimension() {
    let reference = Fixture::read("activation");
    for dim in 0..4 {
        reference.check(&format!("softmax_{dim}"), |t| ops::softmax(&t[0], dim));
        reference.check(&format!("log_softmax_{dim}"), |t| ops::log_softmax(&t[0], dim));
    }
}

#[test]
fn curves_equal_their_definitions() {
    let x = (random(1, &[3, 3, 37]) * 6.0).unwrap();
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let gate =
        |x: f64| 0.5 * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3))).tanh());
    type Case<'a> = (&'a str, fn(&Tensor) -> Result<Tensor>, Box<dyn Fn(f64) -> f64 + 'a>);
    let cases: Vec<Case> = vec![
        ("sigmoid", ops::sigmoid, Box::new(sigmoid)),
        ("silu", ops::silu, Box::new(move |x| x * sigmoid(x))),
        ("tanh", ops::tanh, Box::new(f64::tanh)),
        ("gelu_tanh", ops::gelu_tanh, Box::new(move |x| x * gate(x))),
        ("elu", |x| ops::elu(x, 1.3), Box::new(|x| if x > 0.0 { x } else { 1.3 * x.exp_m1() })),
        ("leaky_relu", |x| ops::leaky_relu(x, 0.2), Box::new(|x| if x > 0.0 { x } else { 0.2 * x })),
        ("hard_swish", ops::hard_swish, Box::new(|x| x * (x + 3.0).clamp(0.0, 6.0) / 6.0)),
        ("hard_sigmoid", ops::hard_sigmoid, Box::new(|x| (x + 3.0).clamp(0.0, 6.0) / 6.0)),
        ("relu6", ops::relu6, Box::new(|x| x.clamp(0.0, 6.0))),
    ];
    for (name, curve, naive) in cases {
        let of_all = |t: &[Vec<f64>]| t[0].iter().map(|x| naive(*x)).collect();
        check_definition(name, std::slice::from_ref(&x), 2e-6, |t| curve(&t[0]).unwrap(), of_all);
    }
}

/// Planes above and below the size of a piece of work, and one weight for all.
#[test]
fn prelu_equals_its_definition() {
    for (dims, weights) in [([3, 7, 5, 3], 7), ([1, 3, 130, 131], 3), ([1, 3, 130, 131], 1)] {
        let (x, weight) = (random(1, &dims), random(2, &[weights]));
        let vars = [Var::from_tensor(&x).unwrap(), Var::from_tensor(&weight).unwrap()];
        let y = ops::prelu(&vars[0], &vars[1]).unwrap();
        let grads = y.sum_all().unwrap().backward().unwrap();
        let plane = dims[2] * dims[3];
        let (x, weight) = (values(&x), values(&weight));
        let mut sums = vec![0f64; weights];
        for (place, ((x, y), grad)) in
            x.iter().zip(values(&y)).zip(values(grads.get(&vars[0]).unwrap())).enumerate()
        {
            let channel = place / plane % dims[1] % weights;
            let slope = if *x > 0.0 { 1.0 } else { weight[channel] };
            assert_eq!((y, grad), (slope * x, slope), "{place}");
            sums[channel] += f64::from(x.min(0.0));
        }
        for (got, expected) in values(grads.get(&vars[1]).unwrap()).iter().zip(sums) {
            assert!((f64::from(*got) - expected).abs() < 1e-6 * expected.abs(), "{got} {expected}");
        }
    }
}

#[test]
fn softmax_equals_its_definition_in_tiles_and_rows() {
    for (dims, dim) in [([1, 3, 300], 1), ([2, 5, 70], 2), ([3, 2, 7], 0)] {
        let inner: usize = dims[dim + 1..].iter().product();
        let exponentials = |t: &[Vec<f64>]| -> Vec<(f64, f64)> {
            let line = |place: usize| place / (dims[dim] * inner) * inner + place % inner;
            let mut sums = vec![0.0; t[0].len()];
            t[0].iter().enumerate().for_each(|(place, x)| sums[line(place)] += x.exp());
            t[0].iter().enumerate().map(|(place, x)| (*x, sums[line(place)])).collect()
        };
        let x = [(random(1, &dims) * 3.0).unwrap()];
        check_definition(
            "softmax",
            &x,
            1e-5,
            |t| ops::softmax(&t[0], dim).unwrap(),
            |t| exponentials(t).into_iter().map(|(x, sum)| x.exp() / sum).collect(),
        );
        check_definition(
            "log_softmax",
            &x,
            1e-5,
            |t| ops::log_softmax(&t[0], dim).unwrap(),
            |t| exponentials(t).into_iter().map(|(x, sum)| x - sum.ln()).collect(),
        );
    }
}

#[test]
fn nan_does_not_disappear() {
    let x = Tensor::new(&[[1.0, f32::NAN, -1.0]], &candle_core::Device::Cpu).unwrap();
    for curve in [ops::relu, ops::relu6, ops::gelu, ops::gelu_tanh, ops::sigmoid, ops::silu, ops::tanh] {
        assert!(values(&curve(&x).unwrap())[1].is_nan());
    }
    for curve in
        [ops::hard_sigmoid, ops::hard_swish, |x: &Tensor| ops::elu(x, 1.0), |x: &Tensor| ops::softmax(x, 1)]
    {
        assert!(values(&curve(&x).unwrap())[1].is_nan());
    }
}

#[test]
fn sizes_that_do_not_fit_are_an_error_that_names_them() {
    let x = random(1, &[2, 3, 5]);
    let errors = [
        (
            ops::prelu(&x, &random(2, &[2])),
            "prelu: got a weight [2], expected [1] or the channels of [2, 3, 5]",
        ),
        (ops::softmax(&x, 3), "softmax: got [2, 3, 5], expected more dimensions"),
        (
            ops::log_softmax(&random(1, &[2, 0, 5]), 1),
            "log_softmax: got [2, 0, 5], expected values in dimension 1",
        ),
    ];
    for (result, expected) in errors {
        assert_eq!(result.unwrap_err().to_string(), expected);
    }
}
