//! Weights that cannot be computed.

use segbench_types::{ErrorKind, Explain};

/// Why there are no weights.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No scheme has this name.
    #[error("unknown class-weight scheme `{name}`, expected one of {known}")]
    UnknownScheme {
        /// What was asked for.
        name: String,
        /// All names.
        known: String,
        /// The name that was probably meant.
        suggestion: Option<&'static str>,
    },
    /// No normalization has this name.
    #[error("unknown normalization `{name}`, expected `mean`, `pixels` or `max`")]
    UnknownNormalization {
        /// What was asked for.
        name: String,
        /// The name that was probably meant.
        suggestion: Option<&'static str>,
    },
    /// Bounds that no weight can meet.
    #[error("weights cannot be bounded to {low} ..= {high}, expected 0 <= low <= high")]
    Clip {
        /// The lower bound.
        low: String,
        /// The upper bound.
        high: String,
    },
    /// Constants for other classes than the catalog's.
    #[error("the weights `{scheme}` are for the 19 classes of Cityscapes, the catalog has others")]
    OtherClasses {
        /// The scheme.
        scheme: &'static str,
    },
    /// The manifest counts another number of classes than the catalog holds.
    #[error("the manifest counts {got} classes in image `{image}`, the catalog has {expected}")]
    Classes {
        /// The image.
        image: String,
        /// Classes counted in it.
        got: usize,
        /// Classes of the catalog.
        expected: usize,
    },
}

impl Explain for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::UnknownScheme { .. }
            | Self::UnknownNormalization { .. }
            | Self::Clip { .. }
            | Self::OtherClasses { .. } => ErrorKind::Usage,
            Self::Classes { .. } => ErrorKind::InvalidData,
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::UnknownScheme { suggestion, .. } | Self::UnknownNormalization { suggestion, .. } => {
                suggestion.map(|name| format!("did you mean `{name}`?"))
            }
            Self::Clip { .. } => None,
            Self::OtherClasses { .. } => {
                Some("take a scheme that is computed, such as `enet` or `median-frequency`".into())
            }
            Self::Classes { .. } => Some("prepare the data set again with `segbench prepare`".into()),
        }
    }
}
