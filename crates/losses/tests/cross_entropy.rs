//! Cross-entropy and its gradient equal PyTorch's to the last digits, as `fixtures/cross_entropy.py` stored them.

#![expect(clippy::expect_used, reason = "helper functions of tests")]

use std::collections::HashMap;
use std::path::Path;

use candle_core::{Device, Tensor, Var};
use segbench_losses::{CrossEntropy, Loss as _, Target};

/// PyTorch computed in f64 and rounded once; here pixels are computed in f32 and summed in f64.
const RELATIVE: f32 = 2e-6;
const ABSOLUTE: f32 = 1e-7;

fn close(got: f32, expected: f32) -> bool {
    (got - expected).abs() <= ABSOLUTE + RELATIVE * expected.abs()
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().and_then(|flat| flat.to_vec1()).expect("f32 values")
}

fn compare(case: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cross_entropy.safetensors");
    let stored: HashMap<String, Tensor> =
        candle_core::safetensors::load(path, &Device::Cpu).expect("the fixture");
    let part = |name: &str| &stored[&format!("{case}.{name}")];
    let logits = Var::from_tensor(part("logits")).expect("a variable");
    let (batch, height, width) = part("labels").dims3().expect("three dimensions");
    let labels = part("labels").flatten_all().and_then(|flat| flat.to_vec1::<u8>()).expect("labels");
    let mut target = Target::new(labels, batch, height, width).expect("a target");
    if let Some(weights) = stored.get(&format!("{case}.weights")) {
        target = target.with_class_weights(&values(weights));
    }

    let loss = CrossEntropy::default().forward(&logits, &target).expect("a loss");
    let (got, expected) = (values(&loss)[0], values(part("loss"))[0]);
    assert!(close(got, expected), "{case}: loss {got} instead of {expected}");

    let gradients = loss.backward().expect("a gradient");
    let gradient = values(gradients.get(&logits).expect("of the logits"));
    for (at, (got, expected)) in gradient.iter().zip(values(part("grad"))).enumerate() {
        assert!(close(*got, expected), "{case}: gradient {got} instead of {expected} at {at}");
    }
}

#[test]
fn every_pixel_labelled() {
    compare("all_labelled");
}

#[test]
fn ignored_pixels_take_no_part() {
    compare("some_ignored");
}

#[test]
fn class_weights_weight_the_mean() {
    compare("weighted");
    compare("weighted_some_ignored");
}

#[test]
fn a_class_may_be_absent() {
    compare("class_absent");
}

#[test]
fn an_image_of_the_batch_may_be_ignored() {
    compare("one_image_ignored");
}

#[test]
fn a_target_of_ignored_pixels_has_no_loss_and_no_gradient() {
    compare("all_ignored");
}

#[test]
fn logits_beyond_the_range_of_exp_do_not_overflow() {
    compare("large_logits");
}
