//! Counting pairs of labels, which is all the time an evaluation spends on scoring.
//!
//! Label maps are made of regions: along a row the pair (ground truth, prediction) mostly stays what it was. So the kernel compares
//! 64 pixels at once with those before them and adds the length of a run where it ends. Where runs are short, finding their ends
//! costs more than it saves: such stretches are counted pixel by pixel into interleaved tables, so that neighbors in the same cell do
//! not wait for each other.

use segbench_types::IGNORE;

use crate::kernels::{self, BLOCK, Compare, Labels, Work};

/// More runs than this in a block make the blocks after it count pixel by pixel.
const NOISY: u32 = 16;
/// How many blocks a noisy one speaks for.
const PATIENCE: u32 = 8;
/// Cells of a table for which there are several: four of them fit the innermost cache.
const SMALL: usize = 2048;
/// Cells of the only table for more classes.
const LARGE: usize = 1 << 16;
/// A table of 32-bit counters cannot overflow within one piece.
const PIECE: usize = 1 << 30;

/// Adds the pairs of two equally long maps to `counts`: `classes + 2` rows of `classes + 1` columns. Row `classes` is for the ignore
/// value, the row below it for labels that are neither class nor ignore value, column `classes` for predictions that are no class.
pub(crate) fn tally(ground_truth: &[u8], predicted: &[u8], classes: usize, counts: &mut [u64]) {
    let places = Places::new(classes);
    for (ground_truth, predicted) in ground_truth.chunks(PIECE).zip(predicted.chunks(PIECE)) {
        if counts.len() <= SMALL {
            let mut tables = [[0; SMALL]; 4];
            kernels::dispatch(Tally { places: &places, tables: &mut tables, ground_truth, predicted });
            collect(&tables, counts);
        } else {
            // On the heap; pages that no class reaches are never touched.
            let mut tables = vec![[0; LARGE]];
            if let Some(tables) = tables.first_chunk_mut::<1>() {
                kernels::dispatch(Tally { places: &places, tables, ground_truth, predicted });
            }
            collect(&tables, counts);
        }
    }
}

fn collect<const SIZE: usize>(tables: &[[u32; SIZE]], counts: &mut [u64]) {
    for table in tables {
        for (count, &cell) in counts.iter_mut().zip(table) {
            *count += u64::from(cell);
        }
    }
}

/// Where pairs are counted.
struct Places {
    classes: u8,
    /// Columns of a table.
    width: u16,
    /// First cell of the row of a label of the ground truth.
    rows: [u16; 256],
    /// Column of a predicted label.
    columns: [u16; 256],
}

impl Places {
    fn new(classes: usize) -> Self {
        let width = classes + 1;
        let row = |label: usize| match label {
            class if class < classes => class,
            label if label == usize::from(IGNORE) => classes,
            _ => classes + 1,
        };
        Self {
            classes: classes as u8,
            width: width as u16,
            // With 255 classes there is no label for the last row, so that every cell that is reached has a 16-bit number.
            rows: std::array::from_fn(|label| (row(label) * width) as u16),
            columns: std::array::from_fn(|label| label.min(classes) as u16),
        }
    }

    #[inline(always)]
    fn cell(&self, ground_truth: u8, predicted: u8) -> u16 {
        self.rows[usize::from(ground_truth)] + self.columns[usize::from(predicted)]
    }

    /// The cells of a whole block, without looking anything up.
    #[inline(always)]
    fn cells(&self, ground_truth: &Labels, predicted: &Labels) -> [u16; BLOCK] {
        let (no_class, others) = (self.classes, self.classes.wrapping_add(1));
        let mut cells = [0; BLOCK];
        for ((cell, &truth), &label) in cells.iter_mut().zip(ground_truth).zip(predicted) {
            let row = if truth < self.classes { truth } else { others };
            let row = if truth == IGNORE { no_class } else { row };
            *cell = u16::from(row) * self.width + u16::from(label.min(no_class));
        }
        cells
    }
}

/// One piece of two maps on its way into interleaved tables.
struct Tally<'a, const TABLES: usize, const SIZE: usize> {
    places: &'a Places,
    tables: &'a mut [[u32; SIZE]; TABLES],
    ground_truth: &'a [u8],
    predicted: &'a [u8],
}

impl<const TABLES: usize, const SIZE: usize> Work for Tally<'_, TABLES, SIZE> {
    #[inline(always)]
    fn run(self, compare: impl Compare) {
        let Self { places, tables, ground_truth, predicted } = self;
        let (Some((&truth, truths)), Some((&label, labels))) =
            (ground_truth.split_first(), predicted.split_first())
        else {
            return;
        };
        // The run that is not in a table yet: its cell and its length so far; and the table that takes it.
        let (mut cell, mut length, mut table) = (places.cell(truth, label), 1, 0);
        let mut patience = 0;
        let (truth_blocks, truth_rest) = truths.as_chunks::<BLOCK>();
        let (label_blocks, label_rest) = labels.as_chunks::<BLOCK>();
        // The same blocks, a pixel earlier.
        let before = ground_truth.as_chunks::<BLOCK>().0.iter().zip(predicted.as_chunks::<BLOCK>().0);
        for ((truth, label), (truth_before, label_before)) in
            truth_blocks.iter().zip(label_blocks).zip(before)
        {
            if patience == 0 {
                let mut starts = compare.starts([truth_before, truth], [label_before, label]);
                if starts == 0 {
                    length += BLOCK as u32;
                    continue;
                }
                if starts.count_ones() <= NOISY {
                    let mut counted = 0;
                    while starts != 0 {
                        let pixel = starts.trailing_zeros();
                        starts &= starts - 1;
                        *place(&mut tables[table], cell) += length + pixel - counted;
                        (length, counted) = (0, pixel);
                        let pixel = pixel as usize % BLOCK;
                        cell = places.cell(truth[pixel], label[pixel]);
                        table = (table + 1) % TABLES;
                    }
                    length += BLOCK as u32 - counted;
                    continue;
                }
                patience = PATIENCE;
            }
            patience -= 1;
            *place(&mut tables[table], cell) += length;
            let cells = places.cells(truth, label);
            for cells in cells.as_chunks::<TABLES>().0 {
                for (table, &cell) in tables.iter_mut().zip(cells) {
                    *place(table, cell) += 1;
                }
            }
            (cell, length) = (cells[BLOCK - 1], 0);
        }
        *place(&mut tables[table], cell) += length;
        for (&truth, &label) in truth_rest.iter().zip(label_rest) {
            *place(&mut tables[0], places.cell(truth, label)) += 1;
        }
    }
}

/// A cell of a table. The remainder never changes the number; it shows the compiler that no bounds check is needed.
#[inline(always)]
fn place<const SIZE: usize>(table: &mut [u32; SIZE], cell: u16) -> &mut u32 {
    &mut table[usize::from(cell) % SIZE]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tally_naive(ground_truth: &[u8], predicted: &[u8], classes: usize) -> Vec<u64> {
        let mut counts = vec![0; (classes + 2) * (classes + 1)];
        for (&gt, &pred) in ground_truth.iter().zip(predicted) {
            let row = match usize::from(gt) {
                class if class < classes => class,
                255 => classes,
                _ => classes + 1,
            };
            counts[row * (classes + 1) + usize::from(pred).min(classes)] += 1;
        }
        counts
    }

    /// Runs of pairs: short and long, so that regions, borders and noise all occur and meet at any offset.
    fn maps() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
        let label = prop_oneof![6 => 0..20_u8, 2 => any::<u8>(), 1 => Just(255)];
        let length = prop_oneof![4 => Just(1_usize), 3 => 1..9_usize, 2 => 1..300_usize];
        let run = (label.clone(), label, length);
        (prop::collection::vec(run, 0..400), prop::bool::ANY).prop_map(|(runs, all_short)| {
            let (mut gt, mut pred) = (Vec::new(), Vec::new());
            for (a, b, length) in runs {
                let length = if all_short { 1 } else { length };
                gt.extend(std::iter::repeat_n(a, length));
                pred.extend(std::iter::repeat_n(b, length));
            }
            (gt, pred)
        })
    }

    proptest! {
        #[test]
        fn the_fast_tally_equals_the_naive_one(
            (gt, pred) in maps(),
            classes in prop_oneof![Just(1_usize), Just(19), Just(62), Just(63), Just(150), Just(254), Just(255)],
        ) {
            let mut counts = vec![0; (classes + 2) * (classes + 1)];
            tally(&gt, &pred, classes, &mut counts);
            prop_assert_eq!(counts, tally_naive(&gt, &pred, classes));
        }
    }
}
