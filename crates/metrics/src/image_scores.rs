//! Scores that are taken per image first, so that a large image or a frequent class does not speak for the others.

use serde::Serialize;

use crate::ClassTotals;
use crate::scores::{mean, ratio};

/// The share of images in [`ImageScores::worst`].
const WORST: f64 = 0.05;

/// IoU averaged over images, as fractions.
///
/// A class counts in an image if the image's ground truth holds it; its false positives elsewhere are felt by the classes they hit.
///
/// # Source
/// Wang et al., "Revisiting Evaluation Metrics for Semantic Segmentation", NeurIPS 2023, <https://arxiv.org/abs/2310.19252>, and its
/// code, zifuwanggg/JDTLosses, `metrics/accuracy_metric.py`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ImageScores {
    /// mIoU-I: the mean over classes in each image, then over images.
    pub miou_i: Option<f64>,
    /// mIoU-C: the mean over images for each class, then over classes.
    pub miou_c: Option<f64>,
    /// The mean over the 5 % of images with the lowest mean (at least one image).
    pub worst: Option<f64>,
}

impl ImageScores {
    /// The scores of images, of which each is given by its totals. Images without a labelled pixel are left out.
    pub fn of(images: &[ClassTotals]) -> Self {
        let mut scores: Vec<f64> = images.iter().filter_map(image_miou).collect();
        let miou_i = mean(scores.iter().copied().map(Some));
        scores.sort_by(f64::total_cmp);
        let worst = ((WORST * scores.len() as f64) as usize).max(1);
        let classes = images.iter().map(ClassTotals::classes).max().unwrap_or(0);
        let of_class = |class| mean(images.iter().map(|totals| iou(totals, class)));
        Self {
            miou_i,
            miou_c: mean((0..classes).map(of_class)),
            worst: mean(scores.iter().take(worst).copied().map(Some)),
        }
    }
}

/// The mIoU of one image over the classes of its ground truth, as a fraction: what [`ImageScores::miou_i`] is the mean of. `None`
/// without a labelled pixel.
pub fn image_miou(totals: &ClassTotals) -> Option<f64> {
    mean((0..totals.classes()).map(|class| iou(totals, class)))
}

/// IoU of a class in an image, unless the image's ground truth lacks it.
fn iou(totals: &ClassTotals, class: usize) -> Option<f64> {
    ratio(totals.correct[class], totals.union(class)).filter(|_| totals.ground_truth[class] > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ConfusionMatrix;

    fn image(truth: &[u8], predicted: &[u8]) -> ClassTotals {
        let mut matrix = ConfusionMatrix::new(3);
        matrix.count(truth, predicted).expect("maps fit");
        ClassTotals::of(&matrix)
    }

    #[test]
    fn every_image_and_every_class_has_one_voice() {
        // Class 0: 1/2 and 1; class 1: 1/2 (its false positive in the second image is not scored there).
        let images =
            [image(&[0, 0, 1, 255], &[0, 1, 1, 1]), image(&[0, 0, 0, 0], &[0, 0, 0, 1]), image(&[255], &[0])];
        let scores = ImageScores::of(&images);
        let (first, second): (f64, f64) = ((0.5 + 0.5) / 2.0, 0.75);
        assert_eq!(scores.miou_i, Some((first + second) / 2.0));
        assert_eq!(scores.miou_c, Some(((0.5 + 0.75) / 2.0 + 0.5) / 2.0));
        assert_eq!(scores.worst, Some(first));
    }

    #[test]
    fn the_worst_are_one_in_twenty() {
        let images: Vec<ClassTotals> = (0..59)
            .map(|index| ClassTotals {
                correct: vec![index],
                ground_truth: vec![100],
                predicted: vec![index],
            })
            .collect();
        // Two of 59: 0.00 and 0.01.
        assert_eq!(ImageScores::of(&images).worst, Some(0.005));
        assert_eq!(ImageScores::of(&[]), ImageScores { miou_i: None, miou_c: None, worst: None });
    }
}
