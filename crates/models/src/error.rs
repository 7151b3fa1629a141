//! What can go wrong between a model's name and its logits.

use segbench_types::{ErrorKind, Explain};

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A model that could not be found, built, loaded or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No architecture or preset has this name.
    #[error("there is no model `{name}`")]
    UnknownModel {
        /// What was asked for.
        name: String,
        /// The known name most like it.
        suggestion: Option<String>,
    },
    /// Settings that contradict each other.
    #[error("the configuration of `{model}` does not work: {}", problems.join("; "))]
    Config {
        /// The model that was to be built.
        model: String,
        /// Everything that is wrong.
        problems: Vec<String>,
    },
    /// A checkpoint whose tensors are not those of the model.
    #[error("the weights do not fit `{model}`: {problem}")]
    Checkpoint {
        /// The model they were to be loaded into.
        model: String,
        /// Which tensors are missing, left over or of another shape.
        problem: String,
        /// Another model that they do fit.
        fitting: Option<String>,
    },
    /// An image that the model cannot take.
    #[error("{problem}")]
    Input {
        /// What was given and what is needed.
        problem: String,
        /// What to do about it.
        help: String,
    },
    /// A layer, a device or a weight file failed.
    #[error(transparent)]
    Layer(#[from] segbench_nn::Error),
}

impl Error {
    pub(crate) fn does_not_fit(model: &str, problem: String) -> Self {
        Self::Checkpoint { model: model.to_owned(), problem, fitting: None }
    }
}

impl From<candle_core::Error> for Error {
    fn from(err: candle_core::Error) -> Self {
        Self::Layer(err.into())
    }
}

impl Explain for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::UnknownModel { .. } => ErrorKind::Usage,
            Self::Config { .. } => ErrorKind::Configuration,
            Self::Checkpoint { .. } | Self::Input { .. } => ErrorKind::InvalidData,
            Self::Layer(err) => err.kind(),
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::UnknownModel { suggestion: Some(name), .. } => Some(format!("did you mean `{name}`?")),
            Self::UnknownModel { suggestion: None, .. } => {
                Some("`segbench list models` names them all".into())
            }
            Self::Checkpoint { fitting: Some(model), .. } => Some(format!("these are weights of `{model}`")),
            Self::Checkpoint { fitting: None, .. } => Some(
                "take the model that the weights were trained with; `segbench list models` names them all"
                    .into(),
            ),
            Self::Input { help, .. } => Some(help.clone()),
            Self::Config { .. } => None,
            Self::Layer(err) => err.help(),
        }
    }
}
