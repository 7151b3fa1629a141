//! Which crate may use which: arrows point down, and heavy dependencies stay where they belong.
#![expect(clippy::expect_used, reason = "a test without cargo's answer has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Layer of every crate. A crate uses lower layers only, or its own layer through an arrow listed below.
const LAYERS: &[(&str, u8)] = &[
    ("types", 0),
    ("storage", 0),
    ("tables", 1),
    ("transforms", 1),
    ("metrics", 1),
    ("targets", 1),
    ("nn", 1),
    ("losses", 2),
    ("models", 2),
    ("fetch", 2),
    ("datasets", 2),
    ("training", 3),
    ("benchmark", 3),
    ("report", 3),
    ("pipeline", 4),
    ("cli", 5),
    ("testkit", 0),
    ("xtask", 6),
];

/// Arrows within a layer.
const SIDEWAYS: &[(&str, &str)] =
    &[("storage", "types"), ("testkit", "types"), ("datasets", "fetch"), ("models", "losses")];

/// External crates that may stand in few places only.
const CONFINED: &[(&str, &[&str])] = &[
    ("polars", &["tables"]),
    ("yaml_serde", &["datasets", "pipeline"]),
    ("reqwest", &["fetch"]),
    ("rustls", &["fetch"]),
    ("tar", &["fetch", "testkit"]),
    ("zip", &["nn", "fetch", "datasets", "testkit"]),
    ("candle-core", &["nn", "losses", "models", "training", "benchmark", "cli"]),
    ("candle-nn", &["nn", "losses", "models", "training"]),
    ("clap", &["cli"]),
    ("indicatif", &["cli"]),
    ("askama", &["report"]),
];

struct Package {
    name: String,
    /// Name of each dependency, and whether it is only for tests and benches.
    dependencies: Vec<(String, bool)>,
}

#[test]
fn arrows_point_down() {
    let layers: BTreeMap<&str, u8> = LAYERS.iter().copied().collect();
    let mut wrong = Vec::new();
    for package in packages() {
        let Some(&layer) = layers.get(package.name.as_str()) else {
            wrong.push(format!("`{}` has no layer", package.name));
            continue;
        };
        for (dependency, is_dev) in &package.dependencies {
            let Some(inner) = dependency.strip_prefix("segbench-") else { continue };
            let is_down = layers.get(inner).is_some_and(|&below| below < layer);
            let is_listed = SIDEWAYS.contains(&(package.name.as_str(), inner));
            if !is_down && !is_listed && !is_dev {
                wrong.push(format!("`{}` must not use `{inner}`", package.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn heavy_dependencies_stay_where_they_belong() {
    let confined: BTreeMap<&str, BTreeSet<&str>> =
        CONFINED.iter().map(|&(name, places)| (name, places.iter().copied().collect())).collect();
    let mut wrong = Vec::new();
    for package in packages() {
        for (dependency, is_dev) in &package.dependencies {
            if let Some(places) = confined.get(dependency.as_str())
                && !is_dev
                && !places.contains(package.name.as_str())
            {
                wrong.push(format!("`{}` must not use `{dependency}`, only {places:?} may", package.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_listed_crate_exists() {
    let names: BTreeSet<String> = packages().into_iter().map(|package| package.name).collect();
    for (name, _) in LAYERS {
        assert!(names.contains(*name), "`{name}` has a layer but does not exist");
    }
}

fn packages() -> Vec<Package> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let dependency = |value: &Value| (text(&value["name"]), value["kind"] == "dev");
    let package = |value: &Value| Package {
        name: text(&value["name"]).trim_start_matches("segbench-").to_owned(),
        dependencies: value["dependencies"].as_array().into_iter().flatten().map(dependency).collect(),
    };
    metadata["packages"].as_array().into_iter().flatten().map(package).collect()
}
