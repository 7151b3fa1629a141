//! A data set of the user's own, described in a file.

use std::fs;

use proptest::prelude::*;
use segbench_datasets::{PreparedDataset, cards, check_name, find};
use segbench_testkit::{Files, HEIGHT, WIDTH, grey8, street};
use segbench_types::{ErrorKind, Explain as _};

use crate::support::{Root, expected, images, labels};

const DESCRIPTION: &str = "
name: fields
title: Fields from above
licence: CC BY 4.0
splits:
  - { name: train, folders: [training] }
  - { name: val, images: 1 }
images:
  - pattern: \"photos/{split}/{flight}/{frame}.png\"
labels:
  - pattern: \"masks/{split}/{flight}/{frame}_mask.png\"
    map: { 9: 2 }
classes:
  name: fields-2
  list:
    - { id: 2, name: crop, color: [0, 200, 0] }
    - { id: 5, name: weed, color: [200, 0, 0] }
  ignored:
    - { id: 0 }
";

fn files() -> Files {
    let mut files = Files::default();
    for (seed, (split, flight)) in (0..).zip([("training", "may"), ("training", "june"), ("val", "may_2")]) {
        let values: Vec<u8> =
            (0..HEIGHT).flat_map(|_| (0..WIDTH).map(|x| [0, 2, 5, 9][x as usize % 4])).collect();
        files.insert(&format!("photos/{split}/{flight}/0001.png"), street(seed));
        files.insert(&format!("masks/{split}/{flight}/0001_mask.png"), grey8(WIDTH, HEIGHT, &values));
    }
    files
}

fn described(root: &Root, text: &str) -> String {
    let path = root.path().join("fields.yaml");
    fs::write(&path, text).expect("written");
    path.display().to_string()
}

#[test]
fn images_and_masks_in_folders_need_a_description_and_no_program() {
    let root = Root::new();
    let name = described(&root, DESCRIPTION);
    let source = root.folder("download", &files());
    root.prepare(&name, &[source]).expect("prepared");
    let prepared = PreparedDataset::open(root.path(), "fields").expect("opened");
    assert_eq!(images(&prepared), [("train", "june_0001"), ("train", "may_0001"), ("val", "may_2_0001")]);
    let label = |x, _| [255, 0, 1, 0][x as usize % 4];
    assert!(labels(&prepared, "june_0001") == expected(WIDTH, HEIGHT, label));
    assert_eq!(prepared.info.licence, "CC BY 4.0");
}

#[test]
fn a_description_in_the_data_folder_goes_by_its_name() {
    let root = Root::new();
    assert!(check_name("fields", root.path()).is_err());
    fs::create_dir_all(root.path().join("datasets")).expect("a folder");
    fs::write(root.path().join("datasets/fields.yaml"), DESCRIPTION).expect("written");
    assert_eq!(find("fields", root.path()).expect("found").title, "Fields from above");
    let source = root.folder("download", &files());
    root.prepare("fields", &[source]).expect("prepared");
    // A prepared data set is known also without its description.
    fs::remove_file(root.path().join("datasets/fields.yaml")).expect("removed");
    check_name("fields", root.path()).expect("known");
}

#[test]
fn a_changed_description_is_another_conversion() {
    let root = Root::new();
    let source = root.folder("download", &files());
    let name = described(&root, DESCRIPTION);
    let first =
        root.plan(&name, std::slice::from_ref(&source), &[]).expect("planned").fingerprint().to_owned();
    let name = described(&root, &DESCRIPTION.replace("9: 2", "9: 5"));
    let second = root.plan(&name, &[source], &[]).expect("planned").fingerprint().to_owned();
    assert_ne!(first, second);
}

#[test]
fn every_problem_of_a_description_is_told_with_its_place() {
    let root = Root::new();
    let wrong = DESCRIPTION
        .replace("name: fields\n", "name: My Fields\n")
        .replace("{flight}/{frame}_mask", "{frame}_mask")
        .replace("id: 5", "id: 2")
        .replace("folders: [training]", "folders: [val]")
        .replace("CC BY 4.0", "''");
    let err = find(&described(&root, &wrong), root.path()).expect_err("refused");
    let text = err.to_string();
    for part in [
        "name: got `My Fields`",
        "labels: `masks/",
        "classes: the value 2",
        "splits[1]: `val`",
        "licence: ",
        "fields.yaml",
    ] {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
    assert_eq!(err.kind(), ErrorKind::Configuration);
    assert!(err.help().expect("advice").contains("docs/datasets.md"));
}

#[test]
fn unknown_keys_wrong_types_and_missing_ways_are_refused_with_line_or_place() {
    let root = Root::new();
    for (from, to, part) in [
        ("licence:", "license:", "unknown field `license`"),
        ("id: 5", "id: five", "classes.list[1].id"),
        ("color: [0, 200, 0]", "color: [0, 300, 0]", "classes.list[0].color"),
        ("map: { 9: 2 }", "coding: colours", "unknown variant `colours`"),
        ("map: { 9: 2 }", "map_table: absent.csv", "labels[0].map_table"),
        ("\"photos/{split}/{flight}", "\"photos/{flight}", "{split} both or neither"),
        ("name: fields-2", "name: fields-2\n  table: camvid-11.csv", "either `table` or `list`"),
        ("classes:", "lists: [{ pattern: all.txt }]\nclasses:", "needs {split}"),
        ("splits:", "tolerate: -1\nsplits:", "tolerate"),
    ] {
        let text = DESCRIPTION.replace(from, to);
        assert_ne!(text, DESCRIPTION);
        let err = find(&described(&root, &text), root.path()).expect_err(to).to_string();
        assert!(err.contains(part), "`{part}` is not in: {err}");
    }
    // Neither paths nor lists nor shares.
    let text = DESCRIPTION.replace("{split}/", "");
    let err = find(&described(&root, &text), root.path()).expect_err("no way").to_string();
    assert!(err.contains("`share`"), "{err}");
}

#[test]
fn all_built_in_descriptions_are_valid() {
    let names: Vec<&str> = cards().iter().map(|card| card.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "ade20k",
            "ade20k-full",
            "apsis",
            "camvid",
            "camvid-original",
            "cityscapes",
            "cityscapes-coarse",
            "gta5",
            "phantom",
            "sample",
            "synthia",
            "synthia-cvpr16",
            "synthia-seqs",
            "voc2012",
        ]
    );
    let classes: Vec<usize> = cards().iter().map(|card| card.catalog().len()).collect();
    assert_eq!(classes, [150, 150, 2, 11, 31, 19, 19, 19, 4, 19, 22, 12, 13, 21]);
}

proptest! {
    // Every case writes files.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_damage_to_a_description_is_an_error_or_harmless_but_no_panic(at in 0_usize..700, text in ".{0,8}") {
        let root = Root::new();
        let mut bytes = DESCRIPTION.to_owned();
        let at = at % bytes.len();
        bytes.replace_range(at..(at + text.len()).min(bytes.len()), &text);
        let _ = find(&described(&root, &bytes), root.path());
    }

    #[test]
    fn any_pattern_is_an_error_or_harmless_but_no_panic(pattern in "[a-c{}*/._ä]{0,24}", path in "[a-c/._ä]{0,24}") {
        let root = Root::new();
        let quoted = serde_json::to_string(&pattern).expect("a text");
        let text = DESCRIPTION
            .replace("\"photos/{split}/{flight}/{frame}.png\"", &quoted)
            .replace("\"masks/{split}/{flight}/{frame}_mask.png\"", &quoted);
        let name = described(&root, &text);
        if find(&name, root.path()).is_ok() && !path.split('/').any(|part| matches!(part, "" | "." | "..")) {
            let mut files = Files::default();
            files.insert(&path, "x");
            let source = root.folder("download", &files);
            let _ = root.plan(&name, &[source], &[]);
        }
    }

    #[test]
    fn any_json_is_an_error_or_harmless_but_no_panic(at in 0_usize..4000, text in ".{0,6}") {
        let mut files = segbench_testkit::cityscapes().below("gtFine/val");
        files.remove("_labelIds");
        files.insert("leftImg8bit/val/lindau/lindau_000000_000019_leftImg8bit.png", street(3));
        files.change("_polygons", |bytes| {
            let at = at % bytes.len();
            let end = (at + text.len()).min(bytes.len());
            bytes.splice(at..end, text.bytes());
        });
        let root = Root::new();
        let source = root.folder("x", &files);
        let _ = root.prepare("cityscapes", &[source]);
    }
}
