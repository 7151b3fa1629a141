//! One class against all others.

use serde::Serialize;

use crate::ConfusionMatrix;
use crate::scores::ratio;

/// The four cells of a two-class confusion matrix.
///
/// # Examples
/// ```
/// use segbench_metrics::BinaryCounts;
///
/// let counts = BinaryCounts { true_positive: 6, false_negative: 2, false_positive: 4, true_negative: 8 };
/// assert_eq!(counts.accuracy(), Some(14.0 / 20.0));
/// assert_eq!(counts.precision(), Some(6.0 / 10.0));
/// assert_eq!(counts.recall(), Some(6.0 / 8.0));
/// assert_eq!(counts.f1(), Some(12.0 / 18.0)); // 2 * 0.6 * 0.75 / (0.6 + 0.75)
/// assert_eq!(counts.smoothed_dice(), 13.0 / 19.0);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct BinaryCounts {
    /// Pixels of the class that were found.
    pub true_positive: u64,
    /// Pixels of the class that were missed.
    pub false_negative: u64,
    /// Other pixels that were taken for the class.
    pub false_positive: u64,
    /// Other pixels that were not taken for the class.
    pub true_negative: u64,
}

impl BinaryCounts {
    /// Class `class` of a matrix against the rest; all zero for a class that the matrix does not have.
    pub fn of(matrix: &ConfusionMatrix, class: u8) -> Self {
        let mut counts = Self::default();
        for (truth, predicted, pixels) in matrix.cells() {
            *match (truth == class, predicted == Some(class)) {
                (true, true) => &mut counts.true_positive,
                (true, false) => &mut counts.false_negative,
                (false, true) => &mut counts.false_positive,
                (false, false) => &mut counts.true_negative,
            } += pixels;
        }
        counts
    }

    /// Share of pixels that are right.
    pub fn accuracy(&self) -> Option<f64> {
        let right = self.true_positive + self.true_negative;
        ratio(right, right + self.false_negative + self.false_positive)
    }

    /// Share of the pixels taken for the class that are of the class.
    pub fn precision(&self) -> Option<f64> {
        ratio(self.true_positive, self.true_positive + self.false_positive)
    }

    /// Share of the class's pixels that were found.
    pub fn recall(&self) -> Option<f64> {
        ratio(self.true_positive, self.true_positive + self.false_negative)
    }

    /// Harmonic mean of precision and recall, which is the Dice coefficient.
    pub fn f1(&self) -> Option<f64> {
        ratio(2 * self.true_positive, 2 * self.true_positive + self.false_positive + self.false_negative)
    }

    /// The Dice coefficient with 1 added to numerator and denominator, as losses use it; 1 where there is nothing at all.
    pub fn smoothed_dice(&self) -> f64 {
        let doubled = 2 * self.true_positive;
        (doubled + 1) as f64 / (doubled + self.false_positive + self.false_negative + 1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_class_stands_against_the_rest_and_no_class() {
        let mut matrix = ConfusionMatrix::new(3);
        matrix.count(&[0, 0, 0, 1, 1, 2, 255], &[0, 1, 255, 1, 0, 2, 0]).expect("maps fit");
        let expected =
            BinaryCounts { true_positive: 1, false_negative: 2, false_positive: 1, true_negative: 2 };
        assert_eq!(BinaryCounts::of(&matrix, 0), expected);
    }

    #[test]
    fn nothing_at_all_has_no_score_but_a_smoothed_one() {
        let none = BinaryCounts::default();
        assert_eq!([none.accuracy(), none.precision(), none.recall(), none.f1()], [None; 4]);
        assert_eq!(none.smoothed_dice(), 1.0);
    }
}
