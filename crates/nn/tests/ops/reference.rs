//! Results and gradients of every operation against those of PyTorch, which `fixtures/make_ops.py` wrote.

use candle_core::{D, DType, Device, Var};
use candle_nn::VarBuilder;
use segbench_nn::Context;
use segbench_nn::layers::{BatchNorm, BatchNormConfig};
use segbench_nn::ops::{self, Conv2dOptions};

use crate::fixture::Fixture;
use crate::support::{assert_close, values};

/// Differences of a few units in the last place, in sums of up to some hundred products.
const TOLERANCE: f32 = 2e-5;

fn options(stride: usize, padding: usize, dilation: usize, groups: usize) -> Conv2dOptions {
    Conv2dOptions { stride: [stride; 2], padding: [[padding; 2]; 2], dilation: [dilation; 2], groups }
}

#[test]
fn convolutions_equal_pytorch() {
    let reference = Fixture::read("ops");
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
    let reference = Fixture::read("ops");
    reference.check("linear", |t| ops::linear(&t[0], &t[1], t.get(2)));
    reference.check("layer_norm", |t| ops::layer_norm(&t[0], &t[1], &t[2], 1e-6));
    reference.check("softmax", |t| ops::softmax(&t[0], D::Minus1));
    reference.check("gelu", |t| ops::gelu(&t[0]));
}

#[test]
fn bilinear_interpolation_equals_pytorch() {
    let reference = Fixture::read("ops");
    for (align_corners, kind) in [(false, "centers"), (true, "corners")] {
        for (name, height, width) in [("up", 13, 16), ("down", 3, 4), ("mixed", 2, 29), ("single", 1, 3)] {
            let case = format!("bilinear_{name}_{kind}");
            reference.check(&case, |t| ops::resize_bilinear(&t[0], height, width, align_corners));
        }
    }
}

#[test]
fn batch_normalization_and_its_running_statistics_equal_pytorch() {
    let reference = Fixture::read("ops");
    for (case, training) in [("batch_norm_train", true), ("batch_norm_eval", false)] {
        let tensor = |name: &str| reference.tensor(&format!("{case}.{name}")).clone();
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
