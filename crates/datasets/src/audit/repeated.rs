//! Images that are there more than once, by the hash of their bytes.

use std::collections::BTreeMap;

use segbench_types::ImageRecord;

use super::{Issue, IssueKind};

/// Every image that repeats an earlier one of the manifest: of its own split if there is one, else of another.
pub(super) fn find(records: &[ImageRecord]) -> Vec<Issue> {
    let mut seen: BTreeMap<&str, Vec<&ImageRecord>> = BTreeMap::new();
    let mut issues = Vec::new();
    for record in records {
        let same = seen.entry(&record.image_sha256).or_default();
        // A copy of an image that leaked already is one leak more.
        let other_split = same.iter().find(|other| other.split != record.split);
        let same_split = same.iter().find(|other| other.split == record.split);
        let mut add = |kind: IssueKind, other: &ImageRecord| {
            issues.push(Issue {
                split: record.split.clone(),
                id: record.id.clone(),
                kind,
                detail: format!("it is the same image as `{}` in `{}`", other.id, other.split),
            });
        };
        if let Some(other) = other_split {
            add(IssueKind::Leak, other);
        }
        if let Some(other) = same_split {
            add(IssueKind::Duplicate, other);
        }
        same.push(record);
    }
    issues
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(split: &str, id: &str, hash: &str) -> ImageRecord {
        ImageRecord {
            id: id.into(),
            split: split.into(),
            image: String::new(),
            label: None,
            width: 1,
            height: 1,
            image_sha256: hash.into(),
            label_sha256: None,
            class_pixels: Vec::new(),
            ignored_pixels: 0,
        }
    }

    #[test]
    fn copies_within_a_split_are_duplicates_and_across_splits_are_leaks() {
        let records = [
            record("train", "a", "1"),
            record("train", "b", "2"),
            record("train", "c", "1"),
            record("val", "d", "3"),
            record("val", "e", "1"),
        ];
        let found: Vec<(String, IssueKind, String)> =
            find(&records).into_iter().map(|issue| (issue.id, issue.kind, issue.detail)).collect();
        let detail = |id: &str| format!("it is the same image as `{id}` in `train`");
        assert_eq!(
            found,
            [("c".into(), IssueKind::Duplicate, detail("a")), ("e".into(), IssueKind::Leak, detail("a"))]
        );
    }
}
