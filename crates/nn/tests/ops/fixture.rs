//! Results and gradients that PyTorch computed, read from a file of named tensors.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use candle_core::{Device, Tensor, Var};
use segbench_nn::Result;

use crate::support::{assert_close, values};

/// Differences of a few units in the last place, in sums of up to some hundred products.
const TOLERANCE: f32 = 2e-5;

/// The tensors of one fixture; those of a case are called `case.in0`, `case.y`, `case.grad0` and so on.
pub(crate) struct Fixture(BTreeMap<String, Tensor>);

impl Fixture {
    /// The file of this name in `tests/fixtures`.
    pub(crate) fn read(name: &str) -> Self {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(format!("{name}.safetensors"));
        Self(candle_core::safetensors::load(path, &Device::Cpu).unwrap().into_iter().collect())
    }

    /// The names of the cases that begin with `prefix`, of which there is at least one.
    pub(crate) fn cases(&self, prefix: &str) -> BTreeSet<&str> {
        let keys = self.0.keys().filter(|key| key.starts_with(prefix));
        let cases: BTreeSet<&str> = keys.filter_map(|key| key.strip_suffix(".in0")).collect();
        assert!(!cases.is_empty(), "no case begins with {prefix}");
        cases
    }

    pub(crate) fn tensor(&self, name: &str) -> &Tensor {
        self.0.get(name).unwrap_or_else(|| panic!("{name} is not in the fixture"))
    }

    pub(crate) fn options(&self, case: &str) -> Vec<usize> {
        let options: Vec<i64> = self.tensor(&format!("{case}.options")).to_vec1().unwrap();
        options.into_iter().map(|option| option as usize).collect()
    }

    /// Compares the result of `function` and the gradients of all inputs with those of the reference.
    pub(crate) fn check(&self, case: &str, function: impl Fn(&[Tensor]) -> Result<Tensor>) {
        self.check_within(case, TOLERANCE, function);
    }

    /// The same with another tolerance. Every input is used twice, as it is and as a view whose elements lie in another order, and
    /// once without a gradient.
    pub(crate) fn check_within(
        &self,
        case: &str,
        tolerance: f32,
        function: impl Fn(&[Tensor]) -> Result<Tensor>,
    ) {
        let inputs = (0..).map_while(|number| self.0.get(&format!("{case}.in{number}")));
        let vars: Vec<Var> = inputs.map(|input| Var::from_tensor(input).unwrap()).collect();
        assert!(!vars.is_empty(), "{case} is not in the fixture");
        let inputs: Vec<Tensor> = vars.iter().map(|var| var.as_tensor().clone()).collect();
        let untracked: Vec<Tensor> = inputs.iter().map(Tensor::detach).collect();
        let views: Vec<Tensor> = inputs.iter().map(|input| reordered(input).unwrap()).collect();
        let (plain, of_views) = (function(&inputs).unwrap(), function(&views).unwrap());
        let compare = |name: &str, got: &Tensor, expected: &Tensor| compare(name, tolerance, got, expected);
        compare(&format!("{case} without gradients"), &function(&untracked).unwrap(), &plain);
        compare(case, &of_views, &plain);
        let y = ((plain + of_views).unwrap() * 0.5).unwrap();
        let expected = self.tensor(&format!("{case}.y"));
        assert_eq!(y.dims(), expected.dims(), "{case}");
        compare(case, &y, expected);
        let weights: Vec<f32> = (0..y.elem_count()).map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0).collect();
        let weights = Tensor::from_vec(weights, y.dims(), &Device::Cpu).unwrap();
        let grads = (&y * weights).unwrap().sum_all().unwrap().backward().unwrap();
        for (number, var) in vars.iter().enumerate() {
            let name = format!("{case}.grad{number}");
            let gradient = grads.get(var).unwrap_or_else(|| panic!("{case}: no gradient for input {number}"));
            compare(&name, gradient, self.tensor(&name));
        }
    }
}

/// Sums of extreme values are off by units in the last place of the largest, all others of their own.
fn compare(name: &str, tolerance: f32, got: &Tensor, expected: &Tensor) {
    let (got, expected) = (values(got), values(expected));
    let finite = expected.iter().filter(|value| value.is_finite());
    let scale = if name.contains("extreme") { finite.fold(1.0, |a: f32, b| a.max(b.abs())) } else { 1.0 };
    let scaled = |values: Vec<f32>| -> Vec<f32> { values.into_iter().map(|value| value / scale).collect() };
    assert_close(name, &scaled(got), &scaled(expected), tolerance);
}

/// The same tensor with its first dimension innermost.
fn reordered(x: &Tensor) -> Result<Tensor> {
    let last = x.rank().saturating_sub(1);
    Ok(x.transpose(0, last)?.contiguous()?.transpose(0, last)?)
}
