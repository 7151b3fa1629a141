//! What is known of a network beside its code: where it comes from, how far it is tested, which weights exist.

/// Facts on an architecture.
#[derive(Debug, Clone, Copy)]
pub struct ModelCard {
    /// Name on the command line, such as `segformer`.
    pub name: &'static str,
    /// Name in prose.
    pub title: &'static str,
    /// Year of the paper.
    pub year: u16,
    /// Where to read the paper.
    pub paper_url: &'static str,
    /// The implementations that this one is compared with.
    pub references: &'static [Reference],
    /// How far it is tested.
    pub status: Status,
    /// How images have to be prepared, unless the weights say otherwise.
    pub preprocessing: Preprocessing,
    /// Published checkpoints that this implementation reads.
    pub weights: &'static [WeightSource],
}

impl ModelCard {
    /// What the cards of networks share that are compared with mmsegmentation only. Names and references are left to fill in.
    pub(crate) const MMSEGMENTATION: Self = Self {
        name: "",
        title: "",
        year: 0,
        paper_url: "",
        references: &[],
        status: Status::Parity,
        preprocessing: Preprocessing::IMAGENET,
        weights: &[],
    };
}

/// An implementation by others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reference {
    /// Project and version.
    pub project: &'static str,
    /// File and class within it.
    pub path: &'static str,
}

impl Reference {
    /// A file and class of the mmsegmentation that fixtures are made with.
    pub(crate) const fn mmsegmentation(path: &'static str) -> Self {
        Self { project: "mmsegmentation 1.2.2", path }
    }
}

/// How far an implementation is tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Real weights reproduce a published score.
    Verified,
    /// Outputs equal those of an executed reference with the same seeded weights.
    Parity,
    /// There is no reference to run; checked against the paper's tables and figures.
    Paper,
}

impl Status {
    /// The word in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Parity => "parity",
            Self::Paper => "paper",
        }
    }
}

/// How an image becomes a network's input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Preprocessing {
    /// Mean of red, green and blue on the scale 0 to 255, which is subtracted.
    pub mean: [f32; 3],
    /// Standard deviation of red, green and blue on the scale 0 to 255, by which is divided.
    pub std: [f32; 3],
    /// Height and width have to be multiples of this; 1 if any size will do.
    pub divisor: u32,
}

impl Preprocessing {
    /// The statistics of ImageNet, any size.
    pub const IMAGENET: Self =
        Self { mean: [123.675, 116.28, 103.53], std: [58.395, 57.12, 57.375], divisor: 1 };

    /// What networks from Caffe want: the mean of ImageNet is subtracted, and nothing divided. That they want blue first is their own
    /// affair.
    pub const CAFFE: Self = Self { mean: [122.675, 116.669, 104.008], std: [1.0; 3], divisor: 1 };
}

/// A published checkpoint.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WeightSource {
    /// `<model>.<train data set>.<origin>`, such as `segformer-b0.ade20k.mmseg`.
    pub tag: &'static str,
    /// The preset that it fits.
    pub preset: &'static str,
    /// Where the file is.
    pub url: &'static str,
    /// Data set it was trained on.
    pub dataset: &'static str,
    /// Licence of the weights; None where the publisher states none beside the file.
    pub licence: Option<&'static str>,
    /// How the publisher runs it.
    pub inference: Inference,
    /// The publisher's score.
    pub published: Option<Published>,
}

/// How a publisher turns an image into a prediction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inference {
    /// The whole image at once; its shorter side has this many pixels.
    Whole {
        /// Pixels of the shorter side.
        short_side: u32,
    },
    /// Overlapping square windows.
    Slide {
        /// Side of a window.
        window: u32,
        /// Steps between windows.
        stride: u32,
    },
}

/// A published score on the validation split.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Published {
    /// Mean IoU in percent from one view per image.
    pub miou: f64,
    /// Mean IoU in percent from several scales and flips.
    pub miou_multi_scale: Option<f64>,
    /// Where the score stands.
    pub source: &'static str,
}
