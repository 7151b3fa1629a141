//! Input and output errors with the path they happened at.

use std::io;
use std::path::{Path, PathBuf};

use segbench_types::{ErrorKind, Explain};

/// A file that could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file or folder is not there.
    #[error("`{path}` does not exist")]
    NotFound {
        /// What was looked for.
        path: PathBuf,
    },
    /// Reading failed.
    #[error("cannot read `{path}`")]
    Read {
        /// What was read.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// Writing failed: no space, no permission, a read-only file system.
    #[error("cannot write `{path}`")]
    Write {
        /// What was written.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The file is no JSON of the expected shape.
    #[error("`{path}` is not the expected JSON")]
    Json {
        /// What was read.
        path: PathBuf,
        /// Where it fails.
        source: serde_json::Error,
    },
    /// The array is damaged, or not one that segbench wrote.
    #[error("`{path}` cannot be read as an array: {reason}")]
    Zarr {
        /// What was read.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl Error {
    /// Wraps an error met while reading `path`.
    pub fn reading(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::NotFound => Self::NotFound { path: path.to_owned() },
            _ => Self::Read { path: path.to_owned(), source },
        }
    }

    /// Wraps an error met while writing `path`.
    pub fn writing(path: &Path, source: io::Error) -> Self {
        Self::Write { path: path.to_owned(), source }
    }
}

impl Explain for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound { .. } => ErrorKind::MissingInput,
            Self::Read { .. } | Self::Json { .. } | Self::Zarr { .. } => ErrorKind::InvalidData,
            Self::Write { .. } => ErrorKind::OutputNotWritable,
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::Write { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                Some("the disk is full: free some space and run the same command again, it goes on where it stopped".into())
            }
            Self::Write { .. } => Some("choose a folder you may write to with `--root` or `--output`".into()),
            Self::Json { path, .. } => Some(format!("remove `{}` and run the command again", path.display())),
            Self::Zarr { path, .. } => {
                Some(format!("remove `{}` and run `segbench distances` again", path.display()))
            }
            Self::NotFound { .. } | Self::Read { .. } => None,
        }
    }
}
