//! How well the outlines of classes are found, as integer counts.
//!
//! Boundary IoU compares the bands of each class along its own outline; the boundary F-score asks how many outline pixels have one of
//! the same class within reach in the other map. Both are counted at three widths.
//!
//! # Source
//! Boundary IoU: Cheng et al., CVPR 2021, <https://arxiv.org/abs/2103.16562>, and its code, bowenc0221/boundary-iou-api,
//! `utils/boundary_utils.py`: a band is what an erosion by a square takes away, and the image's border is an outline. For several
//! classes each one has its own band. Boundary F-score: Csurka et al., BMVC 2013; Perazzi et al., CVPR 2016 (within a disk); there the
//! image's border and the border of ignored areas are no outline.

use segbench_types::{IGNORE, LabelMap};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::scores::{mean, ratio};

/// Widths at which boundaries are counted, as shares of the image's diagonal; a width is at least one pixel. The last one is the
/// usual one of Boundary IoU.
pub const BOUNDARY_SHARES: [f64; 3] = [0.005, 0.01, 0.02];

/// The counts of one class at one width, in pixels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoundaryCell {
    /// In the class's bands of both maps.
    pub intersection: u64,
    /// In its band of the ground truth.
    pub ground_truth: u64,
    /// In its band of the prediction.
    pub predicted: u64,
    /// On its outline in the ground truth.
    pub truth_outline: u64,
    /// Of these, with an outline of the prediction within reach.
    pub truth_matched: u64,
    /// On its outline in the prediction.
    pub predicted_outline: u64,
    /// Of these, with an outline of the ground truth within reach.
    pub predicted_matched: u64,
}

/// The counts of all classes at all widths. Pixels that the ground truth ignores are in none of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoundaryCounts {
    classes: usize,
    /// Width after width, class after class.
    cells: Vec<BoundaryCell>,
}

impl BoundaryCounts {
    /// Counts of nothing.
    pub fn new(classes: usize) -> Self {
        Self { classes, cells: vec![BoundaryCell::default(); BOUNDARY_SHARES.len() * classes] }
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Adds an image.
    ///
    /// # Errors
    /// [`Error::Length`] for maps of different sizes.
    pub fn count(&mut self, ground_truth: &LabelMap, predicted: &LabelMap) -> Result<(), Error> {
        let size = |map: &LabelMap| (map.width() as usize, map.height() as usize);
        if size(ground_truth) != size(predicted) {
            let (ground_truth, predicted) = (ground_truth.as_slice().len(), predicted.as_slice().len());
            return Err(Error::Length { ground_truth, predicted });
        }
        let (width, height) = size(ground_truth);
        if width * height == 0 {
            return Ok(());
        }
        let widths = widths(width, height);
        let maps = [ground_truth.as_slice(), predicted.as_slice()];
        self.count_bands(maps, width, &widths);
        let outlines = [0, 1].map(|which| Outlines::of(maps[which], maps[0], width, self.classes));
        for (level, &reach) in widths.iter().enumerate() {
            for class in 0..self.classes {
                let cell = &mut self.cells[level * self.classes + class];
                let [truth, predicted] = outlines.each_ref().map(|outlines| outlines.rows_of(class));
                cell.truth_outline += truth.len();
                cell.truth_matched += truth.matched(&predicted, usize::from(reach));
                cell.predicted_outline += predicted.len();
                cell.predicted_matched += predicted.matched(&truth, usize::from(reach));
            }
        }
        Ok(())
    }

    fn count_bands(&mut self, maps: [&[u8]; 2], width: usize, widths: &[u16]) {
        let furthest = widths.iter().copied().max().unwrap_or(0) + 1;
        let distances = maps.map(|map| distances(map, width, furthest));
        for (pixel, (&truth, &label)) in maps[0].iter().zip(maps[1]).enumerate() {
            if truth == IGNORE {
                continue;
            }
            let [of_truth, of_label] = [distances[0][pixel], distances[1][pixel]];
            for (level, &width) in widths.iter().enumerate() {
                let cell = |label: u8| {
                    let class = usize::from(label);
                    (class < self.classes).then(|| level * self.classes + class)
                };
                if of_truth <= width
                    && let Some(cell) = cell(truth)
                {
                    self.cells[cell].ground_truth += 1;
                    if truth == label && of_label <= width {
                        self.cells[cell].intersection += 1;
                    }
                }
                if of_label <= width
                    && let Some(cell) = cell(label)
                {
                    self.cells[cell].predicted += 1;
                }
            }
        }
    }

    /// Adds the counts of another set of images.
    ///
    /// # Errors
    /// [`Error::Classes`] for another number of classes.
    pub fn merge(&mut self, other: &Self) -> Result<(), Error> {
        if self.classes != other.classes {
            return Err(Error::Classes { expected: self.classes, got: other.classes });
        }
        for (index, cell) in other.cells.iter().enumerate() {
            self.add(index / self.classes, index % self.classes, cell);
        }
        Ok(())
    }

    /// Adds the counts of one class at one width, such as a row of a table; nothing for a class or a width that is not there.
    pub fn add(&mut self, level: usize, class: usize, counts: &BoundaryCell) {
        if class >= self.classes {
            return;
        }
        let Some(cell) = self.cells.get_mut(level * self.classes + class) else { return };
        cell.intersection += counts.intersection;
        cell.ground_truth += counts.ground_truth;
        cell.predicted += counts.predicted;
        cell.truth_outline += counts.truth_outline;
        cell.truth_matched += counts.truth_matched;
        cell.predicted_outline += counts.predicted_outline;
        cell.predicted_matched += counts.predicted_matched;
    }

    /// The counts of each class at one of the widths.
    pub fn level(&self, level: usize) -> &[BoundaryCell] {
        self.cells.get(level * self.classes..(level + 1) * self.classes).unwrap_or_default()
    }

    /// Mean Boundary IoU over the classes that have one, at one of the widths.
    pub fn mean_iou(&self, level: usize) -> Option<f64> {
        mean(self.level(level).iter().map(BoundaryCell::iou))
    }

    /// Mean boundary F-score over the classes that have one, at one of the widths.
    pub fn mean_f_score(&self, level: usize) -> Option<f64> {
        mean(self.level(level).iter().map(BoundaryCell::f_score))
    }
}

impl BoundaryCell {
    /// All counts, in the order of the fields.
    pub fn to_array(self) -> [u64; 7] {
        [
            self.intersection,
            self.ground_truth,
            self.predicted,
            self.truth_outline,
            self.truth_matched,
            self.predicted_outline,
            self.predicted_matched,
        ]
    }

    /// The counts in the order of the fields.
    pub fn from_array(counts: [u64; 7]) -> Self {
        let [
            intersection,
            ground_truth,
            predicted,
            truth_outline,
            truth_matched,
            predicted_outline,
            predicted_matched,
        ] = counts;
        Self {
            intersection,
            ground_truth,
            predicted,
            truth_outline,
            truth_matched,
            predicted_outline,
            predicted_matched,
        }
    }

    /// Boundary IoU; undefined if neither map has a band of the class.
    pub fn iou(&self) -> Option<f64> {
        ratio(self.intersection, self.ground_truth + self.predicted - self.intersection)
    }

    /// Harmonic mean of the matched shares of both outlines; undefined without any outline, 0 if only one map has one.
    pub fn f_score(&self) -> Option<f64> {
        let shares = [
            ratio(self.predicted_matched, self.predicted_outline),
            ratio(self.truth_matched, self.truth_outline),
        ];
        match shares {
            [None, None] => None,
            [Some(precision), Some(recall)] if precision + recall > 0.0 => {
                Some(2.0 * precision * recall / (precision + recall))
            }
            _ => Some(0.0),
        }
    }
}

/// The widths in pixels of an image.
fn widths(width: usize, height: usize) -> [u16; BOUNDARY_SHARES.len()] {
    let diagonal = ((width * width + height * height) as f64).sqrt();
    // Ties to even, as Python's `round`.
    BOUNDARY_SHARES.map(|share| (share * diagonal).round_ties_even().clamp(1.0, 1e4) as u16)
}

/// How far each pixel is from one of another label or from outside of the image, in steps to one of eight neighbors, at most
/// `furthest`. A square of this radius around the pixel is the first that is not of one label.
fn distances(map: &[u8], width: usize, furthest: u16) -> Vec<u16> {
    let height = map.len() / width;
    let mut distances = vec![furthest; map.len()];
    for y in 0..height {
        for x in 0..width {
            let is_border = x == 0 || y == 0 || x + 1 == width || y + 1 == height;
            if is_border || neighbors(map, width, x, y).any(|label| label != map[y * width + x]) {
                distances[y * width + x] = 1;
            }
        }
    }
    // From the pixels next to an outline, once downward and once upward.
    for y in 1..height {
        let (above, row) = distances[(y - 1) * width..(y + 1) * width].split_at_mut(width);
        for x in 1..width.saturating_sub(1) {
            let nearest = above[x - 1].min(above[x]).min(above[x + 1]).min(row[x - 1]);
            row[x] = row[x].min(nearest + 1);
        }
    }
    for y in (1..height).rev() {
        let (row, below) = distances[(y - 1) * width..(y + 1) * width].split_at_mut(width);
        for x in (1..width.saturating_sub(1)).rev() {
            let nearest = below[x - 1].min(below[x]).min(below[x + 1]).min(row[x + 1]);
            row[x] = row[x].min(nearest + 1);
        }
    }
    distances
}

/// The labels around a pixel, itself among them, without what lies outside of the image.
fn neighbors(map: &[u8], width: usize, x: usize, y: usize) -> impl Iterator<Item = u8> + '_ {
    let rows = y.saturating_sub(1)..(y + 2).min(map.len() / width);
    let columns = x.saturating_sub(1)..(x + 2).min(width);
    rows.flat_map(move |row| map[row * width + columns.start..row * width + columns.end].iter().copied())
}

/// The outline pixels of all classes.
struct Outlines {
    height: usize,
    /// Columns, class after class, row after row, ascending.
    columns: Vec<u32>,
    /// Where each row of each class begins.
    starts: Vec<usize>,
}

impl Outlines {
    /// Outlines of `map` where `truth` is not ignored.
    fn of(map: &[u8], truth: &[u8], width: usize, classes: usize) -> Self {
        let height = map.len() / width;
        let mut rows = vec![Vec::new(); classes * height];
        for y in 0..height {
            for x in 0..width {
                let (label, pixel) = (map[y * width + x], y * width + x);
                let is_other = |near: u8| near != label && near != IGNORE;
                if usize::from(label) < classes
                    && truth[pixel] != IGNORE
                    && neighbors(map, width, x, y).any(is_other)
                {
                    rows[usize::from(label) * height + y].push(x as u32);
                }
            }
        }
        let ends = rows.iter().scan(0, |end, row| {
            *end += row.len();
            Some(*end)
        });
        let starts = std::iter::once(0).chain(ends).collect();
        Self { height, starts, columns: rows.concat() }
    }

    fn rows_of(&self, class: usize) -> OutlineRows<'_> {
        let first = class * self.height;
        OutlineRows { columns: &self.columns, starts: &self.starts[first..=first + self.height] }
    }
}

/// The outline of one class.
struct OutlineRows<'a> {
    columns: &'a [u32],
    starts: &'a [usize],
}

impl OutlineRows<'_> {
    fn len(&self) -> u64 {
        (self.starts[self.starts.len() - 1] - self.starts[0]) as u64
    }

    fn row(&self, y: usize) -> &[u32] {
        &self.columns[self.starts[y]..self.starts[y + 1]]
    }

    /// How many pixels have one of the other outline within a disk.
    fn matched(&self, other: &Self, reach: usize) -> u64 {
        let height = self.starts.len() - 1;
        let half_widths: Vec<u32> =
            (0..=reach).map(|down| ((reach * reach - down * down) as f64).sqrt() as u32).collect();
        let has_near = |x: u32, y: usize| {
            half_widths.iter().enumerate().any(|(down, &half)| {
                let rows = [y.checked_sub(down), Some(y + down).filter(|&row| row < height)];
                rows.into_iter().flatten().any(|row| {
                    let row = other.row(row);
                    let first = row.partition_point(|&column| column < x.saturating_sub(half));
                    row.get(first).is_some_and(|&column| column <= x + half)
                })
            })
        };
        let of_row = |y| self.row(y).iter().filter(|&&x| has_near(x, y)).count() as u64;
        (0..height).map(of_row).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn map(width: u32, height: u32, label: impl Fn(u32, u32) -> u8) -> LabelMap {
        let data = (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| label(x, y));
        LabelMap::new(width, height, data.collect()).expect("the right size")
    }

    /// Every pixel of the band of `class`, from the definition: the square around it is not all of the class.
    fn in_band(map: &LabelMap, x: i64, y: i64, class: u8, radius: i64) -> bool {
        let at = |x: i64, y: i64| {
            let inside =
                (0..i64::from(map.width())).contains(&x) && (0..i64::from(map.height())).contains(&y);
            inside.then(|| map.row(y as u32)[x as usize])
        };
        let square = (-radius..=radius).flat_map(|down| (-radius..=radius).map(move |right| (down, right)));
        at(x, y) == Some(class)
            && square.into_iter().any(|(down, right)| at(x + right, y + down) != Some(class))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn bands_are_what_an_erosion_of_each_class_takes_away(
            cells in prop::collection::vec(0_u8..5, 16),
            others in prop::collection::vec(0_u8..5, 16),
        ) {
            // 4 x 4 patches of 40 x 25 pixels: widths 1, 2 and 4. Label 3 is no class, label 4 is ignored.
            let label = |label: u8| if label == 4 { IGNORE } else { label };
            let of = |cells: &[u8]| map(160, 100, |x, y| label(cells[(y / 25 * 4 + x / 40) as usize]));
            let (truth, predicted) = (of(&cells), of(&others));
            let mut counts = BoundaryCounts::new(3);
            counts.count(&truth, &predicted).expect("same size");
            prop_assert_eq!(widths(160, 100), [1, 2, 4]);
            for (level, radius) in [1, 2, 4].into_iter().enumerate() {
                for class in 0..3_u8 {
                    let mut expected = [0; 3];
                    for y in 0..100_u32 {
                        for x in 0..160_u32 {
                            if truth.row(y)[x as usize] == IGNORE {
                                continue;
                            }
                            let bands = [&truth, &predicted].map(|map| in_band(map, x.into(), y.into(), class, radius));
                            expected[0] += u64::from(bands[0] && bands[1]);
                            expected[1] += u64::from(bands[0]);
                            expected[2] += u64::from(bands[1]);
                        }
                    }
                    let got = counts.level(level)[usize::from(class)];
                    prop_assert_eq!([got.intersection, got.ground_truth, got.predicted], expected);
                }
            }
        }
    }

    #[test]
    fn outlines_match_within_reach_and_no_further() {
        // A straight border, shifted by two columns: widths 1, 1 and 2.
        let truth = map(91, 61, |x, _| u8::from(x >= 40));
        let predicted = map(91, 61, |x, _| u8::from(x >= 42));
        let mut counts = BoundaryCounts::new(3);
        counts.count(&truth, &predicted).expect("same size");
        assert_eq!(widths(91, 61), [1, 1, 2]);
        assert_eq!(counts.level(2)[0].truth_outline, 61);
        assert_eq!([0, 1, 2].map(|level| counts.mean_f_score(level)), [Some(0.0), Some(0.0), Some(1.0)]);
        assert_eq!(counts.level(0)[2].f_score(), None);
    }

    #[test]
    fn counts_of_images_add_up_in_any_order() {
        let images: Vec<_> = (3..7)
            .map(|k| {
                (map(53, 37, |x, y| ((x + y) / k % 3) as u8), map(53, 37, |x, y| (x / k % 3 + y % 2) as u8))
            })
            .collect();
        let mut all = BoundaryCounts::new(3);
        for (truth, predicted) in &images {
            all.count(truth, predicted).expect("same size");
        }
        let mut merged = BoundaryCounts::new(3);
        for (truth, predicted) in images.iter().rev() {
            let mut one = BoundaryCounts::new(3);
            one.count(truth, predicted).expect("same size");
            merged.merge(&one).expect("same classes");
        }
        assert_eq!(merged, all);
        assert!(all.mean_iou(0).is_some_and(|iou| iou > 0.0 && iou < 1.0));
    }
}
