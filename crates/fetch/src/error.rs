//! What can be wrong with an archive.

use std::path::PathBuf;

use segbench_types::{ErrorKind, Explain};

/// An archive or a member of it that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file is no zip archive, or its list of members is damaged.
    #[error("`{archive}` is not a readable zip archive ({reason})")]
    NotAnArchive {
        /// The file.
        archive: PathBuf,
        /// What the zip reader met.
        reason: String,
    },
    /// A member whose name or type could reach outside a folder.
    #[error("refused the member `{member}` of `{archive}`: {reason}")]
    UnsafeMember {
        /// The archive.
        archive: PathBuf,
        /// The member's name as it stands in the archive.
        member: String,
        /// Why it is refused.
        reason: &'static str,
    },
    /// A member that is damaged or cut off.
    #[error("the member `{member}` of `{archive}` is damaged ({reason})")]
    DamagedMember {
        /// The archive.
        archive: PathBuf,
        /// The member.
        member: String,
        /// What is wrong.
        reason: String,
    },
    /// A member that is larger than any image or label map.
    #[error("the member `{member}` of `{archive}` has {bytes} bytes unpacked, expected at most {limit}")]
    LargeMember {
        /// The archive.
        archive: PathBuf,
        /// The member.
        member: String,
        /// Its size.
        bytes: u64,
        /// The largest size that is read.
        limit: u64,
    },
    /// The archive has no member of this name.
    #[error("`{archive}` has no member `{member}`")]
    NoSuchMember {
        /// The archive.
        archive: PathBuf,
        /// What was asked for.
        member: String,
    },
    /// A file or folder that could not be read.
    #[error(transparent)]
    Storage(#[from] segbench_storage::Error),
}

impl Explain for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotAnArchive { .. }
            | Self::UnsafeMember { .. }
            | Self::DamagedMember { .. }
            | Self::LargeMember { .. } => ErrorKind::InvalidData,
            Self::NoSuchMember { .. } => ErrorKind::MissingInput,
            Self::Storage(source) => source.kind(),
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::NotAnArchive { archive, .. } => Some(format!(
                "compare the size of `{}` with the one on the download page and download it again if it is shorter",
                archive.display()
            )),
            Self::UnsafeMember { .. } => Some(
                "use the archive as its publisher offers it; this one was changed or made by another tool"
                    .into(),
            ),
            Self::DamagedMember { archive, .. } => Some(format!("download `{}` again", archive.display())),
            Self::LargeMember { .. } | Self::NoSuchMember { .. } => None,
            Self::Storage(source) => source.help(),
        }
    }
}
