//! Why a loss cannot be computed.

use segbench_types::{ErrorKind, Explain};

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Logits, labels, class weights and options that do not belong together.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A label that is no class of the network.
    #[error(
        "label `{label}` at row {row}, column {column} of image {image} in the batch is no class (0..={last}, 255 = ignore)"
    )]
    Label {
        /// The label.
        label: u8,
        /// Place in the batch, from 0.
        image: usize,
        /// Row, from 0 at the top.
        row: usize,
        /// Column, from 0 at the left.
        column: usize,
        /// The largest label that is a class.
        last: usize,
    },
    /// Sizes that differ.
    #[error("{what} has the size {got:?} instead of {expected:?}")]
    Size {
        /// What has the wrong size.
        what: &'static str,
        /// Its size.
        got: Vec<usize>,
        /// The size that fits the rest.
        expected: Vec<usize>,
    },
    /// A class weight that is negative or not finite.
    #[error("the weight of class {class} is {weight} instead of a number of at least 0")]
    ClassWeight {
        /// The class.
        class: usize,
        /// Its weight.
        weight: f32,
    },
    /// No loss has this name.
    #[error("unknown loss `{name}`, expected one of {known}")]
    UnknownLoss {
        /// What was asked for.
        name: String,
        /// All names.
        known: String,
        /// The name that was probably meant.
        suggestion: Option<&'static str>,
    },
    /// An option that a loss does not have, or that makes no sense.
    #[error("loss `{loss}`: {problem}")]
    Option {
        /// The loss.
        loss: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// A weight of a loss that is negative or not finite, or 0 for a whole training.
    #[error(
        "the weight of the loss `{loss}` is {weight}, expected a positive number, or `from` and `to` of at least 0"
    )]
    Weight {
        /// The loss.
        loss: String,
        /// Its weight.
        weight: String,
    },
    /// A recipe without a loss.
    #[error("there is no loss")]
    NoLoss,
    /// A loss that needs class weights and a target that has none.
    #[error("the loss `{loss}` needs class weights")]
    NoClassWeights {
        /// The loss.
        loss: &'static str,
    },
    /// candle could not do what it was asked.
    #[error("{0}")]
    Candle(#[from] candle_core::Error),
    /// An operation could not do what it was asked.
    #[error("{0}")]
    Operation(#[from] segbench_nn::Error),
}

impl Explain for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Label { .. } | Self::ClassWeight { .. } => ErrorKind::InvalidData,
            Self::UnknownLoss { .. }
            | Self::Option { .. }
            | Self::Weight { .. }
            | Self::NoLoss
            | Self::NoClassWeights { .. } => ErrorKind::Usage,
            Self::Size { .. } | Self::Candle(_) => ErrorKind::Bug,
            Self::Operation(err) => err.kind(),
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::Label { .. } => {
                Some("the data set has more classes than the network: train a network with as many classes as its catalog lists".into())
            }
            Self::ClassWeight { .. } => Some("compute the weights again with `segbench class-weights DATASET`".into()),
            Self::UnknownLoss { suggestion, .. } => Some(match suggestion {
                Some(name) => format!("did you mean `{name}`?"),
                None => "`segbench list losses` shows all losses with their formulas".into(),
            }),
            Self::Option { loss, .. } => {
                Some(format!("`segbench list losses {loss} --json` shows the options with their defaults"))
            }
            Self::NoLoss => Some("leave `loss` out for cross-entropy".into()),
            Self::NoClassWeights { .. } => {
                Some("name a scheme: `--class-weights enet`, or `class_weights: enet` in pipeline.yaml".into())
            }
            Self::Operation(err) => err.help(),
            Self::Weight { .. } => Some("as in `cross-entropy=1.0`, or `boundary=0.01..1` for a weight that grows".into()),
             Self::Size { .. } | Self::Candle(_) => None,
        }
    }
}
