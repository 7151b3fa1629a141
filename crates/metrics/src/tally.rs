//! Counting pairs of labels, which is all the time an evaluation spends on scoring.
//!
//! Label maps are made of regions: along a row the pair (ground truth, prediction) mostly stays what it was. So the kernel compares
//! 64 pixels at once with the running pair and adds the length of a run where it ends. Where runs are short, finding their ends costs
//! more than it saves: such stretches are counted pixel by pixel into interleaved tables, so that neighbors in the same cell do not
//! wait for each other.

use segbench_types::IGNORE;

/// Pixels compared at once.
const BLOCK: usize = 64;
/// More runs than this in a block make the blocks after it count pixel by pixel.
const NOISY: u32 = 20;
/// How many blocks a noisy one speaks for.
const PATIENCE: u32 = 7;
/// Interleaved tables.
const TABLES: usize = 4;
/// A table of 32-bit counters cannot overflow within one piece.
const PIECE: usize = 1 << 30;

/// Adds the pairs of two equally long maps to `counts`: `classes + 2` rows of `classes + 1` columns. Row `classes` is for the ignore
/// value, the row below it for labels that are neither class nor ignore value, column `classes` for predictions that are no class.
pub(crate) fn tally(ground_truth: &[u8], predicted: &[u8], classes: usize, counts: &mut [u64]) {
    for (ground_truth, predicted) in ground_truth.chunks(PIECE).zip(predicted.chunks(PIECE)) {
        // Two rows more than classes have to fit.
        if classes + 2 <= 64 {
            let mut tables = [[0; 64 * 64]; TABLES];
            Tally::<6, { 64 * 64 }>::new(classes, &mut tables).fill(ground_truth, predicted);
            collect(&tables, 6, classes, counts);
        } else {
            // On the heap; pages that no class reaches are never touched.
            let mut tables = vec![[0; 256 * 256]; TABLES];
            if let Some(tables) = tables.first_chunk_mut() {
                Tally::<8, { 256 * 256 }>::new(classes, tables).fill(ground_truth, predicted);
            }
            collect(&tables, 8, classes, counts);
        }
    }
}

/// Counts into tables of `1 << SHIFT` columns and `SIZE` cells.
struct Tally<'a, const SHIFT: u32, const SIZE: usize> {
    classes: u8,
    tables: &'a mut [[u32; SIZE]; TABLES],
    /// The pair that the run which is not in a table yet consists of, and its length so far.
    ground_truth: u8,
    predicted: u8,
    length: u32,
    /// The table that takes the next run.
    table: usize,
}

impl<'a, const SHIFT: u32, const SIZE: usize> Tally<'a, SHIFT, SIZE> {
    fn new(classes: usize, tables: &'a mut [[u32; SIZE]; TABLES]) -> Self {
        Self { classes: classes as u8, tables, ground_truth: 0, predicted: 0, length: 0, table: 0 }
    }

    fn fill(mut self, ground_truth: &[u8], predicted: &[u8]) {
        let (gt_blocks, gt_rest) = ground_truth.as_chunks();
        let (pred_blocks, pred_rest) = predicted.as_chunks();
        let mut patience = 0;
        for (gt, pred) in gt_blocks.iter().zip(pred_blocks) {
            if patience > 0 {
                patience -= 1;
                self.count_pixels(gt, pred);
            } else if self.continues_through(gt, pred) {
                self.length += BLOCK as u32;
            } else {
                let starts = self.starts(gt, pred);
                if starts.count_ones() > NOISY {
                    patience = PATIENCE;
                    self.count_pixels(gt, pred);
                } else {
                    self.count_runs(gt, pred, starts);
                }
            }
        }
        self.end_run();
        for (&gt, &pred) in gt_rest.iter().zip(pred_rest) {
            self.tables[0][self.cell(gt, pred)] += 1;
        }
    }

    #[inline(always)]
    fn continues_through(&self, gt: &[u8; BLOCK], pred: &[u8; BLOCK]) -> bool {
        let pairs = gt.iter().zip(pred);
        pairs.fold(0, |differs, (gt, pred)| differs | (gt ^ self.ground_truth) | (pred ^ self.predicted)) == 0
    }

    /// A bit per pixel, the first one lowest: whether its pair differs from the pair before it.
    #[inline(always)]
    fn starts(&self, gt: &[u8; BLOCK], pred: &[u8; BLOCK]) -> u64 {
        const LOW: u64 = 0x7F7F_7F7F_7F7F_7F7F;
        let (mut last_gt, mut last_pred) = (u64::from(self.ground_truth), u64::from(self.predicted));
        let mut starts = 0;
        for (word, (gt, pred)) in gt.as_chunks().0.iter().zip(pred.as_chunks().0).enumerate() {
            let (gt, pred) = (u64::from_le_bytes(*gt), u64::from_le_bytes(*pred));
            // A byte of `change` is not zero where a pixel differs from the one before it.
            let change = (gt ^ (gt << 8 | last_gt)) | (pred ^ (pred << 8 | last_pred));
            let high_bits = (((change & LOW) + LOW) | change) & !LOW;
            // The product gathers the eight high bits in the top byte.
            starts |= ((high_bits >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * word);
            (last_gt, last_pred) = (gt >> 56, pred >> 56);
        }
        starts
    }

    #[inline(always)]
    fn count_runs(&mut self, gt: &[u8; BLOCK], pred: &[u8; BLOCK], mut starts: u64) {
        let mut counted = 0;
        while starts != 0 {
            let pixel = starts.trailing_zeros();
            starts &= starts - 1;
            self.length += pixel - counted;
            counted = pixel;
            self.end_run();
            self.ground_truth = gt[pixel as usize % BLOCK];
            self.predicted = pred[pixel as usize % BLOCK];
        }
        self.length += BLOCK as u32 - counted;
    }

    #[inline(always)]
    fn end_run(&mut self) {
        self.tables[self.table][self.cell(self.ground_truth, self.predicted)] += self.length;
        self.length = 0;
        self.table = (self.table + 1) % TABLES;
    }

    #[inline(always)]
    fn count_pixels(&mut self, gt: &[u8; BLOCK], pred: &[u8; BLOCK]) {
        // Two loops, because the first one works on many pixels at once.
        let mut cells = [0_u16; BLOCK];
        for ((cell, &gt), &pred) in cells.iter_mut().zip(gt).zip(pred) {
            *cell = self.cell(gt, pred) as u16;
        }
        for cells in cells.as_chunks::<TABLES>().0 {
            for (table, &cell) in self.tables.iter_mut().zip(cells) {
                table[usize::from(cell) & (SIZE - 1)] += 1;
            }
        }
    }

    /// The cell of a pair.
    #[inline(always)]
    fn cell(&self, ground_truth: u8, predicted: u8) -> usize {
        let others = self.classes.saturating_add(1);
        let row = if ground_truth == IGNORE { self.classes } else { ground_truth.min(others) };
        let row = if row == self.classes && ground_truth != IGNORE { others } else { row };
        // The mask never changes the value; it shows the compiler that no bounds check is needed.
        (usize::from(row) << SHIFT | usize::from(predicted.min(self.classes))) & (SIZE - 1)
    }
}

fn collect<const SIZE: usize>(tables: &[[u32; SIZE]], shift: u32, classes: usize, counts: &mut [u64]) {
    for (row, counts) in counts.chunks_exact_mut(classes + 1).enumerate() {
        for table in tables {
            let cells = &table[(row << shift).min(SIZE)..];
            for (count, &cell) in counts.iter_mut().zip(cells) {
                *count += u64::from(cell);
            }
        }
    }
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
