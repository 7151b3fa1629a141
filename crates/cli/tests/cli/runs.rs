//! `diff` and `verify`: runs compared, and a run that was tampered with.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{ACCURACY, Place, TRAIN, copy};

/// Changes a byte in the middle of a file.
fn tamper(path: &Path) {
    let mut bytes = fs::read(path).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    // Not through a link that another file shares.
    fs::remove_file(path).expect("removed");
    fs::write(path, bytes).expect("written");
}

/// The only file below `folder` whose name ends so.
fn only(folder: &Path, end: &str) -> std::path::PathBuf {
    let entries = fs::read_dir(folder).expect("listed").map(|entry| entry.expect("an entry").path());
    let mut found: Vec<_> = entries.filter(|path| path.to_string_lossy().ends_with(end)).collect();
    found.sort();
    found.swap_remove(0)
}

#[test]
fn a_run_is_verified_from_its_data_to_the_leaderboard_and_every_tampered_file_is_named() {
    let place = Place::trained();
    place.run_drawn(&ACCURACY).is(0, &[]);
    let id = place.only_run().file_name().expect("a name").to_string_lossy().into_owned();
    let verified = place.run(&["verify", &id[..5]]);
    verified.is(0, &[]);
    let lines: Vec<&str> = verified.stdout.lines().collect();
    assert_eq!(lines.len(), 7, "{verified:#?}");
    assert!(lines.iter().all(|line| line.ends_with("as they were")), "{verified:#?}");
    assert!(place.only_run().join("curve.parquet").is_file(), "the course of the training");

    let whole = tempfile::tempdir().expect("a folder");
    copy(place.path(), whole.path());
    let files: [(&str, &dyn Fn() -> std::path::PathBuf); 8] = [
        ("files of the run", &|| place.only_run().join("counts.parquet")),
        ("files of the run", &|| place.only_run().join("images.parquet")),
        ("files of the run", &|| only(&place.only_run().join("examples"), ".error.png")),
        ("label maps", &|| only(&place.only_run().join("predictions"), ".png")),
        ("images and labels", &|| only(&place.join("data/prepared/sample/labels/val"), ".png")),
        ("images and labels", &|| only(&place.join("data/prepared/sample/images/val"), ".png")),
        ("manifest", &|| place.join("data/prepared/sample/manifest.parquet")),
        ("weights", &|| only(&place.join("data/weights"), ".safetensors")),
    ];
    for (what, path) in files {
        let path = path();
        tamper(&path);
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let ended = place.run(&["verify", &id]);
        assert_eq!(ended.code, Some(6), "{name}: {ended:#?}");
        let line = ended.stdout.lines().find(|line| line.starts_with(what)).expect("the link");
        assert!(line.contains(&name), "{name}: {ended:#?}");
        fs::copy(whole.path().join(path.strip_prefix(place.path()).expect("below")), &path)
            .expect("restored");
    }

    // A record and a leaderboard that say something else.
    for (file, from, to) in [
        (place.only_run().join("record.json"), "\"seed\": 0", "\"seed\": 1"),
        (place.join("reports/leaderboard.csv"), ",sample,val,", ",sample,test,"),
    ] {
        let text = fs::read_to_string(&file).expect("read");
        assert!(text.contains(from), "{text}");
        fs::write(&file, text.replace(from, to)).expect("written");
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        place.run(&["verify", &id]).is(6, &[&name]);
        fs::write(&file, text).expect("written");
    }
    place.run(&["verify", &id]).is(0, &[]);

    // What was removed is said and is no fault.
    fs::remove_dir_all(place.only_run().join("predictions")).expect("removed");
    let ended = place.run(&["verify", &id]);
    ended.is(0, &[]);
    assert_eq!(ended.stdout.matches("not checked: `predictions` was removed").count(), 2, "{ended:#?}");
    place.run(&["verify", "ffffffffffff"]).is(4, &["there is no run `ffffffffffff`"]);
}

#[test]
fn a_difference_adds_up_over_classes_and_over_images() {
    let place = Place::trained();
    place.run_drawn(&ACCURACY).is(0, &[]);
    let first = place.only_run().file_name().expect("a name").to_string_lossy().into_owned();
    let train =
        [&TRAIN[..4], &["--crop", "32x64", "--batch", "1", "--steps", "8", "--note", "longer"]].concat();
    place.run_drawn(&train).is(0, &[]);
    let bench = [&ACCURACY[..], &["--weights", "segformer-tiny.sample.longer", "--json"]].concat();
    let rows = place.run_drawn(&bench).is(0, &[]).json();
    let mut ids = rows.as_array().expect("rows").iter().map(|row| row["run_id"].as_str().expect("an id"));
    let second = ids.rfind(|id| *id != first).expect("another run").to_owned();

    let found = place.run(&["diff", &first, &second, "--json"]).is(0, &[]).json();
    let sum = |part: &str| -> f64 {
        let parts = found[part].as_array().expect("parts");
        parts.iter().map(|part| part["contribution"].as_f64().expect("a number")).sum()
    };
    let number = |value: &Value| value.as_f64().expect("a number");
    let difference = number(&found["second"]["miou"]) - number(&found["first"]["miou"]);
    assert!((number(&found["miou"]) - difference).abs() < 1e-15);
    assert!((sum("classes") - difference).abs() < 1e-12 && (sum("images") - difference).abs() < 1e-12);
    assert_eq!(
        (found["classes"].as_array().map(Vec::len), found["images"].as_array().map(Vec::len)),
        (Some(19), Some(3))
    );
    let text = place.run(&["diff", &first, &second, "--images", "1"]).is(0, &[]).stdout.clone();
    assert!(text.contains("2 images more") && text.contains("points of mIoU under mmseg-whole@1"), "{text}");
    place.run(&["diff", &first, "nowhere"]).is(4, &["there is no run `nowhere`"]);
}
