//! Evaluation protocols: a scoring rule and an inference rule under one versioned name.

use serde::{Deserialize, Serialize};

/// A named, versioned way from images to a score. Scores of different protocols are never ranked together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protocol {
    /// Name and version, such as `mmseg-whole@1`.
    pub name: String,
    /// What it stands for, in one sentence.
    pub description: String,
    /// From image to label map.
    pub inference: InferenceRule,
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScoringRule {
    /// What a class that is in neither labels nor predictions does to a mean.
    pub absent_class: AbsentClass,
    /// Whether counts of all images are added before scores are taken.
    pub pooled: bool,
}

/// What a class without a defined score does to a mean over classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AbsentClass {
    /// It is left out, and the mean divides by the number of classes that remain.
    Skipped,
}

impl Protocol {
    /// mmsegmentation's whole-image evaluation without test-time augmentation.
    ///
    /// # Source
    /// mmsegmentation 1.2.2: `Resize` with OpenCV's bilinear kernel, `EncoderDecoder.predict` (logits to the input size, then to
    /// the original size, argmax), `IoUMetric` (areas pooled over images, absent classes left out).
    pub fn mmseg_whole() -> Self {
        Self {
            name: "mmseg-whole@1".into(),
            description: "mmsegmentation's whole-image evaluation: one view, logits resized twice, areas pooled over images".into(),
            inference: InferenceRule {
                image_resize: "cv2-linear".into(),
                logit_resize: "bilinear to the input size, then to the label size, then argmax".into(),
            },
            scoring: ScoringRule { absent_class: AbsentClass::Skipped, pooled: true },
        }
    }

    /// All protocols, sorted by name.
    pub fn all() -> Vec<Self> {
        vec![Self::mmseg_whole()]
    }
}
