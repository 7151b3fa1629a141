//! Evaluation protocols: a scoring rule and an inference rule under one versioned name.
//!
//! The same label maps score 68, 72 or 73 mIoU under the conventions of three respected toolkits, because they disagree about
//! classes that are absent. So a convention is data: [`Protocol::all`] is a table with a row per toolkit, and what a row says is all
//! that the code computing scores knows of that toolkit.

mod builtin;
mod inference;

use serde::{Deserialize, Serialize};

pub use self::inference::{Alignment, InferenceRule, InputSize, LogitSteps, Window};
use crate::{ErrorKind, Explain, nearest};

/// A named, versioned way from images to a score. Scores of different protocols are never ranked together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Protocol {
    /// Name and version, such as `mmseg-whole@1`.
    pub name: String,
    /// What it stands for, in one sentence.
    pub description: String,
    /// From image to label map. Label maps that come from elsewhere are scored without it.
    pub inference: InferenceRule,
    /// From label maps to scores.
    pub scoring: ScoringRule,
}

/// How counts become scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScoringRule {
    /// What a class without a defined score does to a mean.
    pub absent_class: AbsentClass,
    /// What a labelled pixel is whose prediction is no class.
    #[serde(default)]
    pub no_class: NoClass,
    /// Whether counts of all images are added before scores are taken.
    pub pooled: bool,
    /// Groups of classes that are scored too, as if each were one class.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<Category>,
    /// Classes of which single objects are weighted by their size.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instance_sizes: Vec<InstanceSize>,
}

/// What a class without a defined score does to a mean over classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AbsentClass {
    /// A class that is neither labelled nor predicted is left out, and the mean divides by the number of classes that remain.
    Skipped,
    /// A class without a labelled pixel is left out even where it is predicted; such predictions still cost the classes they hit.
    SkippedUnlessLabelled,
    /// Its score is 0, and the mean divides by the number of all classes.
    Zero,
}

/// What a labelled pixel is whose prediction is no class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoClass {
    /// A miss.
    #[default]
    Missed,
    /// Not counted at all, as if the ground truth ignored it.
    LeftOut,
}

/// Classes that are scored as one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Category {
    /// Its name.
    pub name: String,
    /// Its classes by the names of the catalog.
    pub classes: Vec<String>,
}

/// What an object of a class is weighted against.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstanceSize {
    /// The class by the name of the catalog.
    pub class: String,
    /// Mean number of pixels of its objects in the train split.
    pub pixels: f64,
}

/// A protocol that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// There is none of this name.
    #[error("unknown protocol `{name}`")]
    Unknown {
        /// The name that was asked for.
        name: String,
        /// The name that was probably meant.
        suggestion: Option<String>,
    },
}

impl Protocol {
    /// All protocols, sorted by name.
    pub fn all() -> Vec<Self> {
        vec![
            Self::ade_mit(),
            Self::cityscapes(),
            Self::detectron2(),
            Self::hf_evaluate(),
            Self::mmseg_slide(),
            Self::mmseg_tta(),
            Self::mmseg_whole(),
            Self::segformer(),
        ]
    }

    /// The protocol with this name.
    ///
    /// # Errors
    /// [`ProtocolError::Unknown`] with the nearest name.
    pub fn find(name: &str) -> Result<Self, ProtocolError> {
        let all = Self::all();
        all.iter().find(|protocol| protocol.name == name).cloned().ok_or_else(|| ProtocolError::Unknown {
            name: name.to_owned(),
            suggestion: nearest(name, all.iter().map(|protocol| protocol.name.as_str())).map(str::to_owned),
        })
    }
}

impl Default for InferenceRule {
    /// mmsegmentation's rule at native size.
    fn default() -> Self {
        Self {
            image_resize: "cv2-linear".into(),
            logit_resize: "bilinear to the input size, then to the label size, then argmax".into(),
            inputs: vec![InputSize::Native],
            alignment: Alignment::Free,
            window: None,
            flip: false,
            steps: LogitSteps::InputThenLabel,
        }
    }
}

impl Default for ScoringRule {
    /// The rule that most toolkits share: areas pooled over images, absent classes left out, no class is a miss.
    fn default() -> Self {
        Self {
            absent_class: AbsentClass::Skipped,
            no_class: NoClass::Missed,
            pooled: true,
            categories: Vec::new(),
            instance_sizes: Vec::new(),
        }
    }
}

impl Explain for ProtocolError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Usage
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::Unknown { suggestion: Some(near), .. } => format!("did you mean `{near}`?"),
            Self::Unknown { suggestion: None, .. } => "segbench list protocols".into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_protocol_is_found_by_its_name_and_a_misspelled_one_suggested() {
        let all = Protocol::all();
        for (index, protocol) in all.iter().enumerate() {
            assert_eq!(Protocol::find(&protocol.name).as_ref(), Ok(protocol));
            assert!(index == 0 || all[index - 1].name < protocol.name, "{} is out of order", protocol.name);
        }
        let err = Protocol::find("cityscape@1").expect_err("misspelled");
        assert_eq!(err.help().as_deref(), Some("did you mean `cityscapes@1`?"));
    }

    #[test]
    fn a_data_set_decides_the_sizes_and_a_foreign_one_leaves_them() {
        let inputs = |protocol: Protocol, dataset| protocol.for_dataset(dataset).inference.inputs;
        assert_eq!(
            inputs(Protocol::mmseg_whole(), "ade20k"),
            [InputSize::Within { long: 2048, short: 512 }],
            "mmsegmentation's scale"
        );
        assert_eq!(inputs(Protocol::mmseg_whole(), "mine"), [InputSize::Native]);
        assert_eq!(
            Protocol::segformer().for_dataset("cityscapes@groups").inference.window,
            Some(Window { size: [1024; 2], stride: [768; 2] })
        );
        assert_eq!(Protocol::segformer().for_dataset("ade20k").inference.window, None);
        assert_eq!(Protocol::mmseg_tta().for_dataset("ade20k").inference.views(), 12);
    }

    #[test]
    fn a_protocol_written_before_rules_had_names_for_everything_is_still_read() {
        let old = r#"{"name": "a@1", "description": "b", "inference": {"image_resize": "c", "logit_resize": "d"},
                      "scoring": {"absent_class": "skipped", "pooled": true}}"#;
        let protocol: Protocol = serde_json::from_str(old).expect("read");
        assert_eq!(protocol.scoring, ScoringRule::default());
        assert_eq!(
            (protocol.inference.inputs.as_slice(), protocol.inference.views()),
            ([InputSize::Native].as_slice(), 1)
        );
    }
}
