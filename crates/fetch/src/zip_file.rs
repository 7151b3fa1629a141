//! Zip files: the list of members from the central directory, and one file handle per read.

use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use segbench_storage::Error as StorageError;
use zip::ZipArchive;
use zip::read::{ZipArchiveMetadata, ZipReadOptions};

use crate::archive::Member;
use crate::{Error, name};

/// Kind of file in the mode bits that Unix archivers store: a plain file, or a folder.
const KIND_MASK: u32 = 0o170_000;
const KIND_FILE: u32 = 0o100_000;
const KIND_FOLDER: u32 = 0o040_000;

/// More than any known data set has, and few enough for the memory.
const MAX_MEMBERS: usize = 10_000_000;

/// The central directory, shared by all readers.
pub(crate) struct ZipFile(Arc<ZipArchiveMetadata>);

impl fmt::Debug for ZipFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ZipFile({} members)", self.0.len())
    }
}

impl ZipFile {
    pub(crate) fn open(path: &Path) -> Result<(Vec<Member>, Self), Error> {
        let broken = |reason: String| Error::NotAnArchive { archive: path.to_owned(), reason };
        let file = File::open(path).map_err(|source| StorageError::reading(path, source))?;
        let metadata =
            ZipArchive::new(BufReader::new(file)).map_err(|err| broken(err.to_string()))?.metadata();
        if metadata.has_duplicate_names() {
            return Err(broken("one name stands for two members".into()));
        }
        if metadata.len() > MAX_MEMBERS {
            return Err(broken(format!("it has {} members, expected at most {MAX_MEMBERS}", metadata.len())));
        }
        let mut members = Vec::with_capacity(metadata.len());
        for index in 0..metadata.len() {
            let entry = metadata.entry(index).map_err(|err| broken(err.to_string()))?;
            let raw_name = String::from_utf8_lossy(entry.name_raw()).into_owned();
            let refuse =
                |reason| Error::UnsafeMember { archive: path.to_owned(), member: raw_name.clone(), reason };
            let member_name = name::normalize(&entry.name().map_err(|_| refuse("its name cannot be read"))?)
                .map_err(refuse)?;
            let kind = entry.unix_mode().unwrap_or(0) & KIND_MASK;
            if entry.is_symlink() || !matches!(kind, 0 | KIND_FILE | KIND_FOLDER) {
                return Err(refuse("it is a link or a device, not a file"));
            }
            if entry.encrypted() {
                return Err(refuse("it is encrypted"));
            }
            // A folder made on Windows ends in a backslash, which the zip reader does not take for one.
            if entry.is_dir() || kind == KIND_FOLDER || raw_name.ends_with('\\') {
                continue;
            }
            members.push(Member {
                name: member_name,
                size: entry.size(),
                stamp: u64::from(entry.crc32()),
                index,
            });
        }
        Ok((members, Self(metadata)))
    }

    pub(crate) fn read(&self, path: &Path, member: &Member) -> Result<Vec<u8>, Error> {
        let damaged = |reason: String| Error::DamagedMember {
            archive: path.to_owned(),
            member: member.name.clone(),
            reason,
        };
        let mut file = File::open(path).map_err(|source| StorageError::reading(path, source))?;
        let reader = self
            .0
            .entry(member.index)
            .and_then(|entry| entry.with_reader(&mut file, ZipReadOptions::new()))
            .map_err(|err| damaged(err.to_string()))?;
        // The size comes from the archive and may lie: it sets the first guess only up to a bound, and no byte beyond it is kept.
        let mut bytes = Vec::with_capacity(member.size.min(1 << 26) as usize + 1);
        reader.take(member.size + 1).read_to_end(&mut bytes).map_err(|err| damaged(err.to_string()))?;
        if bytes.len() as u64 != member.size {
            let comparison = if bytes.len() as u64 > member.size { "more" } else { "fewer" };
            return Err(damaged(format!(
                "it has {comparison} bytes than the {} the archive lists",
                member.size
            )));
        }
        Ok(bytes)
    }
}
