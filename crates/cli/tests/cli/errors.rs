//! What goes wrong: the exit code, the message, and nothing half-written.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::time::{Duration, Instant};

use candle_core::{Device, safetensors};
use segbench_testkit::{Files, cityscapes, grey8};

use crate::support::{DRAW, Place, TRAIN, ended, same_trees};

#[test]
fn cityscapes_without_files_says_at_once_how_to_get_them() {
    let place = Place::new();
    let start = Instant::now();
    place.run(&["prepare", "cityscapes"]).is(
        4,
        &[
            "https://www.cityscapes-dataset.com/register/",
            "CITYSCAPES_USERNAME",
            "CITYSCAPES_PASSWORD",
            "--source gtFine_trainvaltest.zip --source leftImg8bit_trainvaltest.zip",
            "just prepare sample",
        ],
    );
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert!(place.tree("").is_empty());
}

#[test]
fn unknown_names_on_the_command_line_are_usage_errors_with_a_suggestion() {
    let place = Place::new();
    for (arguments, suggestion) in [
        (&["bench", "segformr"][..], "did you mean `segformer-b0`?"),
        (&["train", "segformer-tny", "--dataset", "sample"], "did you mean `segformer-tiny`?"),
        (&["prepare", "citscapes"], "did you mean `cityscapes`?"),
        (&["bench", "segformer-b0", "--dataset", "camvd"], "did you mean `camvid`?"),
        (&["class-weights", "sample", "--scheme", "ennet"], "did you mean `enet`?"),
        (&["train", "segformer-tiny", "--dataset", "samle"], "did you mean `sample`?"),
        (&["benhc"], "bench"),
    ] {
        place.run(arguments).is(2, &[suggestion]);
    }
    assert!(place.tree("").is_empty());
}

#[test]
fn wrong_settings_of_a_training_are_usage_errors() {
    let place = Place::trained();
    for (arguments, part) in [
        (&["--loss", "dise"][..], "did you mean `dice`?"),
        (&["--loss", "weighted-cross-entropy"], "needs class weights"),
        (&["--loss", "cross-entropy=-1"], "expected a positive number"),
        (&["--note", "../../elsewhere"], "expected letters"),
        (&["--steps", "0"], "steps"),
        (&["--class-weights", "ennet"], "did you mean `enet`?"),
    ] {
        ended(place.command(&TRAIN[..4]).args(arguments).args(DRAW)).is(2, &[part]);
    }
}

#[test]
fn a_wrong_configuration_file_is_told_with_place_and_suggestion() {
    let place = Place::new();
    for (text, parts) in [
        ("version: 1\nrnus: []\n", &["unknown field `rnus`", "line 2", "did you mean `runs`?"][..]),
        (
            "version: 1\ndatasets: { sample: {} }\nruns:\n  - { model: segformr-b0, weights: x.pth }\n",
            &["runs[0].model", "`segformr-b0`", "did you mean `segformer-b0`?"],
        ),
        ("version: 1\ndatasets: { smple: {} }\n", &["datasets.smple", "did you mean `sample`?"]),
        ("version: 1\ndatasets: { sample: { draw: { size: 64 } } }\n", &["line 2"]),
    ] {
        fs::write(place.join("pipeline.yaml"), text).expect("written");
        // An override must not cost the line number.
        for arguments in
            [&["check"][..], &["run"], &["prepare", "sample", "--set", "datasets.sample.draw.val=2"]]
        {
            place.run(arguments).is(3, parts);
        }
    }
    assert_eq!(place.tree("").keys().collect::<Vec<_>>(), ["pipeline.yaml"]);
    place.run(&["check", "absent.yaml"]).is(4, &["`absent.yaml` does not exist"]);
}

#[test]
fn missing_weights_are_missing_before_anything_is_drawn() {
    let place = Place::new();
    place.run(&["bench", "segformer-tiny", "--weights", "absent.pth"]).is(4, &["absent.pth"]);
    place
        .run(&["predict", "segformer-tiny", "--weights", "absent.pth", "x.png", "--output", "out"])
        .is(4, &[]);
    place.run(&["bench", "segformer-b5", "--dataset", "camvid"]).is(4, &["just train segformer-b5 camvid"]);
    place.run(&TRAIN).is(4, &["just prepare sample"]);
    assert!(place.tree("").is_empty());
}

#[test]
fn a_published_checkpoint_that_may_not_be_fetched_is_missing_and_a_wrong_tag_is_corrected() {
    let place = Place::new();
    let (tag, file) = (
        "segformer-b0.cityscapes.mmseg",
        "segformer_mit-b0_8x1_1024x1024_160k_cityscapes_20211208_101857-e7f88502.pth",
    );
    place.run(&["weights", "fetch", tag, "--offline"]).is(4, &[file, "--offline", "licence: "]);
    place.run(&["weights", "fetch", "segformer-b0.cityscape.mmseg"]).is(2, &["did you mean", tag]);
    assert!(place.tree("").is_empty());
    let listed = place.run(&["weights", "list"]);
    assert!(listed.stdout.contains(tag) && listed.stdout.contains(file), "{listed:?}");
    // A file that is there is taken, and refused if it is no checkpoint.
    fs::create_dir_all(place.join("data/weights/downloads")).expect("a folder");
    fs::write(place.join("data/weights/downloads").join(file), "these are no tensors").expect("written");
    place.run(&["weights", "fetch", tag, "--offline"]).is(6, &[file]);
    place.run(&["weights", "list"]).is(0, &[]);
}

#[test]
fn a_checkpoint_without_one_tensor_is_invalid_and_the_tensor_is_named() {
    let place = Place::trained();
    let whole = place.join("data/training/segformer-tiny.sample/last.safetensors");
    let mut tensors: HashMap<_, _> = safetensors::load(whole, &Device::Cpu).expect("read");
    let mut names: Vec<_> = tensors.keys().cloned().collect();
    names.sort();
    let removed = names.iter().find(|name| name.contains("norm") && name.ends_with("bias")).expect("a bias");
    tensors.remove(removed);
    safetensors::save(&tensors, place.join("broken.safetensors")).expect("written");
    place
        .run_drawn(&["bench", "segformer-tiny", "--weights", "broken.safetensors", "--accuracy"])
        .is(6, &[removed.as_str(), "missing"]);
    assert!(place.tree("reports/runs").is_empty());
    fs::write(place.join("text.safetensors"), "these are no tensors").expect("written");
    place
        .run_drawn(&["bench", "segformer-tiny", "--weights", "text.safetensors", "--accuracy"])
        .is(6, &["text.safetensors"]);
}

/// Converts broken Cityscapes files and expects exit code 6, the broken file's name, and no data set.
#[track_caller]
fn refused(files: &Files, parts: &[&str]) {
    let place = Place::with(files);
    place.run(&["prepare", "cityscapes", "--source", "source"]).is(6, parts);
    no_data_set(&place);
}

#[track_caller]
fn no_data_set(place: &Place) {
    place.has_no_temporaries();
    let tree = place.tree("data/prepared");
    let whole = ["dataset.yaml", "manifest.parquet", "prepare.json"];
    assert!(!tree.keys().any(|name| whole.iter().any(|end| name.ends_with(end))), "{:?}", tree.keys());
}

#[test]
fn a_truncated_picture_is_named() {
    for part in ["aachen_000001_000019_leftImg8bit.png", "ulm_000000_000019_gtFine_labelIds.png"] {
        let mut files = cityscapes();
        files.change(part, |bytes| bytes.truncate(bytes.len() / 2));
        refused(&files, &[part, "truncated"]);
    }
}

#[test]
fn a_label_map_of_another_size_is_named_with_both_sizes() {
    let mut files = cityscapes();
    let label = "lindau_000000_000019_gtFine_labelIds.png";
    files.change(label, |bytes| *bytes = grey8(37, 53, &[7; 37 * 53]));
    refused(&files, &[label, "37x53", "lindau_000000_000019_leftImg8bit.png", "53x37"]);
}

#[test]
fn an_unknown_label_value_is_named_with_its_file_and_its_pixels() {
    let mut files = cityscapes();
    let label = "ulm_000000_000019_gtFine_labelIds.png";
    files.change(label, |bytes| {
        let mut ids = [7; 53 * 37];
        ids[100..103].fill(77);
        *bytes = grey8(53, 37, &ids);
    });
    refused(&files, &[label, "77", "3 pixels"]);
}

#[test]
fn an_image_without_its_label_map_is_named() {
    let mut files = cityscapes();
    for what in ["labelIds", "polygons"] {
        files.remove(&format!("aachen_000001_000019_gtFine_{what}"));
    }
    refused(&files, &["aachen_000001_000019", "no partner"]);
}

#[test]
fn a_zip_that_reaches_outside_is_refused() {
    let place = Place::new();
    let mut files = cityscapes();
    files.insert("../outside.png", "not here");
    files.write_zip(&place.join("evil.zip"));
    place.run(&["prepare", "cityscapes", "--source", "evil.zip"]).is(6, &["evil.zip", "../outside.png"]);
    no_data_set(&place);
    assert!(!place.path().parent().expect("a parent").join("outside.png").exists());
}

/// Compares all but the state, which knows when the files of a source were written.
#[track_caller]
fn same_data_set(got: &BTreeMap<String, Vec<u8>>, expected: &BTreeMap<String, Vec<u8>>) {
    let without_state = [got, expected].map(|tree| {
        tree.iter()
            .filter(|(name, _)| !name.ends_with(".segbench/prepare.json"))
            .map(|(name, bytes)| (name.clone(), bytes.clone()))
            .collect()
    });
    same_trees(&without_state[0], &without_state[1]);
}

#[test]
fn a_data_set_that_is_put_right_is_prepared_on_the_second_try() {
    let mut files = cityscapes();
    let label = "ulm_000000_000019_gtFine_labelIds.png";
    files.change(label, |bytes| bytes.truncate(40));
    let place = Place::with(&files);
    let arguments = ["prepare", "cityscapes", "--source", "source"];
    place.run(&arguments).is(6, &[label]);
    cityscapes().write_folder(&place.join("source"));
    place.run(&arguments).is(0, &["5 images"]);
    let whole = Place::with(&cityscapes());
    whole.run(&arguments).is(0, &[]);
    same_data_set(&place.tree("data"), &whole.tree("data"));
}

#[test]
fn an_output_that_cannot_be_written_is_exit_code_9() {
    // Root may write anywhere, but nobody can make a folder in a file.
    let place = Place::trained();
    fs::write(place.join("file"), "").expect("written");
    ended(place.command(&["prepare", "sample", "--root", "file"]).args(DRAW)).is(9, &["file/"]);
    let files = Place::with(&cityscapes());
    fs::write(files.join("data"), "").expect("written");
    files.run(&["prepare", "cityscapes", "--source", "source"]).is(9, &["`data/prepared/cityscapes"]);
    place.run_drawn(&["bench", "segformer-tiny", "--accuracy", "--output", "file"]).is(9, &["file/runs"]);
    let image = "data/prepared/sample/images/val/polygonia_000000_000019.png";
    let predict =
        ["predict", "segformer-tiny", "--weights", "segformer-tiny.sample", image, "--output", "file"];
    place.run(&predict).is(9, &["file/"]);
}

#[test]
#[cfg(target_os = "linux")]
#[ignore = "mounts a small file system, which takes root"]
fn a_full_disk_is_told_and_the_next_run_goes_on() {
    use std::process::Command;

    let place = Place::with(&cityscapes());
    let disk = place.join("data");
    fs::create_dir(&disk).expect("a folder");
    let mount = |size: &str| {
        let status = Command::new("mount").args(["-t", "tmpfs", "-o", size, "tmpfs"]).arg(&disk).status();
        assert!(status.expect("started").success());
    };
    mount("size=24k");
    let arguments = ["prepare", "cityscapes", "--source", "source"];
    let full = place.run(&arguments);
    mount("remount,size=4m");
    let then = place.run(&arguments);
    let tree = place.tree("data");
    assert!(Command::new("umount").arg(&disk).status().expect("started").success());
    full.is(9, &["the disk is full", "run the same command again"]);
    then.is(0, &["5 images"]);
    let whole = Place::with(&cityscapes());
    whole.run(&arguments).is(0, &[]);
    same_data_set(&tree, &whole.tree("data"));
}

#[test]
#[cfg(not(any(feature = "cuda", feature = "metal")))]
fn a_device_that_is_not_built_in_names_the_build() {
    let place = Place::new();
    let bench = |device| place.run(&["bench", "segformer-tiny", "--device", device]);
    bench("cuda").is(7, &["`cuda`", "just build-cuda"]);
    bench("metal").is(7, &["just build-metal"]);
    bench("gpu").is(7, &["`gpu`", "`cuda:1`"]);
}
