//! Exact maps of all classes of an image, in integers, with the vectors of the machine.
//!
//! Along the rows distances come from runs of equal labels; along the columns from [`Sites`], sixteen columns at a time. Labels and
//! distances along rows therefore lie in strips of sixteen columns, one below the other. Only rows that hold a class are asked for
//! the distance to it, and only rows of a strip that hold it for the distance inside.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::DistanceMap;
use super::kernels::{Instructions, LANES, Labels, Lanes, Steps, Vector, Work, dispatch};
use super::runs::{FAR, fill_inside, fill_outside, for_each_run};
use super::strips::{Node, Sites};

/// Strips whose result is written row by row.
const GROUP: usize = 4;
/// Rows that are laid into strips together, because strips lie far apart in memory.
const BLOCK: usize = 8;
/// What strips hold beyond the last column: no class.
const OUTSIDE: u8 = 255;
/// Labels there are.
const LABELS: usize = 256;

/// One label map, prepared for distances to any of its classes.
#[derive(Default)]
pub(super) struct Planar {
    pub(super) instructions: Instructions,
    height: usize,
    width: usize,
    /// Per strip and row, the labels of its columns.
    labels: Vec<Labels>,
    /// Per strip and row, the distance along the row to the nearest other label.
    inside: Vec<Steps>,
    /// Per strip and label, the rows from the first to the last that hold it.
    extents: Vec<(u16, u16)>,
    /// All runs in reading order: label, first column, column after the last.
    runs: Vec<(u8, u16, u16)>,
    /// Where the runs of each row begin, and the end of the last one's.
    row_runs: Vec<usize>,
    /// The rows that hold each label.
    rows: Vec<Vec<i32>>,
    /// The numbers from 0.
    counting: Vec<i32>,
    buffers: Mutex<Vec<Buffers>>,
}

/// What one thread needs for one class.
#[derive(Default)]
struct Buffers {
    steps: Vec<u16>,
    /// Per strip and row that holds the class, the distance along the row.
    outside: Vec<Steps>,
    /// How many rows above each row hold the class.
    above: Vec<i32>,
    /// Squared distances of a group of strips, negative inside.
    squares: Vec<Vec<Lanes>>,
    scratch: Scratch,
}

/// What one strip needs.
#[derive(Default)]
struct Scratch {
    values: Vec<Lanes>,
    inner: Vec<Lanes>,
    nodes: Vec<Node>,
}

impl Planar {
    /// Reads a label map of `height` rows.
    pub(super) fn prepare(&mut self, labels: &[u8], height: usize, width: usize) {
        let strips = width.div_ceil(LANES);
        (self.height, self.width) = (height, width);
        self.labels.resize(strips * height, Labels([OUTSIDE; LANES]));
        self.inside.resize(strips * height, Steps([FAR; LANES]));
        self.extents.clear();
        self.extents.resize(strips * LABELS, (0, 0));
        self.runs.clear();
        self.row_runs.clear();
        self.rows.resize_with(LABELS, Vec::new);
        self.rows.iter_mut().for_each(Vec::clear);
        self.counting.clear();
        self.counting.extend(0..=height as i32);
        let padded = strips * LANES;
        let (mut all_labels, mut all_steps) = (vec![OUTSIDE; BLOCK * padded], vec![FAR; BLOCK * padded]);
        for (row, labels) in labels.chunks_exact(width).enumerate() {
            self.row_runs.push(self.runs.len());
            let place = row % BLOCK;
            let steps = &mut all_steps[place * padded..][..width];
            for_each_run(labels, |label, columns| {
                self.runs.push((label, columns.start as u16, columns.end as u16));
                let rows = &mut self.rows[usize::from(label)];
                if rows.last() != Some(&(row as i32)) {
                    rows.push(row as i32);
                }
                for strip in columns.start / LANES..columns.end.div_ceil(LANES) {
                    let (start, end) = &mut self.extents[strip * LABELS + usize::from(label)];
                    if *end == 0 {
                        *start = row as u16;
                    }
                    *end = row as u16 + 1;
                }
                fill_inside(steps, columns);
            });
            all_labels[place * padded..][..width].copy_from_slice(labels);
            if place + 1 == BLOCK || row + 1 == height {
                let rows = row - place..row + 1;
                into_strips(&all_labels, strips, height, rows.clone(), &mut self.labels, Labels);
                into_strips(&all_steps, strips, height, rows, &mut self.inside, Steps);
            }
        }
        self.row_runs.push(self.runs.len());
    }

    /// Writes the map of one class.
    pub(super) fn map(&self, class: u8, kind: DistanceMap, plane: &mut [f32]) {
        let rows = &self.rows[usize::from(class)];
        let everywhere = self.runs.len() == self.height && rows.len() == self.height;
        if rows.is_empty() || everywhere {
            plane.fill(0.0);
            return;
        }
        let buffers = self.buffers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut buffers = buffers.unwrap_or_default();
        self.along_rows(class, &mut buffers);
        let strips = self.width.div_ceil(LANES);
        let Buffers { outside, above, squares, scratch, .. } = &mut buffers;
        squares.resize_with(GROUP, Vec::new);
        for first in (0..strips).step_by(GROUP) {
            let group = GROUP.min(strips - first);
            for (strip, squares) in (first..first + group).zip(&mut *squares) {
                let steps = &outside[strip * rows.len()..][..rows.len()];
                dispatch(
                    self.instructions,
                    Strip { planar: self, class, strip, rows, above, steps, scratch, squares },
                );
            }
            dispatch(
                self.instructions,
                Write { kind, width: self.width, left: first * LANES, strips: &squares[..group], plane },
            );
        }
        kind.finish(plane);
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner).push(buffers);
    }

    /// Writes the distance of every pixel to the nearest one of another label; 0 where there is none.
    pub(super) fn inside(&self, out: &mut [f32]) {
        let (height, width) = (self.height, self.width);
        if self.runs.len() == height && self.rows.iter().any(|rows| rows.len() == height) {
            out.fill(0.0);
            return;
        }
        let mut scratch = Scratch::default();
        for strip in 0..width.div_ceil(LANES) {
            let left = strip * LANES;
            for class in 0..=u8::MAX {
                let Some(rows) = self.extent(strip, class) else { continue };
                dispatch(
                    self.instructions,
                    Inner { planar: self, class, strip, rows: rows.clone(), scratch: &mut scratch },
                );
                for (row, squares) in rows.zip(&scratch.inner) {
                    let labels = &self.labels[strip * height + row];
                    let end = (left + LANES).min(width);
                    let out = &mut out[row * width + left..row * width + end];
                    for ((out, square), &label) in out.iter_mut().zip(&squares.0).zip(&labels.0) {
                        if label == class {
                            *out = (*square as f32).sqrt();
                        }
                    }
                }
            }
        }
    }

    /// The rows from the first to the last of a strip that hold a class.
    fn extent(&self, strip: usize, class: u8) -> Option<Range<usize>> {
        let (start, end) = self.extents[strip * LABELS + usize::from(class)];
        (end > 0).then_some(usize::from(start)..usize::from(end))
    }

    /// Fills `outside` and `above`.
    fn along_rows(&self, class: u8, buffers: &mut Buffers) {
        let rows = &self.rows[usize::from(class)];
        let strips = self.width.div_ceil(LANES);
        buffers.steps.clear();
        buffers.steps.resize(BLOCK * strips * LANES, 0);
        buffers.outside.resize(strips * rows.len(), Steps([0; LANES]));
        buffers.above.clear();
        for (site, &row) in rows.iter().enumerate() {
            buffers.above.resize(row as usize + 1, site as i32);
            let runs = &self.runs[self.row_runs[row as usize]..self.row_runs[row as usize + 1]];
            let runs = runs.iter().filter(|(label, ..)| *label == class);
            let place = site % BLOCK;
            fill_outside(
                &mut buffers.steps[place * strips * LANES..][..self.width],
                runs.map(|&(_, start, end)| usize::from(start)..usize::from(end)),
            );
            if place + 1 == BLOCK || site + 1 == rows.len() {
                let sites = site - place..site + 1;
                into_strips(&buffers.steps, strips, rows.len(), sites, &mut buffers.outside, Steps);
            }
        }
        buffers.above.push(rows.len() as i32);
    }

    /// Writes the squared distances inside of a class, 0 outside, of the rows from the first to the last of a strip that hold it.
    #[inline(always)]
    fn inner<V: Vector>(
        &self,
        vector: V,
        class: u8,
        strip: usize,
        rows: Range<usize>,
        scratch: &mut Scratch,
    ) {
        // The rows around are outside and bound the distance.
        let (top, bottom) = (rows.start.saturating_sub(1), (rows.end + 1).min(self.height));
        let part = strip * self.height + top..strip * self.height + bottom;
        let Scratch { values, inner, nodes } = scratch;
        values.resize(part.len().max(values.len()), Lanes::default());
        let values = &mut values[..part.len()];
        for ((values, steps), labels) in
            values.iter_mut().zip(&self.inside[part.clone()]).zip(&self.labels[part])
        {
            for part in 0..V::PARTS {
                let squares = vector.squares(steps, part);
                vector.store(values, part, vector.where_class(labels, class, part, squares));
            }
        }
        let sites = Sites {
            rows: &self.counting[top..bottom],
            values,
            top: top as i32,
            above: &self.counting[..=bottom - top],
        };
        sites.lower(vector, nodes, rows, inner);
    }
}

/// Lays rows of padded numbers into strips of `length` rows.
fn into_strips<T: Copy, S>(
    from: &[T],
    strips: usize,
    length: usize,
    rows: Range<usize>,
    to: &mut [S],
    wrap: impl Fn([T; LANES]) -> S,
) {
    let pieces = from.as_chunks().0;
    for strip in 0..strips {
        let to = &mut to[strip * length..][rows.clone()];
        for (to, row) in to.iter_mut().zip(pieces.chunks_exact(strips)) {
            *to = wrap(row[strip]);
        }
    }
}

/// The squared distances of one class in one strip.
struct Strip<'a> {
    planar: &'a Planar,
    class: u8,
    strip: usize,
    rows: &'a [i32],
    above: &'a [i32],
    steps: &'a [Steps],
    scratch: &'a mut Scratch,
    squares: &'a mut Vec<Lanes>,
}

impl Work for Strip<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self, vector: V) {
        let Self { planar, class, strip, rows, above, steps, scratch, squares } = self;
        let Scratch { values, nodes, .. } = &mut *scratch;
        values.resize(steps.len().max(values.len()), Lanes::default());
        let values = &mut values[..steps.len()];
        for (values, steps) in values.iter_mut().zip(steps) {
            for part in 0..V::PARTS {
                vector.store(values, part, vector.squares(steps, part));
            }
        }
        Sites { rows, values, top: 0, above }.lower(vector, nodes, 0..planar.height, squares);
        let Some(extent) = planar.extent(strip, class) else { return };
        planar.inner(vector, class, strip, extent.clone(), scratch);
        for (squares, inner) in squares[extent].iter_mut().zip(&scratch.inner) {
            for part in 0..V::PARTS {
                let (outside, inside) = (vector.load(squares, part), vector.load(inner, part));
                vector.store(squares, part, vector.subtract(outside, inside));
            }
        }
    }
}

/// [`Planar::inner`].
struct Inner<'a> {
    planar: &'a Planar,
    class: u8,
    strip: usize,
    rows: Range<usize>,
    scratch: &'a mut Scratch,
}

impl Work for Inner<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self, vector: V) {
        self.planar.inner(vector, self.class, self.strip, self.rows, self.scratch);
    }
}

/// Writes a group of strips into a plane.
struct Write<'a> {
    kind: DistanceMap,
    width: usize,
    left: usize,
    strips: &'a [Vec<Lanes>],
    plane: &'a mut [f32],
}

impl Work for Write<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self, _: V) {
        // One loop per kind, without a choice inside.
        match self.kind {
            DistanceMap::Signed | DistanceMap::Penalty => {
                self.rows(|square| DistanceMap::Signed.of_square(square));
            }
            DistanceMap::Level => self.rows(|square| DistanceMap::Level.of_square(square)),
            DistanceMap::Unsigned => self.rows(|square| DistanceMap::Unsigned.of_square(square)),
            DistanceMap::Squared => self.rows(|square| DistanceMap::Squared.of_square(square)),
        }
    }
}

impl Write<'_> {
    #[inline(always)]
    fn rows(self, value: impl Fn(f32) -> f32) {
        let Self { width, left, strips, plane, .. } = self;
        let right = (left + strips.len() * LANES).min(width);
        for (row, out) in plane.chunks_exact_mut(width).enumerate() {
            let (whole, rest) = out[left..right].as_chunks_mut::<LANES>();
            for (out, squares) in whole.iter_mut().zip(strips) {
                *out = squares[row].0.map(|square| value(square as f32));
            }
            if let Some(squares) = strips.get(whole.len()) {
                for (out, square) in rest.iter_mut().zip(&squares[row].0) {
                    *out = value(*square as f32);
                }
            }
        }
    }
}
