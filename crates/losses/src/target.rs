//! What a network should have said.

use std::sync::Arc;

use segbench_targets::Grid;
use segbench_types::{IGNORE, LabelMap};

use crate::{Error, Result};

/// The labels of a batch, `(B, H, W)` or `(B, D, H, W)` in row-major order; [`IGNORE`] marks pixels that do not count. Clones share
/// the labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    labels: Arc<[u8]>,
    batch: usize,
    grid: Grid,
    is_volume: bool,
    class_weights: Option<Arc<[f32]>>,
}

impl Target {
    /// Wraps the labels of `batch` images of one size.
    ///
    /// # Errors
    /// [`Error::Size`] unless there are `batch * height * width` labels.
    pub fn new(labels: Vec<u8>, batch: usize, height: usize, width: usize) -> Result<Self> {
        Self::of_grid(labels, batch, Grid::plane(height, width), false)
    }

    /// Wraps the labels of `batch` volumes, whose voxels lie as `grid` says.
    ///
    /// # Errors
    /// [`Error::Size`] unless there are as many labels as voxels.
    pub fn volumes(labels: Vec<u8>, batch: usize, grid: Grid) -> Result<Self> {
        Self::of_grid(labels, batch, grid, true)
    }

    fn of_grid(labels: Vec<u8>, batch: usize, grid: Grid, is_volume: bool) -> Result<Self> {
        let target = Self { labels: labels.into(), batch, grid, is_volume, class_weights: None };
        if target.labels.len() != batch * grid.len() {
            let (got, expected) = (vec![target.labels.len()], target.dims());
            return Err(Error::Size { what: "the list of labels", got, expected });
        }
        Ok(target)
    }

    /// Stacks label maps of one size.
    ///
    /// # Errors
    /// [`Error::Size`] if their sizes differ.
    pub fn stack(maps: &[LabelMap]) -> Result<Self> {
        let size = |map: &LabelMap| (map.height() as usize, map.width() as usize);
        let (height, width) = maps.first().map(size).unwrap_or_default();
        let mut labels = Vec::with_capacity(maps.len() * height * width);
        for map in maps {
            if size(map) != (height, width) {
                let (got, expected) = (vec![size(map).0, size(map).1], vec![height, width]);
                return Err(Error::Size { what: "a label map of the batch", got, expected });
            }
            labels.extend_from_slice(map.as_slice());
        }
        Self::new(labels, maps.len(), height, width)
    }

    /// The same labels with a weight for each class, for the losses that take weights.
    pub fn with_class_weights(self, weights: &[f32]) -> Self {
        Self { class_weights: Some(weights.into()), ..self }
    }

    /// All labels, image after image and row after row.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }

    /// Number of images.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Height of every image in pixels.
    pub fn height(&self) -> usize {
        self.grid.size()[1]
    }

    /// Width of every image in pixels.
    pub fn width(&self) -> usize {
        self.grid.size()[2]
    }

    /// How the pixels of an image lie.
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// The weight of each class, where they were given.
    pub fn class_weights(&self) -> Option<&[f32]> {
        self.class_weights.as_deref()
    }

    /// The shape of the labels.
    pub fn dims(&self) -> Vec<usize> {
        let size = if self.is_volume { &self.grid.size()[..] } else { &self.grid.size()[1..] };
        [&[self.batch], size].concat()
    }

    /// The labels of an image.
    pub(crate) fn image(&self, image: usize) -> &[u8] {
        &self.labels[image * self.grid.len()..][..self.grid.len()]
    }

    /// Whether no pixel counts.
    pub(crate) fn is_ignored(&self) -> bool {
        self.labels.iter().all(|&label| label == IGNORE)
    }

    /// Checks that every label is a class or [`IGNORE`].
    ///
    /// # Errors
    /// [`Error::Label`] naming the first that is neither.
    pub fn check(&self, classes: usize) -> Result<()> {
        let wrong = |label: u8| usize::from(label) >= classes && label != IGNORE;
        match self.labels.iter().position(|&label| wrong(label)) {
            None => Ok(()),
            Some(at) => Err(Error::Label {
                label: self.labels[at],
                image: at / self.grid.len(),
                row: at / self.width() % self.height(),
                column: at % self.width(),
                last: classes.saturating_sub(1),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use segbench_types::{ErrorKind, Explain as _};

    use super::*;

    #[test]
    fn a_label_that_is_no_class_is_named_with_its_place() {
        let mut labels = vec![0; 2 * 3 * 5];
        labels[0] = IGNORE;
        labels[15 + 5 + 2] = 19;
        let refused = Target::new(labels, 2, 3, 5).expect("a target").check(19).expect_err("no class");
        assert_eq!(refused.kind(), ErrorKind::InvalidData);
        assert_eq!(
            refused.to_string(),
            "label `19` at row 1, column 2 of image 1 in the batch is no class (0..=18, 255 = ignore)"
        );
    }

    #[test]
    fn maps_of_one_size_are_stacked_in_order_and_others_refused() {
        let map = |width, label| LabelMap::filled(width, 2, label);
        let target = Target::stack(&[map(3, 1), map(3, 4)]).expect("a target");
        assert_eq!(target.labels(), [1, 1, 1, 1, 1, 1, 4, 4, 4, 4, 4, 4]);
        assert_eq!((target.batch(), target.height(), target.width()), (2, 2, 3));
        assert!(matches!(Target::stack(&[map(3, 1), map(4, 1)]), Err(Error::Size { .. })));
    }
}
