//! Conversions of data sets that are as they should be.

use std::collections::BTreeMap;
use std::fs;

use segbench_datasets::sample::SampleOptions;
use segbench_datasets::{Conversion, ConversionOptions, PreparedDataset, is_up_to_date};
use segbench_storage::{TEMPORARY_MARK, sha256_bytes};
use segbench_testkit::{CITYSCAPES_FRAMES, Files, HEIGHT, WIDTH, cityscapes, cityscapes_label_id, street};
use segbench_types::Silent;

use crate::support::Root;

/// Frames whose split has label maps.
const LABELLED: usize = 4;

/// Train id of the label ids that the miniature uses, from the table of cityscapesScripts.
fn train_id(label_id: u8) -> u8 {
    match label_id {
        7 => 0,
        23 => 10,
        26 => 13,
        _ => 255,
    }
}

#[test]
fn two_zips_become_images_labels_instances_manifest_and_description() {
    let root = Root::new();
    let info = root.prepare("cityscapes", &root.zips(&cityscapes())).expect("prepared");
    assert_eq!(info.splits["train"].labelled, 3);
    assert_eq!((info.splits["test"].images, info.splits["test"].labelled), (1, 0));

    let prepared = PreparedDataset::open(root.path(), "cityscapes").expect("opened");
    assert_eq!(prepared.info, info);
    let ids: Vec<&str> = prepared.all_records().iter().map(|record| record.id.as_str()).collect();
    assert_eq!(ids, CITYSCAPES_FRAMES.map(|frame| frame.id));
    for ((seed, frame), record) in (0..).zip(&CITYSCAPES_FRAMES).zip(prepared.all_records()) {
        assert_eq!((record.width, record.height), (WIDTH, HEIGHT));
        assert_eq!(record.image_sha256, sha256_bytes(&street(seed)));
        assert_eq!(fs::read(prepared.path().join(&record.image)).expect("there"), street(seed));
        assert_eq!(prepared.image(record).expect("decoded").dimensions(), (WIDTH, HEIGHT));
        if frame.split == "test" {
            assert_eq!((&record.label, record.class_pixels.len()), (&None, 0));
            assert!(prepared.labels(record).is_err());
            continue;
        }
        let expected: Vec<u8> = (0..HEIGHT)
            .flat_map(|y| (0..WIDTH).map(move |x| train_id(cityscapes_label_id(frame, x, y))))
            .collect();
        assert_eq!(prepared.labels(record).expect("decoded").as_slice(), expected);
        let count = |label: u8| expected.iter().filter(|pixel| **pixel == label).count() as u64;
        assert_eq!(record.class_pixels, (0..19).map(count).collect::<Vec<_>>());
        assert_eq!(record.ignored_pixels, count(255));
        let label = fs::read(prepared.path().join(record.label.as_ref().expect("labelled"))).expect("there");
        assert_eq!(record.label_sha256, Some(sha256_bytes(&label)));
    }
    let files = root.tree("cityscapes");
    let instances: Vec<&String> = files.keys().filter(|name| name.starts_with("instances/")).collect();
    assert_eq!(instances.len(), LABELLED);
    let original = &cityscapes().0["gtFine/val/lindau/lindau_000000_000019_gtFine_instanceIds.png"];
    assert_eq!(&files["instances/val/lindau_000000_000019.png"], original);
}

#[test]
fn zips_in_any_order_a_folder_and_a_folder_of_zips_give_the_same_tree() {
    let with_zips = Root::new();
    let [labels, images] = with_zips.zips(&cityscapes());
    with_zips.prepare("cityscapes", &[images, labels]).expect("prepared");
    let mut expected = with_zips.tree("cityscapes");

    let with_folder = Root::new();
    let folder = with_folder.folder("downloads/cityscapes", &cityscapes());
    with_folder.prepare("cityscapes", &[folder]).expect("prepared");

    let with_halves = Root::new();
    let folder = with_halves.folder("halves", &cityscapes());
    with_halves
        .prepare("cityscapes", &[folder.join("gtFine"), folder.join("leftImg8bit")])
        .expect("prepared");

    let with_folder_of_zips = Root::new();
    let raw = with_folder_of_zips.path().join("raw/cityscapes");
    fs::create_dir_all(&raw).expect("a folder");
    for zip in with_folder_of_zips.zips(&cityscapes()) {
        fs::rename(&zip, raw.join(zip.file_name().expect("a name"))).expect("moved");
    }
    with_folder_of_zips.prepare("cityscapes", &[]).expect("prepared");

    assert_same(&with_folder_of_zips.tree("cityscapes"), &expected);
    // The description names its sources, and the state depends on what a folder knows of a file.
    let differing = ["dataset.yaml", ".segbench/prepare.json"];
    expected.retain(|name, _| !differing.contains(&name.as_str()));
    for root in [with_folder, with_halves] {
        let mut tree = root.tree("cityscapes");
        tree.retain(|name, _| !differing.contains(&name.as_str()));
        assert_same(&tree, &expected);
    }
}

/// Compares two trees without printing their bytes.
fn assert_same(tree: &BTreeMap<String, Vec<u8>>, expected: &BTreeMap<String, Vec<u8>>) {
    assert_eq!(tree.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (name, bytes) in tree {
        assert!(bytes == &expected[name], "{name} differs");
    }
}

#[test]
fn a_second_run_finds_everything_done_and_changed_files_do_not_count_as_done() {
    let root = Root::new();
    let zips = root.zips(&cityscapes());
    root.prepare("cityscapes", &zips).expect("prepared");
    let again = root.plan("cityscapes", &zips, &[]).expect("planned");
    assert!(again.is_done().expect("read"));
    assert!(is_up_to_date(root.path(), "cityscapes", again.fingerprint()).expect("read"));

    let mut changed = cityscapes();
    changed.change("leftImg8bit/val/lindau", |bytes| *bytes = street(99));
    let changed = root.plan("cityscapes", &root.zips(&changed), &[]).expect("planned");
    assert!(!changed.is_done().expect("read"));
    fs::remove_file(root.prepared("cityscapes").join("manifest.parquet")).expect("removed");
    assert!(!again.is_done().expect("read"));
}

#[test]
fn tasks_of_another_process_in_another_order_and_twice_give_the_same_bytes() {
    let files = many_frames(IMAGES);
    let undisturbed = Root::new();
    undisturbed.prepare("cityscapes", &undisturbed.zips(&files)).expect("prepared");

    let root = Root::new();
    let first = root.plan("cityscapes", &root.zips(&files), &[]).expect("planned");
    assert_eq!((first.image_count(), first.task_count()), (IMAGES, 3));
    first.begin().expect("begun");
    first.run_task(1).expect("converted");
    // A killed writer leaves a file such as this one.
    let leftover = root.prepared("cityscapes").join(format!("labels/train/x.png{TEMPORARY_MARK}1-2"));
    fs::write(&leftover, "half").expect("written");
    let plan = serde_json::to_string(first.description()).expect("a plan is JSON");

    let second = Conversion::open(&serde_json::from_str(&plan).expect("the same plan")).expect("opened");
    second.begin().expect("begun");
    assert!(!leftover.exists());
    let mut tasks = Vec::new();
    for index in [2, 0, 1, 0] {
        tasks.push(second.run_task(index).expect("converted"));
    }
    second.finish(tasks).expect("finished");
    assert_same(&root.tree("cityscapes"), &undisturbed.tree("cityscapes"));
    assert!(second.run_task(3).is_err());
}

#[test]
fn a_missing_task_is_refused_and_nothing_claims_to_be_complete() {
    let root = Root::new();
    let conversion = root.plan("cityscapes", &root.zips(&many_frames(IMAGES)), &[]).expect("planned");
    conversion.begin().expect("begun");
    let tasks = [0, 2].map(|index| conversion.run_task(index).expect("converted"));
    let err = conversion.finish(tasks.into()).expect_err("task 1 did not run");
    // Sixteen images are in a task.
    assert!(err.to_string().contains("town_000016_000019"), "{err}");
    root.assert_nothing_half_written("cityscapes");
}

#[test]
fn another_choice_of_splits_removes_what_is_no_longer_part() {
    let root = Root::new();
    let zips = root.zips(&cityscapes());
    root.prepare("cityscapes", &zips).expect("prepared");
    let info = root.plan("cityscapes", &zips, &["val"]).expect("planned").run(&Silent).expect("prepared");
    assert_eq!(info.splits.keys().collect::<Vec<_>>(), ["val"]);
    let tree = root.tree("cityscapes");
    assert!(tree.keys().all(|name| !name.contains("aachen")), "{:?}", tree.keys());
    assert!(tree.contains_key("labels/val/lindau_000000_000019.png"));
}

#[test]
fn a_number_of_images_unlike_the_published_one_is_noted() {
    let root = Root::new();
    let conversion = root.plan("cityscapes", &root.zips(&cityscapes()), &["val"]).expect("planned");
    assert_eq!(conversion.notes(), ["the split `val` has 1 image, the complete data set has 500"]);
}

#[test]
fn the_sample_is_drawn_once_and_goes_through_the_same_converter() {
    let root = Root::new();
    let sample = SampleOptions { seed: 5, width: 96, height: 48, train: 2, val: 1, test: 1 };
    let options = ConversionOptions { sample, ..ConversionOptions::default() };
    let plan = || Conversion::plan("sample", &options, &[], &[], root.path()).expect("planned");
    let info = plan().run(&Silent).expect("prepared");
    assert_eq!(
        (info.splits["train"].labelled, info.splits["val"].labelled, info.splits["test"].labelled),
        (2, 1, 0)
    );
    let archive = root.path().join("raw/sample/gtFine_trainvaltest.zip");
    let drawn = fs::metadata(&archive).and_then(|metadata| metadata.modified()).expect("there");
    assert!(plan().is_done().expect("read"));
    assert_eq!(fs::metadata(&archive).and_then(|metadata| metadata.modified()).expect("there"), drawn);
}

const IMAGES: usize = 35;

/// Enough frames for three tasks.
fn many_frames(count: usize) -> Files {
    let mut files = Files::default();
    let labels = cityscapes().0["gtFine/train/ulm/ulm_000000_000019_gtFine_labelIds.png"].clone();
    for index in 0..count {
        let id = format!("town_{index:06}_000019");
        files.insert(&format!("gtFine/train/town/{id}_gtFine_labelIds.png"), labels.clone());
        files.insert(&format!("leftImg8bit/train/town/{id}_leftImg8bit.png"), street(index as u8));
    }
    files
}
