//! Every file of a prepared data set against its manifest.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use segbench_storage::sha256_bytes;
use segbench_types::{IGNORE, ImageRecord, Progress};

use super::{Issue, IssueKind};
use crate::label_png::{self, Samples};
use crate::{Error, PreparedDataset, decode_image};

/// What is wrong, in the order of the manifest.
pub(super) fn check(prepared: &PreparedDataset, progress: &dyn Progress) -> Result<Vec<Issue>, Error> {
    let records = prepared.all_records();
    let task = progress.start(&format!("checking {}", prepared.info.name), records.len() as u64);
    let found: Vec<Vec<Issue>> = records
        .par_iter()
        .map(|record| {
            let issues = check_image(prepared, record).into_iter().chain(check_label(prepared, record));
            let issues = issues.map(|(kind, detail)| Issue {
                split: record.split.clone(),
                id: record.id.clone(),
                kind,
                detail,
            });
            let issues = issues.collect();
            task.advance(1);
            issues
        })
        .collect();
    let mut issues: Vec<Issue> = found.into_iter().flatten().collect();
    let known: BTreeSet<PathBuf> = records
        .iter()
        .flat_map(|record| std::iter::once(&record.image).chain(&record.label))
        .map(|file| prepared.path().join(file))
        .collect();
    for part in ["images", "labels"] {
        extra_files(prepared.path(), &prepared.path().join(part), &known, &mut issues)?;
    }
    Ok(issues)
}

/// At most one thing is said of a file: what explains the others.
type Fault = Option<(IssueKind, String)>;

fn check_image(prepared: &PreparedDataset, record: &ImageRecord) -> Fault {
    let path = prepared.path().join(&record.image);
    let bytes = match segbench_storage::read(&path) {
        Ok(bytes) => bytes,
        Err(err) => return Some((IssueKind::MissingFile, err.to_string())),
    };
    let image = match decode_image(&bytes) {
        Ok(image) => image,
        Err(err) => return Some((IssueKind::NotDecodable, format!("`{}`: {err}", record.image))),
    };
    size_fault(record, &record.image, image.dimensions())
        .or_else(|| hash_fault(&record.image, &bytes, &record.image_sha256))
}

fn check_label(prepared: &PreparedDataset, record: &ImageRecord) -> Fault {
    let label = record.label.as_ref()?;
    let bytes = match segbench_storage::read(&prepared.path().join(label)) {
        Ok(bytes) => bytes,
        Err(err) => return Some((IssueKind::MissingFile, err.to_string())),
    };
    let raw = match label_png::decode(&bytes) {
        Ok(raw) => raw,
        Err(err) => return Some((IssueKind::NotDecodable, format!("`{label}`: {err}"))),
    };
    if let Some(fault) = size_fault(record, label, (raw.width, raw.height)) {
        return Some(fault);
    }
    let wrong = |reason: String| Some((IssueKind::WrongLabels, format!("`{label}` {reason}")));
    let Samples::Bytes(labels) = raw.samples else { return wrong("has 16 bits per pixel".into()) };
    let mut counts = [0_u64; 256];
    for label in &labels {
        counts[usize::from(*label)] += 1;
    }
    let classes = prepared.info.catalog.len();
    let stray = (classes..usize::from(IGNORE)).find(|label| counts[*label] > 0);
    if let Some(stray) = stray {
        return wrong(format!("holds {stray}, expected a train id below {classes} or 255"));
    }
    if counts[..classes] != record.class_pixels || counts[usize::from(IGNORE)] != record.ignored_pixels {
        return wrong("has other pixel counts than the manifest says".into());
    }
    hash_fault(label, &bytes, record.label_sha256.as_deref().unwrap_or_default())
}

fn size_fault(record: &ImageRecord, file: &str, (width, height): (u32, u32)) -> Fault {
    let (expected_width, expected_height) = (record.width, record.height);
    ((width, height) != (expected_width, expected_height)).then(|| {
        let detail =
            format!("`{file}` is {width}x{height}, the manifest says {expected_width}x{expected_height}");
        (IssueKind::SizeMismatch, detail)
    })
}

fn hash_fault(file: &str, bytes: &[u8], expected: &str) -> Fault {
    (sha256_bytes(bytes) != expected)
        .then(|| (IssueKind::ChangedFile, format!("`{file}` has another SHA-256 than the manifest says")))
}

fn extra_files(
    root: &Path,
    folder: &Path,
    known: &BTreeSet<PathBuf>,
    issues: &mut Vec<Issue>,
) -> Result<(), Error> {
    if !folder.is_dir() {
        return Ok(());
    }
    for path in segbench_storage::list_dir(folder)? {
        if path.is_dir() {
            extra_files(root, &path, known, issues)?;
        } else if !known.contains(&path) {
            issues.push(Issue {
                split: String::new(),
                id: path.strip_prefix(root).unwrap_or(&path).display().to_string(),
                kind: IssueKind::ExtraFile,
                detail: "the manifest does not know it".into(),
            });
        }
    }
    Ok(())
}
