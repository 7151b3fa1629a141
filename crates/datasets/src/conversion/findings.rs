//! What a conversion noticed: images it left out, values it did not know.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use segbench_types::ImageRecord;
use serde::{Deserialize, Serialize};

use crate::{Error, RawValue, UnknownLabel};

/// What a task of a conversion hands over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskRecords {
    /// The images that were converted.
    pub records: Vec<ImageRecord>,
    /// The images that were left out.
    pub skipped: Vec<Skipped>,
    /// Values without a class that became "ignore", ascending.
    pub unknown: Vec<UnknownLabel>,
}

/// An image that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skipped {
    /// Its split.
    pub split: String,
    /// Its id.
    pub id: String,
    /// Why.
    pub reason: String,
    /// Whether the data set is known to have this fault. Only others count against the limit.
    pub is_known: bool,
}

/// `conversion.json`: everything a conversion noticed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Findings {
    /// Differences from the complete data set, in sentences.
    pub notes: Vec<String>,
    /// The images that were left out, by split and id.
    pub skipped: Vec<Skipped>,
    /// Values without a class that became "ignore", ascending.
    pub unknown: Vec<UnknownLabel>,
}

impl Findings {
    /// Where the findings of a prepared data set are.
    pub(crate) fn path(folder: &Path) -> PathBuf {
        folder.join("conversion.json")
    }

    /// Those of the prepared data set in `folder`; none for a tree of an older version.
    pub(crate) fn read(folder: &Path) -> Result<Self, Error> {
        match segbench_storage::read_json(&Self::path(folder)) {
            Err(segbench_storage::Error::NotFound { .. }) => Ok(Self::default()),
            read => Ok(read?),
        }
    }
}

/// Unknown values of several files: pixels are added, the first file stays.
#[derive(Default)]
pub(super) struct UnknownValues(BTreeMap<RawValue, UnknownLabel>);

impl UnknownValues {
    pub(super) fn add(&mut self, values: impl IntoIterator<Item = UnknownLabel>) {
        for value in values {
            let first = || UnknownLabel { pixels: 0, ..value.clone() };
            self.0.entry(value.value).or_insert_with(first).pixels += value.pixels;
        }
    }

    pub(super) fn into_vec(self) -> Vec<UnknownLabel> {
        self.0.into_values().collect()
    }
}
