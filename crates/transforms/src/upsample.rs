//! From logits to labels without the full-size tensor in between.
//!
//! mmsegmentation resizes logits twice, to the size of the network's input and then to the size of the label map, and takes the
//! argmax: 19 classes at 2048x1024 fill 159 MB, twice. Here a thread computes a block of 32 columns at a time from the few logits
//! that reach it and keeps only the winning class of every pixel.
//!
//! An interpolated value lies between the least and the greatest of the logits it is made from. A class whose greatest logit
//! around a block is below another class's least one wins no pixel of the block and is left out; over most of a picture one
//! class remains, and the block is filled without any arithmetic.
//!
//! # Source
//! PyTorch 2.6, `aten/src/ATen/native/cpu/UpSampleKernel.cpp`: the same coefficients and the same order of operations (columns
//! first, then rows, each pair one product and one fused multiply-add), hence the same bits wherever height and width of a
//! result add up to more than 128. Below, PyTorch multiplies the coefficients first, and nearly equal logits may swap.

use std::ops::Range;

use rayon::prelude::*;
use segbench_types::LabelMap;

use crate::kernels::{self, Work};

/// Columns of a block. Small enough that most blocks lie inside one object, large enough for full vector registers.
const BLOCK: usize = 32;
/// Output rows that share one search for candidates, at most.
const GROUP: usize = 16;
/// Output rows that one thread computes before it takes the next ones.
const BAND: usize = 64;
/// By how much, relative to the greatest magnitude, rounding can carry an interpolated value beyond the logits it is made from:
/// two resizes are at most 12 roundings of 2^-24 each, below 1e-6.
const ROUNDING: f32 = 1e-5;

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
    let upsampling = Upsampling {
        logits,
        classes,
        size,
        first: [Axis::new(size.0, middle.0, align_corners), Axis::new(size.1, middle.1, align_corners)],
        second: (middle != output).then(|| {
            [Axis::new(middle.0, output.0, align_corners), Axis::new(middle.1, output.1, align_corners)]
        }),
        // Minima and maxima say nothing about interpolated values that are not numbers.
        prune: logits.iter().all(|logit| logit.is_finite()),
    };
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

/// Where the values along one side of a resized plane come from.
struct Axis {
    first: Vec<u32>,
    second: Vec<u32>,
    /// Weight of `second`; `first` has one minus it.
    weight: Vec<f32>,
}

impl Axis {
    fn new(source: usize, target: usize, align_corners: bool) -> Self {
        let scale = match align_corners {
            true if target > 1 => (source - 1) as f32 / (target - 1) as f32,
            true => 0.0,
            false => source as f32 / target as f32,
        };
        let mut axis = Self { first: Vec::new(), second: Vec::new(), weight: Vec::new() };
        for position in 0..target {
            let exact = match (source == target, align_corners) {
                (true, _) => position as f32,
                (false, true) => scale * position as f32,
                (false, false) => (scale * (position as f32 + 0.5) - 0.5).max(0.0),
            };
            let first = (exact as usize).min(source - 1);
            axis.first.push(first as u32);
            axis.second.push((first + 1).min(source - 1) as u32);
            axis.weight.push((exact - first as f32).clamp(0.0, 1.0));
        }
        axis
    }

    /// The source positions that a range of target positions reads: from, to (included).
    fn reach(&self, from: usize, to: usize) -> (usize, usize) {
        (self.first[from] as usize, self.second[to] as usize)
    }

    fn pair(&self, position: usize) -> (usize, usize) {
        (self.first[position] as usize, self.second[position] as usize)
    }
}

#[derive(Default)]
struct Scratch {
    candidates: Vec<u8>,
    bounds: Vec<(f32, f32)>,
    scores: Scores,
    lines: [Vec<f32>; 2],
    middle: [Vec<f32>; 2],
}

struct Upsampling<'a> {
    logits: &'a [f32],
    classes: usize,
    size: (usize, usize),
    first: [Axis; 2],
    second: Option<[Axis; 2]>,
    prune: bool,
}

/// Neighbouring output rows.
struct Band<'a> {
    upsampling: &'a Upsampling<'a>,
    first_row: usize,
    width: usize,
    rows: &'a mut [u8],
    scratch: &'a mut Scratch,
}

impl Work for Band<'_> {
    #[inline(always)]
    fn run(self) {
        self.upsampling.band(self.first_row, self.width, self.rows, self.scratch);
    }
}

impl Upsampling<'_> {
    /// The axes that end in the output.
    #[inline(always)]
    fn last(&self) -> &[Axis; 2] {
        self.second.as_ref().unwrap_or(&self.first)
    }

    #[inline(always)]
    fn band(&self, first_row: usize, width: usize, rows: &mut [u8], scratch: &mut Scratch) {
        let [vertical, _] = self.last();
        let end = first_row + rows.len() / width;
        let mut top = first_row;
        while top < end {
            let mut bottom = top + 1;
            while bottom < end && bottom - top < GROUP && vertical.pair(bottom) == vertical.pair(top) {
                bottom += 1;
            }
            let group = &mut rows[(top - first_row) * width..(bottom - first_row) * width];
            for left in (0..width).step_by(BLOCK) {
                self.block(top, left..(left + BLOCK).min(width), width, group, scratch);
            }
            top = bottom;
        }
    }

    /// The labels of a few columns in rows that share their two source rows.
    #[inline(always)]
    fn block(&self, top: usize, columns: Range<usize>, width: usize, rows: &mut [u8], scratch: &mut Scratch) {
        self.find_candidates(top, &columns, scratch);
        if let [only] = scratch.candidates[..] {
            rows.chunks_exact_mut(width).for_each(|row| row[columns.clone()].fill(only));
            return;
        }
        let [vertical, _] = self.last();
        let count = rows.len() / width;
        let weights = &vertical.weight[top..top + count];
        scratch.scores.reset(count);
        for index in 0..scratch.candidates.len() {
            let class = scratch.candidates[index];
            let pair = vertical.pair(top);
            match &self.second {
                None => {
                    self.line(class, pair.0, &columns, &mut scratch.lines[0]);
                    self.line(class, pair.1, &columns, &mut scratch.lines[1]);
                }
                Some([_, horizontal]) => {
                    let (from, to) = horizontal.reach(columns.start, columns.end - 1);
                    for (slot, row) in [pair.0, pair.1].into_iter().enumerate() {
                        let sources = self.first[0].pair(row);
                        self.line(class, sources.0, &(from..to + 1), &mut scratch.middle[0]);
                        self.line(class, sources.1, &(from..to + 1), &mut scratch.middle[1]);
                        let [upper, lower] = &mut scratch.middle;
                        for (upper, &lower) in upper.iter_mut().zip(lower.iter()) {
                            *upper = mix(*upper, lower, self.first[0].weight[row]);
                        }
                        interpolate(upper, from, horizontal, &columns, &mut scratch.lines[slot]);
                    }
                }
            }
            let [upper, lower] = &scratch.lines;
            scratch.scores.challenge(class, upper, lower, weights);
        }
        for (index, row) in rows.chunks_exact_mut(width).enumerate() {
            scratch.scores.write(index, &mut row[columns.clone()]);
        }
    }

    /// The classes that can win a pixel of the block, in ascending order.
    #[inline(always)]
    fn find_candidates(&self, top: usize, columns: &Range<usize>, scratch: &mut Scratch) {
        scratch.candidates.clear();
        if !self.prune {
            scratch.candidates.extend((0..self.classes).map(|class| class as u8));
            return;
        }
        let mut rows = self.last()[0].pair(top);
        let mut span = self.last()[1].reach(columns.start, columns.end - 1);
        if self.second.is_some() {
            rows = self.first[0].reach(rows.0, rows.1);
            span = self.first[1].reach(span.0, span.1);
        }
        let (height, width) = self.size;
        scratch.bounds.clear();
        for class in 0..self.classes {
            let (mut low, mut high) = (f32::INFINITY, f32::NEG_INFINITY);
            for row in rows.0..=rows.1 {
                let start = (class * height + row) * width;
                for &logit in &self.logits[start + span.0..=start + span.1] {
                    low = if logit < low { logit } else { low };
                    high = if logit > high { logit } else { high };
                }
            }
            scratch.bounds.push((low, high));
        }
        let (mut best_low, mut magnitude) = (f32::NEG_INFINITY, 0.0_f32);
        for &(low, high) in &scratch.bounds {
            best_low = best_low.max(low);
            magnitude = magnitude.max(high).max(-low);
        }
        let threshold = best_low - ROUNDING * magnitude;
        let able = |(class, bounds): (usize, &(f32, f32))| (bounds.1 >= threshold).then_some(class as u8);
        scratch.candidates.extend(scratch.bounds.iter().enumerate().filter_map(able));
    }

    /// One row of logits at the columns of the first resize.
    #[inline(always)]
    fn line(&self, class: u8, row: usize, columns: &Range<usize>, out: &mut Vec<f32>) {
        let (height, width) = self.size;
        let source = &self.logits[(usize::from(class) * height + row) * width..][..width];
        interpolate(source, 0, &self.first[1], columns, out);
    }
}

/// The best class so far of every pixel of a block.
struct Scores {
    best: Vec<[f32; BLOCK]>,
    class: Vec<[i32; BLOCK]>,
}

impl Default for Scores {
    fn default() -> Self {
        Self { best: vec![[0.0; BLOCK]; GROUP], class: vec![[0; BLOCK]; GROUP] }
    }
}

impl Scores {
    fn reset(&mut self, rows: usize) {
        self.best[..rows].fill([f32::NEG_INFINITY; BLOCK]);
        self.class[..rows].fill([0; BLOCK]);
    }

    /// Lets `class` take the pixels where it is greater. Row `i` is `upper` and `lower` mixed by `weights[i]`.
    #[inline(always)]
    fn challenge(&mut self, class: u8, upper: &[f32], lower: &[f32], weights: &[f32]) {
        // Whole blocks, so that the inner loop has a fixed length.
        let (mut above, mut below) = ([0.0; BLOCK], [0.0; BLOCK]);
        above[..upper.len()].copy_from_slice(upper);
        below[..lower.len()].copy_from_slice(lower);
        for ((best, winner), &weight) in self.best.iter_mut().zip(&mut self.class).zip(weights) {
            for x in 0..BLOCK {
                let value = mix(above[x], below[x], weight);
                let greater = value > best[x];
                best[x] = if greater { value } else { best[x] };
                winner[x] = if greater { i32::from(class) } else { winner[x] };
            }
        }
    }

    fn write(&self, row: usize, labels: &mut [u8]) {
        for (label, &class) in labels.iter_mut().zip(&self.class[row]) {
            *label = class as u8;
        }
    }
}

/// The value between two others: `weight` is the part of the second.
#[inline(always)]
fn mix(first: f32, second: f32, weight: f32) -> f32 {
    first.mul_add(1.0 - weight, second * weight)
}

/// `source`, which starts at position `offset`, at the given positions of the axis.
#[inline(always)]
fn interpolate(source: &[f32], offset: usize, axis: &Axis, columns: &Range<usize>, out: &mut Vec<f32>) {
    out.resize(columns.len(), 0.0);
    let taps = axis.first[columns.clone()]
        .iter()
        .zip(&axis.second[columns.clone()])
        .zip(&axis.weight[columns.clone()]);
    for (out, ((&first, &second), &weight)) in out.iter_mut().zip(taps) {
        *out = mix(source[first as usize - offset], source[second as usize - offset], weight);
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
