//! A zip file or a folder as a sorted list of members.

use std::path::{Path, PathBuf};

use segbench_storage::Sha256;

use crate::Error;
use crate::folder;
use crate::zip_file::ZipFile;

/// The largest member that is read, in bytes unpacked. A photo of a data set has a few MiB; a member beyond this is a mistake or a
/// trap that would fill the memory.
pub const MAX_MEMBER_BYTES: u64 = 1 << 29;

/// A zip file or a folder. Reading takes `&self`, so several threads may read members of one archive at the same time.
#[derive(Debug)]
pub struct Archive {
    path: PathBuf,
    /// Sorted by name.
    members: Vec<Member>,
    zip: Option<ZipFile>,
}

/// One file in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Path below the archive's root, with forward slashes and without `..`.
    pub name: String,
    /// Bytes when unpacked.
    pub size: u64,
    /// What changes when the contents change: the checksum in a zip, the time of the last change in a folder.
    pub(crate) stamp: u64,
    /// Position in the zip's own list.
    pub(crate) index: usize,
}

impl Archive {
    /// Opens a zip file, or a folder with everything below it, and lists the members. No member is read.
    ///
    /// # Errors
    /// [`Error::Storage`] if `path` is not there, [`Error::NotAnArchive`] for a file that is no zip or is cut off, and
    /// [`Error::UnsafeMember`] for a name that is absolute or has `..`, for links and devices, and for one name given twice.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let (mut members, zip) = if path.is_dir() {
            (folder::list(path)?, None)
        } else {
            let (members, zip) = ZipFile::open(path)?;
            (members, Some(zip))
        };
        members.sort_by(|a, b| a.name.cmp(&b.name));
        if let Some(pair) = members.windows(2).find(|pair| pair[0].name == pair[1].name) {
            return Err(Error::UnsafeMember {
                archive: path.to_owned(),
                member: pair[0].name.clone(),
                reason: "the name stands for two members",
            });
        }
        Ok(Self { path: path.to_owned(), members, zip })
    }

    /// The zip file or folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All files, sorted by name.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The member of this name.
    ///
    /// # Errors
    /// [`Error::NoSuchMember`].
    pub fn member(&self, name: &str) -> Result<&Member, Error> {
        match self.members.binary_search_by(|member| member.name.as_str().cmp(name)) {
            Ok(index) => Ok(&self.members[index]),
            Err(_) => Err(Error::NoSuchMember { archive: self.path.clone(), member: name.to_owned() }),
        }
    }

    /// The bytes of a member. In a zip, reading to the end verifies the checksum.
    ///
    /// # Errors
    /// [`Error::LargeMember`] above [`MAX_MEMBER_BYTES`], [`Error::DamagedMember`] if the member is cut off, has another checksum or
    /// another size than the archive says, and [`Error::Storage`].
    pub fn read(&self, member: &Member) -> Result<Vec<u8>, Error> {
        if member.size > MAX_MEMBER_BYTES {
            return Err(Error::LargeMember {
                archive: self.path.clone(),
                member: member.name.clone(),
                bytes: member.size,
                limit: MAX_MEMBER_BYTES,
            });
        }
        match &self.zip {
            Some(zip) => zip.read(&self.path, member),
            None => Ok(segbench_storage::read(&self.path.join(&member.name))?),
        }
    }

    /// Where a member of a folder lies, with links resolved, so that it can be linked to. `None` in a zip.
    ///
    /// # Errors
    /// [`Error::Storage`] if the file is no longer there.
    pub fn file(&self, member: &Member) -> Result<Option<PathBuf>, Error> {
        if self.zip.is_some() {
            return Ok(None);
        }
        let path = self.path.join(&member.name);
        let resolved =
            path.canonicalize().map_err(|source| segbench_storage::Error::reading(&path, source))?;
        Ok(Some(resolved))
    }

    /// The member's name for a message: its path in a folder, `archive.zip: member` in a zip.
    pub fn describe(&self, member: &Member) -> String {
        match self.zip {
            Some(_) => format!("{}: {}", self.path.display(), member.name),
            None => self.path.join(&member.name).display().to_string(),
        }
    }

    /// A hash that changes when one of `members` changes: over names, sizes and checksums in a zip, over names, sizes and times of
    /// the last change in a folder. No member is read for it.
    pub fn fingerprint<'a>(&self, members: impl IntoIterator<Item = &'a Member>) -> String {
        let mut hash = Sha256::default();
        for member in members {
            hash.update(format!("{}\0{}\0{}\0", member.name, member.size, member.stamp).as_bytes());
        }
        hash.hex()
    }
}
