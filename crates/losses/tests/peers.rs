//! The losses equal those of MONAI, segmentation_models.pytorch and mmsegmentation where these mean the same quantity.

#![expect(clippy::expect_used, reason = "helper functions of tests")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use segbench_losses::{Target, build};
use segbench_targets::Grid;
use serde::Deserialize;
use serde_json::{Map, Value};

/// What `fixtures/peers.py` stored.
#[derive(Deserialize)]
struct Row {
    peer: String,
    case: String,
    loss: String,
    options: Map<String, Value>,
    value: f64,
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn value(loss: &str, options: Map<String, Value>, logits: &Tensor, target: &Target) -> f64 {
    let loss = build(loss, options, Some(logits.dims()[1])).expect("a loss");
    let value = loss.forward(logits, target).and_then(|value| Ok(value.to_scalar::<f32>()?));
    value.expect("a value").into()
}

#[test]
fn losses_equal_those_of_other_collections() {
    let stored: HashMap<String, Tensor> =
        candle_core::safetensors::load(fixture("losses.safetensors"), &Device::Cpu).expect("the inputs");
    let rows = std::fs::read_to_string(fixture("peers.json")).expect("the list");
    let rows: Vec<Row> = serde_json::from_str(&rows).expect("rows");
    assert!(rows.len() > 30, "{} rows", rows.len());
    for row in rows {
        let labels = &stored[&format!("{}.labels", row.case)];
        let (batch, height, width) = labels.dims3().expect("three dimensions");
        let labels = labels.flatten_all().and_then(|flat| flat.to_vec1()).expect("labels");
        let mut target = Target::new(labels, batch, height, width).expect("a target");
        if row.loss == "weighted-cross-entropy" {
            target = target.with_class_weights(&stored["blobs.weights"].to_vec1().expect("weights"));
        }
        let got = value(&row.loss, row.options, &stored["blobs.logits"], &target);
        // They compute in f32 throughout.
        assert!(
            (got - row.value).abs() <= 1e-5 * row.value,
            "{} {}: {got} {}",
            row.peer,
            row.case,
            row.value
        );
    }
}

/// Sizes of batch and pixels, logits of class 1, labels.
type Input = (&'static [usize], &'static [f32], &'static [u8]);

const CROSS: Input = (&[1, 2, 2], &[1.0, -1.0, -1.0, 1.0], &[1, 0, 1, 1]);
const SLICE: Input = (&[1, 1, 2, 2], CROSS.1, CROSS.2);
const CUBE: Input = (&[1, 2, 2, 2], &[1.0, -1.0, 1.0, -1.0, -1.0, 1.0, -1.0, 1.0], &[1, 0, 1, 0, 0, 0, 1, 1]);
const PAIR: Input = (&[2, 2, 2], &[1.0, -1.0, -1.0, 1.0, 1.0, -1.0, -1.0, 1.0], &[1, 1, 1, 1, 1, 0, 1, 0]);
/// Logits of class 1 less those of class 0.
const TWO_CLASSES: Input = (&[2, 3, 1], &[2.0, 0.0, -2.0, 0.0, 0.0, 0.0], &[1, 0, 0, 1, 1, 0]);

/// Facts of MONAI's own tests, `tests/losses/test_*_loss.py`. A sigmoid of one channel is class 1 of a softmax of two.
const MONAI: &[(&str, &str, Input, f64)] = &[
    ("dice", r#"{"classes": [1], "smooth": 1e-6}"#, CROSS, 0.307576),
    ("dice", r#"{"classes": [1], "smooth": 1e-4}"#, PAIR, 0.416657),
    ("dice", r#"{"smooth": 1e-4}"#, TWO_CLASSES, 0.383713),
    ("dice", r#"{"classes": [1], "squared": true}"#, CROSS, 0.178337),
    ("iou", r#"{"classes": [1]}"#, CROSS, 0.470451),
    ("tversky", r#"{"classes": [1], "alpha": 0.5, "beta": 0.5, "smooth": 1e-6}"#, CROSS, 0.307576),
    ("tversky", r#"{"classes": [1], "alpha": 0.3, "beta": 0.7, "smooth": 1e-6}"#, CROSS, 0.3589),
    ("tversky", r#"{"classes": [1], "alpha": 0.7, "beta": 0.3, "smooth": 1e-6}"#, CROSS, 0.247366),
    ("tversky", r#"{"classes": [1], "alpha": 0.5, "beta": 0.5, "smooth": 1e-4}"#, PAIR, 0.416657),
    ("tversky", r#"{"alpha": 0.5, "beta": 0.5, "smooth": 1e-4}"#, TWO_CLASSES, 0.383713),
    // Its weights are not scaled to the sum 1, so its smoothing of 1e-4 is this one.
    ("generalized-dice", r#"{"smooth": 8e-5}"#, TWO_CLASSES, 0.414507),
    ("generalized-dice", r#"{"classes": [1], "smooth": 9e-6}"#, CROSS, 0.307576),
    ("hausdorff", r#"{"classes": [1]}"#, CROSS, 0.509329),
    ("hausdorff", r#"{"classes": [1]}"#, SLICE, 0.509329),
    ("hausdorff", r#"{"classes": [1]}"#, CUBE, 0.375718),
    ("hausdorff", r#"{"classes": [1]}"#, PAIR, 0.455082),
    ("hausdorff", "{}", TWO_CLASSES, 0.357016),
];

#[test]
fn losses_have_the_values_that_monai_expects_of_its_own() {
    for (loss, options, (size, logits, labels), expected) in MONAI {
        let pixels: usize = size[1..].iter().product();
        let both: Vec<f32> =
            logits.chunks(pixels).flat_map(|image| [vec![0.0; pixels], image.to_vec()].concat()).collect();
        let dims = [&[size[0], 2], &size[1..]].concat();
        let both = Tensor::from_vec(both, dims, &Device::Cpu).expect("logits");
        let target = match **size {
            [batch, height, width] => Target::new(labels.to_vec(), batch, height, width),
            [batch, depth, height, width] => {
                Target::volumes(labels.to_vec(), batch, Grid::volume(depth, height, width))
            }
            _ => panic!("{size:?}"),
        };
        let options = serde_json::from_str(options).expect("options");
        let got = value(loss, options, &both, &target.expect("a target"));
        // Its own tolerances.
        let tolerance = if *loss == "tversky" { 1e-4 } else { 1e-5 };
        assert!((got - expected).abs() <= tolerance * expected, "{loss} of {size:?}: {got} {expected}");
    }
}
