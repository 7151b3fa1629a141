//! Which file is the prediction of which label map.

#![expect(clippy::expect_used, reason = "a test that cannot make its files has failed")]

use std::fs;
use std::path::Path;

use segbench_benchmark::{Encoding, Error, PredictionFiles, PredictionScores, score_against_labels};
use segbench_testkit::grey8;
use segbench_types::Protocol;
use tempfile::TempDir;

fn write(dir: &Path, name: &str, samples: &[u8; 6]) {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    fs::write(path, grey8(3, 2, samples)).expect("written");
}

/// Scores `predictions` against the truths `a` (all 0) and `a_b` (all 1).
fn score(predictions: &[(&str, u8)]) -> Result<PredictionScores, Error> {
    let dir = TempDir::new().expect("a folder");
    let (truth, predicted) = (dir.path().join("truth"), dir.path().join("predicted"));
    write(&truth, "a.png", &[0; 6]);
    write(&truth, "a_b.png", &[1; 6]);
    fs::create_dir(&predicted).expect("a folder");
    for (name, value) in predictions {
        write(&predicted, name, &[*value; 6]);
    }
    let files = PredictionFiles { dir: &predicted, encoding: Encoding::TrainId, layout: None };
    let mut scores = score_against_labels(&truth, &files, 2, 255, &[Protocol::mmseg_whole()])?;
    Ok(scores.remove(0))
}

#[test]
fn files_pair_by_stem_in_any_folder() {
    let scores = score(&[("x/a.png", 0), ("y/z/a_b.PNG", 1), ("a_b_c_d/readme_2.png", 0)]).expect("paired");
    assert_eq!(scores.confusion, [[6, 0, 0], [0, 6, 0]]);
}

#[test]
fn a_longer_name_that_begins_with_the_id_is_its_prediction_if_there_is_one_only() {
    let scores = score(&[("a.png", 0), ("a_b_pred.png", 1)]).expect("paired");
    assert_eq!(scores.confusion, [[6, 0, 0], [0, 6, 0]]);
    let err = score(&[("a.png", 0), ("a_b_one.png", 1), ("a_b_two.png", 1)]).expect_err("two");
    assert!(matches!(err, Error::TwoPredictions { ref id, .. } if id == "a_b"), "{err}");
    let err = score(&[("x/a.png", 0), ("y/a.png", 0), ("a_b.png", 1)]).expect_err("two");
    assert!(matches!(err, Error::TwoPredictions { ref id, .. } if id == "a"), "{err}");
}

#[test]
fn a_prediction_of_another_image_is_never_taken() {
    // `a_b.png` is the prediction of `a_b`, so that of `a` is missing.
    let err = score(&[("a_b.png", 1)]).expect_err("no prediction of `a`");
    assert!(
        matches!(err, Error::NoPrediction { count: 1, total: 2, ref first, .. } if first == "a"),
        "{err}"
    );
}
