//! The task contract: anybody may run the indices of a plan, in any order and in other processes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use segbench_pipeline::task::Plan;
use segbench_types::Explain as _;
use serde_json::Value;

use crate::support::{ACCURACY, Place, same_trees};

/// Images of a sample that makes several tasks of a kind, few enough to be drawn at once.
const IMAGES: [&str; 6] = [
    "--set",
    "datasets.sample.draw.size=32x64",
    "--set",
    "datasets.sample.draw.train=30",
    "--set",
    "datasets.sample.draw.val=40",
];

/// Starts a command and kills it when its plan is there; returns the plan file, with every status removed.
fn planned(place: &Place, arguments: &[&str]) -> PathBuf {
    let mut child = place.command(arguments).stderr(Stdio::null()).spawn().expect("started");
    let start = Instant::now();
    let plan = loop {
        assert!(start.elapsed() < Duration::from_secs(60), "no plan was written");
        let jobs = fs::read_dir(place.join("data/jobs")).into_iter().flatten();
        let plans = jobs.map(|job| job.expect("a job").path().join("plan.json"));
        if let Some(plan) = plans.into_iter().find(|plan| plan.is_file()) {
            break plan;
        }
        sleep(Duration::from_millis(1));
    };
    child.kill().expect("killed");
    child.wait().expect("gone");
    let _ = fs::remove_dir_all(plan.with_file_name("status"));
    plan
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("read")).expect("JSON")
}

#[test]
fn tasks_of_a_preparation_run_elsewhere_in_any_order_and_the_command_merges_them() {
    let place = Place::new();
    // The plan is opened from another folder below, so its paths must not be relative.
    let root = place.join("data").display().to_string();
    let arguments = [&["prepare", "sample", "--root", &root][..], &IMAGES].concat();
    let plan = planned(&place, &arguments);
    let tasks = read(&plan)["tasks"].as_u64().expect("a number");
    assert_eq!(tasks, 5, "74 images, 16 to a task");
    let file = plan.strip_prefix(place.path()).expect("below").display().to_string();
    for index in ["3", "0", "4", "1"] {
        place.run(&["task", "run", "--plan", &file, "--index", index]).is(0, &[]);
    }
    let err = Plan::open(&plan).expect("a plan").merge::<Value>().expect_err("task 2 is missing");
    assert!(err.to_string().starts_with("task 2 of 5"), "{err}");
    assert!(err.help().is_some_and(|help| help.contains("--index 2")));

    // A label of another task's image tells whether the command does done tasks again.
    let status: Value = read(&plan.with_file_name("status").join("000003.json"));
    assert_eq!(status["state"], "done");
    let label = status["result"]["records"][0]["label"].as_str().expect("a label").to_owned();
    let label = place.join("data/prepared/sample").join(label);
    let written = fs::metadata(&label).expect("there").modified().expect("a time");
    place.run(&arguments).is(0, &["74 images"]);
    assert_eq!(fs::metadata(&label).expect("there").modified().expect("a time"), written);

    let whole = Place::new();
    whole.run(&[&["prepare", "sample"][..], &IMAGES].concat()).is(0, &[]);
    same_trees(&place.tree("data"), &whole.tree("data"));
}

#[test]
fn shards_of_a_benchmark_run_elsewhere_in_any_order() {
    let place = Place::trained();
    let prepare = [&["prepare", "sample"][..], &IMAGES].concat();
    place.run(&prepare).is(0, &[]);
    let arguments = [&ACCURACY[..], &IMAGES].concat();
    let plan = planned(&place, &arguments);
    assert_eq!(read(&plan)["tasks"], 2, "40 images, 32 to a task");
    let file = plan.strip_prefix(place.path()).expect("below").display().to_string();
    for index in ["1", "0"] {
        place.run(&["task", "run", "--plan", &file, "--index", index]).is(0, &[]);
    }
    place.run(&arguments).is(0, &["reports/runs/"]);
    assert!(!plan.exists());
    let counts = fs::read(place.only_run().join("counts.parquet")).expect("counts");
    fs::remove_dir_all(place.join("reports")).expect("removed");
    place.run(&arguments).is(0, &[]);
    assert!(fs::read(place.only_run().join("counts.parquet")).expect("counts") == counts);
}

#[test]
fn a_done_task_whose_files_were_removed_is_done_again() {
    let arguments = [&["prepare", "sample"][..], &IMAGES].concat();
    let place = Place::new();
    let plan = planned(&place, &arguments);
    let file = plan.strip_prefix(place.path()).expect("below").display().to_string();
    place.run(&["task", "run", "--plan", &file, "--index", "1"]).is(0, &[]);
    fs::remove_dir_all(place.join("data/prepared")).expect("removed");
    place.run(&arguments).is(0, &[]);
    let whole = Place::new();
    whole.run(&arguments).is(0, &[]);
    same_trees(&place.tree("data"), &whole.tree("data"));
}

#[test]
fn statuses_of_another_conversion_are_not_taken_for_this_one_s() {
    let place = Place::new();
    let arguments = [&["prepare", "sample"][..], &IMAGES].concat();
    let plan = planned(&place, &arguments);
    let file = plan.strip_prefix(place.path()).expect("below").display().to_string();
    place.run(&["task", "run", "--plan", &file, "--index", "1"]).is(0, &[]);
    // Another seed, the same names: its labels replace those that index 1 spoke of.
    let other = [&arguments[..], &["--set", "datasets.sample.draw.seed=9"]].concat();
    place.run(&other).is(0, &[]);
    assert!(!plan.exists());
    place.run(&arguments).is(0, &[]);
    let whole = Place::new();
    whole.run(&arguments).is(0, &[]);
    same_trees(&place.tree("data"), &whole.tree("data"));
}

#[test]
fn a_plan_of_another_schema_an_absent_index_and_an_absent_plan_are_refused() {
    let place = Place::new();
    let plan = planned(&place, &[&["prepare", "sample"][..], &IMAGES].concat());
    let file = plan.strip_prefix(place.path()).expect("below").display().to_string();
    let run = |index| place.run(&["task", "run", "--plan", &file, "--index", index]);
    run("99").is(6, &["plan.json", "no index 99"]);
    let mut contents = read(&plan);
    contents["schema"] = 2.into();
    fs::write(&plan, contents.to_string()).expect("written");
    run("0").is(6, &["plan.json", "schema is 2, expected 1"]);
    fs::write(&plan, "{").expect("written");
    run("0").is(6, &["plan.json"]);
    fs::remove_file(&plan).expect("removed");
    run("0").is(4, &["plan.json"]);
}
