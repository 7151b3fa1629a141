//! Scores against mmsegmentation's `IoUMetric` and NumPy; `fixtures/make_fixtures.py` made the expected values.

#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use segbench_metrics::{ClassTotals, ConfusionMatrix, Scores, miou_interval_of_totals};
use segbench_types::AbsentClass;
use serde_json::Value;

/// `IoUMetric` adds areas in f32.
const TOLERANCE: f64 = 1e-6;
/// Standard error of a percentile of 20 000 resamples, times three, for scores that scatter by about 0.01.
const MONTE_CARLO: f64 = 5e-4;

fn fixture(text: &str) -> Value {
    serde_json::from_str(text).expect("the fixture is JSON")
}

fn labels(map: &Value) -> Vec<u8> {
    map.as_str().expect("a map").bytes().map(|pixel| if pixel == b'.' { 255 } else { pixel - b'0' }).collect()
}

fn assert_close(what: &str, got: Option<f64>, expected: &Value) {
    match (got, expected.as_f64()) {
        (Some(got), Some(expected)) => {
            assert!((got - expected).abs() < TOLERANCE, "{what}: {got} instead of {expected}")
        }
        (got, expected) => assert_eq!(got, expected, "{what}"),
    }
}

#[test]
fn scores_are_those_of_mmsegmentation_with_absent_classes_and_ignored_pixels() {
    let fixture = fixture(include_str!("fixtures/iou_metric.json"));
    let mut matrix = ConfusionMatrix::new(7);
    let images = |key: &str| fixture[key].as_array().expect("images").iter().map(labels).collect::<Vec<_>>();
    for (ground_truth, predicted) in images("ground_truth").iter().zip(images("predicted")) {
        matrix.count(ground_truth, &predicted).expect("maps fit");
    }
    assert!(matrix.ignored() > 0 && matrix.no_class() > 0);
    let scores = Scores::of(&matrix);
    for (class, of_class) in scores.classes.iter().enumerate() {
        let expected = |key: &str| &fixture["per_class"][key][class];
        assert_close("IoU", of_class.iou, expected("IoU"));
        assert_close("Acc", of_class.recall, expected("Acc"));
        assert_close("Precision", of_class.precision, expected("Precision"));
        assert_close("Dice", of_class.dice, expected("Dice"));
    }
    assert_close("aAcc", scores.pixel_accuracy, &fixture["aAcc"]);
    assert_close("mIoU", scores.miou, &fixture["mIoU"]);
    assert_close("mAcc", scores.mean_recall, &fixture["mAcc"]);
    assert_close("mDice", scores.mean_dice, &fixture["mDice"]);
    assert_close("mPrecision", scores.mean_precision, &fixture["mPrecision"]);
    assert_close("FWIoU", scores.fw_iou, &fixture["FWIoU"]);
}

#[test]
fn the_interval_is_that_of_a_bootstrap_written_in_numpy() {
    let fixture = fixture(include_str!("fixtures/interval.json"));
    let counts = |key: &str, image: usize| -> Vec<u64> {
        fixture[key][image].as_array().expect("an image").iter().filter_map(Value::as_u64).collect()
    };
    let images: Vec<ClassTotals> = (0..60)
        .map(|image| ClassTotals {
            correct: counts("correct", image),
            ground_truth: counts("ground_truth", image),
            predicted: counts("predicted", image),
        })
        .collect();
    let (low, high) =
        miou_interval_of_totals(AbsentClass::Skipped, &images, 20_000, 0).expect("labelled images");
    let expected = (fixture["low"].as_f64().expect("a number"), fixture["high"].as_f64().expect("a number"));
    assert!((low - expected.0).abs() < MONTE_CARLO, "{low} instead of {}", expected.0);
    assert!((high - expected.1).abs() < MONTE_CARLO, "{high} instead of {}", expected.1);
}
