//! `check` and `run` on a small `pipeline.yaml`.

use std::fs;

use crate::support::Place;

const YAML: &str = "version: 1
datasets:
  sample: { draw: { size: 64x128, train: 4, val: 3, test: 1 } }
targets:
  class_weights: { schemes: [enet] }
runs:
  - model: segformer-tiny
    train: { dataset: sample, steps: 2, crop: 32x64, batch: 1, class_weights: enet, note: mini }
    bench: { dataset: sample }
report: { formats: [csv, markdown] }
";

fn place(yaml: &str) -> Place {
    let place = Place::new();
    fs::write(place.join("pipeline.yaml"), yaml).expect("written");
    place
}

#[test]
fn check_says_what_every_stage_reads_writes_and_needs() {
    let place = place(&YAML.replace(
        "report:",
        "  - { model: segformer-b0, weights: absent.pth, bench: { dataset: sample } }\nreport:",
    ));
    let text = place.run(&["check"]).is(0, &[]).stdout.clone();
    let order = [
        "prepare sample",
        "reads  nothing: the program draws it",
        "writes data/prepared/sample",
        "class-weights sample",
        "train segformer-tiny.sample.mini",
        "bench segformer-tiny.sample.mini on sample",
        "bench absent.pth on sample",
        "needs  the weights `absent.pth`",
        "report",
    ];
    let mut rest = text.as_str();
    for part in order {
        let at = rest.find(part).unwrap_or_else(|| panic!("`{part}` is missing or out of order in\n{text}"));
        rest = &rest[at + part.len()..];
    }
    assert_eq!(text.matches("needs").count(), 1, "{text}");
    let stages = place.run(&["check", "--json"]).is(0, &[]).json();
    assert_eq!(stages.as_array().map(Vec::len), Some(6));
    assert_eq!(place.tree("").len(), 1, "check only looks");
}

#[test]
fn a_second_run_finds_every_stage_up_to_date() {
    let place = place(YAML);
    let first = place.run(&["run"]);
    first.is(0, &["prepare sample: ", "train segformer-tiny.sample.mini: ", "bench "]);
    assert!(first.stdout.contains("segformer-tiny"), "{first:#?}");
    let tree = place.tree("");
    let second = place.run(&["run"]);
    second.is(0, &["nothing to do"]);
    assert_eq!(second.stderr.matches("up to date").count(), 4, "{second:#?}");
    crate::support::same_trees(&place.tree(""), &tree);
    assert!(!tree.keys().any(|name| name.starts_with("data/jobs")), "{:?}", tree.keys());

    // Another number of steps is another training, and begins anew by itself.
    fs::write(place.join("pipeline.yaml"), YAML.replace("steps: 2", "steps: 3")).expect("written");
    let third = place.run(&["run"]);
    third.is(0, &[]);
    assert_eq!(third.stderr.matches("up to date").count(), 2, "{third:#?}");
}

#[test]
fn a_failing_stage_does_not_keep_the_others_from_being_done() {
    let place = place(&YAML.replace("  sample:", "  camvid: { source: [absent] }\n  sample:").replace(
        "report:",
        "  - { model: segformer-tiny, train: { dataset: camvid }, bench: { dataset: camvid } }\nreport:",
    ));
    let run = place.run(&["run"]);
    run.is(
        8,
        &[
            "prepare camvid: the source `absent` does not exist",
            "class-weights camvid: not tried, because the data set `camvid` was not made",
            "train segformer-tiny.camvid: not tried",
            "bench segformer-tiny.camvid on camvid: not tried",
            "4 of 9 stages failed",
        ],
    );
    assert!(run.stdout.contains("segformer-tiny"), "{run:#?}");
    assert!(place.join("reports/leaderboard.csv").is_file());
    assert!(place.only_run().join("record.json").is_file());
}

#[test]
fn one_stage_can_be_run_alone_and_its_failure_keeps_its_exit_code() {
    let place = place(YAML);
    place.run(&["run", "--stage", "train"]).is(4, &["just prepare sample", "1 of 1 stages failed"]);
    place.run(&["run", "--stage", "prepare"]).is(0, &["8 images"]);
    place.run(&["run", "--stage", "prepar sample"]).is(2, &["no stage begins with", "prepare sample"]);
}

#[test]
fn a_report_without_runs_says_what_makes_one() {
    let place = Place::new();
    place.run(&["report"]).is(4, &["just bench"]);
    place.run(&["report", "--format", "pdf"]).is(2, &["pdf"]);
}
