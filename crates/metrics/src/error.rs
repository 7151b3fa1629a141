//! Label maps that cannot be counted.

use segbench_types::{ErrorKind, Explain};

/// Two maps that cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Ground truth and prediction differ in size.
    #[error("prediction has {predicted} pixels, ground truth has {ground_truth}")]
    Length {
        /// Pixels of the ground truth.
        ground_truth: usize,
        /// Pixels of the prediction.
        predicted: usize,
    },
    /// A label of the ground truth is neither a class nor the ignore value.
    #[error("label `{value}` at pixel {pixel} of the ground truth is no class, expected 0..{classes} or 255")]
    Label {
        /// The label.
        value: u8,
        /// Its place in row-major order.
        pixel: usize,
        /// Number of classes.
        classes: usize,
    },
    /// Counts of another number of classes.
    #[error("counts of {got} classes do not add to counts of {expected} classes")]
    Classes {
        /// Classes of the matrix added to.
        expected: usize,
        /// Classes of what was added.
        got: usize,
    },
}

impl Explain for Error {
    fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidData
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::Length { .. } => {
                "predictions must have the size of the label map: resize them with the nearest label".into()
            }
            Self::Label { .. } => {
                "the label maps hold source ids: prepare the data set with `segbench prepare`".into()
            }
            Self::Classes { .. } => "evaluate both with the same data set".into(),
        })
    }
}
