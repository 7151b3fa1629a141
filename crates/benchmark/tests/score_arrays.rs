//! Predictions that are scores per class and pixel, saved by NumPy (`fixtures/scores.py`).

#![expect(clippy::expect_used, reason = "a test that cannot make its files has failed")]

use std::fs;
use std::path::{Path, PathBuf};

use segbench_benchmark::{
    ArrayLayout, Encoding, Error, PredictionFiles, PredictionScores, score_against_labels,
};
use segbench_testkit::{grey8, grey16, rgb8};
use segbench_types::{ErrorKind, Explain as _, Protocol};
use serde::Deserialize;
use tempfile::TempDir;

const CLASSES: usize = 5;
const WIDTH: u32 = 11;
const HEIGHT: u32 = 7;

#[derive(Deserialize)]
struct Expected {
    truth: Vec<Vec<u8>>,
    labels: Vec<Vec<u8>>,
    labels_f16: Vec<Vec<u8>>,
    ece: f64,
    ece_f16: f64,
    ece_probabilities_f16: f64,
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/scores").join(name)
}

fn expected() -> Expected {
    serde_json::from_slice(&fs::read(fixture("expected.json")).expect("read")).expect("parsed")
}

/// Scores files, as name and bytes, against the truth of the image `a`.
fn score(files: &[(&str, Vec<u8>)], layout: Option<ArrayLayout>) -> Result<PredictionScores, Error> {
    let folder = TempDir::new().expect("a folder");
    let (truth, dir) = (folder.path().join("truth"), folder.path().join("predicted"));
    fs::create_dir(&truth).expect("a folder");
    fs::create_dir(&dir).expect("a folder");
    fs::write(truth.join("a.png"), grey8(WIDTH, HEIGHT, &expected().truth.concat())).expect("written");
    for (name, bytes) in files {
        fs::write(dir.join(name), bytes).expect("written");
    }
    let files = PredictionFiles { dir: &dir, encoding: Encoding::TrainId, layout };
    let scores = score_against_labels(&truth, &files, CLASSES, 255, &[Protocol::mmseg_whole()]);
    scores.map(|mut scores| scores.remove(0))
}

fn array(name: &str) -> Vec<(&'static str, Vec<u8>)> {
    vec![("a.npy", fs::read(fixture(name)).expect("read"))]
}

#[test]
fn the_first_highest_score_is_the_class_in_every_form_of_the_array() {
    let Expected { truth, labels, labels_f16, .. } = expected();
    for (name, labels) in [
        ("chw_f32.npy", &labels),
        ("batch_f32.npy", &labels),
        ("hwc_f16.npy", &labels_f16),
        ("probabilities.npy", &labels),
    ] {
        let mut confusion = vec![vec![0_u64; CLASSES + 1]; CLASSES];
        for (truth, label) in truth.concat().into_iter().zip(labels.concat()) {
            if truth != 255 {
                confusion[usize::from(truth)][usize::from(label)] += 1;
            }
        }
        assert_eq!(score(&array(name), None).expect("scored").confusion, confusion, "{name}");
    }
}

#[test]
fn calibration_follows_the_softmax_or_the_probabilities_themselves() {
    let Expected { ece, ece_f16, ece_probabilities_f16, .. } = expected();
    for (name, ece) in [
        ("chw_f32.npy", ece),
        ("probabilities.npy", ece),
        ("hwc_f16.npy", ece_f16),
        ("probabilities_f16.npy", ece_probabilities_f16),
    ] {
        let calibration = score(&array(name), None).expect("scored").calibration.expect("scores");
        let got = calibration.ece.unwrap_or(f64::NAN);
        // Softmax in f32, of two libraries.
        assert!((got - ece).abs() < 1e-6, "{name}: {got}, expected {ece}");
        assert_eq!(calibration.bins.iter().map(|bin| bin.pixels).sum::<u64>(), 70, "{name}");
    }
    let png = vec![("a.png", grey8(WIDTH, HEIGHT, &expected().labels.concat()))];
    assert_eq!(score(&png, None).expect("scored").calibration, None);
}

#[test]
fn an_array_that_holds_no_scores_is_refused_with_what_it_holds() {
    let cut = |length: usize| {
        let mut bytes = fs::read(fixture("chw_f32.npy")).expect("read");
        bytes.truncate(length);
        vec![("a.npy", bytes)]
    };
    for (files, part) in [
        (array("bad_f64.npy"), "`<f8`"),
        (array("bad_fortran.npy"), "column by column"),
        (array("bad_shape.npy"), "[4, 7, 11], expected 5 classes"),
        (array("bad_nan.npy"), "the score of class 3 at (8, 5) is NaN"),
        (array("bad_infinite.npy"), "the score of class 2 at (6, 1) is inf"),
        (cut(900), "needs 1540"),
        (cut(40), "header"),
        (vec![("a.npy", b"not an array".to_vec())], "no array"),
        (vec![("a.npy", Vec::new())], "header"),
    ] {
        let err = score(&files, None).expect_err(part);
        assert!(err.to_string().contains(part), "`{part}` is not in: {err}");
        assert!(err.to_string().contains("a.npy"), "{err}");
        assert_eq!(err.kind(), ErrorKind::InvalidData, "{err}");
        assert!(err.help().is_some(), "{err}");
    }
    let err = score(&array("chw_f32.npy"), Some(ArrayLayout::ClassesLast)).expect_err("refused");
    assert!(err.to_string().contains("[5, 7, 11]"), "{err}");
}

#[test]
fn whatever_is_wrong_with_predictions_is_named_as_invalid_data() {
    let labels = expected().labels.concat();
    let words: Vec<u16> = labels.iter().map(|label| u16::from(*label)).collect();
    let mut beyond = labels.clone();
    beyond[13] = 200;
    let png = |bytes: Vec<u8>| vec![("a.png", bytes)];
    for (files, part) in [
        (Vec::new(), "1 of 1 images have no prediction"),
        (vec![("b.png", grey8(WIDTH, HEIGHT, &labels))], "the first is `a`"),
        (png(grey16(WIDTH, HEIGHT, &words)), "16 bits"),
        (png(rgb8(WIDTH, HEIGHT, &labels.repeat(3))), "RGB"),
        (png(grey8(HEIGHT, WIDTH, &labels)), "is 7x11, its label map is 11x7"),
        (png(grey8(WIDTH, HEIGHT, &beyond)), "the value 200 at (2, 1)"),
        (png(b"\x89PNG\r\n\x1a\n".to_vec()), "a.png"),
        (png(b"no picture".to_vec()), "a.png"),
        ([png(grey8(WIDTH, HEIGHT, &labels)), array("chw_f32.npy")].concat(), "both predictions of `a`"),
    ] {
        let err = score(&files, None).expect_err(part);
        assert!(err.to_string().contains(part), "`{part}` is not in: {err}");
        assert_eq!(err.kind(), ErrorKind::InvalidData, "{err}");
        assert!(err.help().is_some(), "{err}");
    }
}
