//! What can go wrong between a tensor and a weight file.

use std::path::PathBuf;

use segbench_types::{ErrorKind, Explain};

use crate::weights::LoadReport;

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A layer, a device or a weight file that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A tensor does not have the shape that an operation needs.
    #[error("{operation}: {problem}")]
    Shape {
        /// The operation that was asked for.
        operation: &'static str,
        /// What was given and what is needed.
        problem: String,
    },
    /// The device is absent or the program was built without it.
    #[error("{problem}")]
    Device {
        /// What is wrong with the device.
        problem: String,
        /// What to do instead.
        help: String,
    },
    /// candle could not do what it was asked.
    #[error("{0}")]
    Candle(#[from] candle_core::Error),
    /// A file that holds no weights, or broken ones.
    #[error("`{path}` {problem}")]
    BadCheckpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What to do about it.
        help: String,
    },
    /// Weights and a network that do not belong together.
    #[error("the weights do not fit the network: {report}")]
    WeightsDoNotFit {
        /// What fitted and what did not.
        report: Box<LoadReport>,
    },
    /// Tensor names that a table of names does not translate one to one.
    #[error("the names of the weights cannot be translated: {problem}")]
    WeightMap {
        /// Which names, and why not.
        problem: String,
    },
    /// A pattern of tensor names that is none.
    #[error("the pattern `{pattern}` {problem}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A file could not be read or written.
    #[error(transparent)]
    Storage(#[from] segbench_storage::Error),
}

impl Error {
    /// A tensor of the wrong shape in `operation`.
    pub fn shape(operation: &'static str, problem: impl Into<String>) -> Self {
        Self::Shape { operation, problem: problem.into() }
    }
}

impl Explain for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Shape { .. } | Self::Candle(_) | Self::Pattern { .. } => ErrorKind::Bug,
            Self::BadCheckpoint { .. } | Self::WeightsDoNotFit { .. } | Self::WeightMap { .. } => {
                ErrorKind::InvalidData
            }
            Self::Device { .. } => ErrorKind::Device,
            Self::Storage(err) => err.kind(),
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::Device { help, .. } | Self::BadCheckpoint { help, .. } => Some(help.clone()),
            Self::WeightsDoNotFit { .. } | Self::WeightMap { .. } => Some(
                "name the model the weights were made for: `segbench list models` shows all of them".into(),
            ),
            Self::Storage(err) => err.help(),
            Self::Shape { .. } | Self::Candle(_) | Self::Pattern { .. } => None,
        }
    }
}
