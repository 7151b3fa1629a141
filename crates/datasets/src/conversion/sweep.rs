//! Removal of files that are no longer part of a data set.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Error;

/// Removes every file below `folder` that is not `kept`.
pub(super) fn sweep(folder: &Path, kept: &BTreeSet<PathBuf>) -> Result<(), Error> {
    if !folder.exists() {
        return Ok(());
    }
    for path in segbench_storage::list_dir(folder)? {
        if path.is_dir() && !path.is_symlink() {
            sweep(&path, kept)?;
        } else if !kept.contains(&path) {
            remove(&path)?;
        }
    }
    Ok(())
}

/// Removes a file that may be there.
pub(super) fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(err) if err.kind() != std::io::ErrorKind::NotFound => {
            Err(segbench_storage::Error::writing(path, err).into())
        }
        _ => Ok(()),
    }
}
