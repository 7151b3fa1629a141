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
    /// A run that is not there.
    #[error("there is no run `{name}` in `{path}`")]
    UnknownRun {
        /// What was asked for.
        name: String,
        /// Where runs are.
        path: PathBuf,
        /// The run that was probably meant.
        suggestion: Option<String>,
    },
    /// The beginning of several run ids.
    #[error("`{name}` may be any of the runs {meant}")]
    AmbiguousRun {
        /// What was asked for.
        name: String,
        /// The runs that begin so.
        meant: String,
    },
    /// A run that is damaged, or has no accuracy where that is needed.
    #[error("cannot use the run in `{path}`: {reason}")]
    UnusableRun {
        /// Its folder.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Two runs whose scores do not compare.
    #[error("the runs `{first}` and `{second}` do not compare: {reason}")]
    NotComparable {
        /// Id of one.
        first: String,
        /// Id of the other.
        second: String,
        /// What differs.
        reason: String,
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
    /// The scores of single images could not be put into the HTML page.
    #[error("cannot put the scores of images into the HTML page")]
    Data(#[from] serde_json::Error),
}

impl Explain for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NoRuns { .. } | Self::UnknownRun { .. } => ErrorKind::MissingInput,
            Self::AllBroken { .. } | Self::UnusableRun { .. } | Self::NotComparable { .. } => {
                ErrorKind::InvalidData
            }
            Self::UnknownFormat { .. } | Self::AmbiguousRun { .. } => ErrorKind::Usage,
            Self::Storage(err) => err.kind(),
            Self::Tables(err) => err.kind(),
            Self::Page(_) | Self::Data(_) => ErrorKind::Bug,
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
            Self::UnknownRun { suggestion: Some(near), .. } => Some(format!("did you mean `{near}`?")),
            Self::UnknownRun { .. } => Some("the last column of `segbench report` names all runs".into()),
            Self::AmbiguousRun { .. } => Some("give more digits".into()),
            Self::UnusableRun { path, .. } => {
                Some(format!("remove `{}` and run `segbench bench` again", path.display()))
            }
            Self::NotComparable { .. } => {
                Some("compare two runs on the same split under the same protocol".into())
            }
            Self::Storage(err) => err.help(),
            Self::Tables(err) => err.help(),
            Self::Page(_) | Self::Data(_) => None,
        }
    }
}
