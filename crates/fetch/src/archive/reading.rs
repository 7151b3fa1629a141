//! An archive as a sorted list of members, and the three ways to their bytes: one, all in order, all to disk.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use segbench_storage::Sha256;
use segbench_types::Progress;

use super::format::Format;
use super::{folder, rules};
use crate::{Error, space};

/// The largest member that is read, in bytes unpacked. A photo of a data set has a few MiB; a member beyond this is a mistake or a
/// trap that would fill the memory.
pub const MAX_MEMBER_BYTES: u64 = 1 << 29;

/// A folder or an archive file. Reading takes `&self`, so several threads may read members of one archive at the same time.
///
/// In a folder, a zip and a tar every member is as near as any other. A tar.gz and a rar can only be read from the front
/// ([`Archive::is_stream`]): there, take members in the order of [`Archive::each`], or [`Archive::unpack`] first.
#[derive(Debug)]
pub struct Archive {
    path: PathBuf,
    /// Sorted by name.
    members: Vec<Member>,
    format: Format,
}

/// One file in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Path below the archive's root, with forward slashes and without `..`.
    pub name: String,
    /// Bytes when unpacked.
    pub size: u64,
    /// What changes when the contents change: the checksum where the archive has one, else a time of the last change.
    pub(crate) stamp: u64,
    /// The checksum that the contents must have, where reading has to compare it.
    pub(crate) crc32: Option<u32>,
    /// What the format finds the bytes by; it rises in the archive's own order.
    pub(crate) place: u64,
}

impl Archive {
    /// Opens a folder with everything below it, or an archive file, and lists the members. The format is told by the first bytes, not
    /// by the name. A zip and a tar are listed without reading members; a tar.gz is unpacked once in memory to find them.
    ///
    /// # Errors
    /// [`Error::Storage`] if `path` is not there, [`Error::NotAnArchive`] for a file that is no archive or is cut off,
    /// [`Error::NoTool`] for a rar on a machine without a program that unpacks it, and [`Error::UnsafeMember`] for a name that is
    /// absolute or has `..`, for links and devices, for members that share their bytes, and for one name given twice.
    pub fn open(path: &Path) -> Result<Self, Error> {
        if path.is_dir() {
            let mut members = folder::list(path)?;
            members.sort_by(|a, b| a.name.cmp(&b.name));
            return Ok(Self { path: path.to_owned(), members, format: Format::Folder });
        }
        let (mut members, format) = Format::open(path)?;
        members.sort_by(|a, b| a.name.cmp(&b.name));
        rules::check_names(path, &members)?;
        Ok(Self { path: path.to_owned(), members, format })
    }

    /// Whether `path` is a file whose members can only be read from the front: a tar.gz or a rar. Its first bytes say it.
    ///
    /// # Errors
    /// [`Error::Storage`] if the file cannot be read.
    pub fn is_stream_file(path: &Path) -> Result<bool, Error> {
        Ok(path.is_file() && Format::is_stream(path)?)
    }

    /// The archive file or folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All files, sorted by name.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Bytes of all members together when unpacked, as the archive says.
    pub fn unpacked_bytes(&self) -> u64 {
        self.members.iter().fold(0, |sum, member| sum.saturating_add(member.size))
    }

    /// Whether members can only be reached through all those before them, so that reading in another order is slow.
    pub fn is_stream(&self) -> bool {
        matches!(self.format, Format::Stream(_))
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

    /// The bytes of a member, verified against its checksum where the archive has one.
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
        let bytes = self.format.read(&self.path, member)?;
        rules::check_contents(&self.path, member, &bytes)?;
        Ok(bytes)
    }

    /// Hands the members that `wants` accepts to `visit`, in the order in which they lie in the archive, so that an archive of any
    /// format is read once from front to back. `visit` gets what [`Archive::read`] returns and may go on after a damaged member.
    ///
    /// # Errors
    /// Those of `visit`.
    pub fn each<E>(
        &self,
        wants: impl Fn(&Member) -> bool,
        mut visit: impl FnMut(&Member, Result<Vec<u8>, Error>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut members: Vec<&Member> = self.members.iter().filter(|member| wants(member)).collect();
        members.sort_by_key(|member| member.place);
        for member in members {
            visit(member, self.read(member))?;
        }
        Ok(())
    }

    /// Writes every member below `folder` and opens that folder. A file that is there already with the right size is kept, so that
    /// an interrupted unpacking goes on where it stopped.
    ///
    /// # Errors
    /// [`Error::NoSpace`] before anything is written, and as [`Archive::read`]; the members before the damaged one are then in place.
    pub fn unpack(&self, folder: &Path, progress: &dyn Progress) -> Result<Self, Error> {
        self.unpack_some(folder, |_| true, progress)?;
        Self::open(folder)
    }

    /// As [`Archive::unpack`], for the members that `wants` accepts; the folder is not opened.
    ///
    /// # Errors
    /// As [`Archive::unpack`].
    pub fn unpack_some(
        &self,
        folder: &Path,
        wants: impl Fn(&Member) -> bool,
        progress: &dyn Progress,
    ) -> Result<(), Error> {
        segbench_storage::create_dir(folder)?;
        let is_there = |member: &Member| {
            folder.join(&member.name).metadata().is_ok_and(|data| data.is_file() && data.len() == member.size)
        };
        let bytes =
            |members: &[&Member]| members.iter().fold(0_u64, |sum, member| sum.saturating_add(member.size));
        let wanted: Vec<&Member> = self.members.iter().filter(|member| wants(member)).collect();
        let missing: Vec<&Member> = wanted.iter().copied().filter(|member| !is_there(member)).collect();
        space::require(folder, bytes(&missing))?;
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let task = progress.start_bytes(&name, bytes(&wanted));
        task.advance(bytes(&wanted) - bytes(&missing));
        let missing: BTreeSet<&str> = missing.into_iter().map(|member| member.name.as_str()).collect();
        self.each(
            |member| missing.contains(member.name.as_str()),
            |member, bytes| {
                segbench_storage::write(&folder.join(&member.name), &bytes?)?;
                task.advance(member.size);
                Ok::<_, Error>(())
            },
        )
    }

    /// Where a member of a folder lies, with links resolved, so that it can be linked to. `None` in an archive file.
    ///
    /// # Errors
    /// [`Error::Storage`] if the file is no longer there.
    pub fn file(&self, member: &Member) -> Result<Option<PathBuf>, Error> {
        if !matches!(self.format, Format::Folder) {
            return Ok(None);
        }
        let path = self.path.join(&member.name);
        let resolved =
            path.canonicalize().map_err(|source| segbench_storage::Error::reading(&path, source))?;
        Ok(Some(resolved))
    }

    /// The member's name for a message: its path in a folder, `archive.zip: member` in an archive file.
    pub fn describe(&self, member: &Member) -> String {
        match self.format {
            Format::Folder => self.path.join(&member.name).display().to_string(),
            _ => format!("{}: {}", self.path.display(), member.name),
        }
    }

    /// A hash that changes when one of `members` changes: over names, sizes and checksums in a zip, a tar.gz and a rar, over names,
    /// sizes and times of the last change in a folder and a tar. No member is read for it.
    pub fn fingerprint<'a>(&self, members: impl IntoIterator<Item = &'a Member>) -> String {
        let mut hash = Sha256::default();
        for member in members {
            hash.update(format!("{}\0{}\0{}\0", member.name, member.size, member.stamp).as_bytes());
        }
        hash.hex()
    }
}
