//! Tables that cannot be read or written.

use std::path::PathBuf;

use polars::error::PolarsError;
use segbench_types::{ErrorKind, Explain};

/// A table that could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file could not be read or written at all.
    #[error(transparent)]
    Storage(#[from] segbench_storage::Error),
    /// The file is no Parquet, or is damaged.
    #[error("`{path}` is not a complete Parquet file")]
    Malformed {
        /// What was read.
        path: PathBuf,
        /// Where decoding failed.
        source: MalformedCause,
    },
    /// A column of the schema is absent.
    #[error("`{path}` has no column `{column}`, it has {}", list(.found))]
    MissingColumn {
        /// What was read.
        path: PathBuf,
        /// The column looked for.
        column: String,
        /// The columns that are there.
        found: Vec<String>,
    },
    /// A column holds values of another type.
    #[error("column `{column}` of `{path}` holds `{got}`, expected `{expected}`")]
    WrongType {
        /// What was read.
        path: PathBuf,
        /// The column.
        column: String,
        /// Its type in the file.
        got: String,
        /// The type of the schema.
        expected: String,
    },
    /// A cell that must hold a value is empty.
    #[error("column `{column}` of `{path}` is empty in row {row}")]
    EmptyCell {
        /// What was read.
        path: PathBuf,
        /// The column.
        column: String,
        /// Number of the row, from 0.
        row: usize,
    },
    /// Rows that cannot be put into Parquet, such as two columns of one name.
    #[error("cannot encode `{path}`")]
    Encode {
        /// What was to be written.
        path: PathBuf,
        /// Why it failed.
        source: MalformedCause,
    },
}

/// What the Parquet library said.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct MalformedCause(String);

impl MalformedCause {
    /// Keeps the first line of the message; the rest repeats the query plan.
    pub(crate) fn of(err: &PolarsError) -> Self {
        Self(err.to_string().lines().next().unwrap_or_default().to_owned())
    }

    pub(crate) fn text(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl Explain for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Storage(err) => err.kind(),
            Self::Malformed { .. }
            | Self::MissingColumn { .. }
            | Self::WrongType { .. }
            | Self::EmptyCell { .. } => ErrorKind::InvalidData,
            Self::Encode { .. } => ErrorKind::Bug,
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::Storage(err) => err.help(),
            Self::Malformed { path, .. }
            | Self::MissingColumn { path, .. }
            | Self::WrongType { path, .. }
            | Self::EmptyCell { path, .. } => {
                let again = if path.file_name().is_some_and(|name| name == "manifest.parquet") {
                    "`segbench prepare`"
                } else {
                    "`segbench bench`"
                };
                Some(format!("remove `{}` and let {again} write it again", path.display()))
            }
            Self::Encode { .. } => None,
        }
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() {
        return "none".into();
    }
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
