//! Zip files: the list of members from the central directory, and one file handle per read.

use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use segbench_storage::Error as StorageError;
use zip::ZipArchive;
use zip::read::{ZipArchiveMetadata, ZipReadOptions};
use zip::result::ZipError;

use super::format::read_exactly;
use super::reading::Member;
use super::rules;
use crate::Error;

/// Kind of file in the mode bits that Unix archivers store: a plain file, or a folder.
const KIND_MASK: u32 = 0o170_000;
const KIND_FILE: u32 = 0o100_000;
const KIND_FOLDER: u32 = 0o040_000;

/// Bytes of the header in front of a member's data, without its name.
const LOCAL_HEADER: u64 = 30;

/// The central directory, shared by all readers.
pub(super) struct ZipFile(Arc<ZipArchiveMetadata>);

impl fmt::Debug for ZipFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ZipFile({} members)", self.0.len())
    }
}

impl ZipFile {
    pub(super) fn open(path: &Path) -> Result<(Vec<Member>, Self), Error> {
        let broken = |reason: String| Error::NotAnArchive { archive: path.to_owned(), reason };
        let file = File::open(path).map_err(|source| StorageError::reading(path, source))?;
        let metadata =
            ZipArchive::new(BufReader::new(file)).map_err(|err| broken(err.to_string()))?.metadata();
        if metadata.has_duplicate_names() {
            return Err(broken("one name stands for two members".into()));
        }
        let mut members = Vec::with_capacity(metadata.len().min(rules::MAX_MEMBERS));
        let mut extents = Vec::with_capacity(members.capacity());
        for index in 0..metadata.len() {
            let entry = metadata.entry(index).map_err(|err| broken(err.to_string()))?;
            let raw_name = String::from_utf8_lossy(entry.name_raw()).into_owned();
            let refuse = |reason| rules::unsafe_member(path, &raw_name, reason);
            let member_name =
                rules::normalized(path, &entry.name().map_err(|_| refuse("its name cannot be read"))?)?;
            let end = entry
                .header_start()
                .checked_add(LOCAL_HEADER + entry.name_raw().len() as u64)
                .and_then(|data| data.checked_add(entry.compressed_size()))
                .ok_or_else(|| refuse("it ends beyond every file"))?;
            extents.push((entry.header_start(), end, index));
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
            let stamp = u64::from(entry.crc32());
            // Reading to the end compares the checksum, so that nobody has to do it a second time.
            let (size, place) = (entry.size(), index as u64);
            rules::push(path, &mut members, Member { name: member_name, size, stamp, crc32: None, place })?;
        }
        // Members that share their packed bytes make a small file unpack to any size.
        extents.sort_unstable();
        if let Some(pair) = extents.windows(2).find(|pair| pair[0].1 > pair[1].0) {
            let name =
                metadata.entry(pair[1].2).map(|entry| String::from_utf8_lossy(entry.name_raw()).into_owned());
            return Err(rules::unsafe_member(
                path,
                &name.unwrap_or_default(),
                "it lies within another member",
            ));
        }
        Ok((members, Self(metadata)))
    }

    pub(super) fn read(&self, path: &Path, member: &Member) -> Result<Vec<u8>, Error> {
        let damaged = |err: ZipError| rules::damaged(path, member, err.to_string());
        let mut file = File::open(path).map_err(|source| StorageError::reading(path, source))?;
        let mut reader = self
            .0
            .entry(member.place as usize)
            .and_then(|entry| entry.with_reader(&mut file, ZipReadOptions::new()))
            .map_err(damaged)?;
        let bytes = read_exactly(&mut reader, path, member)?;
        // The checksum is compared when the reader meets its end, which must be here.
        match reader.read(&mut [0]) {
            Ok(0) => Ok(bytes),
            Ok(_) => Err(rules::damaged(
                path,
                member,
                format!("it has more bytes than the {} the archive lists", member.size),
            )),
            Err(err) => Err(rules::damaged(path, member, err.to_string())),
        }
    }
}
