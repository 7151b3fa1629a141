//! What can go wrong in a training.

use std::path::PathBuf;

use segbench_types::{ErrorKind, Explain};

/// A training that cannot start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Options that are out of range or contradict each other.
    #[error("the training options do not work: {}", problems.join("; "))]
    Options {
        /// Everything that is wrong, each with the name of its field.
        problems: Vec<String>,
    },
    /// The data set has no labelled image to train on.
    #[error("`{dataset}` has no labelled image in its split `{split}`")]
    NoImages {
        /// Name of the data set.
        dataset: String,
        /// The split that was looked at.
        split: &'static str,
    },
    /// The loss or its gradient overflowed.
    #[error("the {what} of step {step} is not finite (learning rate {learning_rate:e})")]
    NotFinite {
        /// What overflowed: the loss or the gradient.
        what: &'static str,
        /// The step, counted from 1.
        step: u64,
        /// The learning rate of that step.
        learning_rate: f64,
        /// The checkpoint of an earlier step, which is still there.
        checkpoint: Option<PathBuf>,
    },
    /// The checkpoint belongs to another training.
    #[error("the checkpoint `{path}` belongs to another training: {difference}")]
    OtherTraining {
        /// The checkpoint.
        path: PathBuf,
        /// What differs.
        difference: String,
    },
    /// The data set could not be read.
    #[error(transparent)]
    Dataset(#[from] segbench_datasets::Error),
    /// The network could not be built or run.
    #[error(transparent)]
    Model(#[from] segbench_models::Error),
    /// The loss could not be computed.
    #[error(transparent)]
    Loss(#[from] segbench_losses::Error),
    /// Predictions could not be counted.
    #[error(transparent)]
    Metric(#[from] segbench_metrics::Error),
    /// A layer or a weight file failed.
    #[error(transparent)]
    Layer(#[from] segbench_nn::Error),
    /// A file could not be read or written.
    #[error(transparent)]
    Storage(#[from] segbench_storage::Error),
}

impl From<candle_core::Error> for Error {
    fn from(err: candle_core::Error) -> Self {
        Self::Layer(err.into())
    }
}

impl Explain for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Options { .. } | Self::OtherTraining { .. } => ErrorKind::Configuration,
            Self::NoImages { .. } | Self::NotFinite { .. } => ErrorKind::InvalidData,
            Self::Dataset(err) => err.kind(),
            Self::Model(err) => err.kind(),
            Self::Loss(err) => err.kind(),
            Self::Metric(err) => err.kind(),
            Self::Layer(err) => err.kind(),
            Self::Storage(err) => err.kind(),
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::Options { .. } => None,
            Self::NoImages { dataset, .. } => {
                Some(format!("`segbench prepare {dataset}` with the split and its labels"))
            }
            Self::NotFinite { checkpoint, .. } => {
                let kept = checkpoint
                    .as_ref()
                    .map_or(String::new(), |path| format!(" (`{}` is kept)", path.display()));
                Some(format!(
                    "start again with a lower learning rate, more warm-up steps or gradient clipping{kept}"
                ))
            }
            Self::OtherTraining { .. } => {
                Some("resume with the settings it was started with, or start over without `--resume`".into())
            }
            Self::Dataset(err) => err.help(),
            Self::Model(err) => err.help(),
            Self::Loss(err) => err.help(),
            Self::Metric(err) => err.help(),
            Self::Layer(err) => err.help(),
            Self::Storage(err) => err.help(),
        }
    }
}
