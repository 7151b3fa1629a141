//! What can go wrong in this crate.

use segbench_types::{ErrorKind, Explain};

/// An error of this crate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No resize kernel has this name.
    #[error("`{name}` is no resize kernel (known: {known})")]
    UnknownKernel {
        /// What was asked for.
        name: String,
        /// The names there are.
        known: String,
        /// The nearest of them.
        suggestion: Option<&'static str>,
    },
}

impl Explain for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::UnknownKernel { .. } => ErrorKind::Configuration,
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::UnknownKernel { suggestion, .. } => {
                suggestion.map(|name| format!("did you mean `{name}`?"))
            }
        }
    }
}
