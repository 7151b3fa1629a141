//! The unfinished file: `<name>.part` with the bytes that came, and `<name>.part.json` with which version of which file they are of.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use segbench_storage::Error as StorageError;
use serde::{Deserialize, Serialize};

use super::answer::{ContentRange, Validators, shown};
use super::checksum::{Checksums, Hashes, Mismatch};
use crate::Error;

/// Where the bytes in a `.part` file come from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Origin {
    url: String,
    #[serde(flatten)]
    validators: Validators,
    /// Bytes of the whole file.
    total: Option<u64>,
}

/// A `.part` file that no other process writes to.
#[derive(Debug)]
pub(super) struct Part {
    destination: PathBuf,
    path: PathBuf,
    record: PathBuf,
    file: File,
    bytes: u64,
    origin: Origin,
    published: Checksums,
    hashes: Hashes,
    /// Whether the bytes come from more than one answer.
    is_joined: bool,
}

impl Part {
    /// Opens what an earlier attempt left, or begins.
    ///
    /// # Errors
    /// [`Error::Busy`] and [`Error::Storage`].
    pub(super) fn open(destination: &Path, published: &Checksums) -> Result<Self, Error> {
        let path = beside(destination, ".part");
        let record = beside(destination, ".part.json");
        let wrap = |source| StorageError::writing(&path, source);
        if path.exists() {
            // A process was killed here, perhaps while it wrote its note.
            segbench_storage::remove_abandoned(destination.parent().unwrap_or(Path::new("")))?;
        }
        let file = loop {
            let mut options = OpenOptions::new();
            let file =
                options.read(true).write(true).create(true).truncate(false).open(&path).map_err(wrap)?;
            // A file system that cannot lock gets no protection and no error.
            if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
                return Err(Error::Busy { file: destination.to_owned() });
            }
            // Before it was locked, another process may have finished and renamed it; what was opened is then the finished file.
            if is_still_at(&file, &path) {
                break file;
            }
        };
        let bytes = file.metadata().map_err(wrap)?.len();
        let origin: Origin = segbench_storage::read_json(&record).unwrap_or_default();
        let mut part = Self {
            destination: destination.to_owned(),
            hashes: Hashes::new(published),
            published: published.clone(),
            path,
            record,
            file,
            bytes,
            origin,
            is_joined: false,
        };
        if part.bytes > 0 {
            let is_whole = part.origin.total.is_none_or(|total| part.bytes <= total);
            if part.origin == Origin::default() || !is_whole {
                part.restart()?;
            } else {
                part.bytes = part.hashes.add_file(&part.path, part.bytes)?;
                part.is_joined = true;
            }
        }
        Ok(part)
    }

    /// Bytes that are there.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether the bytes come from more than one answer, so that a wrong checksum may be due to joining them.
    pub(super) fn is_joined(&self) -> bool {
        self.is_joined
    }

    /// From where to ask for the file at `url`, and the value of `If-Range`.
    ///
    /// Bytes of two answers may be joined if the server can tell versions apart, or if a checksum will tell in the end; a checksum
    /// also allows to go on at another address.
    pub(super) fn resume(&self, url: &str) -> (u64, Option<String>) {
        let is_same_url = self.origin.url == shown(url);
        let has_validator = is_same_url && !self.origin.validators.is_empty();
        if !has_validator && self.published.is_empty() {
            return (0, None);
        }
        let if_range = self.origin.validators.if_range().filter(|_| is_same_url);
        (self.bytes, if_range.map(str::to_owned))
    }

    /// Whether an answer about the rest of the file at `url` fits the bytes that are there.
    pub(super) fn is_continued_by(&self, url: &str, found: &Validators, range: ContentRange) -> bool {
        let is_same_file = self.origin.url != shown(url) || !self.origin.validators.contradict(found);
        let has_same_total = match (self.origin.total, range.total) {
            (Some(before), Some(now)) => before == now,
            _ => true,
        };
        range.start == Some(self.bytes) && is_same_file && has_same_total
    }

    /// Throws away what is there.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub(super) fn restart(&mut self) -> Result<(), Error> {
        self.file
            .set_len(0)
            .and_then(|()| self.file.seek(SeekFrom::Start(0)))
            .map_err(|source| StorageError::writing(&self.path, source))?;
        self.bytes = 0;
        self.origin = Origin::default();
        self.hashes = Hashes::new(&self.published);
        self.is_joined = false;
        Ok(())
    }

    /// Notes where the bytes that follow come from, before the first of them is written: a process that is killed leaves no byte of
    /// unknown origin.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub(super) fn begin(
        &mut self,
        url: &str,
        validators: Validators,
        total: Option<u64>,
    ) -> Result<(), Error> {
        let origin = Origin { url: shown(url), validators, total };
        if self.origin != origin {
            segbench_storage::write_json(&self.record, &origin)?;
            self.origin = origin;
        }
        self.is_joined = self.bytes > 0;
        self.file
            .seek(SeekFrom::Start(self.bytes))
            .map_err(|source| StorageError::writing(&self.path, source))?;
        Ok(())
    }

    /// Adds bytes at the end.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file.write_all(bytes).map_err(|source| StorageError::writing(&self.path, source))?;
        self.hashes.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Compares the checksums and starts them anew.
    pub(super) fn verify(&mut self) -> Result<String, Mismatch> {
        let hashes = std::mem::replace(&mut self.hashes, Hashes::new(&self.published));
        let sha256 = hashes.compare(&self.published)?;
        self.published.compare_members(&self.path)?;
        Ok(sha256)
    }

    /// Puts the file, which is complete, under its name.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub(super) fn finish(&self) -> Result<(), Error> {
        self.file.sync_all().map_err(|source| StorageError::writing(&self.path, source))?;
        segbench_storage::rename(&self.path, &self.destination)?;
        remove_leftovers(&self.destination);
        let _ = fs::remove_file(wrong(&self.destination));
        Ok(())
    }

    /// Puts a file with a wrong checksum out of the way, says where, and begins anew.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub(super) fn set_aside(&mut self) -> Result<PathBuf, Error> {
        let kept = wrong(&self.destination);
        segbench_storage::rename(&self.path, &kept)?;
        remove_leftovers(&self.destination);
        *self = Self::open(&self.destination, &self.published)?;
        Ok(kept)
    }
}

/// Whether a path leads to an open file.
#[cfg(unix)]
fn is_still_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    match (file.metadata(), path.metadata()) {
        (Ok(open), Ok(there)) => (open.dev(), open.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_still_at(_file: &File, path: &Path) -> bool {
    path.exists()
}

/// Removes what is of no use beside a finished file.
pub(super) fn remove_leftovers(destination: &Path) {
    // A leftover is in nobody's way.
    let _ = fs::remove_file(beside(destination, ".part.json"));
}

/// Removes the empty `.part` of a download that never began.
pub(super) fn remove_empty(destination: &Path) {
    let path = beside(destination, ".part");
    if path.metadata().is_ok_and(|data| data.len() == 0) {
        let _ = fs::remove_file(path);
    }
}

/// Bytes that an earlier attempt left.
pub(super) fn bytes_there(destination: &Path) -> u64 {
    beside(destination, ".part").metadata().map_or(0, |data| data.len())
}

fn wrong(destination: &Path) -> PathBuf {
    beside(destination, ".wrong")
}

fn beside(destination: &Path, suffix: &str) -> PathBuf {
    let mut name = destination.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    destination.with_file_name(name)
}
