//! The note beside a fetched file: where it came from and what it is.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// What is noted in `<file>.source.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceRecord {
    /// Where it came from, without user name, password and query.
    pub url: String,
    /// Licence, if the publisher states one.
    pub licence: Option<String>,
    /// Size of the file.
    pub bytes: u64,
    /// Hash of the file.
    pub sha256: String,
    /// Whether a hash was known before the file was fetched; otherwise it is that of the first fetch.
    pub is_pinned: bool,
}

impl SourceRecord {
    /// Where the note on a file lies.
    pub fn path_of(file: &Path) -> PathBuf {
        let mut name = file.file_name().unwrap_or_default().to_owned();
        name.push(".source.json");
        file.with_file_name(name)
    }
}
