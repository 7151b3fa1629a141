//! Exact maps of all classes of an image, in integers, with the vectors of the machine.
//!
//! Along the rows distances come from runs of equal labels; along the columns from [`Columns`], sixteen columns at a time. Labels and
//! distances along rows therefore lie in strips of sixteen columns, one below the other. Only rows that hold a class are asked for
//! the distance to it, and only rows of a strip that hold it for the distance inside.

use std::sync::{Mutex, PoisonError};

use super::DistanceMap;
use super::runs::{FAR, fill_inside, fill_outside, for_each_run};
use super::strips::{Columns, LANES, Lanes};
use rayon::prelude::*;

/// Strips whose result is written row by row.
const GROUP: usize = 4;
/// What strips hold beyond the last column: no class.
const OUTSIDE: u8 = 255;

/// One label map, prepared for distances to any of its classes.
#[derive(Default)]
pub(super) struct Planar {
    height: usize,
    width: usize,
    /// Per strip and row, the labels of its columns.
    labels: Vec<[u8; LANES]>,
    /// Per strip and row, the distance along the row to the nearest other label.
    inside: Vec<[u16; LANES]>,
    /// All runs in reading order: label, first column, column after the last.
    runs: Vec<(u8, u16, u16)>,
    /// Where the runs of each row begin, and the end of the last one's.
    row_runs: Vec<usize>,
    /// The rows that hold each label.
    rows: Vec<Vec<i32>>,
    buffers: Mutex<Vec<Buffers>>,
}

/// What one thread needs for one class.
#[derive(Default)]
struct Buffers {
    steps: Vec<u16>,
    /// Per strip and row that holds the class, the distance along the row.
    outside: Vec<[u16; LANES]>,
    values: Vec<Lanes>,
    inner_rows: Vec<i32>,
    inner: Vec<Lanes>,
    /// Squared distances of a group of strips, negative inside.
    squares: Vec<Vec<Lanes>>,
    columns: Columns,
}

impl Planar {
    /// Reads a label map of `height` rows.
    pub(super) fn prepare(&mut self, labels: &[u8], height: usize, width: usize) {
        let strips = width.div_ceil(LANES);
        (self.height, self.width) = (height, width);
        self.labels.resize(strips * height, [OUTSIDE; LANES]);
        self.inside.resize(strips * height, [FAR; LANES]);
        self.runs.clear();
        self.row_runs.clear();
        self.rows.resize_with(256, Vec::new);
        self.rows.iter_mut().for_each(Vec::clear);
        let (mut padded_labels, mut padded_steps) =
            (vec![OUTSIDE; strips * LANES], vec![FAR; strips * LANES]);
        for (row, labels) in labels.chunks_exact(width).enumerate() {
            self.row_runs.push(self.runs.len());
            for_each_run(labels, |label, columns| {
                self.runs.push((label, columns.start as u16, columns.end as u16));
                let rows = &mut self.rows[usize::from(label)];
                if rows.last() != Some(&(row as i32)) {
                    rows.push(row as i32);
                }
                fill_inside(&mut padded_steps[..width], columns);
            });
            padded_labels[..width].copy_from_slice(labels);
            let pieces = padded_labels.as_chunks().0.iter().zip(padded_steps.as_chunks().0);
            for (strip, (labels, steps)) in pieces.enumerate() {
                self.labels[strip * height + row] = *labels;
                self.inside[strip * height + row] = *steps;
            }
        }
        self.row_runs.push(self.runs.len());
    }

    /// Writes the maps of the classes `0..` into the planes of `out`.
    pub(super) fn maps(&self, kind: DistanceMap, out: &mut [f32]) {
        let planes = out.par_chunks_exact_mut(self.height * self.width).enumerate();
        planes.with_max_len(1).for_each(|(class, plane)| {
            let everywhere = self.runs.len() == self.height && self.rows[class].len() == self.height;
            if self.rows[class].is_empty() || everywhere {
                plane.fill(0.0);
                return;
            }
            let buffers = self.buffers.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut buffers = buffers.unwrap_or_default();
            self.map(class, &mut buffers, |left, rows| write(kind, self.width, left, rows, plane));
            kind.finish(plane);
            self.buffers.lock().unwrap_or_else(PoisonError::into_inner).push(buffers);
        });
    }

    /// Writes the distance of every pixel to the nearest one of another label; 0 where there is none.
    pub(super) fn inside(&self, out: &mut [f32]) {
        let (height, width) = (self.height, self.width);
        if self.runs.len() == height && self.rows.iter().any(|rows| rows.len() == height) {
            out.fill(0.0);
            return;
        }
        let mut buffers = Buffers::default();
        for strip in 0..width.div_ceil(LANES) {
            let left = strip * LANES;
            for class in (0..=255_u8).filter(|&class| !self.rows[usize::from(class)].is_empty()) {
                let Some((start, inner)) = self.inner(class, strip, &mut buffers) else { continue };
                for (row, squares) in (start..).zip(inner) {
                    let labels = &self.labels[strip * height + row];
                    let end = (left + LANES).min(width);
                    let out = &mut out[row * width + left..row * width + end];
                    for ((out, square), &label) in out.iter_mut().zip(squares).zip(labels) {
                        if label == class {
                            *out = (*square as f32).sqrt();
                        }
                    }
                }
            }
        }
    }

    /// Calls `take(left column, squares per strip and row)` for groups of strips; squares are negative inside the class.
    fn map(&self, class: usize, buffers: &mut Buffers, mut take: impl FnMut(usize, &[Vec<Lanes>])) {
        let (height, rows) = (self.height, &self.rows[class]);
        let strips = self.width.div_ceil(LANES);
        self.along_rows(class as u8, buffers);
        buffers.squares.resize_with(GROUP, Vec::new);
        for first in (0..strips).step_by(GROUP) {
            let group = GROUP.min(strips - first);
            for (strip, place) in (first..first + group).zip(0..) {
                let steps = &buffers.outside[strip * rows.len()..][..rows.len()];
                buffers.values.clear();
                buffers.values.extend(steps.iter().map(square));
                let mut squares = std::mem::take(&mut buffers.squares[place]);
                squares.resize(height, [0; LANES]);
                buffers.columns.lower(rows, &buffers.values, 0, &mut squares);
                if let Some((start, inner)) = self.inner(class as u8, strip, buffers) {
                    for (squares, inner) in squares[start..].iter_mut().zip(inner) {
                        for lane in 0..LANES {
                            squares[lane] -= inner[lane];
                        }
                    }
                }
                buffers.squares[place] = squares;
            }
            take(first * LANES, &buffers.squares[..group]);
        }
    }

    /// Fills `outside`.
    fn along_rows(&self, class: u8, buffers: &mut Buffers) {
        let rows = &self.rows[usize::from(class)];
        let strips = self.width.div_ceil(LANES);
        buffers.steps.clear();
        buffers.steps.resize(strips * LANES, 0);
        buffers.outside.resize(strips * rows.len(), [0; LANES]);
        for (site, &row) in rows.iter().enumerate() {
            let runs = &self.runs[self.row_runs[row as usize]..self.row_runs[row as usize + 1]];
            let runs = runs.iter().filter(|(label, ..)| *label == class);
            fill_outside(
                &mut buffers.steps[..self.width],
                runs.map(|&(_, start, end)| usize::from(start)..usize::from(end)),
            );
            for (strip, steps) in buffers.steps.as_chunks().0.iter().enumerate() {
                buffers.outside[strip * rows.len() + site] = *steps;
            }
        }
    }

    /// The squared distances inside of a class, 0 outside, from the returned row on; none if the strip lacks the class.
    fn inner<'b>(&self, class: u8, strip: usize, buffers: &'b mut Buffers) -> Option<(usize, &'b [Lanes])> {
        let height = self.height;
        let labels = &self.labels[strip * height..][..height];
        let rows = &self.rows[usize::from(class)];
        let holds = |row: &&i32| labels[**row as usize].contains(&class);
        let start = *rows.iter().find(holds)? as usize;
        let end = *rows.iter().rev().find(holds)? as usize + 1;
        // The rows around are outside and bound the distance.
        let (above, below) = (start.saturating_sub(1), (end + 1).min(height));
        let steps = &self.inside[strip * height..][above..below];
        buffers.values.clear();
        buffers.values.extend(labels[above..below].iter().zip(steps).map(|(labels, steps)| {
            let mut squares = square(steps);
            for lane in 0..LANES {
                squares[lane] = if labels[lane] == class { squares[lane] } else { 0 };
            }
            squares
        }));
        buffers.inner_rows.clear();
        buffers.inner_rows.extend(above as i32..below as i32);
        buffers.inner.resize(end - start, [0; LANES]);
        let inner = &mut buffers.inner[..end - start];
        buffers.columns.lower(&buffers.inner_rows, &buffers.values, start, inner);
        Some((start, &buffers.inner[..end - start]))
    }
}

fn square(steps: &[u16; LANES]) -> Lanes {
    steps.map(|step| i32::from(step) * i32::from(step))
}

/// Writes a group of strips into a plane.
fn write(kind: DistanceMap, width: usize, left: usize, strips: &[Vec<Lanes>], plane: &mut [f32]) {
    pulp::Arch::new().dispatch(Write { kind, width, left, strips, plane });
}

struct Write<'a> {
    kind: DistanceMap,
    width: usize,
    left: usize,
    strips: &'a [Vec<Lanes>],
    plane: &'a mut [f32],
}

impl pulp::NullaryFnOnce for Write<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { kind, width, left, strips, plane } = self;
        for (row, out) in plane.chunks_exact_mut(width).enumerate() {
            let right = (left + strips.len() * LANES).min(width);
            let (whole, rest) = out[left..right].as_chunks_mut::<LANES>();
            for (out, squares) in whole.iter_mut().zip(strips) {
                let squares = &squares[row];
                for lane in 0..LANES {
                    out[lane] = kind.of_square(squares[lane] as f32);
                }
            }
            if let Some(squares) = strips.get(whole.len()) {
                for (out, square) in rest.iter_mut().zip(&squares[row]) {
                    *out = kind.of_square(*square as f32);
                }
            }
        }
    }
}
