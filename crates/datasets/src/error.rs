//! What can go wrong between an archive and a prepared data set.

use std::fmt::{self, Write as _};
use std::path::PathBuf;

use segbench_types::{ErrorKind, Explain};
use serde::{Deserialize, Serialize};

/// A data set that could not be found, read, converted or opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No data set has this name.
    #[error("unknown data set `{name}`")]
    UnknownDataset {
        /// What was asked for.
        name: String,
        /// The known name most like it.
        suggestion: Option<String>,
        /// All known names.
        known: Vec<String>,
    },
    /// No program looks for files beside this data set's label files.
    #[error("`{dataset}` has no label files of train ids beside its own")]
    NotInPlace {
        /// The data set.
        dataset: String,
    },
    /// There is no such way from the classes of a data set to others.
    #[error("there is no taxonomy from `{from}` to `{to}` (expected one of: {})", known.join(", "))]
    UnknownTaxonomy {
        /// The data set's classes.
        from: String,
        /// What was asked for.
        to: String,
        /// The classes that can be asked for.
        known: Vec<String>,
    },
    /// A description of a data set that is wrong.
    #[error("`{}` is no valid description of a data set:{}", path.display(), problems.iter().map(|problem| format!("\n  {problem}")).collect::<String>())]
    DescriptionProblems {
        /// The file.
        path: PathBuf,
        /// Every problem, with its place.
        problems: Vec<String>,
    },
    /// More images are broken or without partner than a data set is known to have.
    #[error("{count} images of `{dataset}` cannot be used (at most {limit} are left out): {first}")]
    TooManySkipped {
        /// The data set.
        dataset: String,
        /// Images that cannot be used.
        count: u64,
        /// How many would be left out.
        limit: u64,
        /// The first of them, with the reason.
        first: String,
    },
    /// A prepared tree that is not what its manifest says.
    #[error("the prepared data set `{dataset}` has {count} {}, first {first}", if *count == 1 { "fault" } else { "faults" })]
    AuditFailed {
        /// The data set.
        dataset: String,
        /// How many faults there are.
        count: usize,
        /// The first of them.
        first: String,
    },
    /// An image that is to be cut out of a photo, without a line in the crop table or with a wrong one.
    #[error("cannot cut out `{id}`: {reason}")]
    Crop {
        /// The image.
        id: String,
        /// What is wrong.
        reason: String,
    },
    /// The data set has no split of this name.
    #[error("unknown split `{split}` of the data set `{dataset}` (expected one of {})", known.join(", "))]
    UnknownSplit {
        /// The data set.
        dataset: String,
        /// What was asked for.
        split: String,
        /// The splits it has.
        known: Vec<String>,
    },
    /// The originals, or a part of them, are not there.
    #[error("{what}")]
    MissingSource {
        /// What is missing and where it was looked for.
        what: String,
        /// How to get it.
        help: String,
    },
    /// An image without its label map, or the other way round.
    #[error("{}", unpaired_text(*count, files, missing))]
    Unpaired {
        /// How many files lack their partner.
        count: usize,
        /// The first of them.
        files: Vec<String>,
        /// The partner that the first of them lacks.
        missing: String,
    },
    /// One image or label map was found at two places.
    #[error("the file of `{id}` was found twice: `{first}` and `{second}`")]
    Duplicate {
        /// The image.
        id: String,
        /// The first place.
        first: String,
        /// The second place.
        second: String,
    },
    /// A file that is no picture, or a broken one.
    #[error("cannot decode `{file}`: {source}")]
    Decode {
        /// The file, with its archive.
        file: String,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// A label map of another size than its image.
    #[error("the label map `{label}` is {}x{}, but its image `{image}` is {}x{}", label_size.0, label_size.1, image_size.0, image_size.1)]
    SizeMismatch {
        /// The label file.
        label: String,
        /// Its width and height.
        label_size: (u32, u32),
        /// The image file.
        image: String,
        /// Its width and height.
        image_size: (u32, u32),
    },
    /// Label values that the data set's table does not know.
    #[error("{}", unknown_labels_text(dataset, values))]
    UnknownLabels {
        /// The data set whose table was used.
        dataset: String,
        /// Every unknown value, ascending.
        values: Vec<UnknownLabel>,
    },
    /// The data set was not prepared yet.
    #[error("the data set `{name}` is not prepared: `{path}` does not exist")]
    NotPrepared {
        /// The data set.
        name: String,
        /// What was looked for.
        path: PathBuf,
    },
    /// The image has no label map, because its test server keeps it.
    #[error("the image `{id}` of `{dataset}` ({split}) has no label map")]
    Unlabelled {
        /// The data set.
        dataset: String,
        /// The image.
        id: String,
        /// Its split.
        split: String,
    },
    /// A prepared file is not the one that the manifest describes.
    #[error("`{file}` is {}x{}, but the manifest of `{dataset}` says {}x{}", size.0, size.1, expected.0, expected.1)]
    ManifestMismatch {
        /// The file.
        file: PathBuf,
        /// Its width and height.
        size: (u32, u32),
        /// Width and height in the manifest.
        expected: (u32, u32),
        /// The data set.
        dataset: String,
    },
    /// The originals are not those that the conversion was planned for.
    #[error("the files of `{dataset}` changed after the conversion was planned")]
    SourceChanged {
        /// The data set.
        dataset: String,
    },
    /// Some tasks of a conversion did not deliver their records.
    #[error(
        "the conversion of `{dataset}` is incomplete: got {got} records, expected {expected}; `{first}` is missing"
    )]
    Incomplete {
        /// The data set.
        dataset: String,
        /// Records delivered.
        got: usize,
        /// Records planned.
        expected: usize,
        /// The first image without a record.
        first: String,
    },
    /// A task index beyond the conversion's tasks.
    #[error("task `{index}` does not exist (the conversion has {count})")]
    NoSuchTask {
        /// What was asked for.
        index: usize,
        /// Number of tasks.
        count: usize,
    },
    /// `dataset.yaml` is not what a converter writes.
    #[error("`{path}` is not a valid data set description")]
    Description {
        /// The file.
        path: PathBuf,
        /// Where it fails.
        source: serde_yaml::Error,
    },
    /// An archive could not be read.
    #[error(transparent)]
    Archive(#[from] segbench_fetch::Error),
    /// A file could not be read or written.
    #[error(transparent)]
    Storage(#[from] segbench_storage::Error),
    /// The sample could not be drawn.
    #[error(transparent)]
    Sample(#[from] crate::sample::Error),
    /// The manifest could not be read or written.
    #[error(transparent)]
    Table(#[from] segbench_tables::Error),
}

/// Why bytes are no usable picture.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The file ends early or is damaged.
    #[error("the file is truncated or damaged ({0})")]
    Damaged(String),
    /// The file is neither PNG nor JPEG.
    #[error("not a PNG or JPEG file")]
    NotAnImage,
    /// A file that holds no volume.
    #[error("not a volume: {0}")]
    NotAVolume(String),
    /// A label file with several channels.
    #[error(
        "got {0} pixels, expected one channel of label ids; this looks like a colored picture of the labels, not the label map"
    )]
    SeveralChannels(&'static str),
    /// A label file of another kind than its data set has.
    #[error("expected {0}")]
    Channels(&'static str),
    /// A label of a prepared data set that is neither a class nor "ignore".
    #[error("got the label {label}, expected a train id below {classes} or 255")]
    NoTrainId {
        /// The label.
        label: u8,
        /// Number of classes.
        classes: usize,
    },
    /// A label value that does not fit the common label format.
    #[error("got the label {0}, expected at most 255")]
    LargeLabel(u16),
}

/// What a label file holds at a pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RawValue {
    /// A number.
    Id(u16),
    /// Red, green, blue.
    Color([u8; 3]),
}

impl fmt::Display for RawValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "value {id}"),
            Self::Color([red, green, blue]) => write!(f, "color ({red}, {green}, {blue})"),
        }
    }
}

/// A label value that the data set's table does not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnknownLabel {
    /// The raw value.
    pub value: RawValue,
    /// Pixels that carry it, over all files looked at.
    pub pixels: u64,
    /// The first file that has it.
    pub file: String,
}

impl Error {
    /// Whether it says that one image is broken, so that the others may go on without it.
    pub(crate) fn is_about_one_image(&self) -> bool {
        matches!(
            self,
            Self::Decode { .. }
                | Self::SizeMismatch { .. }
                | Self::Crop { .. }
                | Self::Archive(segbench_fetch::Error::DamagedMember { .. })
        )
    }
}

fn unpaired_text(count: usize, files: &[String], missing: &str) -> String {
    let mut text = format!("{count} {} no partner:", if count == 1 { "file has" } else { "files have" });
    for file in files {
        let _ = write!(text, " `{file}`");
    }
    if files.len() < count {
        text.push_str(" ...");
    }
    let _ = write!(text, "; `{missing}` was not found");
    text
}

fn unknown_labels_text(dataset: &str, values: &[UnknownLabel]) -> String {
    let mut text = format!("the label table of `{dataset}` does not know");
    for (index, unknown) in values.iter().take(8).enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let pixels = if unknown.pixels == 1 { "pixel" } else { "pixels" };
        let _ = write!(
            text,
            "{comma} the {} ({} {pixels}, first in `{}`)",
            unknown.value, unknown.pixels, unknown.file
        );
    }
    if values.len() > 8 {
        let _ = write!(text, ", and {} more values", values.len() - 8);
    }
    text
}

impl Explain for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::UnknownDataset { .. }
            | Self::UnknownSplit { .. }
            | Self::UnknownTaxonomy { .. }
            | Self::NotInPlace { .. } => ErrorKind::Usage,
            Self::DescriptionProblems { .. } => ErrorKind::Configuration,
            Self::MissingSource { .. } | Self::NotPrepared { .. } => ErrorKind::MissingInput,
            Self::Unpaired { .. }
            | Self::Duplicate { .. }
            | Self::Decode { .. }
            | Self::SizeMismatch { .. }
            | Self::UnknownLabels { .. }
            | Self::Unlabelled { .. }
            | Self::ManifestMismatch { .. }
            | Self::SourceChanged { .. }
            | Self::TooManySkipped { .. }
            | Self::Crop { .. }
            | Self::AuditFailed { .. }
            | Self::Description { .. } => ErrorKind::InvalidData,
            Self::Incomplete { .. } | Self::NoSuchTask { .. } => ErrorKind::Bug,
            Self::Archive(source) => source.kind(),
            Self::Storage(source) => source.kind(),
            Self::Sample(source) => source.kind(),
            Self::Table(source) => source.kind(),
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::UnknownDataset { suggestion: Some(name), .. } => Some(format!("did you mean `{name}`?")),
            Self::UnknownDataset { known, .. } => Some(format!("known data sets: {}", known.join(", "))),
            Self::MissingSource { help, .. } => Some(help.clone()),
            Self::Unpaired { .. } => Some(
                "add the missing files, or remove those named here if you want to leave them out, and run the command again".into(),
            ),
            Self::Duplicate { .. } => Some("remove one of the two, or name only one of them with `--source`".into()),
            Self::Decode { source: DecodeError::SeveralChannels(_), .. } => {
                Some("take the files with label ids (for Cityscapes those ending in `_gtFine_labelIds.png`)".into())
            }
            Self::Decode { .. } => {
                Some("unpack or download this file again, then run the same command: what is done is kept".into())
            }
            Self::SizeMismatch { .. } => {
                Some("replace one of the two files by the one that belongs to the other, and run the command again".into())
            }
            Self::UnknownLabels { .. } => {
                Some("check that these files belong to this data set and that nothing resized or recolored them".into())
            }
            Self::NotInPlace { dataset } => Some(format!(
                "leave out `--in-place`: `segbench prepare {dataset}` writes a tree of its own; Cityscapes is what it is for"
            )),
            Self::NotPrepared { name, .. } => Some(format!("run `just prepare {name}`")),
            Self::DescriptionProblems { .. } => {
                Some("docs/datasets.md shows a description that works, with every key".into())
            }
            Self::TooManySkipped { .. } => {
                Some("unpack or download the data set again; if it is as it should be, raise `tolerate` in a description of your own".into())
            }
            Self::Crop { .. } => Some("take `crop.txt` and the photos from the same copy of the data set".into()),
            Self::Unlabelled { .. } => Some("use the split `train` or `val`".into()),
            Self::ManifestMismatch { dataset, .. } | Self::AuditFailed { dataset, .. } => {
                Some(format!("remove `data/prepared/{dataset}` and run `just prepare {dataset}`"))
            }
            Self::SourceChanged { .. } => Some("run the command again to plan it anew".into()),
            Self::Description { path, .. } => Some(format!("remove `{}` and prepare the data set again", path.display())),
            Self::Archive(source) => source.help(),
            Self::Storage(source) => source.help(),
            Self::Sample(source) => source.help(),
            Self::Table(source) => source.help(),
            Self::UnknownSplit { .. } | Self::UnknownTaxonomy { .. } | Self::Incomplete { .. } | Self::NoSuchTask { .. } => None,
        }
    }
}
