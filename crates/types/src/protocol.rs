//! Evaluation protocols: a scoring rule and an inference rule under one versioned name.
//!
//! The same label maps score 68, 72 or 73 mIoU under the conventions of three respected toolkits, because they disagree about
//! classes that are absent. So a convention is data: [`Protocol::all`] is a table with a row per toolkit, and what a row says is all
//! that the code computing scores knows of that toolkit.

use serde::{Deserialize, Serialize};

use crate::{ErrorKind, Explain, nearest};

/// A named, versioned way from images to a score. Scores of different protocols are never ranked together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Protocol {
    /// Name and version, such as `mmseg-whole@1`.
    pub name: String,
    /// What it stands for, in one sentence.
    pub description: String,
    /// From image to label map; `None` for a protocol that only scores label maps, wherever they come from.
    pub inference: Option<InferenceRule>,
    /// From label maps to scores.
    pub scoring: ScoringRule,
}

/// How an image becomes a prediction of the same size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InferenceRule {
    /// Kernel by name that resizes the 8-bit image to the network's input size.
    pub image_resize: String,
    /// How the logits reach the size of the label map.
    pub logit_resize: String,
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
    /// It says how label maps are scored, but not how they are made.
    #[error("the protocol `{name}` scores label maps and does not say how a network makes them")]
    ScoresOnly {
        /// Its name.
        name: String,
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
            Self::mmseg_whole(),
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

    /// The protocol with this name, which has to say how a network makes its predictions.
    ///
    /// # Errors
    /// [`ProtocolError::Unknown`] or [`ProtocolError::ScoresOnly`].
    pub fn find_with_inference(name: &str) -> Result<Self, ProtocolError> {
        let protocol = Self::find(name)?;
        match protocol.inference {
            Some(_) => Ok(protocol),
            None => Err(ProtocolError::ScoresOnly { name: protocol.name }),
        }
    }

    /// The evaluation of the ADE20K scene parsing benchmark.
    ///
    /// # Source
    /// CSAILVision/semantic-segmentation-pytorch, `mit_semseg/utils.py` (`intersectionAndUnion`, `accuracy`) and `eval.py`: the mean
    /// divides by all classes. The 1e-10 it adds to denominators is left out.
    pub fn ade_mit() -> Self {
        Self::scores(
            "ade-mit@1",
            "the ADE20K benchmark's scores: an absent class has IoU 0, means divide by all classes",
            ScoringRule { absent_class: AbsentClass::Zero, ..ScoringRule::default() },
        )
    }

    /// The pixel-level evaluation of the Cityscapes benchmark.
    ///
    /// # Source
    /// cityscapesScripts 2.3.0, `evaluation/evalPixelLevelSemanticLabeling.py`, with its `avgClassSize` and the categories of
    /// `helpers/labels.py`. Predictions of labels that the evaluation ignores (such as `parking`) have no train id here and are misses
    /// there; only the instance-weighted category scores treat predicted caravans and trailers otherwise.
    pub fn cityscapes() -> Self {
        const CATEGORIES: [(&str, &[&str]); 7] = [
            ("flat", &["road", "sidewalk"]),
            ("construction", &["building", "wall", "fence"]),
            ("object", &["pole", "traffic light", "traffic sign"]),
            ("nature", &["vegetation", "terrain"]),
            ("sky", &["sky"]),
            ("human", &["person", "rider"]),
            ("vehicle", &["car", "truck", "bus", "train", "motorcycle", "bicycle"]),
        ];
        const SIZES: [(&str, f64); 8] = [
            ("person", 3_462.475_633_764_4),
            ("rider", 3_930.478_805_651_8),
            ("car", 12_794.020_273_818_5),
            ("truck", 27_855.126_436_781_6),
            ("bus", 35_732.151_111_111_1),
            ("train", 67_583.707_581_227_4),
            ("motorcycle", 6_298.720_083_974_8),
            ("bicycle", 4_672.324_922_226_1),
        ];
        let category = |(name, classes): (&str, &[&str])| Category {
            name: name.to_owned(),
            classes: classes.iter().map(|&class| class.to_owned()).collect(),
        };
        let size = |(class, pixels): (&str, f64)| InstanceSize { class: class.to_owned(), pixels };
        Self::scores(
            "cityscapes@1",
            "the Cityscapes benchmark's scores: IoU per class and per category, and with objects weighted by their size (iIoU)",
            ScoringRule {
                categories: CATEGORIES.into_iter().map(category).collect(),
                instance_sizes: SIZES.into_iter().map(size).collect(),
                ..ScoringRule::default()
            },
        )
    }

    /// detectron2's semantic segmentation evaluator, which Mask2Former reports.
    ///
    /// # Source
    /// detectron2, `evaluation/sem_seg_evaluation.py`: rows and columns of the ignore label are cut off the confusion matrix, and
    /// means run over classes that the ground truth holds.
    pub fn detectron2() -> Self {
        Self::scores(
            "detectron2@1",
            "detectron2's scores: means over the classes that the ground truth holds; pixels without a predicted class are left out",
            ScoringRule {
                absent_class: AbsentClass::SkippedUnlessLabelled,
                no_class: NoClass::LeftOut,
                ..ScoringRule::default()
            },
        )
    }

    /// Hugging Face's metric `mean_iou`.
    ///
    /// # Source
    /// huggingface/evaluate, `metrics/mean_iou/mean_iou.py`.
    pub fn hf_evaluate() -> Self {
        Self::scores(
            "hf-evaluate@1",
            "the metric mean_iou of Hugging Face evaluate, whose rules are those of mmsegmentation",
            ScoringRule::default(),
        )
    }

    /// mmsegmentation's whole-image evaluation without test-time augmentation.
    ///
    /// # Source
    /// mmsegmentation 1.2.2: `Resize` with OpenCV's bilinear kernel, `EncoderDecoder.predict` (logits to the input size, then to
    /// the original size, argmax), `IoUMetric` (areas pooled over images, absent classes left out).
    pub fn mmseg_whole() -> Self {
        Self {
            inference: Some(InferenceRule {
                image_resize: "cv2-linear".into(),
                logit_resize: "bilinear to the input size, then to the label size, then argmax".into(),
            }),
            ..Self::scores(
                "mmseg-whole@1",
                "mmsegmentation's whole-image evaluation: one view, logits resized twice, areas pooled over images",
                ScoringRule::default(),
            )
        }
    }

    fn scores(name: &str, description: &str, scoring: ScoringRule) -> Self {
        Self { name: name.into(), description: description.into(), inference: None, scoring }
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
            Self::ScoresOnly { name } => {
                format!(
                    "measure with `mmseg-whole@1`, then score its label maps: `segbench evaluate --protocol {name}`"
                )
            }
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
    fn a_protocol_that_only_scores_cannot_run_a_network() {
        let err = Protocol::find_with_inference("cityscapes@1").expect_err("no inference");
        assert_eq!(err, ProtocolError::ScoresOnly { name: "cityscapes@1".into() });
        assert!(Protocol::find_with_inference("mmseg-whole@1").is_ok());
    }

    #[test]
    fn a_protocol_written_before_rules_had_names_for_everything_is_still_read() {
        let old = r#"{"name": "a@1", "description": "b", "inference": {"image_resize": "c", "logit_resize": "d"},
                      "scoring": {"absent_class": "skipped", "pooled": true}}"#;
        let protocol: Protocol = serde_json::from_str(old).expect("read");
        assert_eq!(protocol.scoring, ScoringRule::default());
    }
}
