//! SYNTHIA in its three forms, and its taxonomies.

use std::collections::BTreeSet;

use segbench_datasets::{PreparedDataset, taxonomy};
use segbench_testkit::{Files, HEIGHT, WIDTH, synthia, synthia_cvpr16, synthia_id, synthia_seqs};

use crate::support::{Root, expected, images, labels};

/// Train id of an id of SYNTHIA.
fn native(id: u8) -> u8 {
    if id == 0 { 255 } else { id - 1 }
}

#[test]
fn the_first_sample_is_the_class_in_every_kind_of_png() {
    let root = Root::new();
    let prepared = root.prepared_from("synthia", "RAND", &synthia());
    // 16-bit RGB, 16-bit grey and alpha, 8-bit RGB.
    for id in ["0000000", "0000001", "0000002"] {
        let expected = expected(WIDTH, HEIGHT, |x, y| native(synthia_id(x, y)));
        assert!(labels(&prepared, id) == expected, "{id}");
    }
    // The train ids of the pack came back as SYNTHIA's ids: sky is 1, road is 3.
    let pack = |x, y| {
        if x == 0 {
            255
        } else if y < 9 {
            native(1)
        } else {
            native(3)
        }
    };
    assert!(labels(&prepared, "0000004") == expected(WIDTH, HEIGHT, pack));
}

#[test]
fn a_broken_pair_is_left_out_and_named_and_too_many_are_refused() {
    let root = Root::new();
    let prepared = root.prepared_from("synthia", "RAND", &synthia());
    assert_eq!(prepared.all_records().len(), 11);
    let skipped = root.findings("synthia").skipped;
    assert_eq!(skipped.len(), 1);
    assert_eq!((skipped[0].id.as_str(), skipped[0].is_known), ("0000003", false));
    assert!(skipped[0].reason.contains("GT/LABELS/0000003.png") && skipped[0].reason.contains("truncated"));

    // Twenty-five cut-off files are too many for one bad archive.
    let mut many = Files::default();
    let names = synthia().0;
    for number in 0..25 {
        for part in ["RGB", "GT/LABELS"] {
            let bytes = names[&format!("RAND_CITYSCAPES/{part}/0000000.png")].clone();
            let keep = if part == "RGB" { bytes.len() } else { 150 };
            many.insert(&format!("{part}/{number:07}.png"), &bytes[..keep]);
        }
    }
    let root = Root::new();
    let source = root.folder("RAND", &many);
    let err = root.prepare("synthia", &[source]).expect_err("refused").to_string();
    assert!(err.contains("25 images of `synthia` cannot be used (at most 20"), "{err}");
    root.assert_nothing_half_written("synthia");
}

#[test]
fn names_with_backslashes_are_folders() {
    let root = Root::new();
    let flat: Files = Files(
        synthia()
            .0
            .into_iter()
            .map(|(name, bytes)| (name.replacen("RAND_CITYSCAPES/", "", 1).replace('/', "\\"), bytes))
            .collect(),
    );
    let prepared = root.prepared_from("synthia", "flat", &flat);
    assert_eq!(prepared.all_records().len(), 11);
}

#[test]
fn the_split_is_by_hash_and_lists_of_the_user_come_first() {
    let root = Root::new();
    let prepared = root.prepared_from("synthia", "RAND", &synthia());
    // SHA-256 of the names modulo 10, by Python's hashlib: 0000001, 0000007 give 9; 0000006, 0000009 give 8.
    let split = |name: &str| -> BTreeSet<&str> {
        images(&prepared).into_iter().filter(|(split, _)| *split == name).map(|(_, id)| id).collect()
    };
    assert_eq!(split("test"), BTreeSet::from(["0000001", "0000007"]));
    assert_eq!(split("val"), BTreeSet::from(["0000006", "0000009"]));

    let mut files = synthia();
    files.insert("RAND_CITYSCAPES/train.txt", "RGB/0000001.png\n0000002\n");
    files.insert("RAND_CITYSCAPES/val.txt", "0\n");
    let root = Root::new();
    let prepared = root.prepared_from("synthia", "RAND", &files);
    assert_eq!(images(&prepared), [("train", "0000001"), ("train", "0000002"), ("val", "0000000")]);
    assert!(root.findings("synthia").notes[0].contains("9 images are in no list"));
}

#[test]
fn a_taxonomy_behind_the_name_converts_to_other_classes() {
    let root = Root::new();
    let source = root.folder("RAND", &synthia());
    for (to, classes) in
        [("cityscapes-19", 19), ("cityscapes-16", 16), ("cityscapes-13", 13), ("synthia-11", 11)]
    {
        let name = format!("synthia@{to}");
        let info = root.prepare(&name, std::slice::from_ref(&source)).expect("prepared");
        assert_eq!((info.name.as_str(), info.catalog.len()), (name.as_str(), classes));
        let prepared = PreparedDataset::open(root.path(), &name).expect("opened");
        let train_ids = taxonomy("synthia-22", to).expect("known").train_ids();
        let train_id = |x, y| train_ids.get(usize::from(native(synthia_id(x, y)))).copied().unwrap_or(255);
        assert!(labels(&prepared, "0000000") == expected(WIDTH, HEIGHT, train_id), "{to}");
    }
    // By hand, from the converters of others: road 3 to 0, wall 21 to 3, lane markings 22 to nothing.
    let ids = taxonomy("synthia-22", "cityscapes-19").expect("known").train_ids();
    assert_eq!(
        [3, 4, 2, 21, 5, 7, 15, 9, 6, 16, 1, 10, 17, 8, 18, 19, 20, 12, 11].map(|id| ids[id - 1]),
        std::array::from_fn::<u8, 19, _>(|id| id as u8)
    );
    assert_eq!([13, 14, 22].map(|id| ids[id - 1]), [255; 3]);
}

#[test]
fn texts_of_numbers_are_read_and_both_voids_are_ignored() {
    let root = Root::new();
    let prepared = root.prepared_from("synthia-cvpr16", "RAND", &synthia_cvpr16());
    assert_eq!(prepared.all_records().len(), 2);
    let id = "ap_000_02-11-2015_18-02-19_000062_3_Rand_2";
    // Values from -1 to 12: -1 and 0 are void.
    let train_id = |x, y| match (x + y) % 14 {
        0 | 1 => 255,
        value => (value - 2) as u8,
    };
    assert!(labels(&prepared, id) == expected(WIDTH, HEIGHT, train_id));
}

#[test]
fn frames_of_sequences_have_ids_of_their_own_and_a_sequence_is_in_one_split() {
    let root = Root::new();
    let names =
        ["SYNTHIA-SEQS-01-DAWN", "SYNTHIA-SEQS-02-FOG", "SYNTHIA-SEQS-04-NIGHT", "SYNTHIA-SEQS-05-RAIN"];
    let prepared = root.prepared_from("synthia-seqs@cityscapes-19", "all", &synthia_seqs(&names));
    assert_eq!(prepared.all_records().len(), 8);
    for name in names {
        let splits: BTreeSet<&str> = images(&prepared)
            .into_iter()
            .filter(|(_, id)| id.starts_with(name))
            .map(|(split, _)| split)
            .collect();
        assert_eq!(splits.len(), 1, "{name}");
    }
    // Ids 0 to 12 and 15 as classes of Cityscapes; lane markings are road.
    let train_ids = [255, 10, 2, 0, 1, 4, 8, 5, 13, 7, 11, 18, 0, 6];
    let id = "SYNTHIA-SEQS-01-DAWN_Stereo_Left_Omni_F_000001";
    assert!(labels(&prepared, id) == expected(WIDTH, HEIGHT, |x, _| train_ids[x as usize % 14]));
}

#[test]
fn an_unknown_taxonomy_is_refused_with_those_that_fit() {
    let err = Root::new().prepare("synthia@cityscapes-20", &[]).expect_err("unknown").to_string();
    assert!(
        err.contains("cityscapes-20") && err.contains("cityscapes-16") && !err.contains("camvid"),
        "{err}"
    );
}
