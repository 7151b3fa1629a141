//! Results against a definition in f64, and gradients against its central differences.

use candle_core::{Device, Tensor, Var};

use crate::support::{assert_close, random, values};

/// Half the distance of the two points of a central difference.
const STEP: f64 = 1e-5;

/// The inputs of a definition: elements in row-major order.
pub(crate) type Inputs = [Vec<f64>];

/// Compares `function` and the gradients of all its inputs with `definition`.
pub(crate) fn check_definition(
    what: &str,
    inputs: &[Tensor],
    tolerance: f32,
    function: impl Fn(&[Tensor]) -> Tensor,
    definition: impl Fn(&Inputs) -> Vec<f64>,
) {
    let vars: Vec<Var> =
        inputs.iter().map(|input| Var::from_tensor(&input.copy().unwrap()).unwrap()).collect();
    let tracked: Vec<Tensor> = vars.iter().map(|var| var.as_tensor().clone()).collect();
    let y = function(&tracked);
    let mut arguments: Vec<Vec<f64>> =
        inputs.iter().map(|input| values(input).into_iter().map(f64::from).collect()).collect();
    let expected: Vec<f32> = definition(&arguments).into_iter().map(|value| value as f32).collect();
    assert_close(what, &values(&y), &expected, tolerance);
    let weights = random(99, y.dims());
    let grads = (&y * &weights).unwrap().sum_all().unwrap().backward().unwrap();
    let weights = values(&weights);
    for (number, var) in vars.iter().enumerate() {
        let mut expected = Vec::new();
        for place in 0..arguments[number].len() {
            let original = arguments[number][place];
            let mut loss = |value: f64| -> f64 {
                arguments[number][place] = value;
                definition(&arguments).iter().zip(&weights).map(|(y, weight)| y * f64::from(*weight)).sum()
            };
            expected.push(((loss(original + STEP) - loss(original - STEP)) / (2.0 * STEP)) as f32);
            arguments[number][place] = original;
        }
        assert!(expected.iter().any(|value| value.abs() > 1e-3), "{what}: input {number} has no influence");
        let grad = grads.get(var).unwrap_or_else(|| panic!("{what}: no gradient for input {number}"));
        assert_close(&format!("{what}: gradient of input {number}"), &values(grad), &expected, tolerance);
    }
}

/// Distinct multiples of 0.01 around zero in a scrambled order: nothing ties, and nothing does after a small step.
pub(crate) fn distinct(dims: &[usize]) -> Tensor {
    let count: usize = dims.iter().product();
    let stride = (0..).map(|step| count / 2 + 7 + step).find(|stride| coprime(*stride, count)).unwrap();
    let values: Vec<f32> =
        (0..count).map(|i| (i * stride % count) as f32 * 0.01 - count as f32 * 0.005).collect();
    Tensor::from_vec(values, dims, &Device::Cpu).unwrap()
}

fn coprime(a: usize, b: usize) -> bool {
    if b == 0 { a == 1 } else { coprime(b, a % b) }
}
