//! A look at a prepared data set: is it complete, is it intact, do its images repeat.
//!
//! What the manifest and the conversion's findings say costs nothing and comes with every conversion. [`Depth::Files`] also reads, hashes
//! and decodes every file. Faults mean that the tree is not what its manifest says; repeated images and numbers other than the official
//! ones are the data set's own and no faults.

mod files;
mod repeated;
mod tables;

use std::path::Path;

use segbench_types::Progress;
use serde::Serialize;

pub use tables::{audit_table, issue_table};

use crate::conversion::{Findings, Skipped};
use crate::{Error, PreparedDataset, UnknownLabel, find};

/// How closely an audit looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// At the manifest and at what the conversion noticed.
    Manifest,
    /// At every file as well.
    Files,
}

/// What an audit found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Audit {
    /// The data set.
    pub dataset: String,
    /// Its splits, in the order of the manifest.
    pub splits: Vec<SplitAudit>,
    /// Everything about single images, by split and id.
    pub issues: Vec<Issue>,
    /// What the conversion noticed.
    pub notes: Vec<String>,
    /// Images that the conversion left out.
    pub skipped: Vec<Skipped>,
    /// Values without a class that became "ignore".
    pub unknown: Vec<UnknownLabel>,
}

/// One split.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SplitAudit {
    /// Its name.
    pub name: String,
    /// Images that are there.
    pub images: u64,
    /// Images of the complete data set, where that is known.
    pub official: Option<u64>,
    /// Images that the conversion left out.
    pub left_out: u64,
    /// Images with a label map.
    pub labelled: u64,
    /// Pixels of all label maps.
    pub pixels: u64,
    /// Those without a class.
    pub ignored_pixels: u64,
}

impl SplitAudit {
    /// Share of the pixels without a class; `None` without a label map.
    pub fn ignored_share(&self) -> Option<f64> {
        (self.pixels > 0).then(|| self.ignored_pixels as f64 / self.pixels as f64)
    }
}

/// Something about one image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Issue {
    /// Its split.
    pub split: String,
    /// Its id; a path for a file that belongs to no image.
    pub id: String,
    /// What it is about.
    pub kind: IssueKind,
    /// The particulars.
    pub detail: String,
}

/// What an issue is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum IssueKind {
    /// A file of the manifest is not there or cannot be read.
    MissingFile,
    /// An image of a labelled split has no label map.
    MissingLabel,
    /// A file has other contents than the manifest says.
    ChangedFile,
    /// A file is no complete PNG or JPEG.
    NotDecodable,
    /// An image or label map has another size than the manifest says.
    SizeMismatch,
    /// A label map holds other classes or pixel counts than the manifest says.
    WrongLabels,
    /// A file is not in the manifest.
    ExtraFile,
    /// The image is the same as another one of its split.
    Duplicate,
    /// The image is the same as one of another split.
    Leak,
}

impl IssueKind {
    /// Whether the tree is damaged; others are properties of the data set.
    pub fn is_fault(self) -> bool {
        !matches!(self, Self::Duplicate | Self::Leak)
    }

    /// Name in tables and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::MissingFile => "missing-file",
            Self::MissingLabel => "missing-label",
            Self::ChangedFile => "changed-file",
            Self::NotDecodable => "not-decodable",
            Self::SizeMismatch => "size-mismatch",
            Self::WrongLabels => "wrong-labels",
            Self::ExtraFile => "extra-file",
            Self::Duplicate => "duplicate",
            Self::Leak => "leak",
        }
    }
}

impl Audit {
    /// Issues that mean damage.
    pub fn faults(&self) -> impl Iterator<Item = &Issue> {
        self.issues.iter().filter(|issue| issue.kind.is_fault())
    }

    /// Refuses a damaged tree.
    ///
    /// # Errors
    /// [`Error::AuditFailed`] with the first fault.
    pub fn check(&self) -> Result<(), Error> {
        let count = self.faults().count();
        match self.faults().next() {
            None => Ok(()),
            Some(first) => Err(Error::AuditFailed {
                dataset: self.dataset.clone(),
                count,
                first: format!("`{}` ({}): {}", first.id, first.kind.name(), first.detail),
            }),
        }
    }
}

/// Looks at the data set `name` below the data folder `root`.
///
/// # Errors
/// Those of [`PreparedDataset::open`]; what is wrong with single files is in the result.
pub fn audit(root: &Path, name: &str, depth: Depth, progress: &dyn Progress) -> Result<Audit, Error> {
    let prepared = PreparedDataset::open(root, name)?;
    let findings = Findings::read(prepared.path())?;
    // A data set whose description is gone has no official numbers.
    let card = find(name, root).ok();
    let split_card =
        |name: &str| card.as_ref().and_then(|card| card.splits.iter().find(|split| split.name == name));
    let mut splits: Vec<SplitAudit> = Vec::new();
    let mut issues = Vec::new();
    for record in prepared.all_records() {
        if splits.last().is_none_or(|split| split.name != record.split) {
            splits.push(SplitAudit {
                name: record.split.clone(),
                images: 0,
                official: split_card(&record.split).and_then(|split| split.images),
                left_out: findings.skipped.iter().filter(|skipped| skipped.split == record.split).count()
                    as u64,
                labelled: 0,
                pixels: 0,
                ignored_pixels: 0,
            });
        }
        if let Some(split) = splits.last_mut() {
            split.images += 1;
            split.labelled += u64::from(record.label.is_some());
            split.pixels += record.class_pixels.iter().sum::<u64>() + record.ignored_pixels;
            split.ignored_pixels += record.ignored_pixels;
        }
        if record.label.is_none() && split_card(&record.split).is_some_and(|split| split.labelled) {
            issues.push(Issue {
                split: record.split.clone(),
                id: record.id.clone(),
                kind: IssueKind::MissingLabel,
                detail: "it has no label map".into(),
            });
        }
    }
    issues.extend(repeated::find(prepared.all_records()));
    if depth == Depth::Files {
        issues.extend(files::check(&prepared, progress)?);
    }
    issues.sort();
    let Findings { notes, skipped, unknown } = findings;
    Ok(Audit { dataset: prepared.info.name.clone(), splits, issues, notes, skipped, unknown })
}
