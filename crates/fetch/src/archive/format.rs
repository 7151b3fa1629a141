//! Which format a file has, and how its members are reached.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use segbench_storage::Error as StorageError;

use super::reading::Member;
use super::stream::StreamFile;
use super::tar_file::{self, Opened};
use super::zip_file::ZipFile;
use super::{rar, rules};
use crate::Error;

/// Where members are found.
#[derive(Debug)]
pub(super) enum Format {
    /// As files below a folder.
    Folder,
    /// In a zip, by their position in its directory.
    Zip(ZipFile),
    /// In a tar, by their offset.
    Tar,
    /// In a tar.gz or rar, by their offset in what it unpacks to.
    Stream(StreamFile),
}

/// Bytes at the beginning of formats that are told apart or named in messages.
const GZIP: &[u8] = &[0x1f, 0x8b];
const RAR: &[u8] = b"Rar!\x1a\x07";
const OTHERS: [(&[u8], &str); 4] = [
    (b"BZh", "it is packed with bzip2; unpack it and name the folder"),
    (b"\xfd7zXZ\0", "it is packed with xz; unpack it and name the folder"),
    (b"7z\xbc\xaf\x27\x1c", "it is a 7z archive; unpack it and name the folder"),
    (b"<", "it is a web page or another text, most likely a page that asks for a login"),
];

impl Format {
    /// The members of an archive file, in any order.
    pub(super) fn open(path: &Path) -> Result<(Vec<Member>, Self), Error> {
        let head = head(path)?;
        if head.starts_with(RAR) {
            let (members, file) = rar::open(path)?;
            return Ok((members, Self::Stream(file)));
        }
        if head.starts_with(GZIP) {
            let (members, file) = tar_file::open_gzip(path)?;
            return Ok((members, Self::Stream(file)));
        }
        if let Opened::Tar(members) = tar_file::open(path, &head)? {
            return Ok((members, Self::Tar));
        }
        if let Some((_, reason)) = OTHERS.iter().find(|(magic, _)| head.starts_with(magic)) {
            return Err(Error::NotAnArchive { archive: path.to_owned(), reason: (*reason).to_owned() });
        }
        let (members, zip) = ZipFile::open(path)?;
        Ok((members, Self::Zip(zip)))
    }

    /// Whether the file is of a format that unpacks from front to back only.
    pub(super) fn is_stream(path: &Path) -> Result<bool, Error> {
        let head = head(path)?;
        Ok(head.starts_with(RAR) || head.starts_with(GZIP))
    }

    /// The bytes of a member, which [`rules::check_contents`] has not seen yet.
    pub(super) fn read(&self, path: &Path, member: &Member) -> Result<Vec<u8>, Error> {
        match self {
            Self::Folder => Ok(segbench_storage::read(&path.join(&member.name))?),
            Self::Zip(zip) => zip.read(path, member),
            Self::Tar => tar_file::read(path, member),
            Self::Stream(stream) => stream.read(path, member),
        }
    }
}

/// The first block of a file, or less if it is shorter.
fn head(path: &Path) -> Result<Vec<u8>, Error> {
    let mut head = Vec::with_capacity(tar_file::BLOCK);
    let file = File::open(path).map_err(|source| StorageError::reading(path, source))?;
    file.take(tar_file::BLOCK as u64)
        .read_to_end(&mut head)
        .map_err(|source| StorageError::reading(path, source))?;
    Ok(head)
}

/// Reads exactly the bytes of `member` from where `reader` stands.
pub(super) fn read_exactly(reader: impl Read, archive: &Path, member: &Member) -> Result<Vec<u8>, Error> {
    // The size comes from the archive and may lie: it sets the first guess only up to a bound, and no byte beyond it is kept.
    let mut bytes = Vec::with_capacity(member.size.min(1 << 26) as usize + 1);
    reader
        .take(member.size)
        .read_to_end(&mut bytes)
        .map_err(|err| rules::damaged(archive, member, err.to_string()))?;
    Ok(bytes)
}
