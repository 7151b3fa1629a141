//! Whether a disk has room for what is about to be written.

use std::path::Path;

use crate::Error;

/// Refuses to begin what cannot end: `bytes` more in `folder`, which is there.
///
/// # Errors
/// [`Error::NoSpace`]. Where the system does not say how much is free, nothing is refused.
pub(crate) fn require(folder: &Path, bytes: u64) -> Result<(), Error> {
    match free(folder) {
        Some(free) if free < bytes => Err(Error::NoSpace { folder: folder.to_owned(), needed: bytes, free }),
        _ => Ok(()),
    }
}

/// Bytes that this user may still write.
#[cfg(unix)]
fn free(folder: &Path) -> Option<u64> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let stat = rustix::fs::statvfs(folder).ok()?;
    stat.f_bavail.checked_mul(stat.f_frsize)
}

#[cfg(not(unix))]
fn free(_folder: &Path) -> Option<u64> {
    None
}
