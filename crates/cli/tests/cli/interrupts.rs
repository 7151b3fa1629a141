//! A process that is killed at any moment, and run again, ends with the same bytes as one that was left alone.

use std::collections::BTreeMap;
use std::fs;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{ACCURACY, DRAW, Place, ended, same_trees};

/// Runs a command again and again, killed later each time, until it ends by itself. Returns how often it was killed.
fn killed_until_done(place: &Place, arguments: &[&str], step: Duration) -> u32 {
    let mut kills = 0;
    loop {
        let mut child =
            place.command(arguments).args(DRAW).stderr(Stdio::null()).stdout(Stdio::null()).spawn();
        let child = child.as_mut().expect("started");
        let (start, patience) = (Instant::now(), step * (kills + 1));
        let status = loop {
            match child.try_wait().expect("a status") {
                Some(status) => break Some(status),
                None if start.elapsed() >= patience => break None,
                None => sleep(Duration::from_millis(1)),
            }
        };
        if let Some(status) = status {
            assert!(status.success(), "{arguments:?} after {kills} kills: {status}");
            return kills;
        }
        child.kill().expect("killed");
        child.wait().expect("gone");
        kills += 1;
        assert!(kills < 200, "{arguments:?} never ends");
    }
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).expect("JSON")
}

#[test]
fn prepare_ends_with_the_same_bytes() {
    let undisturbed = Place::new();
    undisturbed.run_drawn(&["prepare", "sample"]).is(0, &[]);
    let place = Place::new();
    let kills = killed_until_done(&place, &["prepare", "sample"], Duration::from_millis(7));
    assert!(kills > 0, "nothing was interrupted");
    same_trees(&place.tree("data"), &undisturbed.tree("data"));
}

#[test]
fn bench_ends_with_the_same_bytes_but_times() {
    let undisturbed = Place::trained();
    undisturbed.run_drawn(&ACCURACY).is(0, &[]);
    let place = Place::trained();
    let kills = killed_until_done(&place, &ACCURACY, Duration::from_millis(9));
    assert!(kills > 0, "nothing was interrupted");
    let [got, expected] = [&place, &undisturbed].map(|place| {
        let mut tree = place.tree("");
        for (name, bytes) in &mut tree {
            if name.ends_with("record.json") {
                let mut record = json(bytes);
                for measured in ["timing", "environment"] {
                    assert!(record[measured].is_object());
                    record[measured] = Value::Null;
                }
                *bytes = record.to_string().into_bytes();
            }
            if name.ends_with("SHA256SUMS") {
                let lines = std::str::from_utf8(bytes).expect("text").lines();
                let kept: Vec<&str> = lines.filter(|line| !line.ends_with("record.json")).collect();
                *bytes = kept.join("\n").into_bytes();
            }
        }
        // The page shows times of the runs.
        tree.remove("reports/leaderboard.html");
        tree
    });
    assert!(expected.keys().any(|name| name.contains("/predictions/")));
    assert!(expected.keys().any(|name| name.contains("/examples/")));
    assert!(expected.keys().any(|name| name.ends_with("counts.parquet")));
    same_trees(&got, &expected);
}

#[test]
#[cfg(target_os = "linux")]
fn the_half_written_file_of_a_killed_report_goes_with_the_next_one() {
    let place = Place::trained();
    place.run_drawn(&ACCURACY).is(0, &[]);
    // No process has a number above 2^22.
    fs::write(place.join("reports/speed.csv.segbench-tmp-4194305-0"), "half").expect("written");
    place.run(&["report"]).is(0, &[]);
    place.has_no_temporaries();
}

/// The columns of the log that are no times.
fn log(tree: &BTreeMap<String, Vec<u8>>) -> Vec<Vec<String>> {
    let text = String::from_utf8(tree["log.csv"].clone()).expect("text");
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let header = lines.next().expect("a header");
    let kept: Vec<usize> = (0..header.len())
        .filter(|&column| !["time", "images_per_second"].contains(&header[column].as_str()))
        .collect();
    assert!(header.contains(&"loss".to_owned()) && header.contains(&"miou".to_owned()));
    lines.map(|cells| kept.iter().map(|&column| cells[column].clone()).collect()).collect()
}

/// Steps of the training, more than two checkpoints' worth.
const STEPS: &str = "450";
const STEPS_BETWEEN_VALIDATIONS: &str = "150";

/// A prepared sample without any training.
fn untrained() -> Place {
    let place = Place::trained();
    fs::remove_dir_all(place.join("data/training")).expect("removed");
    fs::remove_dir_all(place.join("data/weights")).expect("removed");
    place
}

#[test]
fn train_continues_the_same_curve_to_the_same_weights() {
    let yaml = format!(
        "version: 1\ndatasets: {{ sample: }}\nruns:\n  - model: segformer-tiny\n    train: {{ dataset: sample, \
         steps: {STEPS}, crop: 32x64, batch: 1, validate_every: {STEPS_BETWEEN_VALIDATIONS} }}\n"
    );
    let train = [
        "train",
        "segformer-tiny",
        "--dataset",
        "sample",
        "--crop",
        "32x64",
        "--batch",
        "1",
        "--steps",
        STEPS,
    ];
    let train = [&train[..], &["--validate-every", STEPS_BETWEEN_VALIDATIONS]].concat();
    let undisturbed = untrained();
    ended(undisturbed.command(&train).args(DRAW)).is(0, &[]);
    let folder = "data/training/segformer-tiny.sample";
    let weights = |place: &Place| place.tree("data/weights");
    let expected = undisturbed.tree(folder);
    assert!(log(&expected).len() > 40);
    for arguments in
        [&[&train[..], &["--resume"]].concat()[..], &["run", "pipeline.yaml", "--stage", "train"]]
    {
        let place = untrained();
        fs::write(place.join("pipeline.yaml"), &yaml).expect("written");
        let kills = killed_until_done(&place, arguments, Duration::from_millis(250));
        assert!(kills > 0, "nothing was interrupted");
        let got = place.tree(folder);
        assert_eq!(log(&got), log(&expected));
        assert!(got["last.safetensors"] == expected["last.safetensors"]);
        same_trees(&weights(&place), &weights(&undisturbed));
        assert!(place.tree("data/jobs").is_empty());
        place.has_no_temporaries();
    }
}

#[test]
fn resume_goes_on_refuses_other_settings_and_without_it_training_starts_over() {
    let place = Place::trained();
    let train = |flags: &[&str]| {
        let arguments = ["train", "segformer-tiny", "--dataset", "sample", "--crop", "32x64", "--batch", "1"];
        ended(place.command(&arguments).args(flags).args(DRAW))
    };
    let weights = "data/training/segformer-tiny.sample";
    let two = place.tree(weights);
    train(&["--steps", "2", "--resume"]).is(0, &["up to date"]);
    train(&["--steps", "2", "--seed", "7", "--resume"])
        .is(3, &["checkpoint.safetensors", "seed", "without `--resume`"]);
    same_trees(&place.tree(weights), &two);
    train(&["--steps", "2", "--seed", "7"]).is(0, &[]);
    let other = place.tree(weights);
    assert!(other["last.safetensors"] != two["last.safetensors"]);
    train(&["--steps", "2"]).is(0, &[]);
    assert!(place.tree(weights)["last.safetensors"] == two["last.safetensors"]);
}
