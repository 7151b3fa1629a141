//! Archives of every format, named or found in a folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use segbench_fetch::rar_tool;
use segbench_testkit::{Files, camvid, grey8};

use crate::support::Root;

/// The formats that can be read here, by the endings of their names.
fn formats() -> Vec<&'static str> {
    let rar = if rar_tool().is_some() { &["rar"][..] } else { &[] };
    [&["zip", "tar", "tar.gz", "tgz"], rar].concat()
}

fn write(files: &Files, path: &Path) {
    fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    let name = path.to_string_lossy().into_owned();
    match name.as_str() {
        name if name.ends_with("zip") => files.write_zip(path),
        name if name.ends_with("tar") => fs::write(path, files.tar()).expect("written"),
        name if name.ends_with("rar") => fs::write(path, files.rar()).expect("written"),
        _ => fs::write(path, files.tar_gz()).expect("written"),
    }
}

/// What must not depend on where the files came from.
fn made(root: &Root) -> BTreeMap<String, Vec<u8>> {
    let mut tree = root.tree("camvid");
    tree.retain(|name, _| name != "dataset.yaml" && name != ".segbench/prepare.json");
    tree
}

#[test]
fn archives_of_every_format_give_what_the_folder_gives() {
    let folder = Root::new();
    folder.prepared_from("camvid", "download", &camvid());
    let expected = made(&folder);
    assert!(expected.contains_key("labels/val/0016E5_000010.png"));
    for format in formats() {
        // In data/raw, together with something that is no part of the data set.
        let root = Root::new();
        let mut files = camvid();
        files.insert("depth/0001TP_000030.bin", vec![7; 3_000]);
        write(&files.within("CamVid"), &root.path().join(format!("raw/camvid/CamVid.{format}")));
        root.prepare("camvid", &[]).expect(format);
        assert!(made(&root) == expected, "{format}");
        // Named.
        let other = Root::new();
        let file = other.path().join(format!("elsewhere/CamVid.{format}"));
        write(&files, &file);
        other.prepare("camvid", &[file]).expect(format);
        assert!(made(&other) == expected, "{format}");
        for root in [root, other] {
            let unpacked = root.path().join(format!("raw/camvid/segbench-unpacked/CamVid.{format}"));
            let is_stream = format == "rar" || format.ends_with("gz");
            assert_eq!(unpacked.is_dir(), is_stream, "{format}");
            assert!(!unpacked.join("CamVid/depth").exists() && !unpacked.join("depth").exists(), "{format}");
        }
    }
}

#[test]
fn what_was_unpacked_stays_until_the_archive_changes() {
    let root = Root::new();
    let archive = root.path().join("raw/camvid/CamVid.tar.gz");
    write(&camvid(), &archive);
    root.prepare("camvid", &[]).expect("prepared");
    let (first, label) = (made(&root), "labels/val/0016E5_000010.png");
    let unpacked = root.path().join("raw/camvid/segbench-unpacked/CamVid.tar.gz/valannot/0016E5_000010.png");
    let time = || unpacked.metadata().and_then(|data| data.modified()).expect("there");
    let before = time();
    let again = root.plan("camvid", &[], &[]).expect("planned");
    assert!(again.is_done().expect("asked") && time() == before);
    let mut files = camvid();
    files.change("valannot/0016E5_000010", |bytes| *bytes = grey8(53, 37, &[3; 53 * 37]));
    files.remove("trainannot/0001TP_000060");
    files.remove("train/0001TP_000060");
    files.change("train.txt", |bytes| bytes.truncate(bytes.len() / 2));
    write(&files, &archive);
    root.prepare("camvid", &[]).expect("prepared anew");
    let second = made(&root);
    assert!(second[label] != first[label]);
    assert!(!second.contains_key("labels/train/0001TP_000060.png"), "nothing of the old archive is left");
}
