//! The largest value of windows, and where it is.

use std::ops::Range;

use crate::vectorized;

/// Along one axis, the input positions that each window covers.
#[derive(Debug, Clone)]
pub(in crate::ops) struct Windows {
    /// The size of the input.
    pub(in crate::ops) input: usize,
    /// For each window its first position and the end of its positions; none is empty.
    pub(in crate::ops) ranges: Vec<Range<usize>>,
    /// The distance of two positions of a window.
    pub(in crate::ops) step: usize,
}

/// Memory for one row of the input.
#[derive(Default)]
pub(in crate::ops) struct Scratch {
    tops: Vec<f32>,
    places: Vec<u32>,
}

/// The largest values of a plane.
pub(in crate::ops) fn values(
    x: &[f32],
    rows: &Windows,
    columns: &Windows,
    y: &mut [f32],
    scratch: &mut Scratch,
) {
    let width = columns.input;
    for (range, y) in rows.ranges.iter().zip(y.chunks_exact_mut(columns.ranges.len())) {
        let mut sources = range.clone().step_by(rows.step).map(|row| &x[row * width..][..width]);
        scratch.tops.clear();
        scratch.tops.extend_from_slice(sources.next().unwrap_or_default());
        for source in sources {
            raise(source, &mut scratch.tops);
        }
        raise_along(&scratch.tops, columns, y);
    }
}

/// The largest values of a plane, and their places in it. Of equal values the first counts, of NaN the last, in the order of
/// rows.
pub(in crate::ops) fn values_and_places(
    x: &[f32],
    rows: &Windows,
    columns: &Windows,
    (y, places): (&mut [f32], &mut [u32]),
    scratch: &mut Scratch,
) {
    let (width, width_out) = (columns.input, columns.ranges.len());
    scratch.places.resize(width, 0);
    let out = y.chunks_exact_mut(width_out).zip(places.chunks_exact_mut(width_out));
    for (range, (y, places)) in rows.ranges.iter().zip(out) {
        scratch.tops.clear();
        scratch.tops.extend_from_slice(&x[range.start * width..][..width]);
        for (column, place) in scratch.places.iter_mut().enumerate() {
            *place = (range.start * width + column) as u32;
        }
        for row in range.clone().step_by(rows.step).skip(1) {
            raise_placed(
                &x[row * width..][..width],
                (row * width) as u32,
                &mut scratch.tops,
                &mut scratch.places,
            );
        }
        raise_placed_along(&scratch.tops, &scratch.places, columns, y, places);
    }
}

vectorized! {
    fn raise<'a>(x: &'a [f32], tops: &'a mut [f32]) {
        for (top, x) in tops.iter_mut().zip(x) {
            *top = larger(*top, *x);
        }
    }

    fn raise_along<'a>(x: &'a [f32], columns: &'a Windows, y: &'a mut [f32]) {
        for (range, y) in columns.ranges.iter().zip(y) {
            let window = &x[range.clone()];
            // Neighbors are read without a step, which is twice as fast.
            *y = match columns.step {
                1 => window[1..].iter().fold(window[0], |top, x| larger(top, *x)),
                step => window.iter().step_by(step).skip(1).fold(window[0], |top, x| larger(top, *x)),
            };
        }
    }

    fn raise_placed<'a>(x: &'a [f32], first: u32, tops: &'a mut [f32], places: &'a mut [u32]) {
        for (column, ((top, place), x)) in tops.iter_mut().zip(places).zip(x).enumerate() {
            let taken = *x > *top || x.is_nan();
            *top = if taken { *x } else { *top };
            *place = if taken { first + column as u32 } else { *place };
        }
    }

    fn raise_placed_along<'a>(x: &'a [f32], x_places: &'a [u32], columns: &'a Windows, y: &'a mut [f32], places: &'a mut [u32]) {
        for (range, (y, place)) in columns.ranges.iter().zip(y.iter_mut().zip(places)) {
            let (window, window_places) = (&x[range.clone()], &x_places[range.clone()]);
            let (mut top, mut top_place) = (window[0], window_places[0]);
            for (&x, &x_place) in window.iter().zip(window_places).step_by(columns.step).skip(1) {
                // Columns come one after the other, but a later one may hold the first of equal values, further up.
                let taken = x > top
                    || (x == top && x_place < top_place)
                    || (x.is_nan() && (!top.is_nan() || x_place > top_place));
                top = if taken { x } else { top };
                top_place = if taken { x_place } else { top_place };
            }
            (*y, *place) = (top, top_place);
        }
    }
}

/// The larger of two values, of equal ones the first; NaN if one is.
#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if b > a || b.is_nan() { b } else { a }
}
