//! Whether a conversion is done already.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Error;

/// Contents of `.segbench/prepare.json`, the last file of a conversion.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    /// The fingerprint the tree was made from.
    pub(super) stage_key: String,
}

pub(super) fn state_path(folder: &Path) -> PathBuf {
    folder.join(".segbench").join("prepare.json")
}

/// Whether the prepared data set `name` below `root` was made from files with this fingerprint, completely.
///
/// # Errors
/// [`Error::Storage`] if the state is there but cannot be read; a state of another form counts as none.
pub fn is_up_to_date(root: &Path, name: &str, fingerprint: &str) -> Result<bool, Error> {
    let folder = crate::prepared::folder(root, name);
    if !folder.join("dataset.yaml").is_file() || !folder.join("manifest.parquet").is_file() {
        return Ok(false);
    }
    match segbench_storage::read_json::<State>(&state_path(&folder)) {
        Ok(state) => Ok(state.stage_key == fingerprint),
        Err(segbench_storage::Error::NotFound { .. } | segbench_storage::Error::Json { .. }) => Ok(false),
        Err(err) => Err(err.into()),
    }
}
