//! `evaluate` on label PNGs that another program could have written.

use std::fs;

use segbench_testkit::{
    CAMVID_IMAGES, CITYSCAPES_FRAMES, camvid, camvid_label_id, cityscapes, cityscapes_label_id, grey8, rgb8,
};
use serde_json::Value;

use crate::support::{Ended, Place};

const WIDTH: u32 = 53;
const HEIGHT: u32 = 37;

/// Writes one label map of 7x3 as truth and another as prediction, and scores them.
fn score(truth: &[u8], prediction: &[u8], flags: &[&str]) -> Ended {
    let place = Place::new();
    for (folder, samples) in [("truth", truth), ("prediction", prediction)] {
        fs::create_dir(place.join(folder)).expect("a folder");
        fs::write(place.join(folder).join("a.png"), grey8(7, 3, samples)).expect("written");
    }
    let arguments = ["evaluate", "--predictions", "prediction", "--labels", "truth", "--json"];
    place.run(&[&arguments[..], flags].concat())
}

#[test]
fn folders_are_scored_without_a_data_set() {
    let mut truth = [0; 21];
    truth[..6].fill(1);
    truth[20] = 9;
    let mut prediction = [0; 21];
    prediction[..3].fill(1);
    prediction[3] = 2;
    prediction[10] = 255;
    let scores = score(&truth, &prediction, &["--classes", "3", "--ignore", "9"]).is(0, &[]).json();
    // 14 of class 0: 13 found, 1 without class; 6 of class 1: 3 found, 1 as class 2, 2 as class 0.
    assert_eq!(scores["confusion"], serde_json::json!([[13, 0, 0, 1], [2, 3, 1, 0], [0, 0, 0, 0]]));
    assert_eq!(
        (&scores["ignored_pixels"], &scores["unpredicted_pixels"]),
        (&Value::from(1), &Value::from(1))
    );
    let iou: Vec<f64> = (0..3).filter_map(|class| scores["classes"][class]["iou"].as_f64()).collect();
    assert_eq!(iou, [13.0 / 16.0, 0.5, 0.0]);
    let close = |name: &str, expected: f64| {
        let got = scores[name].as_f64().unwrap_or(f64::NAN);
        assert!((got - expected).abs() < 1e-12, "{name}: {got}, expected {expected}");
    };
    close("miou", (13.0 / 16.0 + 0.5) / 3.0);
    close("pixel_accuracy", 16.0 / 20.0);
}

#[test]
fn a_value_without_class_is_refused_with_file_value_and_place() {
    let mut prediction = [0; 21];
    prediction[9] = 3;
    score(&[0; 21], &prediction, &["--classes", "3"]).is(6, &["prediction/a.png", "the value 3 at (2, 1)"]);
    score(&prediction, &[0; 21], &["--classes", "3"]).is(6, &["truth/a.png", "3"]);
    score(&[0; 21], &[255; 21], &["--classes", "3"]).is(0, &[]);
}

#[test]
fn a_prediction_that_is_missing_or_of_another_size_is_named() {
    let place = Place::new();
    for folder in ["truth", "prediction"] {
        fs::create_dir(place.join(folder)).expect("a folder");
    }
    fs::write(place.join("truth/one.png"), grey8(7, 3, &[0; 21])).expect("written");
    let arguments = ["evaluate", "--predictions", "prediction", "--labels", "truth", "--classes", "2"];
    place.run(&arguments).is(6, &["`one`", "prediction"]);
    fs::write(place.join("prediction/one.png"), grey8(3, 7, &[0; 21])).expect("written");
    place.run(&arguments).is(6, &["prediction/one.png", "3x7", "7x3"]);
    place.run(&["evaluate", "--predictions", "x", "--dataset", "camvid"]).is(4, &["just prepare camvid"]);
    place.run(&["evaluate", "--predictions", "x"]).is(2, &["--dataset"]);
}

#[test]
fn source_ids_and_colors_mean_the_same_as_train_ids() {
    let place = Place::with(&camvid());
    place.run(&["prepare", "camvid", "--source", "source"]).is(0, &[]);
    let catalog = fs::read_to_string(place.join("data/prepared/camvid/dataset.yaml")).expect("read");
    // Sky, the first class of the data set, is painted grey.
    assert!(catalog.contains("Sky"), "{catalog}");
    let colors: [[u8; 3]; 12] = [
        [128, 128, 128],
        [128, 0, 0],
        [192, 192, 128],
        [128, 64, 128],
        [60, 40, 222],
        [128, 128, 0],
        [192, 128, 128],
        [64, 64, 128],
        [64, 0, 128],
        [64, 64, 0],
        [0, 128, 192],
        [0, 0, 0],
    ];
    let (_, id) = CAMVID_IMAGES.iter().find(|(split, _)| *split == "val").expect("an image");
    // The truth, shifted by two pixels.
    let ids: Vec<u8> = (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| camvid_label_id(x + 2, y))).collect();
    let train_ids: Vec<u8> = ids.iter().map(|&id| if id == 11 { 255 } else { id }).collect();
    let painted: Vec<u8> = ids.iter().flat_map(|&id| colors[usize::from(id)]).collect();
    let files = [
        ("train-id", grey8(WIDTH, HEIGHT, &train_ids)),
        ("source-id", grey8(WIDTH, HEIGHT, &ids)),
        ("color", rgb8(WIDTH, HEIGHT, &painted)),
    ];
    let scores = files.map(|(encoding, bytes)| {
        fs::create_dir(place.join(encoding)).expect("a folder");
        fs::write(place.join(encoding).join(format!("{id}.png")), bytes).expect("written");
        let arguments = ["evaluate", "--predictions", encoding, "--dataset", "camvid", "--json"];
        place.run(&[&arguments[..], &["--encoding", encoding]].concat()).is(0, &[]).json()
    });
    assert!(scores[0]["unpredicted_pixels"].as_u64() > Some(0));
    assert_eq!(scores[1], scores[0]);
    assert_eq!(scores[2], scores[0]);
    // Source ids read as train ids have a value that is no class.
    place
        .run(&["evaluate", "--predictions", "source-id", "--dataset", "camvid"])
        .is(6, &["11", "--encoding", id]);
}

#[test]
fn all_protocols_score_one_set_of_predictions_side_by_side() {
    // Class 0: 10 pixels, of which 8 are found, one is taken for class 2 and one has no class; class 1: 11 pixels, all found;
    // class 2 is only predicted, class 3 is nowhere.
    let mut truth = [0; 21];
    truth[10..].fill(1);
    let mut prediction = truth;
    prediction[0] = 2;
    prediction[1] = 255;
    let ended = score(&truth, &prediction, &["--classes", "4", "--protocol", "all"]);
    let scores = ended.is(0, &[]).json();
    let miou = |name: &str| {
        let of = |scores: &&Value| scores["protocol"] == name;
        scores.as_array().and_then(|all| all.iter().find(of)).and_then(|scores| scores["miou"].as_f64())
    };
    for (protocol, expected) in [
        ("ade-mit@1", 1.8 / 4.0),
        ("cityscapes@1", 1.8 / 3.0),
        ("detectron2@1", (8.0 / 9.0 + 1.0) / 2.0),
        ("hf-evaluate@1", 1.8 / 3.0),
        ("mmseg-whole@1", 1.8 / 3.0),
    ] {
        assert!((miou(protocol).unwrap_or(f64::NAN) - expected).abs() < 1e-12, "{protocol}");
    }
    score(&truth, &prediction, &["--classes", "4", "--protocol", "cityscape@1"])
        .is(2, &["did you mean `cityscapes@1`?"]);
}

#[test]
fn a_data_set_is_scored_in_other_classes_than_it_was_prepared_in() {
    let place = Place::with(&cityscapes());
    place.run(&["prepare", "cityscapes", "--source", "source"]).is(0, &[]);
    let frame = CITYSCAPES_FRAMES.iter().find(|frame| frame.split == "val").expect("a frame");
    let truth = |x, y| match cityscapes_label_id(frame, x, y) {
        7 => 0,
        23 => 10,
        26 => 13,
        _ => 255,
    };
    let map = |label: &dyn Fn(u32, u32) -> u8| -> Vec<u8> {
        (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (x, y))).map(|(x, y)| label(x, y)).collect()
    };
    // A car for the train that it is no part of: wrong in 19 classes, right in 7. Sky is taken for a wall at one end.
    let predicted = |x, y| match truth(x, y) {
        13 => 16,
        10 if x > 40 => 3,
        label => label,
    };
    let coarse = |label: u8| match label {
        0 => 0,
        3 => 1,
        10 => 4,
        13 | 16 => 6,
        _ => 255,
    };
    for (folder, labels) in [("fine", map(&predicted)), ("coarse", map(&|x, y| coarse(predicted(x, y))))] {
        fs::create_dir(place.join(folder)).expect("a folder");
        fs::write(place.join(folder).join(format!("{}.png", frame.id)), grey8(WIDTH, HEIGHT, &labels))
            .expect("written");
    }
    let mut expected = vec![vec![0_u64; 8]; 7];
    let mut pixels = [0_u64; 19];
    for (truth, predicted) in map(&truth).into_iter().zip(map(&predicted)) {
        if truth != 255 {
            expected[usize::from(coarse(truth))][usize::from(coarse(predicted))] += 1;
            pixels[usize::from(truth)] += 1;
        }
    }
    let evaluate = |folder, flags: &[&str]| {
        place.run(&[&["evaluate", "--predictions", folder, "--json"][..], flags].concat()).is(0, &[]).json()
    };
    let converted = evaluate("fine", &["--dataset", "cityscapes", "--taxonomy", "cityscapes-7"]);
    assert_eq!(converted["confusion"], serde_json::json!(expected));
    assert_eq!(converted["remapped"][13]["pixels"], pixels[13]);
    assert_eq!(converted["remapped"][13]["to"], "vehicle");
    assert_eq!(converted["remapped"][10]["fate"], "kept");
    assert_eq!(evaluate("coarse", &["--dataset", "cityscapes@cityscapes-7"]), converted);
    // A tree of its own says the same.
    place.run(&["prepare", "cityscapes@cityscapes-7", "--source", "source"]).is(0, &[]);
    let own = evaluate("coarse", &["--dataset", "cityscapes@cityscapes-7"]);
    assert_eq!((&own["confusion"], &own["miou"]), (&converted["confusion"], &converted["miou"]));
    let flags = ["evaluate", "--predictions", "fine", "--dataset", "cityscapes", "--taxonomy"];
    let shown = place.run(&[&flags[..], &["cityscapes-7"]].concat());
    let row = "| car           | vehicle      | merged |";
    assert!(shown.is(0, &[]).stdout.contains(row), "{}", shown.stdout);
    place.run(&[&flags[..], &["camvid-11"]].concat()).is(2, &["cityscapes-7"]);
}
