//! The files below a folder.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use segbench_storage::Error as StorageError;

use super::reading::Member;
use crate::Error;

/// All files below `root`. Links are followed, because people keep data sets on other disks; a folder that contains itself is
/// visited once.
pub(super) fn list(root: &Path) -> Result<Vec<Member>, Error> {
    let mut members = Vec::new();
    let mut visited = BTreeSet::new();
    visit(root, root, &mut visited, &mut members)?;
    Ok(members)
}

fn visit(
    root: &Path,
    folder: &Path,
    visited: &mut BTreeSet<PathBuf>,
    members: &mut Vec<Member>,
) -> Result<(), Error> {
    let resolved = folder.canonicalize().map_err(|source| StorageError::reading(folder, source))?;
    if !visited.insert(resolved) {
        return Ok(());
    }
    for path in segbench_storage::list_dir(folder)? {
        let metadata = fs::metadata(&path).map_err(|source| StorageError::reading(&path, source))?;
        if metadata.is_dir() {
            visit(root, &path, visited, members)?;
            continue;
        }
        let refuse = |reason| Error::UnsafeMember {
            archive: root.to_owned(),
            member: path.strip_prefix(root).unwrap_or(&path).display().to_string(),
            reason,
        };
        if !metadata.is_file() {
            return Err(refuse("it is neither a file nor a folder"));
        }
        let relative = path.strip_prefix(root).unwrap_or(&path);
        let mut parts = Vec::new();
        for part in relative {
            parts.push(part.to_str().ok_or_else(|| refuse("its name is not UTF-8"))?);
        }
        let stamp = metadata
            .modified()
            .ok()
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
            .map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX));
        let (name, place) = (parts.join("/"), members.len() as u64);
        members.push(Member { name, size: metadata.len(), stamp, crc32: None, place });
    }
    Ok(())
}
