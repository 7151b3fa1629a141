//! What can go wrong between run folders and a leaderboard.

use std::path::PathBuf;

use segbench_types::{ErrorKind, Explain};

/// A report that could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is nothing to report on.
    #[error("no benchmark run in `{path}`")]
    NoRuns {
        /// The folder that was searched.
        path: PathBuf,
    },
    /// There are run folders, but none of them can be read.
    #[error("none of the runs in `{path}` can be read: {reasons}")]
    AllBroken {
        /// The folder that was searched.
        path: PathBuf,
        /// Each folder with what is wrong with it.
        reasons: String,
    },
    /// A format that does not exist.
    #[error("got the report format `{name}`, expected one of {known}")]
    UnknownFormat {
        /// What was asked for.
        name: String,
        /// The formats there are.
        known: String,
        /// The format that was probably meant.
        suggestion: Option<&'static str>,
    },
    /// A file could not be read or written.
    #[error(transparent)]
    Storage(#[from] segbench_storage::Error),
    /// A table could not be read or written.
    #[error(transparent)]
    Tables(#[from] segbench_tables::Error),
    /// The HTML page could not be filled in.
    #[error("cannot fill in the HTML page")]
    Page(#[from] askama::Error),
}

impl Explain for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NoRuns { .. } => ErrorKind::MissingInput,
            Self::AllBroken { .. } => ErrorKind::InvalidData,
            Self::UnknownFormat { .. } => ErrorKind::Usage,
            Self::Storage(err) => err.kind(),
            Self::Tables(err) => err.kind(),
            Self::Page(_) => ErrorKind::Bug,
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::NoRuns { .. } => Some("make a run first: `just bench segformer`".into()),
            Self::AllBroken { path, .. } => Some(format!(
                "remove the broken folders below `{}` and run `just bench segformer`",
                path.display()
            )),
            Self::UnknownFormat { suggestion, .. } => {
                suggestion.map(|name| format!("did you mean `{name}`?"))
            }
            Self::Storage(err) => err.help(),
            Self::Tables(err) => err.help(),
            Self::Page(_) => None,
        }
    }
}
