//! ADE20K: SceneParse150 and the full set.

use std::path::PathBuf;

use segbench_datasets::label_png::{Samples, decode};
use segbench_testkit::{ADE20K_FULL_CODES, Files, ade20k, ade20k_full, ade20k_value, grey8, jpeg_street};

use crate::support::{Root, expected, images, labels};

#[test]
fn values_lose_one_and_zero_becomes_ignored() {
    let root = Root::new();
    let prepared = root.prepared_from("ade20k", "download", &ade20k());
    assert_eq!(
        images(&prepared),
        [("train", "ADE_train_00000001"), ("train", "ADE_train_00000002"), ("val", "ADE_val_00000001")]
    );
    for (id, width, height) in
        [("ADE_train_00000001", 53, 37), ("ADE_train_00000002", 41, 60), ("ADE_val_00000001", 64, 31)]
    {
        let train_id = |x, y| match ade20k_value(x, y) {
            0 => 255,
            value => value - 1,
        };
        assert!(labels(&prepared, id) == expected(width, height, train_id), "{id}");
    }
    // A grey photo is one of three equal channels.
    let grey = prepared.image(&prepared.all_records()[1]).expect("decoded");
    let [red, green, blue] = grey.get_pixel(3, 5).0;
    assert!(red == green && green == blue && red.abs_diff(99) < 3);
    assert_eq!(prepared.info.images, "original");
}

#[test]
fn the_zip_the_folder_and_what_is_in_it_give_the_same_labels() {
    let roots = [Root::new(), Root::new(), Root::new()];
    let zip = roots[0].path().join("ADEChallengeData2016.zip");
    ade20k().write_zip(&zip);
    let folder = roots[1].folder("x", &ade20k());
    let inner = roots[2].folder("x", &ade20k()).join("ADEChallengeData2016");
    let trees = [(0, zip), (1, folder), (2, inner)].map(|(root, source)| {
        roots[root].prepare("ade20k", &[source]).expect("prepared");
        let mut tree = roots[root].tree("ade20k");
        tree.remove("manifest.parquet").expect("there")
    });
    assert!(trees[0] == trees[1] && trees[1] == trees[2]);
}

#[test]
fn a_value_above_150_is_refused() {
    let mut files = ade20k();
    files.change("annotations/validation", |bytes| *bytes = grey8(64, 31, &[151; 64 * 31]));
    let root = Root::new();
    let source = root.folder("x", &files);
    let err = root.prepare("ade20k", &[source]).expect_err("refused").to_string();
    assert!(err.contains("value 151 (1984 pixels"), "{err}");
}

#[test]
fn categories_of_the_full_set_become_the_150_classes() {
    let root = Root::new();
    let prepared = root.prepared_from("ade20k-full", "download", &ade20k_full());
    assert_eq!(images(&prepared), [("train", "ADE_train_00016869"), ("val", "ADE_val_00000005")]);
    let column = |x: u32, width: u32| match ADE20K_FULL_CODES[(x * 7 / width) as usize].1 {
        0 => 255,
        value => value - 1,
    };
    assert!(labels(&prepared, "ADE_train_00016869") == expected(53, 37, |x, _| column(x, 53)));
    // 640x530 is scaled to a shorter side of 512, and a label is that of the nearest pixel.
    let (width, height) = (618, 512);
    let record = &prepared.all_records()[1];
    assert_eq!((record.width, record.height), (width, height));
    let source = |x: u32| ((f64::from(x) + 0.5) * 640.0 / 618.0) as u32;
    assert!(labels(&prepared, "ADE_val_00000005") == expected(width, height, |x, _| column(source(x), 640)));
    let image = prepared.image(record).expect("decoded");
    assert_eq!(image.dimensions(), (width, height));
    assert!(record.image.ends_with(".png") && prepared.all_records()[0].image.ends_with(".jpg"));
    assert_eq!(prepared.info.images, "scaled down to a shorter side of 512, as PNG");
}

/// Run with `SEGBENCH_ADE20K=path/to/sceneparsing/convertFromADE cargo test -p segbench-datasets -- --ignored`.
#[test]
#[ignore = "needs the pair of files that the authors' converter comes with"]
fn the_authors_own_pair_is_converted_as_they_did() {
    let folder =
        std::env::var_os("SEGBENCH_ADE20K").map(PathBuf::from).expect("SEGBENCH_ADE20K names the folder");
    let file = |name: &str| std::fs::read(folder.join(name)).expect(name);
    let path = "images/ADE/training/a/b/ADE_train_00000970";
    let mut files = Files::default();
    files.insert(&format!("{path}.jpg"), jpeg_street(1024, 768, 1));
    files.insert(&format!("{path}_seg.png"), file("ADE_train_00000970_raw.png"));
    let root = Root::new();
    let prepared = root.prepared_from("ade20k-full", "x", &files);
    let Samples::Bytes(values) = decode(&file("ADE_train_00000970_challenge.png")).expect("decoded").samples
    else {
        panic!("16 bits")
    };
    let train_id = |x: u32, y: u32| values[(y * 683 + x) as usize].wrapping_sub(1);
    assert!(labels(&prepared, "ADE_train_00000970") == expected(683, 512, train_id));
}
