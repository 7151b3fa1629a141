//! Scores per class and over classes.

use segbench_types::{AbsentClass, NoClass, ScoringRule};
use serde::{Deserialize, Serialize};

use crate::ConfusionMatrix;

/// What the scores of all classes need of a confusion matrix; one entry per class in each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassTotals {
    /// Pixels of the class that were predicted as the class.
    pub correct: Vec<u64>,
    /// Pixels of the class in the ground truth.
    pub ground_truth: Vec<u64>,
    /// Labelled pixels predicted as the class.
    pub predicted: Vec<u64>,
}

/// The scores of one class, as fractions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ClassScores {
    /// Intersection over union; undefined if the class is neither in the ground truth nor predicted.
    pub iou: Option<f64>,
    /// Share of the class's pixels that were found; undefined if the ground truth has none.
    pub recall: Option<f64>,
    /// Share of the pixels predicted as the class that are of the class; undefined if it was never predicted.
    pub precision: Option<f64>,
    /// Dice coefficient, which is the F1 score; undefined like `iou`.
    pub dice: Option<f64>,
    /// Pixels of the class in the ground truth.
    pub pixels: u64,
}

/// Everything that is scored from one confusion matrix, as fractions. What an absent class does to a mean is the protocol's to say;
/// without one, means leave out classes whose score is undefined.
///
/// # Source
/// mmsegmentation 1.2.2, `IoUMetric.total_area_to_metrics`: aAcc is `pixel_accuracy`, mIoU `miou`, mAcc `mean_recall`, mDice
/// `mean_dice`, mPrecision `mean_precision`. FWIoU: Long et al., <https://arxiv.org/abs/1411.4038>, section 5.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// One entry per class.
    pub classes: Vec<ClassScores>,
    /// Mean IoU over classes.
    pub miou: Option<f64>,
    /// Mean recall over classes.
    pub mean_recall: Option<f64>,
    /// Mean precision over classes.
    pub mean_precision: Option<f64>,
    /// Correct pixels among labelled pixels.
    pub pixel_accuracy: Option<f64>,
    /// IoU weighted with the classes' shares of the labelled pixels.
    pub fw_iou: Option<f64>,
    /// Mean Dice coefficient over classes.
    pub mean_dice: Option<f64>,
    /// IoU of all classes' pixels together.
    pub micro_iou: Option<f64>,
    /// Cohen's kappa: accuracy beyond what chance would reach; undefined where chance reaches all of it.
    pub kappa: Option<f64>,
}

impl ClassTotals {
    /// The totals of a matrix; a labelled pixel without predicted class is a miss.
    pub fn of(matrix: &ConfusionMatrix) -> Self {
        Self::by(NoClass::Missed, matrix)
    }

    /// The totals of a matrix under a rule for labelled pixels without predicted class.
    pub fn by(rule: NoClass, matrix: &ConfusionMatrix) -> Self {
        let classes = matrix.classes();
        let mut totals =
            Self { correct: vec![0; classes], ground_truth: vec![0; classes], predicted: vec![0; classes] };
        for (ground_truth, predicted, count) in matrix.cells() {
            let ground_truth = usize::from(ground_truth);
            match predicted.map(usize::from) {
                Some(predicted) => {
                    totals.ground_truth[ground_truth] += count;
                    totals.predicted[predicted] += count;
                    if predicted == ground_truth {
                        totals.correct[ground_truth] += count;
                    }
                }
                None if rule == NoClass::Missed => totals.ground_truth[ground_truth] += count,
                None => {}
            }
        }
        totals
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.correct.len()
    }

    /// Pixels that are of the class, or predicted as the class, or both.
    pub fn union(&self, class: usize) -> u64 {
        self.ground_truth[class] + self.predicted[class] - self.correct[class]
    }
}

impl Scores {
    /// The scores of a matrix, absent classes left out.
    pub fn of(matrix: &ConfusionMatrix) -> Self {
        Self::of_totals(&ClassTotals::of(matrix))
    }

    /// The scores of a matrix of which only the totals are known, absent classes left out.
    pub fn of_totals(totals: &ClassTotals) -> Self {
        Self::with(AbsentClass::Skipped, totals)
    }

    /// The scores of a matrix under a protocol's rule.
    pub fn by(rule: &ScoringRule, matrix: &ConfusionMatrix) -> Self {
        Self::with(rule.absent_class, &ClassTotals::by(rule.no_class, matrix))
    }

    fn with(absent: AbsentClass, totals: &ClassTotals) -> Self {
        let classes: Vec<ClassScores> =
            (0..totals.classes()).map(|class| ClassScores::of(absent, totals, class)).collect();
        let labelled = totals.ground_truth.iter().sum();
        let correct = totals.correct.iter().sum();
        let unions = (0..totals.classes()).map(|class| totals.union(class)).sum();
        // A class without pixels has no weight, and one with pixels has an IoU.
        let weighted = classes.iter().filter_map(|class| Some(class.iou? * class.pixels as f64)).sum::<f64>();
        Self {
            miou: mean(classes.iter().map(|class| class.iou)),
            mean_recall: mean(classes.iter().map(|class| class.recall)),
            mean_precision: mean(classes.iter().map(|class| class.precision)),
            pixel_accuracy: ratio(correct, labelled),
            fw_iou: (labelled > 0).then(|| weighted / labelled as f64),
            mean_dice: mean(classes.iter().map(|class| class.dice)),
            micro_iou: ratio(correct, unions),
            kappa: kappa(totals, correct, labelled),
            classes,
        }
    }
}

impl ClassScores {
    fn of(absent: AbsentClass, totals: &ClassTotals, class: usize) -> Self {
        let (correct, pixels) = (totals.correct[class], totals.ground_truth[class]);
        let predicted = totals.predicted[class];
        let score = |part, whole| match absent {
            AbsentClass::Skipped => ratio(part, whole),
            AbsentClass::SkippedUnlessLabelled => ratio(part, whole).filter(|_| pixels > 0),
            AbsentClass::Zero => Some(ratio(part, whole).unwrap_or(0.0)),
        };
        Self {
            iou: score(correct, totals.union(class)),
            recall: score(correct, pixels),
            precision: score(correct, predicted),
            dice: score(2 * correct, pixels + predicted),
            pixels,
        }
    }
}

fn kappa(totals: &ClassTotals, correct: u64, labelled: u64) -> Option<f64> {
    let agreement = ratio(correct, labelled)?;
    let marginals = totals.ground_truth.iter().zip(&totals.predicted);
    let by_chance = marginals.map(|(&truth, &predicted)| truth as f64 * predicted as f64).sum::<f64>()
        / (labelled as f64 * labelled as f64);
    (by_chance < 1.0).then(|| (agreement - by_chance) / (1.0 - by_chance))
}

pub(crate) fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// The mean of what is defined.
pub(crate) fn mean(scores: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let (sum, count) = scores.flatten().fold((0.0, 0_u32), |(sum, count), score| (sum + score, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(classes: usize, ground_truth: &[u8], predicted: &[u8]) -> Scores {
        let mut matrix = ConfusionMatrix::new(classes);
        matrix.count(ground_truth, predicted).expect("maps fit");
        Scores::of(&matrix)
    }

    #[test]
    fn means_skip_classes_absent_from_both_maps() {
        let scores = scores(3, &[0, 0, 1, 1], &[0, 1, 1, 1]);
        assert_eq!(scores.classes[2].iou, None);
        // (1/2 + 2/3) / 2
        assert!((scores.miou.expect("two classes") - 7.0 / 12.0).abs() < 1e-15);
    }

    #[test]
    fn a_class_that_is_only_predicted_has_an_iou_of_zero_and_no_recall() {
        let class = scores(3, &[0, 0, 1], &[0, 2, 1]).classes[2];
        assert_eq!(
            (class.iou, class.recall, class.precision, class.dice),
            (Some(0.0), None, Some(0.0), Some(0.0))
        );
    }

    #[test]
    fn a_class_that_is_never_predicted_has_no_precision() {
        let class = scores(2, &[0, 1], &[0, 0]).classes[1];
        assert_eq!((class.iou, class.recall, class.precision), (Some(0.0), Some(0.0), None));
    }

    #[test]
    fn a_pixel_without_predicted_class_lowers_recall_and_iou_but_no_precision() {
        let scores = scores(2, &[0, 0, 1, 1], &[0, 255, 1, 1]);
        let class = scores.classes[0];
        assert_eq!((class.iou, class.recall, class.precision), (Some(0.5), Some(0.5), Some(1.0)));
        assert_eq!(scores.pixel_accuracy, Some(0.75));
    }

    #[test]
    fn nothing_labelled_means_no_score_at_all() {
        let scores = scores(2, &[255, 255], &[0, 1]);
        let of_image =
            [scores.miou, scores.mean_recall, scores.mean_precision, scores.pixel_accuracy, scores.fw_iou];
        assert_eq!(of_image, [None; 5]);
        assert_eq!([scores.mean_dice, scores.micro_iou, scores.kappa], [None; 3]);
    }

    #[test]
    fn kappa_is_agreement_beyond_chance() {
        // 20 + 15 of 50 agree, chance reaches 25/50 * 30/50 + 25/50 * 20/50 = 1/2: (0.7 - 0.5) / (1 - 0.5).
        let mut matrix = ConfusionMatrix::new(2);
        for (truth, predicted, pixels) in [(0, 0, 20), (0, 1, 5), (1, 0, 10), (1, 1, 15)] {
            matrix.add(truth, Some(predicted), pixels).expect("a class");
        }
        let scores = Scores::of(&matrix);
        assert!((scores.kappa.expect("defined") - 0.4).abs() < 1e-15);
        assert!((scores.micro_iou.expect("defined") - 35.0 / 65.0).abs() < 1e-15);
        let mut alone = ConfusionMatrix::new(2);
        alone.add(0, Some(0), 9).expect("a class");
        assert_eq!(Scores::of(&alone).kappa, None);
    }

    #[test]
    fn each_rule_treats_absent_classes_and_missing_predictions_in_its_way() {
        // Class 2 is only predicted, class 3 is nowhere, one pixel of class 0 has no predicted class.
        let mut matrix = ConfusionMatrix::new(4);
        matrix.count(&[0, 0, 0, 1, 1, 1], &[0, 0, 255, 1, 1, 2]).expect("maps fit");
        let miou = |absent_class, no_class| {
            let rule = ScoringRule { absent_class, no_class, ..ScoringRule::default() };
            Scores::by(&rule, &matrix).miou.expect("defined")
        };
        let close = |got: f64, expected: f64| assert!((got - expected).abs() < 1e-15, "{got} {expected}");
        close(miou(AbsentClass::Skipped, NoClass::Missed), (2.0 / 3.0 + 2.0 / 3.0) / 3.0);
        close(miou(AbsentClass::SkippedUnlessLabelled, NoClass::Missed), 2.0 / 3.0);
        close(miou(AbsentClass::Zero, NoClass::Missed), (2.0 / 3.0 + 2.0 / 3.0) / 4.0);
        close(miou(AbsentClass::SkippedUnlessLabelled, NoClass::LeftOut), (1.0 + 2.0 / 3.0) / 2.0);
    }
}
