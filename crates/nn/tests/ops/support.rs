//! Tensors of seeded random numbers, and gradients compared with finite differences.

use candle_core::{Device, Result, Tensor, Var};
use segbench_types::Rng;

/// Half the distance of the two points of a central difference. A power of two, so that the points are exact.
const STEP: f32 = 1.0 / 64.0;

/// Uniform in [-1, 1).
pub(crate) fn random(seed: u64, dims: &[usize]) -> Tensor {
    let mut rng = Rng::new(seed, &[]);
    let values: Vec<f32> = (0..dims.iter().product()).map(|_| rng.range(-1.0, 1.0)).collect();
    Tensor::from_vec(values, dims, &Device::Cpu).unwrap()
}

pub(crate) fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

pub(crate) fn assert_close(what: &str, got: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(got.len(), expected.len(), "{what}");
    for (index, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert!(
            got == expected || (got - expected).abs() <= tolerance * (1.0 + expected.abs()),
            "{what} [{index}]: {got}, expected {expected}"
        );
    }
}

/// Compares the gradients of all inputs of `function` with central differences of a weighted sum of its result.
pub(crate) fn check_gradient(
    what: &str,
    inputs: &[Tensor],
    tolerance: f32,
    function: impl Fn(&[Tensor]) -> Tensor,
) {
    let vars: Vec<Var> =
        inputs.iter().map(|input| Var::from_tensor(&input.copy().unwrap()).unwrap()).collect();
    let arguments: Vec<Tensor> = vars.iter().map(|var| var.as_tensor().clone()).collect();
    let y = function(&arguments);
    let weights = random(99, y.dims());
    let grads = (&y * &weights).unwrap().sum_all().unwrap().backward().unwrap();
    let weights: Vec<f64> = values(&weights).into_iter().map(f64::from).collect();
    let loss = |arguments: &[Tensor]| -> f64 {
        values(&function(arguments)).into_iter().zip(&weights).map(|(y, weight)| f64::from(y) * weight).sum()
    };
    for (number, input) in inputs.iter().enumerate() {
        let grad =
            grads.get(&vars[number]).unwrap_or_else(|| panic!("{what}: no gradient for input {number}"));
        assert_eq!(grad.dims(), input.dims(), "{what}");
        let original = values(input);
        let difference = |place: usize| -> Result<f32> {
            let mut losses = [0.0; 2];
            for (loss_at, step) in losses.iter_mut().zip([STEP, -STEP]) {
                let mut moved = original.clone();
                moved[place] += step;
                let mut arguments: Vec<Tensor> = inputs.to_vec();
                arguments[number] = Tensor::from_vec(moved, input.dims(), &Device::Cpu)?;
                *loss_at = loss(&arguments);
            }
            Ok(((losses[0] - losses[1]) / f64::from(2.0 * STEP)) as f32)
        };
        let expected: Vec<f32> = (0..original.len()).map(|place| difference(place).unwrap()).collect();
        assert!(
            expected.iter().any(|value| value.abs() > 1e-2),
            "{what}: input {number} has no influence to test"
        );
        assert_close(&format!("{what}: gradient of input {number}"), &values(grad), &expected, tolerance);
    }
}
