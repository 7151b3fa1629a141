//! From logits to labels without the full-size tensor in between.
//!
//! mmsegmentation resizes logits twice, to the size of the network's input and then to the size of the label map, and takes the
//! argmax: 19 classes at 2048x1024 fill 159 MB, twice. Here a thread computes a block of a few columns at a time from the few logits
//! that reach it and keeps only the winning class of every pixel.
//!
//! An interpolated value lies between the logits it is made from. So a class that is ahead at all positions around a block is ahead
//! within it: over most of a picture the block is filled without any arithmetic. Elsewhere a class that one of the local winners beats
//! at all positions is left out. "Ahead" means by more than rounding could take back, so that not one label depends on this.
//!
//! # Source
//! PyTorch 2.6, `aten/src/ATen/native/cpu/UpSampleKernel.cpp`: the same coefficients and the same order of operations (columns
//! first, then rows, each pair one product and one fused multiply-add), hence the same bits wherever height and width of a
//! result add up to more than 128. Below, PyTorch multiplies the coefficients first, and nearly equal logits may swap.

use std::ops::Range;

use rayon::prelude::*;
use segbench_types::LabelMap;

use crate::axis::{Axis, mix};
use crate::kernels::{self, LANES, Lines, ROWS, Simd, Work};
use crate::logit_rows::LogitRows;

/// A block of this many columns takes no further source column in, because wider blocks seldom have a single winner.
const WIDE: usize = 8;
/// Output rows that share one search for candidates, at most.
const GROUP: usize = 16;
/// Output rows that one thread computes before it takes the next ones.
const BAND: usize = 64;

/// The class with the greatest logit of every output pixel, after bilinear interpolation from `size` to `input` and from there
/// to `output`. A size equal to the one before it makes its resize the identity.
///
/// Equal logits go to the lower class. A logit that is not a number never wins.
///
/// # Shapes
/// `logits`: (classes, size.0, size.1) f32, row-major; all sizes are (height, width).
///
/// # Panics
/// If `logits` does not have the size given, if there are no or more than 255 classes, or if `size` or `input` is empty.
pub fn upsample_argmax(
    logits: &[f32],
    classes: usize,
    size: (usize, usize),
    input: (usize, usize),
    output: (usize, usize),
    align_corners: bool,
) -> LabelMap {
    assert!((1..=255).contains(&classes), "between 1 and 255 classes");
    assert!(size.0 * size.1 > 0 && input.0 * input.1 > 0, "logits and input of at least one pixel");
    assert_eq!(logits.len(), classes * size.0 * size.1, "one logit per class and position");
    // With one resize being the identity, the other is the only one.
    let middle = if size == input { output } else { input };
    let axes = |from: (usize, usize), to: (usize, usize)| {
        [Axis::new(from.0, to.0, align_corners), Axis::new(from.1, to.1, align_corners)]
    };
    let first = axes(size, middle);
    let second = (middle != output).then(|| axes(middle, output));
    let blocks = blocks(&first[1], second.as_ref().map(|[_, columns]| columns), output.1);
    // Who wins around a pixel says nothing about interpolated values that are not numbers.
    let prune = logits.iter().all(|logit| logit.is_finite());
    let upsampling = Upsampling { logits, classes, size, first, second, blocks, prune };
    let mut labels = LabelMap::filled(output.1 as u32, output.0 as u32, 0);
    if output.0 * output.1 > 0 {
        let bands = labels.as_mut_slice().par_chunks_mut(BAND * output.1).enumerate();
        bands.for_each_init(Scratch::default, |scratch, (band, rows)| {
            kernels::dispatch(Band {
                upsampling: &upsampling,
                first_row: band * BAND,
                width: output.1,
                rows,
                scratch,
            });
        });
    }
    labels
}

/// Neighboring output columns that are decided together.
struct Block {
    columns: Range<usize>,
    /// The columns of the logits that reach it: from, to (included).
    reach: (usize, usize),
}

/// Cuts the output columns where their source columns change, and joins what is narrow.
fn blocks(first: &Axis, second: Option<&Axis>, width: usize) -> Vec<Block> {
    let last = second.unwrap_or(first);
    let mut blocks = Vec::new();
    let mut start = 0;
    while start < width {
        let mut end = start + 1;
        let is_same = |end: usize| last.pair(end) == last.pair(end - 1);
        while end < width && end - start < LANES && (is_same(end) || end - start < WIDE) {
            end += 1;
        }
        let reach = last.reach(start, end - 1);
        let reach = if second.is_some() { first.reach(reach.0, reach.1) } else { reach };
        blocks.push(Block { columns: start..end, reach });
        start = end;
    }
    blocks
}

#[derive(Default)]
struct Scratch {
    logits: LogitRows,
    candidates: Vec<u8>,
    /// Per candidate, the block's columns in the source row above and in the one below.
    lines: Vec<Lines>,
    middle: [Vec<f32>; 2],
}

struct Upsampling<'a> {
    logits: &'a [f32],
    classes: usize,
    size: (usize, usize),
    first: [Axis; 2],
    second: Option<[Axis; 2]>,
    blocks: Vec<Block>,
    prune: bool,
}

/// Neighboring output rows.
struct Band<'a> {
    upsampling: &'a Upsampling<'a>,
    first_row: usize,
    width: usize,
    rows: &'a mut [u8],
    scratch: &'a mut Scratch,
}

impl Work for Band<'_> {
    #[inline(always)]
    fn run(self, simd: impl Simd) {
        self.upsampling.band(simd, self.first_row, self.width, self.rows, self.scratch);
    }
}

impl Upsampling<'_> {
    /// The axes that end in the output.
    #[inline(always)]
    fn last(&self) -> &[Axis; 2] {
        self.second.as_ref().unwrap_or(&self.first)
    }

    /// The rows of the logits that a range of output rows reads: from, to (included).
    #[inline(always)]
    fn rows(&self, from: usize, to: usize) -> (usize, usize) {
        let rows = self.last()[0].reach(from, to);
        if self.second.is_some() { self.first[0].reach(rows.0, rows.1) } else { rows }
    }

    #[inline(always)]
    fn band(&self, simd: impl Simd, first_row: usize, width: usize, rows: &mut [u8], scratch: &mut Scratch) {
        let [vertical, _] = self.last();
        let end = first_row + rows.len() / width;
        scratch.logits.load(self.logits, self.classes, self.size, self.rows(first_row, end - 1), self.prune);
        let mut top = first_row;
        while top < end {
            let mut bottom = top + 1;
            while bottom < end && bottom - top < GROUP && vertical.pair(bottom) == vertical.pair(top) {
                bottom += 1;
            }
            let group = &mut rows[(top - first_row) * width..(bottom - first_row) * width];
            self.group(simd, top, width, group, scratch);
            top = bottom;
        }
    }

    /// Rows that share their two source rows.
    #[inline(always)]
    fn group(&self, simd: impl Simd, top: usize, width: usize, group: &mut [u8], scratch: &mut Scratch) {
        let reach = self.rows(top, top);
        let mut index = 0;
        while let Some(block) = self.blocks.get(index) {
            index += 1;
            let Some(winner) = scratch.logits.winner(reach, block.reach) else {
                self.block(simd, top, reach, block, width, group, scratch);
                continue;
            };
            // As many blocks as have the same winner are filled together.
            let mut end = block.columns.end;
            while let Some(next) = self.blocks.get(index)
                && scratch.logits.winner(reach, next.reach) == Some(winner)
            {
                end = next.columns.end;
                index += 1;
            }
            group.chunks_exact_mut(width).for_each(|row| row[block.columns.start..end].fill(winner));
        }
    }

    /// The labels of a block where classes have to be compared.
    #[inline(always)]
    fn block(
        &self,
        simd: impl Simd,
        top: usize,
        reach: (usize, usize),
        block: &Block,
        width: usize,
        group: &mut [u8],
        scratch: &mut Scratch,
    ) {
        let Scratch { logits, candidates, lines, middle } = scratch;
        logits.candidates(reach, block.reach, candidates);
        lines.clear();
        let pair = self.last()[0].pair(top);
        let columns = &block.columns;
        for &class in candidates.iter() {
            let mut line = [[0.0; LANES]; 2];
            for (row, line) in [pair.0, pair.1].into_iter().zip(&mut line) {
                match &self.second {
                    None => {
                        let value = |column| logits.get(row, column, class);
                        self.first[1].interpolate(value, columns.start, &mut line[..columns.len()]);
                    }
                    Some([_, horizontal]) => {
                        let (from, to) = horizontal.reach(columns.start, columns.end - 1);
                        let sources = self.first[0].pair(row);
                        for (row, middle) in [sources.0, sources.1].into_iter().zip(middle.iter_mut()) {
                            middle.resize(to + 1 - from, 0.0);
                            self.first[1].interpolate(|column| logits.get(row, column, class), from, middle);
                        }
                        let [upper, lower] = &mut *middle;
                        for (upper, &lower) in upper.iter_mut().zip(lower.iter()) {
                            *upper = mix(*upper, lower, self.first[0].weight(row));
                        }
                        let value = |column| upper[column - from];
                        horizontal.interpolate(value, columns.start, &mut line[..columns.len()]);
                    }
                }
            }
            lines.push(line);
        }
        let count = group.len() / width;
        let weights = self.last()[0].weights(top, count);
        let mut rows = group.chunks_exact_mut(width).map(|row| &mut row[columns.clone()]);
        for weights in weights.chunks(ROWS) {
            let mixed = std::array::from_fn(|row| weights[row.min(weights.len() - 1)]);
            let winners = simd.challenge(candidates, lines, mixed);
            for (winners, row) in winners.iter().take(weights.len()).zip(&mut rows) {
                for (label, &class) in row.iter_mut().zip(winners) {
                    *label = class as u8;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Both resizes written out, pixel by pixel.
    fn naive(
        logits: &[f32],
        classes: usize,
        size: (usize, usize),
        input: (usize, usize),
        output: (usize, usize),
        align_corners: bool,
    ) -> Vec<u8> {
        let resized: Vec<Vec<f32>> = logits
            .chunks_exact(size.0 * size.1)
            .map(|plane| {
                naive_resize(&naive_resize(plane, size, input, align_corners), input, output, align_corners)
            })
            .collect();
        let winner = |pixel: usize| {
            (0..classes).fold(
                0,
                |best, class| if resized[class][pixel] > resized[best][pixel] { class } else { best },
            ) as u8
        };
        (0..output.0 * output.1).map(winner).collect()
    }

    fn naive_resize(
        plane: &[f32],
        from: (usize, usize),
        to: (usize, usize),
        align_corners: bool,
    ) -> Vec<f32> {
        if from == to {
            return plane.to_vec();
        }
        let place = |position: usize, from: usize, to: usize| {
            let exact = if from == to {
                position as f32
            } else if align_corners {
                if to > 1 { (from - 1) as f32 / (to - 1) as f32 * position as f32 } else { 0.0 }
            } else {
                (from as f32 / to as f32 * (position as f32 + 0.5) - 0.5).max(0.0)
            };
            let low = (exact as usize).min(from - 1);
            (low, (low + 1).min(from - 1), (exact - low as f32).clamp(0.0, 1.0))
        };
        let mut out = Vec::new();
        for y in 0..to.0 {
            let (top, bottom, down) = place(y, from.0, to.0);
            for x in 0..to.1 {
                let (left, right, across) = place(x, from.1, to.1);
                let row = |y: usize| {
                    plane[y * from.1 + left].mul_add(1.0 - across, plane[y * from.1 + right] * across)
                };
                out.push(row(top).mul_add(1.0 - down, row(bottom) * down));
            }
        }
        out
    }

    fn side() -> impl Strategy<Value = usize> {
        prop_oneof![1_usize..6, 30_usize..70]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn leaving_classes_out_changes_no_pixel(
            classes in 1_usize..6,
            size in (1_usize..9, 1_usize..14),
            input in (side(), side()),
            output in (side(), side()),
            same in 0..3,
            align_corners: bool,
            seed: u64,
            spread in prop_oneof![Just(1.0_f32), Just(40.0)],
        ) {
            let mut rng = segbench_types::Rng::new(seed, &[]);
            let logits: Vec<f32> =
                (0..classes * size.0 * size.1).map(|index| (index % 3) as f32 * spread + rng.normal()).collect();
            let input = if same == 1 { size } else { input };
            let output = if same == 2 { input } else { output };
            let labels = upsample_argmax(&logits, classes, size, input, output, align_corners);
            let expected = naive(&logits, classes, size, input, output, align_corners);
            prop_assert_eq!(labels.as_slice(), expected);
        }
    }

    #[test]
    fn equal_logits_go_to_the_lower_class() {
        let labels = upsample_argmax(&[1.0, 2.0, 1.0, 2.0, 1.0, 2.0], 3, (1, 2), (1, 2), (3, 5), false);
        assert_eq!(labels.as_slice(), [0; 15]);
    }

    #[test]
    fn a_logit_that_is_not_a_number_never_wins() {
        let labels = upsample_argmax(&[f32::NAN, 1.0, 0.0, 0.5, -1.0, 2.0], 3, (1, 2), (1, 2), (1, 2), false);
        assert_eq!(labels.as_slice(), [1, 2]);
    }
}
