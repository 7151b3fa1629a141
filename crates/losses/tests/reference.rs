//! Value and gradient of every loss, in both forms and with its options, equal PyTorch's as `fixtures/losses.py` stored them.

#![expect(clippy::expect_used, reason = "helper functions of tests")]

use std::collections::HashMap;
use std::path::Path;

use candle_core::{Device, Tensor, Var};
use segbench_losses::{LOSSES, Target, build};
use segbench_targets::Grid;
use serde::Deserialize;

/// The reference is in f64; here pixels are in f32 and sums in f64.
const VALUE: f64 = 1e-5;
/// Of the largest slope of the case.
const SLOPE: f64 = 1e-4;
/// What is nothing beside a loss of 1, and slopes of nothing.
const NOTHING: f64 = 2e-7;

#[derive(Deserialize)]
struct Row {
    case: String,
    loss: String,
    options: serde_json::Map<String, serde_json::Value>,
    value: f64,
    norm: f64,
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().and_then(|flat| flat.to_vec1()).expect("f32 values")
}

fn stored() -> (Vec<Row>, HashMap<String, Tensor>) {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/losses");
    let rows = std::fs::read_to_string(fixture.with_extension("json")).expect("the list");
    let tensors = candle_core::safetensors::load(fixture.with_extension("safetensors"), &Device::Cpu);
    (serde_json::from_str(&rows).expect("rows"), tensors.expect("the tensors"))
}

fn target(labels: &Tensor, weights: &Tensor) -> Target {
    let flat = labels.flatten_all().and_then(|flat| flat.to_vec1::<u8>()).expect("labels");
    let target = match *labels.dims() {
        [batch, height, width] => Target::new(flat, batch, height, width),
        [batch, depth, height, width] => Target::volumes(flat, batch, Grid::volume(depth, height, width)),
        _ => panic!("labels of {:?}", labels.dims()),
    };
    target.expect("a target").with_class_weights(&values(weights))
}

fn compare(loss: &str) {
    let (rows, tensors) = stored();
    let mut compared = 0;
    for (index, row) in rows.iter().enumerate().filter(|(_, row)| row.loss == loss) {
        // Plain cross-entropy takes weights where there are some; the reference's has none.
        let plain = loss == "cross-entropy";
        let shared = if row.case.starts_with("blobs") { "blobs" } else { &row.case };
        let (logits, weights) =
            (&tensors[&format!("{shared}.logits")], &tensors[&format!("{shared}.weights")]);
        let weights = if plain { weights.ones_like().expect("ones") } else { weights.clone() };
        let target = target(&tensors[&format!("{}.labels", row.case)], &weights);
        let logits = Var::from_tensor(logits).expect("a variable");
        let what = format!("{} {}", row.case, serde_json::to_string(&row.options).expect("options"));

        let classes = logits.dims()[1];
        let built = build(loss, row.options.clone(), Some(classes)).expect("a loss");
        let result = built.forward(&logits, &target).expect(&what);
        let value = f64::from(values(&result)[0]);
        assert!(
            (value - row.value).abs() <= VALUE * row.value.abs() + NOTHING,
            "{what}: {value} instead of {}",
            row.value
        );
        let gradients = result.backward().expect("gradients");
        let gradient = values(gradients.get(&logits).expect("of the logits"));
        let norm = gradient.iter().map(|slope| f64::from(*slope).powi(2)).sum::<f64>().sqrt();
        assert!(
            (norm - row.norm).abs() <= SLOPE * row.norm + NOTHING,
            "{what}: {norm} instead of {}",
            row.norm
        );
        let expected = values(&tensors[&format!("gradient.{index}")]);
        let largest = expected.iter().fold(0.0_f64, |largest, slope| largest.max(slope.abs().into()));
        let places: Vec<usize> = match expected.len() == gradient.len() {
            true => (0..gradient.len()).collect(),
            false => {
                tensors["places"].to_vec1::<i64>().expect("places").iter().map(|&at| at as usize).collect()
            }
        };
        for (at, expected) in places.into_iter().zip(expected) {
            let difference = f64::from(gradient[at] - expected).abs();
            assert!(
                difference <= SLOPE * largest + NOTHING,
                "{what}: slope {} instead of {expected} at {at}",
                gradient[at]
            );
        }
        // Without a gradient the value is computed on another way.
        let alone = built.forward(&logits.detach(), &target).expect(&what);
        let alone = f64::from(values(&alone)[0]);
        assert!(
            (alone - value).abs() <= 1e-6 * value.abs() + NOTHING,
            "{what}: {alone} without gradient, {value} with"
        );
        compared += 1;
    }
    assert!(compared >= 15, "{compared} cases");
}

macro_rules! every {
    ($($test:ident: $name:literal,)*) => {
        $(#[test] fn $test() { compare($name); })*

        #[test]
        fn no_loss_is_left_out() {
            let names: Vec<&str> = LOSSES.iter().map(|card| card.name).collect();
            assert_eq!(names, [$($name),*]);
        }
    };
}

every! {
    cross_entropy_equals_pytorch: "cross-entropy",
    weighted_cross_entropy_equals_pytorch: "weighted-cross-entropy",
    topk_equals_pytorch: "topk",
    focal_equals_pytorch: "focal",
    distance_penalized_cross_entropy_equals_pytorch: "distance-penalized-cross-entropy",
    sensitivity_specificity_equals_pytorch: "sensitivity-specificity",
    iou_equals_pytorch: "iou",
    lovasz_softmax_equals_pytorch: "lovasz-softmax",
    dice_equals_pytorch: "dice",
    tversky_equals_pytorch: "tversky",
    focal_tversky_equals_pytorch: "focal-tversky",
    asymmetric_similarity_equals_pytorch: "asymmetric-similarity",
    generalized_dice_equals_pytorch: "generalized-dice",
    penalty_equals_pytorch: "penalty",
    boundary_equals_pytorch: "boundary",
    hausdorff_equals_pytorch: "hausdorff",
}
