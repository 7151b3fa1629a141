//! Audits of prepared data sets.

use std::fs;

use segbench_datasets::{Audit, Depth, IssueKind, audit, audit_table, issue_table};
use segbench_testkit::{HEIGHT, WIDTH, camvid, camvid_label_id, camvid_original, grey8, street};
use segbench_types::{ErrorKind, Explain as _, Silent};

use crate::support::Root;

fn look(root: &Root, name: &str) -> Audit {
    audit(root.path(), name, Depth::Files, &Silent).expect("audited")
}

fn issues(audit: &Audit) -> Vec<(IssueKind, &str, &str)> {
    audit.issues.iter().map(|issue| (issue.kind, issue.split.as_str(), issue.id.as_str())).collect()
}

#[test]
fn an_intact_tree_has_its_counts_and_no_issue() {
    let root = Root::new();
    root.prepared_from("camvid", "CamVid", &camvid());
    let audit = look(&root, "camvid");
    assert_eq!(issues(&audit), []);
    audit.check().expect("intact");
    let train = &audit.splits[0];
    assert_eq!(
        (train.name.as_str(), train.images, train.official, train.labelled),
        ("train", 2, Some(367), 2)
    );
    let ignored = (0..HEIGHT)
        .flat_map(|y| (0..WIDTH).map(move |x| camvid_label_id(x, y)))
        .filter(|id| *id == 11)
        .count();
    assert_eq!((train.pixels, train.ignored_pixels), (2 * 53 * 37, 2 * ignored as u64));
    assert!(audit.notes.iter().any(|note| note.contains("complete data set has 367")));
    assert_eq!((audit_table(&audit).height(), issue_table(&audit).height()), (3, 0));
}

#[test]
fn every_kind_of_damage_is_found_and_named() {
    let root = Root::new();
    root.prepared_from("camvid", "CamVid", &camvid());
    let file = |name: &str| root.prepared("camvid").join(name);
    // Images are links to the sources; a test may change its own copies.
    let replace = |name: &str, bytes: &[u8]| {
        fs::remove_file(file(name)).expect("removed");
        fs::write(file(name), bytes).expect("written");
    };
    replace("images/train/0001TP_000030.png", &street(40)[..200]);
    replace("images/train/0001TP_000060.png", &street(99));
    fs::remove_file(file("images/val/0016E5_000010.png")).expect("removed");
    replace("labels/train/0001TP_000030.png", &grey8(WIDTH, HEIGHT, &[11; 53 * 37]));
    replace("labels/train/0001TP_000060.png", &grey8(WIDTH, HEIGHT, &[10; 53 * 37]));
    replace("labels/val/0016E5_000010.png", &grey8(HEIGHT, WIDTH, &[10; 53 * 37]));
    fs::write(file("labels/test/extra.png"), "x").expect("written");
    let audit = look(&root, "camvid");
    assert_eq!(
        issues(&audit),
        [
            (IssueKind::ExtraFile, "", "labels/test/extra.png"),
            (IssueKind::NotDecodable, "train", "0001TP_000030"),
            (IssueKind::WrongLabels, "train", "0001TP_000030"),
            (IssueKind::ChangedFile, "train", "0001TP_000060"),
            (IssueKind::WrongLabels, "train", "0001TP_000060"),
            (IssueKind::MissingFile, "val", "0016E5_000010"),
            (IssueKind::SizeMismatch, "val", "0016E5_000010"),
        ]
    );
    let err = audit.check().expect_err("damaged");
    assert_eq!(err.kind(), ErrorKind::InvalidData);
    assert!(err.to_string().contains("7 faults") && err.help().is_some(), "{err}");
}

#[test]
fn repeated_images_are_told_and_no_fault() {
    let mut files = camvid();
    let first = files.0["train/0001TP_000030.png"].clone();
    files.change("train/0001TP_000060", |bytes| *bytes = first.clone());
    files.change("test/Seq05VD", |bytes| *bytes = first);
    let root = Root::new();
    root.prepared_from("camvid", "CamVid", &files);
    let audit = look(&root, "camvid");
    assert_eq!(
        issues(&audit),
        [(IssueKind::Leak, "test", "Seq05VD_f00000"), (IssueKind::Duplicate, "train", "0001TP_000060")]
    );
    audit.check().expect("no damage");
    assert!(audit.issues[0].detail.contains("`0001TP_000030` in `train`"));
}

#[test]
fn unknown_colors_are_in_the_table_and_in_the_json() {
    let root = Root::new();
    root.prepared_from("camvid-original", "download", &camvid_original());
    let audit = look(&root, "camvid-original");
    let table = issue_table(&audit).to_markdown();
    assert!(
        table.contains("unknown-value") && table.contains("color (1, 2, 3)") && table.contains("1 pixels"),
        "{table}"
    );
    let json = serde_json::to_value(&audit).expect("JSON");
    assert_eq!(json["unknown"][0]["value"]["color"], serde_json::json!([1, 2, 3]));
    assert_eq!(json["splits"][0]["official"], 367);
}
