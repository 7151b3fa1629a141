//! From the logits of several windows and views to labels, by tile: nothing of classes x height x width at full size is ever held.
//!
//! The logits of every window are resized to the input that the window was cut from and averaged where windows overlap; the image's
//! part of that is mirrored back and resized to the label map; with several views the softmax of each is added. A tile of the label
//! map needs a few logits of each window, so all of this happens tile by tile.
//!
//! A class that is clearly ahead at all logits that reach a tile is ahead within it, however they are mixed, averaged and (softmax
//! being monotone) added up. Such tiles, most of a picture, are filled without arithmetic.
//!
//! # Source
//! mmsegmentation 1.2.2: `EncoderDecoder.slide_inference` and `postprocess_result`, `SegTTAModel.merge_preds`.

use rayon::prelude::*;
use segbench_types::LabelMap;

use crate::axis::{Axis, mix};
use crate::kernels::{self, LANES, Simd, Work};
use crate::softmax::softmax;
use crate::upsample::upsample_argmax;

/// Output rows of a tile.
const ROWS: usize = 8;
/// Output columns of a tile.
const COLUMNS: usize = LANES;
/// Pixels of a tile.
const TILE: usize = ROWS * COLUMNS;
/// By how much, relative to the greatest magnitude at a position and per window over it, a class has to be ahead of the others to
/// stay ahead whatever is rounded.
const ROUNDING: f32 = 1e-5;
/// By how much more it has to be ahead where exponentials are compared: an error of some units in their last place.
const EXPONENTIAL: f32 = 1e-4;
/// No class is clearly ahead.
const NONE: u16 = u16::MAX;

/// The logits of a part of a network's input.
#[derive(Debug, Clone)]
pub struct Window {
    /// Row and column of its first pixel in the input.
    pub place: (usize, usize),
    /// Height and width of the part.
    pub extent: (usize, usize),
    /// Height and width of its logits.
    pub size: (usize, usize),
    /// (classes, size.0, size.1), row-major.
    pub logits: Vec<f32>,
}

/// One look at an image.
#[derive(Debug, Clone)]
pub struct View {
    /// Windows that cover the input.
    pub windows: Vec<Window>,
    /// Height and width of the image within the input, from its first row and column; the rest is padding.
    pub image: (usize, usize),
    /// Whether the network saw the image's mirror image.
    pub is_mirrored: bool,
    /// Whether logits are resized to the size of the input before they are resized to that of the label map. Without, there must be
    /// one window, and no padding.
    pub is_resized_twice: bool,
}

/// The class of every pixel of `output` = (height, width): the greatest logit of the only view, or the greatest sum of the views'
/// softmax. Equal ones go to the lower class. What is not a number never wins.
///
/// # Panics
/// If there is no view, if there are no or more than 255 classes, or if logits do not have the sizes given.
pub fn label_views(views: &[View], classes: usize, output: (usize, usize), align_corners: bool) -> LabelMap {
    assert!((1..=255).contains(&classes), "between 1 and 255 classes");
    assert!(!views.is_empty(), "at least one view");
    if let [View { windows, image, is_mirrored: false, is_resized_twice }] = views
        && let [Window { place: (0, 0), extent, size, logits }] = &windows[..]
        && extent == image
    {
        let input = if *is_resized_twice { *extent } else { output };
        return upsample_argmax(logits, classes, *size, input, output, align_corners);
    }
    let slack = if views.len() > 1 { EXPONENTIAL } else { 0.0 };
    let views: Vec<Placed> =
        views.iter().map(|view| Placed::new(view, classes, output, align_corners, slack)).collect();
    let mut labels = LabelMap::filled(output.1 as u32, output.0 as u32, 0);
    if output.0 * output.1 > 0 {
        let bands = labels.as_mut_slice().par_chunks_mut(ROWS * output.1).enumerate();
        bands.for_each_init(Scratch::default, |scratch, (band, rows)| {
            kernels::dispatch(Band {
                views: &views,
                classes,
                top: band * ROWS,
                width: output.1,
                rows,
                scratch,
            });
        });
    }
    labels
}

/// A view with the axes that lead from the label map to its logits.
struct Placed<'a> {
    windows: Vec<PlacedWindow<'a>>,
    /// How many windows see an input row, an input column.
    counts: [Vec<f32>; 2],
    /// From the image within the input to the label map, rows and columns; `None` for columns if nothing changes there.
    rows: Axis,
    columns: Axis,
    is_same: bool,
}

struct PlacedWindow<'a> {
    window: &'a Window,
    /// From the logits to the window's part of the input; `None` if they are as large.
    axes: Option<[Axis; 2]>,
    /// Per logit position, the class that is clearly ahead, or [`NONE`].
    clear: Vec<u16>,
}

/// A rectangle, all ends included.
#[derive(Clone, Copy)]
struct Reach {
    rows: (usize, usize),
    columns: (usize, usize),
}

#[derive(Default)]
struct Scratch {
    /// Of one window and class: its logit rows at the input's columns.
    lines: Vec<f32>,
    /// Of one view and class: the input that a tile reads.
    middle: Vec<f32>,
    /// Per class a tile: the scores of a view, and their sums.
    scores: Vec<[f32; TILE]>,
    sums: Vec<[f32; TILE]>,
}

struct Band<'a> {
    views: &'a [Placed<'a>],
    classes: usize,
    top: usize,
    width: usize,
    rows: &'a mut [u8],
    scratch: &'a mut Scratch,
}

impl<'a> Placed<'a> {
    fn new(view: &'a View, classes: usize, output: (usize, usize), align_corners: bool, slack: f32) -> Self {
        let resized = view.is_resized_twice;
        assert!(resized || view.windows.len() == 1, "one window for one resize");
        let image =
            if resized { view.image } else { view.windows.first().map_or((0, 0), |window| window.size) };
        assert!(image.0 * image.1 > 0, "an image of at least one pixel");
        let mut counts = [vec![0.0; image.0], vec![0.0; image.1]];
        let mut seen: [Vec<usize>; 2] = Default::default();
        for window in &view.windows {
            let (place, extent) = (window.place, if resized { window.extent } else { window.size });
            for (axis, (place, extent)) in [(place.0, extent.0), (place.1, extent.1)].into_iter().enumerate()
            {
                if !seen[axis].contains(&place) {
                    seen[axis].push(place);
                    counts[axis].iter_mut().skip(place).take(extent).for_each(|count| *count += 1.0);
                }
            }
        }
        let most: f32 = counts.iter().map(|counts| counts.iter().copied().fold(1.0, f32::max)).product();
        let window = |window: &'a Window| {
            assert_eq!(
                window.logits.len(),
                classes * window.size.0 * window.size.1,
                "one logit per class and place"
            );
            let extent = if resized { window.extent } else { window.size };
            let axes = (extent != window.size).then(|| {
                [
                    Axis::new(window.size.0, extent.0, align_corners),
                    Axis::new(window.size.1, extent.1, align_corners),
                ]
            });
            PlacedWindow { window, axes, clear: clear(window, classes, ROUNDING * most, slack) }
        };
        let columns = Axis::new(image.1, output.1, align_corners);
        Self {
            windows: view.windows.iter().map(window).collect(),
            counts,
            rows: Axis::new(image.0, output.0, align_corners),
            columns: if view.is_mirrored { columns.mirrored(image.1) } else { columns },
            is_same: image == output && !view.is_mirrored,
        }
    }

    /// The part of the image that a tile reads.
    #[inline(always)]
    fn reach(&self, rows: (usize, usize), columns: (usize, usize)) -> Reach {
        if self.is_same {
            return Reach { rows, columns };
        }
        Reach { rows: self.rows.reach(rows.0, rows.1), columns: self.columns.reach(columns.0, columns.1) }
    }

    /// The scores of one class in a tile of `rows` x `columns`.
    #[inline(always)]
    fn scores(
        &self,
        class: usize,
        rows: (usize, usize),
        columns: (usize, usize),
        scratch: (&mut Vec<f32>, &mut Vec<f32>),
        out: &mut [f32; TILE],
    ) {
        let (lines, middle) = scratch;
        let reach = self.reach(rows, columns);
        let width = reach.columns.1 + 1 - reach.columns.0;
        middle.clear();
        middle.resize((reach.rows.1 + 1 - reach.rows.0) * width, 0.0);
        for window in &self.windows {
            window.add(class, reach, lines, middle);
        }
        if self.windows.len() > 1 {
            let columns = &self.counts[1][reach.columns.0..=reach.columns.1];
            for (row, values) in middle.chunks_exact_mut(width).enumerate() {
                let count = self.counts[0][reach.rows.0 + row];
                values.iter_mut().zip(columns).for_each(|(value, columns)| *value /= count * columns);
            }
        }
        let count = columns.1 + 1 - columns.0;
        if self.is_same {
            for (out, row) in out.chunks_exact_mut(COLUMNS).zip(middle.chunks_exact(width)) {
                out[..count].copy_from_slice(row);
            }
            return;
        }
        lines.clear();
        lines.resize(middle.len() / width * COLUMNS, 0.0);
        for (line, row) in lines.chunks_exact_mut(COLUMNS).zip(middle.chunks_exact(width)) {
            self.columns.interpolate(|column| row[column - reach.columns.0], columns.0, &mut line[..count]);
        }
        for (row, out) in (rows.0..=rows.1).zip(out.chunks_exact_mut(COLUMNS)) {
            let (upper, lower) = self.rows.pair(row);
            let weight = self.rows.weight(row);
            let line = |row: usize| &lines[(row - reach.rows.0) * COLUMNS..][..COLUMNS];
            for ((out, &upper), &lower) in out.iter_mut().zip(line(upper)).zip(line(lower)) {
                *out = mix(upper, lower, weight);
            }
        }
    }
}

impl PlacedWindow<'_> {
    /// The window's part of a rectangle of the input, in its own rows and columns.
    #[inline(always)]
    fn part(&self, reach: Reach) -> Option<Reach> {
        let extent = if self.axes.is_some() { self.window.extent } else { self.window.size };
        let cut = |(from, to): (usize, usize), place: usize, extent: usize| {
            let (from, to) = (from.max(place), (to + 1).min(place + extent));
            (from < to).then(|| (from - place, to - 1 - place))
        };
        Some(Reach {
            rows: cut(reach.rows, self.window.place.0, extent.0)?,
            columns: cut(reach.columns, self.window.place.1, extent.1)?,
        })
    }

    /// Whether `winner` is clearly ahead wherever the window has a part in a rectangle; a first window decides who that is.
    #[inline(always)]
    fn agrees(&self, reach: Reach, winner: &mut Option<u16>) -> bool {
        let Some(mut part) = self.part(reach) else { return true };
        if let Some([rows, columns]) = &self.axes {
            part.rows = rows.reach(part.rows.0, part.rows.1);
            part.columns = columns.reach(part.columns.0, part.columns.1);
        }
        let width = self.window.size.1;
        let first = *winner.get_or_insert(self.clear[part.rows.0 * width + part.columns.0]);
        first != NONE
            && (part.rows.0..=part.rows.1).all(|row| {
                let row = &self.clear[row * width..(row + 1) * width];
                row[part.columns.0..=part.columns.1].iter().all(|&class| class == first)
            })
    }

    /// Adds the logits of a class to a rectangle of the input.
    #[inline(always)]
    fn add(&self, class: usize, reach: Reach, lines: &mut Vec<f32>, middle: &mut [f32]) {
        let Some(part) = self.part(reach) else { return };
        let (height, width) = self.window.size;
        let plane = &self.window.logits[class * height * width..][..height * width];
        let pitch = reach.columns.1 + 1 - reach.columns.0;
        let skipped = self.window.place.1 + part.columns.0 - reach.columns.0;
        let count = part.columns.1 + 1 - part.columns.0;
        let first = self.window.place.0 + part.rows.0 - reach.rows.0;
        let sums = middle.chunks_exact_mut(pitch).skip(first).map(|row| &mut row[skipped..][..count]);
        let Some([rows, columns]) = &self.axes else {
            for (row, sums) in (part.rows.0..=part.rows.1).zip(sums) {
                let values = &plane[row * width + part.columns.0..][..count];
                sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            }
            return;
        };
        let (from, to) = rows.reach(part.rows.0, part.rows.1);
        lines.clear();
        lines.resize((to + 1 - from) * count, 0.0);
        for (line, row) in lines.chunks_exact_mut(count).zip(plane.chunks_exact(width).skip(from)) {
            columns.interpolate(|column| row[column], part.columns.0, line);
        }
        for (row, sums) in (part.rows.0..=part.rows.1).zip(sums) {
            let (upper, lower) = rows.pair(row);
            let weight = rows.weight(row);
            let line = |row: usize| &lines[(row - from) * count..][..count];
            for ((sum, &upper), &lower) in sums.iter_mut().zip(line(upper)).zip(line(lower)) {
                *sum += mix(upper, lower, weight);
            }
        }
    }
}

impl Work for Band<'_> {
    #[inline(always)]
    fn run(self, _: impl Simd) {
        let Self { views, classes, top, width, rows, scratch } = self;
        let lines = (top, top + rows.len() / width - 1);
        for start in (0..width).step_by(COLUMNS) {
            let columns = (start, (start + COLUMNS).min(width) - 1);
            let tile = rows.chunks_exact_mut(width).map(|row| &mut row[columns.0..=columns.1]);
            let mut winner = None;
            let is_clear = views.iter().all(|view| {
                let reach = view.reach(lines, columns);
                view.windows.iter().all(|window| window.agrees(reach, &mut winner))
            });
            match winner {
                Some(class) if is_clear => tile.for_each(|row| row.fill(class as u8)),
                _ => decide(views, classes, lines, columns, scratch, tile),
            }
        }
    }
}

/// The labels of a tile where classes have to be compared.
#[inline(always)]
fn decide<'a>(
    views: &[Placed],
    classes: usize,
    rows: (usize, usize),
    columns: (usize, usize),
    scratch: &mut Scratch,
    tile: impl Iterator<Item = &'a mut [u8]>,
) {
    let Scratch { lines, middle, scores, sums } = scratch;
    for plane in [&mut *scores, &mut *sums] {
        plane.clear();
        plane.resize(classes, [0.0; TILE]);
    }
    for view in views {
        for (class, scores) in scores.iter_mut().enumerate() {
            view.scores(class, rows, columns, (&mut *lines, &mut *middle), scores);
        }
        if views.len() > 1 {
            softmax(scores);
            for (sums, scores) in sums.iter_mut().zip(scores.iter()) {
                sums.iter_mut().zip(scores).for_each(|(sum, score)| *sum += score);
            }
        }
    }
    let scores = if views.len() > 1 { sums } else { scores };
    let (mut best, mut winner) = ([f32::NEG_INFINITY; TILE], [0_u8; TILE]);
    for (class, scores) in scores.iter().enumerate() {
        for ((best, winner), &score) in best.iter_mut().zip(&mut winner).zip(scores) {
            let is_greater = score > *best;
            *best = if is_greater { score } else { *best };
            *winner = if is_greater { class as u8 } else { *winner };
        }
    }
    for (row, winners) in tile.zip(winner.chunks_exact(COLUMNS)) {
        row.copy_from_slice(&winners[..row.len()]);
    }
}

/// Per position, the class that is ahead of all others by `relative` times the greatest magnitude and `absolute`, or [`NONE`].
fn clear(window: &Window, classes: usize, relative: f32, absolute: f32) -> Vec<u16> {
    let (height, width) = window.size;
    // Who wins around a pixel says nothing about values that are not numbers.
    if !window.logits.iter().all(|logit| logit.is_finite()) {
        return vec![NONE; height * width];
    }
    let mut clear = vec![NONE; height * width];
    clear.par_chunks_mut(width.max(1)).enumerate().for_each(|(row, clear)| {
        let (mut best, mut second) = (vec![f32::NEG_INFINITY; width], vec![f32::NEG_INFINITY; width]);
        let (mut magnitude, mut greatest) = (vec![0.0_f32; width], vec![0_u16; width]);
        for class in 0..classes {
            let logits = &window.logits[(class * height + row) * width..][..width];
            let places = best.iter_mut().zip(&mut second).zip(&mut magnitude).zip(&mut greatest);
            for (&logit, (((best, second), magnitude), greatest)) in logits.iter().zip(places) {
                let is_greater = logit > *best;
                let lesser = if is_greater { *best } else { logit };
                *second = if lesser > *second { lesser } else { *second };
                *best = if is_greater { logit } else { *best };
                *greatest = if is_greater { class as u16 } else { *greatest };
                *magnitude = magnitude.max(logit.abs());
            }
        }
        for (column, clear) in clear.iter_mut().enumerate() {
            if best[column] - second[column] > relative * magnitude[column] + absolute {
                *clear = greatest[column];
            }
        }
    });
    clear
}
