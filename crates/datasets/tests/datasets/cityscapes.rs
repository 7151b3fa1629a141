//! Cityscapes beyond the fine label files: coarse annotations, outlines alone, train ids alone.

use segbench_datasets::{Error, label_png};
use segbench_testkit::{CITYSCAPES_FRAMES, HEIGHT, WIDTH, cityscapes, cityscapes_coarse, grey8};
use segbench_types::{IGNORE, LabelMap};

use crate::support::{Root, images, labels};

#[test]
fn outlines_alone_give_the_labels_and_instances_of_the_label_files() {
    let with_pngs = Root::new();
    with_pngs.prepare("cityscapes", &with_pngs.zips(&cityscapes())).expect("prepared");
    let mut files = cityscapes();
    files.remove("_labelIds.png");
    files.remove("_instanceIds.png");
    let with_json = Root::new();
    with_json.prepare("cityscapes", &with_json.zips(&files)).expect("prepared");
    let (mut drawn, mut expected) = (with_json.tree("cityscapes"), with_pngs.tree("cityscapes"));
    for name in ["dataset.yaml", ".segbench/prepare.json"] {
        drawn.remove(name);
        expected.remove(name);
    }
    assert_eq!(drawn.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (name, bytes) in &expected {
        if name.starts_with("instances/") {
            let numbers = |bytes: &[u8]| label_png::decode(bytes).expect("decoded").samples;
            assert!(numbers(&drawn[name]) == numbers(bytes), "{name}");
        } else {
            assert!(drawn[name] == *bytes, "{name}");
        }
    }
}

#[test]
fn an_outline_with_an_unknown_label_is_refused_by_name() {
    let mut files = cityscapes();
    files.remove("_labelIds.png");
    files.change("ulm_000000_000019_gtFine_polygons", |bytes| {
        *bytes = String::from_utf8_lossy(bytes).replace("\"sky\"", "\"heaven\"").into_bytes();
    });
    let root = Root::new();
    let err = root.prepare("cityscapes", &root.zips(&files)).expect_err("refused").to_string();
    assert!(err.contains("heaven") && err.contains("ulm_000000_000019_gtFine_polygons.json"), "{err}");
}

#[test]
fn label_files_of_train_ids_alone_do_as_well() {
    let with_ids = Root::new();
    let first = with_ids.prepared_from("cityscapes", "x", &cityscapes());
    let mut files = cityscapes();
    for frame in CITYSCAPES_FRAMES.iter().filter(|frame| frame.split != "test") {
        let name = files.name(&format!("{}_gtFine_labelIds", frame.id));
        let map = labels(&first, frame.id);
        files.insert(&name.replace("labelIds", "labelTrainIds"), grey8(WIDTH, HEIGHT, map.as_slice()));
    }
    files.remove("_labelIds.png");
    files.remove("_polygons.json");
    let with_train_ids = Root::new();
    let second = with_train_ids.prepared_from("cityscapes", "x", &files);
    for frame in CITYSCAPES_FRAMES.iter().filter(|frame| frame.split != "test") {
        assert!(labels(&first, frame.id) == labels(&second, frame.id), "{}", frame.id);
    }
}

#[test]
fn coarse_annotations_come_with_train_extra_and_without_the_damaged_photo() {
    let root = Root::new();
    let prepared = root.prepared_from("cityscapes-coarse", "x", &cityscapes_coarse());
    assert_eq!(
        images(&prepared),
        [
            ("train", "aachen_000000_000019"),
            ("train", "aachen_000001_000019"),
            ("train", "ulm_000000_000019"),
            ("train_extra", "augsburg_000000_000019"),
            ("val", "lindau_000000_000019"),
        ]
    );
    assert!(prepared.all_records().iter().all(|record| record.label.is_some()));
    let findings = root.findings("cityscapes-coarse");
    assert_eq!((findings.skipped.len(), findings.skipped[0].is_known), (1, true));
    assert!(
        findings
            .notes
            .iter()
            .any(|note| note.contains("troisdorf_000000_000073") && note.contains("left out"))
    );
    // The photo that is left out counts as one that is there.
    assert!(
        findings
            .notes
            .contains(&"the split `train_extra` has 2 images, the complete data set has 19998".to_owned())
    );
}

#[test]
fn train_extra_alone_needs_no_other_photos() {
    let mut files = cityscapes_coarse();
    files.remove("leftImg8bit/train/");
    files.remove("leftImg8bit/val/");
    let root = Root::new();
    let source = root.folder("x", &files);
    let conversion =
        root.plan("cityscapes-coarse", std::slice::from_ref(&source), &["train_extra"]).expect("planned");
    assert_eq!(conversion.image_count(), 1);
    assert!(matches!(root.plan("cityscapes-coarse", &[source], &[]), Err(Error::Unpaired { count: 4, .. })));
}

#[test]
fn train_ids_go_back_to_ids_for_the_test_server() {
    let catalog = segbench_datasets::card("cityscapes").expect("known").catalog();
    let labels = LabelMap::new(4, 1, vec![0, 18, IGNORE, 13]).expect("four labels");
    let encoded = label_png::encode_source_ids(&labels, &catalog, 0).expect("encoded");
    let label_png::Samples::Bytes(ids) = label_png::decode(&encoded).expect("decoded").samples else {
        panic!("bytes")
    };
    assert_eq!(ids, [7, 33, 0, 26]);
    let wrong = LabelMap::filled(2, 1, 19);
    assert!(label_png::encode_source_ids(&wrong, &catalog, 0).is_err());
}
