//! Label files of train ids beside the originals, as cityscapesScripts' `csCreateTrainIdLabelImgs` leaves them.

use std::fs;
use std::path::{Path, PathBuf};

use segbench_datasets::{Error, InPlace, card, label_png, write_train_ids};
use segbench_testkit::{
    CITYSCAPES_FRAMES, Files, Frame, HEIGHT, WIDTH, cityscapes, cityscapes_label_id, grey8,
};
use segbench_types::{ErrorKind, Explain as _, Silent};

use crate::support::{Root, expected};

fn write(folder: &Path, splits: &[&str]) -> Result<InPlace, Error> {
    let splits: Vec<String> = splits.iter().map(|split| (*split).to_owned()).collect();
    write_train_ids(card("cityscapes").expect("known"), &[folder.to_owned()], &splits, &Silent)
}

fn target(folder: &Path, frame: &Frame) -> PathBuf {
    let city = frame.id.split('_').next().unwrap_or_default();
    folder.join(format!("gtFine/{}/{city}/{}_gtFine_labelTrainIds.png", frame.split, frame.id))
}

/// The official table, for the ids that the miniature has.
fn train_id(id: u8) -> u8 {
    match id {
        7 => 0,
        23 => 10,
        26 => 13,
        _ => 255,
    }
}

fn assert_right(folder: &Path) {
    for frame in &CITYSCAPES_FRAMES {
        let labels = label_png::read(&target(folder, frame)).expect(frame.id);
        let wanted = expected(WIDTH, HEIGHT, |x, y| train_id(cityscapes_label_id(frame, x, y)));
        assert_eq!(labels, wanted, "{}", frame.id);
    }
}

#[test]
fn train_ids_stand_beside_label_ids_and_a_second_run_touches_nothing() {
    let root = Root::new();
    let folder = root.folder("cityscapes", &cityscapes());
    assert_eq!(write(&folder, &[]).expect("written"), InPlace { written: 5, unchanged: 0 });
    assert_right(&folder);
    // Grey, whatever program reads it: color type 0 in the header.
    let bytes = fs::read(target(&folder, &CITYSCAPES_FRAMES[0])).expect("read");
    assert_eq!((bytes[24], bytes[25]), (8, 0));
    // A run that was cut off, and a tool that wrote something else.
    fs::remove_file(target(&folder, &CITYSCAPES_FRAMES[1])).expect("removed");
    fs::write(target(&folder, &CITYSCAPES_FRAMES[2]), &bytes[..60]).expect("written");
    assert_eq!(write(&folder, &[]).expect("written"), InPlace { written: 2, unchanged: 3 });
    assert_right(&folder);
    // The tree still prepares as it did.
    root.prepare("cityscapes", &[folder]).expect("prepared");
}

#[test]
fn outlines_do_where_there_are_no_label_ids_and_splits_are_chosen() {
    let mut files = cityscapes();
    files.remove("labelIds");
    let root = Root::new();
    let folder = root.folder("cityscapes", &files);
    assert_eq!(write(&folder, &["val"]).expect("written").written, 1);
    assert!(!target(&folder, &CITYSCAPES_FRAMES[0]).exists());
    assert_eq!(write(&folder, &[]).expect("written").written, 4);
    assert_right(&folder);
}

#[test]
fn what_is_broken_is_named_and_the_rest_is_written() {
    let root = Root::new();
    let mut files = cityscapes();
    files.change("aachen_000000_000019_gtFine_labelIds", |bytes| bytes.truncate(50));
    let folder = root.folder("cityscapes", &files);
    let err = write(&folder, &[]).expect_err("broken");
    assert!(matches!(err, Error::Decode { ref file, .. } if file.contains("aachen_000000_000019")), "{err}");
    assert!(!target(&folder, &CITYSCAPES_FRAMES[0]).exists());
    assert!(CITYSCAPES_FRAMES[1..].iter().all(|frame| target(&folder, frame).is_file()));

    let mut files = cityscapes();
    files.insert(
        "gtFine/val/lindau/lindau_000000_000019_gtFine_labelIds.png",
        grey8(WIDTH, HEIGHT, &vec![77; (WIDTH * HEIGHT) as usize]),
    );
    let folder = root.folder("unknown", &files);
    let err = write(&folder, &[]).expect_err("an unknown id");
    assert_eq!(err.kind(), ErrorKind::InvalidData);
    assert!(err.to_string().contains("77") && err.to_string().contains("lindau_000000_000019"), "{err}");
    assert!(target(&folder, &CITYSCAPES_FRAMES[0]).is_file());
}

#[test]
fn archives_other_data_sets_and_other_classes_have_no_place_for_them() {
    let root = Root::new();
    fs::create_dir(root.path().join("zips")).expect("a folder");
    cityscapes().write_zip(&root.path().join("zips/gtFine_trainvaltest.zip"));
    let err = write(&root.path().join("zips"), &[]).expect_err("packed");
    assert!(matches!(err, Error::MissingSource { .. }), "{err}");
    assert!(err.help().is_some_and(|help| help.contains("--in-place")), "{:?}", err.help());
    let folder = root.folder("empty", &Files::default());
    for name in ["camvid", "cityscapes@cityscapes-16"] {
        let card = segbench_datasets::find(name, root.path()).expect("known");
        let err = write_train_ids(&card, std::slice::from_ref(&folder), &[], &Silent).expect_err("refused");
        assert!(matches!(err, Error::NotInPlace { .. }) && err.kind() == ErrorKind::Usage, "{err}");
    }
    assert!(matches!(write(&folder, &["vall"]), Err(Error::UnknownSplit { .. })));
}
