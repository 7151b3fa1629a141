//! Errors of the pipeline.

use std::path::PathBuf;

use segbench_types::{ErrorKind, Explain};

use crate::config::Problem;

/// Why a stage could not be planned or finished.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The YAML has the wrong shape.
    #[error("`{file}`: {message}")]
    Yaml {
        /// The file.
        file: String,
        /// What the parser says, with line and column.
        message: String,
    },
    /// The YAML has wrong values.
    #[error("`{file}` is not valid:{}", problems.iter().map(|problem| format!("\n  {problem}")).collect::<String>())]
    Problems {
        /// The file.
        file: String,
        /// Everything that is wrong.
        problems: Vec<Problem>,
    },
    /// A description of another data set than the one it stands under.
    #[error("`datasets.{name}.describe` describes the data set `{described}`, expected `{name}`")]
    OtherDataset {
        /// The name in the configuration.
        name: String,
        /// The name in the description.
        described: String,
    },
    /// A `--set` that cannot be applied.
    #[error("`--set {item}`: {message}")]
    Override {
        /// What was given.
        item: String,
        /// Why it does not fit.
        message: String,
    },
    /// A name or a combination of options that does not exist.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// What would be right.
        help: String,
    },
    /// A protocol that does not exist.
    #[error(transparent)]
    Protocol(#[from] segbench_types::ProtocolError),
    /// Something that has to be there first.
    #[error("{message}")]
    Missing {
        /// What is missing.
        message: String,
        /// How to get it.
        help: String,
    },
    /// Some tasks of a stage failed; the others are done and stay done.
    #[error("{failed} of {total} tasks of `{stage}` failed; the first: {first}")]
    TasksFailed {
        /// The stage.
        stage: String,
        /// How many failed.
        failed: usize,
        /// How many there are.
        total: usize,
        /// The first failure in the order of the tasks.
        first: String,
        /// Its kind.
        kind: ErrorKind,
        /// Its help.
        help: Option<String>,
    },
    /// A merge was asked for before every task was done.
    #[error("task {index} of {total} of `{plan}` is not done")]
    Gap {
        /// The plan file.
        plan: PathBuf,
        /// The first index that is missing.
        index: usize,
        /// How many there are.
        total: usize,
    },
    /// The plan file belongs to another version or was changed.
    #[error("`{path}` is no plan of this segbench: {reason}")]
    BadPlan {
        /// The plan file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// A result that has no JSON form, which no result should be.
    #[error("a task's result cannot be written: {reason}")]
    NotJson {
        /// What does not fit.
        reason: String,
    },
    /// Some stages of a pipeline failed.
    #[error("{failed} of {total} stages failed")]
    StagesFailed {
        /// How many failed.
        failed: usize,
        /// How many there are.
        total: usize,
        /// That of the first failure if all failed, "some jobs failed" if not.
        kind: ErrorKind,
    },
    /// The stage that makes an input of this one failed.
    #[error("not tried, because {input} was not made")]
    NotTried {
        /// The input.
        input: String,
    },
    /// Files.
    #[error(transparent)]
    Storage(#[from] segbench_storage::Error),
    /// Tables.
    #[error(transparent)]
    Tables(#[from] segbench_tables::Error),
    /// Data sets.
    #[error(transparent)]
    Datasets(#[from] segbench_datasets::Error),
    /// Class weights.
    #[error(transparent)]
    Targets(#[from] segbench_targets::Error),
    /// Networks.
    #[error(transparent)]
    Models(#[from] segbench_models::Error),
    /// Layers and weights.
    #[error(transparent)]
    Nn(#[from] segbench_nn::Error),
    /// Training.
    #[error(transparent)]
    Training(#[from] segbench_training::Error),
    /// Measuring.
    #[error(transparent)]
    Benchmark(#[from] segbench_benchmark::Error),
    /// The report.
    #[error(transparent)]
    Report(#[from] segbench_report::Error),
}

impl Error {
    /// The wrapped error, where another crate's is passed on.
    fn inner(&self) -> Option<&dyn Explain> {
        Some(match self {
            Self::Protocol(err) => err,
            Self::Storage(err) => err,
            Self::Tables(err) => err,
            Self::Datasets(err) => err,
            Self::Targets(err) => err,
            Self::Models(err) => err,
            Self::Nn(err) => err,
            Self::Training(err) => err,
            Self::Benchmark(err) => err,
            Self::Report(err) => err,
            _ => return None,
        })
    }
}

impl Explain for Error {
    fn kind(&self) -> ErrorKind {
        if let Some(inner) = self.inner() {
            return inner.kind();
        }
        match self {
            Self::Yaml { .. } | Self::Problems { .. } | Self::OtherDataset { .. } => ErrorKind::Configuration,
            Self::Override { .. } | Self::Usage { .. } => ErrorKind::Usage,
            Self::Missing { .. } | Self::Gap { .. } => ErrorKind::MissingInput,
            Self::TasksFailed { kind, .. } => *kind,
            Self::BadPlan { .. } => ErrorKind::InvalidData,
            Self::StagesFailed { kind, .. } => *kind,
            Self::NotTried { .. } => ErrorKind::MissingInput,
            _ => ErrorKind::Bug,
        }
    }

    fn help(&self) -> Option<String> {
        if let Some(inner) = self.inner() {
            return inner.help();
        }
        match self {
            Self::Yaml { .. } | Self::Problems { .. } => Some(
                "correct the file and try `segbench check`; its schema is in `schemas/pipeline.schema.json`"
                    .into(),
            ),
            Self::OtherDataset { described, .. } => Some(format!("write `{described}:` under `datasets`")),
            Self::Usage { help, .. } | Self::Missing { help, .. } => Some(help.clone()),
            Self::TasksFailed { help, .. } => help.clone(),
            Self::Gap { plan, index, .. } => {
                Some(format!("segbench task run --plan {} --index {index}", plan.display()))
            }
            Self::StagesFailed { .. } => {
                Some("run the same command again when this is put right: what is done stays done".into())
            }
            Self::BadPlan { .. } => Some("make the plan anew with the command that made it".into()),
            _ => None,
        }
    }
}
