//! Errors of measuring.

use std::path::PathBuf;

use segbench_types::{ErrorKind, Explain};

/// Why something could not be measured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The split has no labelled images.
    #[error("the split `{split}` of `{dataset}` has no labelled images")]
    NothingToEvaluate {
        /// The data set.
        dataset: String,
        /// The split.
        split: String,
    },
    /// Weights and data set disagree on the number of classes.
    #[error("`{weights}` predicts {got} classes, `{dataset}` has {expected}")]
    ClassesDiffer {
        /// The weights.
        weights: String,
        /// The data set.
        dataset: String,
        /// Classes of the weights.
        got: usize,
        /// Classes of the data set.
        expected: usize,
    },
    /// Images without a prediction.
    #[error("{count} of {total} images have no prediction in `{dir}`, the first is `{first}`")]
    NoPrediction {
        /// Where predictions were looked for.
        dir: PathBuf,
        /// How many are missing.
        count: usize,
        /// How many are needed.
        total: usize,
        /// The first id without one.
        first: String,
    },
    /// A folder of labels without any.
    #[error("`{dir}` has no label maps")]
    NoLabels {
        /// The folder.
        dir: PathBuf,
    },
    /// Two predictions for one image.
    #[error("`{first}` and `{second}` are both predictions of `{id}`")]
    TwoPredictions {
        /// The image.
        id: String,
        /// One file.
        first: PathBuf,
        /// The other file.
        second: PathBuf,
    },
    /// A prediction of another size than its label map.
    #[error("`{path}` is {}x{}, its label map is {}x{} (width x height)", got.0, got.1, expected.0, expected.1)]
    SizesDiffer {
        /// The prediction.
        path: PathBuf,
        /// Its width and height.
        got: (u32, u32),
        /// Width and height of the label map.
        expected: (u32, u32),
    },
    /// A value that means nothing.
    #[error("`{path}`: the value {value} at ({x}, {y}) is no class: expected {expected}")]
    BadValue {
        /// The file.
        path: PathBuf,
        /// The value.
        value: String,
        /// Column.
        x: usize,
        /// Row.
        y: usize,
        /// What would be a class.
        expected: String,
    },
    /// A prediction of more than 8 bits per pixel.
    #[error("`{path}` is a PNG of 16 bits, label maps have 8")]
    SixteenBits {
        /// The file.
        path: PathBuf,
    },
    /// A `.npy` file that does not hold scores.
    #[error("`{path}`: {reason}")]
    BadArray {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A score that is no number.
    #[error("`{path}`: the score of class {class} at ({x}, {y}) is {value}")]
    BadScore {
        /// The file.
        path: PathBuf,
        /// The class.
        class: usize,
        /// Column.
        x: usize,
        /// Row.
        y: usize,
        /// What is there instead of a number.
        value: f32,
    },
    /// A data set whose predictions a test server does not take.
    #[error("`{dataset}` has the classes `{got}`, a submission to Cityscapes needs `{expected}`")]
    NotSubmittable {
        /// The data set.
        dataset: String,
        /// Its classes.
        got: String,
        /// Those that the server knows.
        expected: String,
    },
    /// A prediction of another size than a test server takes.
    #[error("`{path}` is {}x{}, the test server takes {}x{} (width x height)", got.0, got.1, expected.0, expected.1)]
    NotFrameSize {
        /// The prediction.
        path: PathBuf,
        /// Its width and height.
        got: (u32, u32),
        /// Width and height of every frame.
        expected: (u32, u32),
    },
    /// A split without images.
    #[error("the split `{split}` of `{dataset}` has no images")]
    EmptySplit {
        /// The data set.
        dataset: String,
        /// The split.
        split: String,
    },
    /// A prediction that belongs to no frame.
    #[error(
        "`{path}` is not named after a frame: expected a name such as `berlin_000000_000019_leftImg8bit.png`"
    )]
    NoFrame {
        /// The file.
        path: PathBuf,
    },
    /// A size of images for a network of volumes.
    #[error("`{model}` looks at volumes, whose speed is measured at their own size")]
    SizeOfVolumes {
        /// The model.
        model: String,
    },
    /// A plan of another version of the program names weights that this one does not have.
    #[error("this segbench has no weights `{tag}` of its own")]
    NotShipped {
        /// The tag.
        tag: String,
    },
    /// Results that do not belong together.
    #[error("the results of the tasks do not fit the job: {reason}")]
    BadResults {
        /// What does not fit.
        reason: String,
    },
    /// A computation failed.
    #[error("the network could not be run")]
    Candle(#[from] candle_core::Error),
    /// Files.
    #[error(transparent)]
    Storage(#[from] segbench_storage::Error),
    /// Tables.
    #[error(transparent)]
    Tables(#[from] segbench_tables::Error),
    /// Metrics.
    #[error(transparent)]
    Metrics(#[from] segbench_metrics::Error),
    /// Data sets.
    #[error(transparent)]
    Datasets(#[from] segbench_datasets::Error),
    /// Networks.
    #[error(transparent)]
    Models(#[from] segbench_models::Error),

    /// A protocol names a resize kernel that does not exist.
    #[error(transparent)]
    Transforms(#[from] segbench_transforms::Error),
    /// Layers and weights.
    #[error(transparent)]
    Nn(#[from] segbench_nn::Error),
}

impl Explain for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NothingToEvaluate { .. } | Self::EmptySplit { .. } | Self::NotShipped { .. } => {
                ErrorKind::MissingInput
            }
            Self::NotSubmittable { .. } => ErrorKind::Usage,
            Self::ClassesDiffer { .. }
            | Self::NoPrediction { .. }
            | Self::NoLabels { .. }
            | Self::SixteenBits { .. }
            | Self::BadArray { .. }
            | Self::BadScore { .. }
            | Self::NoFrame { .. }
            | Self::NotFrameSize { .. }
            | Self::TwoPredictions { .. }
            | Self::SizesDiffer { .. }
            | Self::BadValue { .. }
            | Self::BadResults { .. } => ErrorKind::InvalidData,
            Self::SizeOfVolumes { .. } => ErrorKind::Usage,
            Self::Candle(_) => ErrorKind::Device,
            Self::Storage(err) => err.kind(),
            Self::Tables(err) => err.kind(),
            Self::Metrics(err) => err.kind(),
            Self::Datasets(err) => err.kind(),
            Self::Models(err) => err.kind(),
            Self::Transforms(err) => err.kind(),
            Self::Nn(err) => err.kind(),
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::NothingToEvaluate { dataset, .. } => {
                Some(format!("prepare a split with labels (`segbench prepare {dataset}`) or name another with `--split`"))
            }
            Self::ClassesDiffer { .. } => Some("choose weights trained on this data set's classes".into()),
            Self::NoPrediction { .. } => {
                Some("files pair by stem: name each prediction `<image id>.png`, or evaluate another split with `--split`".into())
            }
            Self::NoLabels { .. } => Some("name the folder that holds the PNGs".into()),
            Self::SixteenBits { .. } => Some("write class numbers as 8-bit grey or palette PNGs".into()),
            Self::BadArray { .. } => Some(
                "save one array per image with `numpy.save`: f16 or f32, (C, H, W) or (H, W, C) as `--layout` says".into(),
            ),
            Self::BadScore { .. } => Some("look for overflow in the network that wrote the file, half precision first of all".into()),
            Self::NotSubmittable { .. } => {
                Some("name the data set without a taxonomy: `--dataset cityscapes`".into())
            }
            Self::EmptySplit { dataset, .. } => {
                Some(format!("prepare the split (`segbench prepare {dataset}`) or name another with `--split`"))
            }
            Self::NoFrame { .. } => Some("remove files that are no predictions, or name them as the photos are named".into()),
            Self::TwoPredictions { .. } => Some("remove one of the two".into()),
            Self::SizeOfVolumes { .. } => Some("leave `--size` out".into()),
            Self::SizesDiffer { .. } | Self::NotFrameSize { .. } => Some("resize the logits to this size before the argmax, never the label map".into()),
            Self::BadValue { .. } => {
                Some("say how the files are coded with `--encoding train-id|source-id|color`; 255 means \"no class\"".into())
            }
            Self::NotShipped { .. } => Some("segbench list weights".into()),
            Self::BadResults { .. } => Some("remove the job's folder and run the command again".into()),
            Self::Candle(_) => Some("try a smaller `--size` or `--batch 1`".into()),
            Self::Storage(err) => err.help(),
            Self::Tables(err) => err.help(),
            Self::Metrics(err) => err.help(),
            Self::Datasets(err) => err.help(),
            Self::Models(err) => err.help(),
            Self::Transforms(err) => err.help(),
            Self::Nn(err) => err.help(),
        }
    }
}
