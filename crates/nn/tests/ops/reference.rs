//! Results and gradients of every operation against those of PyTorch, which `fixtures/make_ops.py` wrote.

use std::collections::HashMap;
use std::path::Path;

use crate::support::{assert_close, values};
use candle_core::{D, DType, Device, Tensor, Var};
use candle_nn::VarBuilder;
use segbench_nn::layers::{BatchNorm, BatchNormConfig};
use segbench_nn::ops::{self, Conv2dOptions};
use segbench_nn::{Context, Result};

/// Differences of a few units in the last place, in sums of up to some hundred products.
const TOLERANCE: f32 = 2e-5;

pub(crate) struct Reference(HashMap<String, Tensor>);

impl Reference {
    pub(crate) fn read(file: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(file);
        Self(candle_core::safetensors::load(path, &Device::Cpu).unwrap())
    }

    pub(crate) fn tensor(&self, name: &str) -> &Tensor {
        self.0.get(name).unwrap_or_else(|| panic!("{name} is not in the fixture"))
    }

    /// The cases whose names begin so and whose inputs can be numbered.
    pub(crate) fn cases(&self, prefix: &str) -> Vec<String> {
        let names = self.0.keys().filter_map(|name| name.strip_suffix(".in0"));
        let mut names: Vec<String> =
            names.filter(|name| name.starts_with(prefix)).map(str::to_owned).collect();
        names.sort();
        assert!(!names.is_empty(), "{prefix} is not in the fixture");
        names
    }

    fn inputs(&self, case: &str) -> Vec<Tensor> {
        (0..).map_while(|number| self.0.get(&format!("{case}.in{number}")).cloned()).collect()
    }

    /// Compares value and gradients, with every input used twice: as it is, and as a view whose elements lie in another order.
    pub(crate) fn check(&self, case: &str, function: impl Fn(&[Tensor]) -> Result<Tensor>) {
        let vars: Vec<Var> = self.inputs(case).iter().map(|input| Var::from_tensor(input).unwrap()).collect();
        assert!(!vars.is_empty(), "{case} is not in the fixture");
        let inputs: Vec<Tensor> = vars.iter().map(|var| var.as_tensor().clone()).collect();
        let views: Vec<Tensor> = inputs.iter().map(|input| reordered(input).unwrap()).collect();
        let (plain, of_views) = (function(&inputs).unwrap(), function(&views).unwrap());
        compare(case, &of_views, &plain);
        let y = ((plain + of_views).unwrap() * 0.5).unwrap();
        let expected = &self.0[&format!("{case}.y")];
        assert_eq!(y.dims(), expected.dims(), "{case}");
        compare(case, &y, expected);
        let weights: Vec<f32> = (0..y.elem_count()).map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0).collect();
        let weights = Tensor::from_vec(weights, y.dims(), &Device::Cpu).unwrap();
        let grads = (&y * weights).unwrap().sum_all().unwrap().backward().unwrap();
        for (number, var) in vars.iter().enumerate() {
            let name = format!("{case}.grad{number}");
            compare(&name, grads.get(var).unwrap(), &self.0[&name]);
        }
    }
}

/// Sums of extreme values are off by units in the last place of the largest, all others of their own.
fn compare(name: &str, got: &Tensor, expected: &Tensor) {
    let (got, expected) = (values(got), values(expected));
    let scale =
        if name.contains("extreme") { expected.iter().fold(1.0, |a: f32, b| a.max(b.abs())) } else { 1.0 };
    let scaled = |values: Vec<f32>| -> Vec<f32> { values.into_iter().map(|value| value / scale).collect() };
    assert_close(name, &scaled(got), &scaled(expected), TOLERANCE);
}

/// The same tensor with its first dimension innermost.
fn reordered(x: &Tensor) -> Result<Tensor> {
    let last = x.rank().saturating_sub(1);
    Ok(x.transpose(0, last)?.contiguous()?.transpose(0, last)?)
}

fn options(stride: usize, padding: usize, dilation: usize, groups: usize) -> Conv2dOptions {
    Conv2dOptions { stride: [stride; 2], padding: [[padding; 2]; 2], dilation: [dilation; 2], groups }
}

#[test]
fn convolutions_equal_pytorch() {
    let reference = Reference::read("ops.safetensors");
    for (case, options) in [
        ("conv_patch", options(4, 3, 1, 1)),
        ("conv_merge", options(2, 1, 1, 1)),
        ("conv_reduce", options(2, 0, 1, 1)),
        ("conv_dilated", options(1, 2, 2, 2)),
        ("conv_point", options(1, 0, 1, 1)),
        ("depthwise", options(1, 1, 1, 6)),
        ("depthwise_stride", options(2, 2, 1, 3)),
    ] {
        reference.check(case, |t| ops::conv2d(&t[0], &t[1], t.get(2), &options));
    }
}

#[test]
fn row_operations_equal_pytorch() {
    let reference = Reference::read("ops.safetensors");
    reference.check("linear", |t| ops::linear(&t[0], &t[1], t.get(2)));
    reference.check("layer_norm", |t| ops::layer_norm(&t[0], &t[1], &t[2], 1e-6));
    reference.check("softmax", |t| ops::softmax(&t[0], D::Minus1));
    reference.check("gelu", |t| ops::gelu(&t[0]));
}

#[test]
fn bilinear_interpolation_equals_pytorch() {
    let reference = Reference::read("ops.safetensors");
    for (align_corners, kind) in [(false, "centers"), (true, "corners")] {
        for (name, height, width) in [("up", 13, 16), ("down", 3, 4), ("mixed", 2, 29), ("single", 1, 3)] {
            let case = format!("bilinear_{name}_{kind}");
            reference.check(&case, |t| ops::resize_bilinear(&t[0], height, width, align_corners));
        }
    }
}

#[test]
fn batch_normalization_and_its_running_statistics_equal_pytorch() {
    let reference = Reference::read("ops.safetensors");
    for (case, training) in [("batch_norm_train", true), ("batch_norm_eval", false)] {
        let tensor = |name: &str| reference.0[&format!("{case}.{name}")].clone();
        let [mean, variance] =
            ["mean_before", "variance_before"].map(|name| Var::from_tensor(&tensor(name)).unwrap());
        reference.check(case, |t| {
            // Fresh statistics for each call; the layer writes to the variables it was given.
            mean.set(&tensor("mean_before"))?;
            variance.set(&tensor("variance_before"))?;
            let parameters = [
                ("weight", t[1].clone()),
                ("bias", t[2].clone()),
                ("running_mean", mean.as_tensor().clone()),
                ("running_var", variance.as_tensor().clone()),
            ];
            let parameters = parameters.map(|(name, tensor)| (name.to_owned(), tensor)).into();
            let vb = VarBuilder::from_tensors(parameters, DType::F32, &Device::Cpu);
            let layer = BatchNorm::new(3, BatchNormConfig::default(), vb)?;
            layer.forward(&t[0], &if training { Context::train(0, 0) } else { Context::eval() })
        });
        assert_close(case, &values(&mean), &values(&tensor("mean_after")), TOLERANCE);
        assert_close(case, &values(&variance), &values(&tensor("variance_after")), TOLERANCE);
    }
}
