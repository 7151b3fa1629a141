//! Conversions of data sets with something wrong: what is said, and that nothing is left half written.

use segbench_datasets::{Error, RawValue};
use segbench_testkit::{Files, HEIGHT, WIDTH, cityscapes, grey8, replace_in_file, rgb8};
use segbench_types::{ErrorKind, Explain as _};

use crate::support::Root;

const LABELS: &str = "ulm_000000_000019_gtFine_labelIds.png";
const IMAGE: &str = "ulm_000000_000019_leftImg8bit.png";

/// Prepares the archives with `files` in them and checks that it fails, that the message has all `parts`, and what is left.
fn assert_refused(files: &Files, parts: &[&str], kind: ErrorKind) -> Error {
    let root = Root::new();
    let zips = root.zips(files);
    let from_zips = root.prepare("cityscapes", &zips).expect_err("refused");
    root.assert_nothing_half_written("cityscapes");
    let folder = root.folder("unpacked", files);
    let from_folder = root.prepare("cityscapes", &[folder]).expect_err("refused");
    root.assert_nothing_half_written("cityscapes");
    for err in [&from_zips, &from_folder] {
        for part in parts {
            assert!(err.to_string().contains(part), "`{part}` is not in: {err}");
        }
        assert_eq!(err.kind(), kind, "{err}");
        assert!(err.help().is_some(), "no help for: {err}");
    }
    from_zips
}

#[test]
fn a_truncated_image_is_refused_by_name() {
    let mut files = cityscapes();
    files.change(IMAGE, |bytes| bytes.truncate(bytes.len() / 2));
    assert_refused(&files, &[IMAGE, "truncated"], ErrorKind::InvalidData);
    // Only the last chunk is missing: every pixel is there, yet the file is not what its maker wrote.
    let mut files = cityscapes();
    files.change(IMAGE, |bytes| bytes.truncate(bytes.len() - 12));
    assert_refused(&files, &[IMAGE, "truncated"], ErrorKind::InvalidData);
}

#[test]
fn a_truncated_label_map_is_refused_by_name() {
    let whole = cityscapes().0[&cityscapes().name(LABELS)].len();
    // In the signature, in the header, in the pixels, before the last chunk and in its checksum.
    for keep in [10, 30, 120, whole - 12, whole - 2] {
        let mut files = cityscapes();
        files.change(LABELS, |bytes| bytes.truncate(keep));
        assert_refused(&files, &[LABELS, "truncated"], ErrorKind::InvalidData);
    }
}

#[test]
fn a_flipped_bit_in_an_image_is_refused_by_name() {
    let mut files = cityscapes();
    files.change(IMAGE, |bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 4;
    });
    assert_refused(&files, &[IMAGE, "checksum"], ErrorKind::InvalidData);
}

#[test]
fn a_file_that_is_no_image_is_refused_by_name() {
    let mut files = cityscapes();
    files.change(IMAGE, |bytes| *bytes = b"<html>Please log in</html>".to_vec());
    assert_refused(&files, &[IMAGE, "not a PNG or JPEG"], ErrorKind::InvalidData);
}

#[test]
fn a_label_map_of_another_size_is_refused_with_both_names_and_sizes() {
    let mut files = cityscapes();
    files.change(LABELS, |bytes| *bytes = grey8(HEIGHT, WIDTH, &vec![7; (WIDTH * HEIGHT) as usize]));
    assert_refused(&files, &[LABELS, IMAGE, "37x53", "53x37"], ErrorKind::InvalidData);
}

#[test]
fn a_colored_label_map_is_refused_with_advice() {
    let mut files = cityscapes();
    files.change(LABELS, |bytes| *bytes = rgb8(WIDTH, HEIGHT, &vec![7; (WIDTH * HEIGHT * 3) as usize]));
    let err = assert_refused(&files, &[LABELS, "RGB", "one channel"], ErrorKind::InvalidData);
    assert!(err.help().expect("advice").contains("labelIds"));
}

#[test]
fn unknown_label_values_are_counted_over_all_files_and_the_first_file_is_named() {
    let mut files = cityscapes();
    let mut labels = vec![7; (WIDTH * HEIGHT) as usize];
    labels[..3].fill(34);
    labels[40] = 255;
    let encoded = grey8(WIDTH, HEIGHT, &labels);
    files.change(LABELS, |bytes| *bytes = encoded.clone());
    files.change("lindau_000000_000019_gtFine_labelIds.png", |bytes| *bytes = encoded);
    let err = assert_refused(&files, &["cityscapes", "34", LABELS], ErrorKind::InvalidData);
    let Error::UnknownLabels { values, .. } = err else { panic!("{err}") };
    let counts: Vec<(RawValue, u64)> = values.iter().map(|unknown| (unknown.value, unknown.pixels)).collect();
    assert_eq!(counts, [(RawValue::Id(34), 6), (RawValue::Id(255), 2)]);
    assert!(values.iter().all(|unknown| unknown.file.ends_with(LABELS)));
}

#[test]
fn an_image_without_label_map_is_refused_with_the_file_that_is_missing() {
    let mut files = cityscapes();
    files.remove(LABELS);
    files.remove("ulm_000000_000019_gtFine_polygons.json");
    let missing = format!("gtFine/train/ulm/{LABELS}");
    assert_refused(&files, &[IMAGE, &missing], ErrorKind::InvalidData);
}

#[test]
fn a_label_map_without_image_is_refused_with_the_file_that_is_missing() {
    let mut files = cityscapes();
    files.remove(IMAGE);
    let missing = format!("leftImg8bit/train/ulm/{IMAGE}");
    assert_refused(&files, &[LABELS, &missing], ErrorKind::InvalidData);
}

#[test]
fn one_archive_alone_is_refused_with_the_other_one_named() {
    let root = Root::new();
    let [labels, images] = root.zips(&cityscapes());
    for (zip, part) in [(labels, "none of their images"), (images, "none of their label maps")] {
        let err = root.prepare("cityscapes", std::slice::from_ref(&zip)).expect_err("refused");
        assert!(err.to_string().contains(part) && err.to_string().contains("trainvaltest.zip"), "{err}");
        assert_eq!(err.kind(), ErrorKind::MissingInput);
        assert!(err.help().expect("advice").contains("leftImg8bit_trainvaltest.zip"));
    }
    root.assert_nothing_half_written("cityscapes");
}

#[test]
fn a_member_that_leaves_the_archive_is_refused() {
    let root = Root::new();
    let zips = root.zips(&cityscapes());
    let name = cityscapes().name("gtFine/val/lindau/lindau_000000_000019_gtFine_color");
    let outside = name.replacen("gtFine/val/", "x/../../go/", 1);
    replace_in_file(&zips[0], name.as_bytes(), outside.as_bytes());
    let err = root.prepare("cityscapes", &zips).expect_err("refused");
    assert!(
        err.to_string().contains(&outside) && err.to_string().contains("gtFine_trainvaltest.zip"),
        "{err}"
    );
    assert_eq!(err.kind(), ErrorKind::InvalidData);
    root.assert_nothing_half_written("cityscapes");
}

#[test]
fn backslashes_in_a_zip_are_read_as_folders() {
    let root = Root::new();
    let zips = root.zips(&cityscapes());
    let files = cityscapes();
    for name in files.below("leftImg8bit").0.keys() {
        replace_in_file(&zips[1], name.as_bytes(), name.replace('/', "\\").as_bytes());
    }
    root.prepare("cityscapes", &zips).expect("prepared");
    assert!(root.tree("cityscapes").contains_key("images/train/ulm_000000_000019.png"));
}

#[test]
fn a_member_with_a_wrong_checksum_is_refused_by_name() {
    let root = Root::new();
    let zips = root.zips(&cityscapes());
    let name = cityscapes().name(LABELS);
    let bytes = cityscapes().0[&name].clone();
    let mut damaged = bytes.clone();
    damaged[45] ^= 1;
    replace_in_file(&zips[0], &bytes, &damaged);
    let err = root.prepare("cityscapes", &zips).expect_err("refused");
    assert!(err.to_string().contains(&name) && err.to_string().contains("gtFine_trainvaltest.zip"), "{err}");
    assert_eq!(err.kind(), ErrorKind::InvalidData);
    root.assert_nothing_half_written("cityscapes");
}

#[test]
fn a_broken_run_leaves_no_older_description_behind() {
    let root = Root::new();
    root.prepare("cityscapes", &root.zips(&cityscapes())).expect("prepared");
    let mut files = cityscapes();
    files.change(IMAGE, |bytes| bytes.truncate(100));
    root.prepare("cityscapes", &root.zips(&files)).expect_err("refused");
    root.assert_nothing_half_written("cityscapes");
    root.prepare("cityscapes", &root.zips(&cityscapes())).expect("prepared again");
}

#[test]
fn an_empty_folder_has_no_files_of_the_data_set() {
    let root = Root::new();
    let empty = root.folder("empty", &Files::default());
    let err = root.prepare("cityscapes", &[empty]).expect_err("refused");
    assert!(
        err.to_string().contains("empty") && err.to_string().contains("no files of `cityscapes`"),
        "{err}"
    );
    assert_eq!(err.kind(), ErrorKind::MissingInput);
}

#[test]
fn cityscapes_without_files_says_where_to_register_and_what_works_now() {
    let root = Root::new();
    let err = root.prepare("cityscapes", &[]).expect_err("nothing there");
    assert_eq!(err.kind().exit_code(), 4);
    let help = err.help().expect("advice");
    for part in [
        "https://www.cityscapes-dataset.com/register/",
        "CITYSCAPES_USERNAME",
        "CITYSCAPES_PASSWORD",
        "--source gtFine_trainvaltest.zip --source leftImg8bit_trainvaltest.zip",
        "just prepare sample",
    ] {
        assert!(help.contains(part), "`{part}` is not in: {help}");
    }
    assert!(!root.path().join("prepared").exists());
}

#[test]
fn a_split_that_does_not_exist_is_refused_with_those_that_do() {
    let root = Root::new();
    let zips = root.zips(&cityscapes());
    let err = root.plan("cityscapes", &zips, &["valid"]).expect_err("no such split");
    assert!(err.to_string().contains("train, val, test"), "{err}");
    assert_eq!(err.kind(), ErrorKind::Usage);
}

#[test]
fn one_frame_in_two_sources_or_two_splits_is_refused() {
    let root = Root::new();
    let mut sources = root.zips(&cityscapes()).to_vec();
    sources.push(root.folder("second", &cityscapes()));
    let err = root.prepare("cityscapes", &sources).expect_err("refused");
    assert!(matches!(err, Error::Duplicate { .. }), "{err}");

    let mut files = cityscapes();
    for part in [LABELS, IMAGE] {
        let name = files.name(part);
        let bytes = files.0[&name].clone();
        files.insert(&name.replace("/train/", "/val/"), bytes);
    }
    let root = Root::new();
    let err = root.prepare("cityscapes", &root.zips(&files)).expect_err("refused");
    assert!(matches!(err, Error::Duplicate { .. }), "{err}");
}
