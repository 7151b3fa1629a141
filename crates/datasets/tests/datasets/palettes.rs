//! Data sets of palette PNGs and of colors: VOC, GTA5, the original CamVid.

use segbench_datasets::{PreparedDataset, RawValue};
use segbench_testkit::{HEIGHT, WIDTH, camvid_original, gta5, gta5_id, mat_matrix, voc_id, voc2012};

use crate::support::{Root, expected, images, labels};

#[test]
fn voc_keeps_its_indices_and_its_border_is_ignored() {
    let root = Root::new();
    let prepared = root.prepared_from("voc2012", "download", &voc2012());
    assert_eq!(
        images(&prepared),
        [("train", "2007_000032"), ("train", "2007_000039"), ("val", "2007_000033")]
    );
    assert!(labels(&prepared, "2007_000032") == expected(WIDTH, HEIGHT, voc_id));
    // Four bits: 0 and 15 by turns.
    assert!(
        labels(&prepared, "2007_000039") == expected(WIDTH, HEIGHT, |x, _| if x % 2 == 0 { 0 } else { 15 })
    );
    assert!(root.findings("voc2012").notes.iter().any(|note| note.contains("1 image is in no list")));
}

#[test]
fn gta5_has_the_ids_of_cityscapes_and_its_known_faults_are_left_out() {
    let root = Root::new();
    let prepared = root.prepared_from("gta5", "download", &gta5());
    assert_eq!(images(&prepared), [("train", "00001"), ("train", "00002")]);
    let catalog = &prepared.info.catalog;
    let train_id = |x, y| {
        let id = u16::from(gta5_id(x, y));
        catalog.classes.iter().position(|class| class.source_id == id).map_or(255, |train_id| train_id as u8)
    };
    assert!(labels(&prepared, "00001") == expected(WIDTH, HEIGHT, train_id));
    let findings = root.findings("gta5");
    let skipped: Vec<(&str, bool)> =
        findings.skipped.iter().map(|skipped| (skipped.id.as_str(), skipped.is_known)).collect();
    assert_eq!(skipped, [("15188", true), ("20801", false)]);
    assert!(findings.skipped[1].reason.contains("52x37"), "{}", findings.skipped[1].reason);
}

#[test]
fn gta5_takes_the_authors_split_unless_lists_of_ones_own_are_there() {
    // One MATLAB file with a variable per split, as in the authors' read_mapping.zip.
    let ids = |name: &str, ids: &[u8]| mat_matrix(name, ids.len() as u32, 1, ids);
    let (train, val, test) = (ids("trainIds", &[2]), ids("valIds", &[1]), ids("testIds", &[]));
    let mut files = gta5();
    files.remove("20801");
    files.remove("15188");
    files.insert("read_mapping/split.mat", [&train, &val[128..], &test[128..]].concat());
    let root = Root::new();
    let prepared = root.prepared_from("gta5", "download", &files);
    assert_eq!(images(&prepared), [("train", "00002"), ("val", "00001")]);
    files.insert("train.txt", "1\n2\n");
    let root = Root::new();
    let prepared = root.prepared_from("gta5", "download", &files);
    assert_eq!(images(&prepared), [("train", "00001"), ("train", "00002")]);
}

#[test]
fn colors_of_camvid_become_classes_and_a_stray_color_is_counted() {
    let root = Root::new();
    let prepared = root.prepared_from("camvid-original", "download", &camvid_original());
    assert_eq!(
        images(&prepared),
        [("train", "0001TP_006690"), ("val", "0016E5_07959"), ("test", "0001TP_008550")]
    );
    let class = |name: &str| prepared.info.catalog.names().position(|other| other == name).expect(name) as u8;
    let (road, sky, lane, tunnel) = (class("Road"), class("Sky"), class("LaneMkgsDriv"), class("Tunnel"));
    let label = |stray: bool| {
        expected(WIDTH, HEIGHT, move |x, y| match (x, y) {
            (0, _) => 255,
            (1, 20..) => lane,
            (1, _) => tunnel,
            (_, 0..12) => sky,
            (2, 30) if stray => 255,
            _ => road,
        })
    };
    assert!(labels(&prepared, "0001TP_006690") == label(false));
    assert!(labels(&prepared, "0001TP_008550") == label(true));
    let unknown = root.findings("camvid-original").unknown;
    assert_eq!((unknown.len(), unknown[0].value, unknown[0].pixels), (1, RawValue::Color([1, 2, 3]), 1));
    assert!(unknown[0].file.ends_with("0001TP_008550_L.png"));
}

#[test]
fn the_32_classes_of_camvid_merge_into_the_11() {
    let root = Root::new();
    let source = root.folder("download", &camvid_original());
    root.prepare("camvid-original@camvid-11", &[source]).expect("prepared");
    let prepared = PreparedDataset::open(root.path(), "camvid-original@camvid-11").expect("opened");
    // Sky 0, Building 1, Road 3.
    let label = |x, y| match (x, y) {
        (0, _) => 255,
        (1, 20..) => 3,
        (1, _) => 1,
        (_, 0..12) => 0,
        _ => 3,
    };
    assert!(labels(&prepared, "0001TP_006690") == expected(WIDTH, HEIGHT, label));
}
