//! Results and gradients that a reference computed, read from a file of named tensors.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use candle_core::{Device, Tensor, Var};
use segbench_nn::Result;

use crate::support::{assert_close, values};

/// The tensors of one fixture; those of a case are called `case.in0`, `case.y`, `case.grad0` and so on.
pub(crate) struct Fixture(BTreeMap<String, Tensor>);

impl Fixture {
    pub(crate) fn read(name: &str) -> Self {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(format!("{name}.safetensors"));
        Self(candle_core::safetensors::load(path, &Device::Cpu).unwrap().into_iter().collect())
    }

    /// The names of the cases that begin with `prefix`, of which there is at least one.
    pub(crate) fn cases(&self, prefix: &str) -> BTreeSet<&str> {
        let keys = self.0.keys().filter(|key| key.starts_with(prefix));
        let cases: BTreeSet<&str> = keys.filter_map(|key| key.strip_suffix(".y")).collect();
        assert!(!cases.is_empty(), "no case begins with {prefix}");
        cases
    }

    pub(crate) fn tensor(&self, case: &str, name: &str) -> &Tensor {
        self.0.get(&format!("{case}.{name}")).unwrap_or_else(|| panic!("no {case}.{name} in the fixture"))
    }

    pub(crate) fn options(&self, case: &str) -> Vec<usize> {
        let options: Vec<i64> = self.tensor(case, "options").to_vec1().unwrap();
        options.into_iter().map(|option| option as usize).collect()
    }

    /// Compares the result of `function` and the gradients of all inputs with those of the reference.
    pub(crate) fn check(&self, case: &str, tolerance: f32, function: impl Fn(&[Tensor]) -> Result<Tensor>) {
        let inputs: Vec<&Tensor> =
            (0..).map_while(|number| self.0.get(&format!("{case}.in{number}"))).collect();
        let vars: Vec<Var> = inputs.into_iter().map(|input| Var::from_tensor(input).unwrap()).collect();
        let inputs: Vec<Tensor> = vars.iter().map(|var| var.as_tensor().clone()).collect();
        let y = function(&inputs).unwrap();
        let expected = self.tensor(case, "y");
        assert_eq!(y.dims(), expected.dims(), "{case}");
        assert_close(case, &values(&y), &values(expected), tolerance);
        let untracked: Vec<Tensor> = inputs.iter().map(Tensor::detach).collect();
        assert_eq!(values(&function(&untracked).unwrap()), values(&y), "{case} without gradients");
        let weights: Vec<f32> = (0..y.elem_count()).map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0).collect();
        let weights = Tensor::from_vec(weights, y.dims(), &Device::Cpu).unwrap();
        let grads = (&y * weights).unwrap().sum_all().unwrap().backward().unwrap();
        for (number, var) in vars.iter().enumerate() {
            let expected = values(self.tensor(case, &format!("grad{number}")));
            let got = grads.get(var).unwrap_or_else(|| panic!("{case}: no gradient for input {number}"));
            assert_close(&format!("{case}: gradient of input {number}"), &values(got), &expected, tolerance);
        }
    }
}
