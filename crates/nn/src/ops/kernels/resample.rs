//! Planes whose rows and columns are mixed by fixed weights: interpolation and averages, and their gradients.

use super::rows::{add_scaled, mix, scale_and_shift};
use crate::cpu::math::dot;
use crate::vectorized;

/// Along one axis, the neighboring input positions that each output position mixes, and their weights.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::ops) struct Axis {
    input: usize,
    /// The first input position of each output position.
    starts: Vec<usize>,
    /// Where the weights of each output position begin, and where those of the last one end.
    offsets: Vec<usize>,
    weights: Vec<f32>,
}

impl Axis {
    /// Output position by output position the first input position and the weights from there on.
    pub(in crate::ops) fn new<W: AsRef<[f32]>>(
        input: usize,
        outputs: impl Iterator<Item = (usize, W)>,
    ) -> Self {
        let mut axis = Self { input, starts: Vec::new(), offsets: vec![0], weights: Vec::new() };
        for (start, weights) in outputs {
            axis.starts.push(start);
            axis.weights.extend_from_slice(weights.as_ref());
            axis.offsets.push(axis.weights.len());
        }
        axis
    }

    /// The size of the input.
    pub(in crate::ops) fn input(&self) -> usize {
        self.input
    }

    /// The size of the output.
    pub(in crate::ops) fn output(&self) -> usize {
        self.starts.len()
    }

    #[inline(always)]
    fn taps(&self, output: usize) -> (usize, &[f32]) {
        (self.starts[output], &self.weights[self.offsets[output]..self.offsets[output + 1]])
    }

    /// The weights as a matrix of outputs x inputs.
    pub(in crate::ops) fn matrix(&self) -> Vec<f32> {
        let mut matrix = vec![0.0; self.output() * self.input];
        for output in 0..self.output() {
            let (start, weights) = self.taps(output);
            matrix[output * self.input + start..][..weights.len()].copy_from_slice(weights);
        }
        matrix
    }

    /// The axis of the gradient: what each input position passes on, as the weights of the output positions.
    pub(in crate::ops) fn transposed(&self) -> Self {
        let mut users = vec![(0, Vec::new()); self.input];
        for output in 0..self.output() {
            let (start, weights) = self.taps(output);
            for (place, &weight) in weights.iter().enumerate() {
                let (first, weights): &mut (usize, Vec<f32>) = &mut users[start + place];
                if weights.is_empty() {
                    *first = output;
                }
                // Positions between that do not use this input.
                weights.resize(output - *first, 0.0);
                weights.push(weight);
            }
        }
        Self::new(self.output(), users.into_iter())
    }

    /// How many outputs in a row mix the same two inputs, if that number is the same all along and one of [`RUNS`]: the first
    /// such output and the number.
    fn runs(&self) -> Option<(usize, usize)> {
        let pairs = |output: usize| self.offsets[output + 1] - self.offsets[output] == 2;
        let first = (0..self.output()).find(|&output| pairs(output))?;
        let last = (0..self.output()).rfind(|&output| pairs(output))?;
        let run = self.starts[first..=last].iter().take_while(|&&start| start == self.starts[first]).count();
        let even = RUNS.contains(&run)
            && (last + 1 - first).is_multiple_of(run)
            && (first..=last).all(|output| {
                pairs(output) && self.starts[output] == self.starts[first] + (output - first) / run
            });
        even.then_some((first, run))
    }
}

/// Lengths of runs with a loop of their own.
const RUNS: [usize; 3] = [2, 4, 8];

/// An axis along rows, prepared.
pub(in crate::ops) struct Columns<'a> {
    axis: &'a Axis,
    /// The first and the second weight of every pair.
    pairs: [Vec<f32>; 2],
    runs: Option<(usize, usize)>,
}

impl<'a> Columns<'a> {
    pub(in crate::ops) fn new(axis: &'a Axis) -> Self {
        let runs = axis.runs();
        let pairs = [0, 1].map(|place| match runs {
            None => Vec::new(),
            Some(_) => (0..axis.output())
                .map(|output| axis.taps(output).1)
                .filter(|weights| weights.len() == 2)
                .map(|weights| weights[place])
                .collect(),
        });
        Self { axis, pairs, runs }
    }
}

/// Resamples one plane. `scratch` is memory for intermediate rows.
pub(in crate::ops) fn plane(
    x: &[f32],
    rows: &Axis,
    columns: &Columns,
    y: &mut [f32],
    scratch: &mut Vec<f32>,
) {
    let (width_in, width) = (columns.axis.input, columns.axis.output());
    if rows.output() > rows.input {
        // More rows come than are there: widen what is there, then mix it.
        scratch.resize(rows.input * width, 0.0);
        for (x, wide) in x.chunks_exact(width_in).zip(scratch.chunks_exact_mut(width)) {
            along(x, columns, wide);
        }
        for (row, y) in y.chunks_exact_mut(width).enumerate() {
            across(scratch, rows, row, y);
        }
    } else {
        scratch.resize(width_in, 0.0);
        for (row, y) in y.chunks_exact_mut(width).enumerate() {
            across(x, rows, row, scratch);
            along(scratch, columns, y);
        }
    }
}

/// Mixes the rows of `x` into the row `row` of the output.
fn across(x: &[f32], rows: &Axis, row: usize, y: &mut [f32]) {
    let width = y.len();
    let (start, weights) = rows.taps(row);
    let source = |place: usize| &x[(start + place) * width..][..width];
    let (head, rest) = weights.split_at(weights.len().min(2));
    match *head {
        [] => y.fill(0.0),
        [1.0] => y.copy_from_slice(source(0)),
        [only] => scale_and_shift(source(0), only, 0.0, y),
        [first, second, ..] => mix(source(0), first, source(1), second, 0.0, y),
    }
    for (place, &weight) in rest.iter().enumerate() {
        add_scaled(source(place + 2), weight, y);
    }
}

vectorized! {
    /// Mixes the columns of a row.
    fn along<'a>(x: &'a [f32], columns: &'a Columns<'a>, y: &'a mut [f32]) {
        let axis = columns.axis;
        match columns.runs {
            Some((first, 2)) => runs::<2>(x, columns, first, y),
            Some((first, 4)) => runs::<4>(x, columns, first, y),
            Some((first, 8)) => runs::<8>(x, columns, first, y),
            _ => each(x, axis, 0, y),
        }
    }
}

/// Runs of `N` outputs that mix the same two inputs, and single outputs before and after them.
#[inline(always)]
fn runs<const N: usize>(x: &[f32], columns: &Columns, first: usize, y: &mut [f32]) {
    let (before, rest) = y.split_at_mut(first);
    each(x, columns.axis, 0, before);
    let (inside, after) = rest.split_at_mut(columns.pairs[0].len());
    each(x, columns.axis, first + inside.len(), after);
    let sources = x[columns.axis.starts[first]..].windows(2);
    let weights = columns.pairs[0].chunks_exact(N).zip(columns.pairs[1].chunks_exact(N));
    for ((y, x), (low, high)) in inside.chunks_exact_mut(N).zip(sources).zip(weights) {
        for place in 0..N {
            y[place] = x[1].mul_add(high[place], x[0] * low[place]);
        }
    }
}

/// Outputs from `first` on, one by one.
#[inline(always)]
fn each(x: &[f32], axis: &Axis, first: usize, y: &mut [f32]) {
    for (place, y) in y.iter_mut().enumerate() {
        let (start, weights) = axis.taps(first + place);
        let x = &x[start..start + weights.len()];
        *y = match (x, weights) {
            ([x], [1.0]) => *x,
            ([x], [weight]) => x * weight,
            ([a, b], [low, high]) => b.mul_add(*high, a * low),
            _ if x.len() < 16 => x.iter().zip(weights).fold(0.0, |sum, (x, weight)| x.mul_add(*weight, sum)),
            _ => dot(x, weights),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(matrix: &[f32], width: usize, x: &[f32]) -> Vec<f32> {
        matrix.chunks_exact(width).map(|row| row.iter().zip(x).map(|(a, b)| a * b).sum()).collect()
    }

    #[test]
    fn every_way_along_a_row_is_the_product_with_the_matrix() {
        let pairs = |run: usize| -> Axis {
            let inside = (0..5 * run).map(move |i| (i / run, vec![i as f32, 2.0 - i as f32]));
            let edges = |start| std::iter::repeat_n((start, vec![1.0]), run / 2);
            Axis::new(6, edges(0).chain(inside).chain(edges(5)))
        };
        let single = Axis::new(6, (0..6).map(|i| (5 - i, [2.0])));
        let long = Axis::new(40, (0..3).map(|i| (i, vec![1.0 + i as f32; 37])));
        let empty = Axis::new(6, [(1, vec![1.0, 2.0, 3.0]), (0, vec![]), (2, vec![0.5; 4])].into_iter());
        for axis in [pairs(2), pairs(3), pairs(4), pairs(8), single, long, empty] {
            let x: Vec<f32> = (0..axis.input).map(|i| (i * i % 7) as f32 - 3.0).collect();
            let mut y = vec![f32::NAN; axis.output()];
            along(&x, &Columns::new(&axis), &mut y);
            assert_eq!(y, times(&axis.matrix(), axis.input, &x), "{axis:?}");
        }
    }

    #[test]
    fn the_axis_of_the_gradient_is_the_transposed_matrix() {
        let outputs = [(0, vec![0.5]), (0, vec![0.25, 0.75]), (2, vec![1.0]), (1, vec![2.0, 3.0, 4.0])];
        let axis = Axis::new(5, outputs.into_iter());
        let (matrix, transposed) = (axis.matrix(), axis.transposed());
        assert_eq!((transposed.input(), transposed.output()), (4, 5));
        let expected: Vec<f32> = (0..20).map(|i| matrix[i % 4 * 5 + i / 4]).collect();
        assert_eq!(transposed.matrix(), expected);
    }
}
