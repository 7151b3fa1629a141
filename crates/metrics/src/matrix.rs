//! The confusion matrix.

use segbench_types::IGNORE;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::tally::tally;

/// How many pixels of each class were predicted as each class.
///
/// A row per class of the ground truth, a column per predicted class and one more column, "no class", for labelled pixels whose
/// prediction is no class: they are misses. Pixels that the ground truth ignores are in no cell; only their number is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfusionMatrix {
    classes: usize,
    counts: Vec<u64>,
    ignored: u64,
}

impl ConfusionMatrix {
    /// A matrix of zeros.
    ///
    /// # Panics
    /// For more than 255 classes, which no label map can hold.
    pub fn new(classes: usize) -> Self {
        assert!(classes <= usize::from(IGNORE), "a label map holds at most 255 classes, got {classes}");
        Self { classes, counts: vec![0; classes * (classes + 1)], ignored: 0 }
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Adds the pixels of an image.
    ///
    /// A pixel of the ground truth that is [`IGNORE`] is only tallied, whatever was predicted there. A prediction that is no class,
    /// [`IGNORE`] among them, is a miss.
    ///
    /// # Errors
    /// [`Error::Length`] for maps of different sizes and [`Error::Label`] for a label of the ground truth that is neither class nor
    /// [`IGNORE`]; the matrix is then as it was.
    pub fn count(&mut self, ground_truth: &[u8], predicted: &[u8]) -> Result<(), Error> {
        if ground_truth.len() != predicted.len() {
            return Err(Error::Length { ground_truth: ground_truth.len(), predicted: predicted.len() });
        }
        let mut counts = vec![0; (self.classes + 2) * (self.classes + 1)];
        tally(ground_truth, predicted, self.classes, &mut counts);
        let (of_classes, others) = counts.split_at(self.counts.len());
        let (ignored, unknown) = others.split_at(self.classes + 1);
        if unknown.iter().any(|&count| count > 0) {
            let is_unknown =
                |&(_, &label): &(usize, &u8)| usize::from(label) >= self.classes && label != IGNORE;
            if let Some((pixel, &value)) = ground_truth.iter().enumerate().find(is_unknown) {
                return Err(Error::Label { value, pixel, classes: self.classes });
            }
        }
        for (sum, count) in self.counts.iter_mut().zip(of_classes) {
            *sum += count;
        }
        self.ignored += ignored.iter().sum::<u64>();
        Ok(())
    }

    /// Adds `pixels` pixels of one pair, such as a row of a table of counts. A `predicted` that is no class counts as `None`.
    ///
    /// # Errors
    /// [`Error::Label`] (at pixel 0) for a label that is neither class nor [`IGNORE`].
    pub fn add(&mut self, ground_truth: u8, predicted: Option<u8>, pixels: u64) -> Result<(), Error> {
        if ground_truth == IGNORE {
            self.ignored += pixels;
            return Ok(());
        }
        if usize::from(ground_truth) >= self.classes {
            return Err(Error::Label { value: ground_truth, pixel: 0, classes: self.classes });
        }
        let cell = self.cell(ground_truth, predicted);
        self.counts[cell] += pixels;
        Ok(())
    }

    /// Pixels of one pair; 0 for a label that is no class.
    pub fn get(&self, ground_truth: u8, predicted: Option<u8>) -> u64 {
        if usize::from(ground_truth) < self.classes {
            self.counts[self.cell(ground_truth, predicted)]
        } else {
            0
        }
    }

    /// Pixels that the ground truth ignores.
    pub fn ignored(&self) -> u64 {
        self.ignored
    }

    /// Pixels that count: those with a class in the ground truth.
    pub fn labelled(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Labelled pixels whose prediction is no class.
    pub fn no_class(&self) -> u64 {
        self.lines().filter_map(|line| line.last()).sum()
    }

    /// Adds the counts of another matrix.
    ///
    /// # Errors
    /// [`Error::Classes`] if it is one of another number of classes.
    pub fn merge(&mut self, other: &Self) -> Result<(), Error> {
        if self.classes != other.classes {
            return Err(Error::Classes { expected: self.classes, got: other.classes });
        }
        for (sum, count) in self.counts.iter_mut().zip(&other.counts) {
            *sum += count;
        }
        self.ignored += other.ignored;
        Ok(())
    }

    /// The cells that are not zero, in order of ground truth and prediction ("no class" last).
    pub fn cells(&self) -> impl Iterator<Item = (u8, Option<u8>, u64)> {
        self.lines().enumerate().flat_map(move |(ground_truth, line)| {
            line.iter().enumerate().filter(|(_, count)| **count > 0).map(move |(predicted, &count)| {
                (ground_truth as u8, (predicted < self.classes).then_some(predicted as u8), count)
            })
        })
    }

    /// All cells: a row per class of the ground truth, the last column for "no class".
    pub fn rows(&self) -> Vec<Vec<u64>> {
        self.lines().map(<[u64]>::to_vec).collect()
    }

    fn lines(&self) -> std::slice::ChunksExact<'_, u64> {
        self.counts.chunks_exact(self.classes + 1)
    }

    fn cell(&self, ground_truth: u8, predicted: Option<u8>) -> usize {
        let column = predicted.map_or(self.classes, |label| usize::from(label).min(self.classes));
        usize::from(ground_truth) * (self.classes + 1) + column
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn predictions_on_ignored_pixels_never_count_and_no_class_is_a_miss() {
        let mut matrix = ConfusionMatrix::new(2);
        matrix.count(&[255, 255, 0, 1, 1, 0], &[0, 255, 255, 7, 1, 0]).expect("fits");
        assert_eq!(matrix.rows(), [[1, 0, 1], [0, 1, 1]]);
        assert_eq!((matrix.ignored(), matrix.labelled(), matrix.no_class()), (2, 4, 2));
    }

    #[test]
    fn an_unknown_label_is_named_and_leaves_the_matrix_as_it_was() {
        let mut matrix = ConfusionMatrix::new(3);
        matrix.count(&[0, 1], &[0, 1]).expect("fits");
        let before = matrix.clone();
        assert_eq!(
            matrix.count(&[0, 255, 7, 3], &[0; 4]),
            Err(Error::Label { value: 7, pixel: 2, classes: 3 })
        );
        assert_eq!(matrix.add(3, None, 1), Err(Error::Label { value: 3, pixel: 0, classes: 3 }));
        assert_eq!(matrix.count(&[0], &[]), Err(Error::Length { ground_truth: 1, predicted: 0 }));
        assert_eq!(matrix.merge(&ConfusionMatrix::new(2)), Err(Error::Classes { expected: 3, got: 2 }));
        assert_eq!(matrix, before);
    }

    #[test]
    fn the_cells_put_back_one_by_one_make_the_same_matrix() {
        let mut matrix = ConfusionMatrix::new(3);
        matrix.count(&[0, 0, 2, 2, 255, 1], &[0, 1, 2, 9, 0, 1]).expect("fits");
        let mut again = ConfusionMatrix::new(3);
        again.add(255, None, matrix.ignored()).expect("the ignore value");
        for (ground_truth, predicted, count) in matrix.cells() {
            assert_eq!(matrix.get(ground_truth, predicted), count);
            again.add(ground_truth, predicted, count).expect("a class");
        }
        assert_eq!(again, matrix);
        assert_eq!(matrix.cells().last(), Some((2, None, 1)));
    }

    #[test]
    fn merging_two_images_equals_counting_them_one_after_the_other() {
        let mut both = ConfusionMatrix::new(2);
        both.count(&[0, 1, 1], &[1, 1, 0]).expect("fits");
        both.count(&[255, 0], &[1, 0]).expect("fits");
        let (mut first, mut second) = (ConfusionMatrix::new(2), ConfusionMatrix::new(2));
        first.count(&[0, 1, 1], &[1, 1, 0]).expect("fits");
        second.count(&[255, 0], &[1, 0]).expect("fits");
        first.merge(&second).expect("same classes");
        assert_eq!(first, both);
    }

    #[test]
    fn no_class_at_all_is_an_empty_matrix() {
        let mut matrix = ConfusionMatrix::new(0);
        matrix.count(&[255], &[3]).expect("ignored");
        assert_eq!((matrix.rows().len(), matrix.cells().count(), matrix.ignored()), (0, 0, 1));
    }
}
