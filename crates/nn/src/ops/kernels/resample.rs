//! Planes whose rows and columns are mixed by fixed weights: interpolation and averages, and their gradients.

use std::ops::Range;

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
}

/// How a stretch of outputs along a row is computed.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    /// So many outputs after each other mix the same inputs, the next as many the inputs one further.
    Runs(usize),
    /// Every output mixes inputs two further than the one before, by the same weights.
    Strided,
    /// None of these.
    Single,
}

/// Outputs after each other that mix the same number of inputs.
#[derive(Debug)]
struct Stretch {
    outputs: Range<usize>,
    taps: usize,
    way: Way,
}

/// An axis along rows, prepared.
pub(in crate::ops) struct Columns<'a> {
    axis: &'a Axis,
    stretches: Vec<Stretch>,
    /// The first and the second weight of every output; zero where there are fewer.
    pairs: [Vec<f32>; 2],
}

impl<'a> Columns<'a> {
    pub(in crate::ops) fn new(axis: &'a Axis) -> Self {
        let taps = |output: usize| axis.offsets[output + 1] - axis.offsets[output];
        let mut stretches = Vec::new();
        let mut first = 0;
        while first < axis.output() {
            let same = (first..axis.output()).take_while(|&output| taps(output) == taps(first)).count();
            let outputs = first..first + same;
            let way = axis.way(outputs.clone(), taps(first));
            stretches.push(Stretch { outputs, taps: taps(first), way });
            first += same;
        }
        let weight = |output, place: usize| axis.taps(output).1.get(place).copied().unwrap_or_default();
        let pairs = [0, 1].map(|place| (0..axis.output()).map(|output| weight(output, place)).collect());
        Self { axis, stretches, pairs }
    }
}

impl Axis {
    fn way(&self, outputs: Range<usize>, taps: usize) -> Way {
        let first = outputs.start;
        let starts = &self.starts[outputs.clone()];
        let advances = |every: usize, by: usize| {
            starts.iter().enumerate().all(|(place, &start)| start == starts[0] + place / every * by)
        };
        let run = starts.iter().take_while(|&&start| start == starts[0]).count();
        let weights = |output| self.taps(output).1;
        if matches!(taps, 1 | 2)
            && matches!(run, 2 | 4 | 8)
            && starts.len().is_multiple_of(run)
            && advances(run, 1)
        {
            Way::Runs(run)
        } else if matches!(taps, 2..=4)
            && advances(1, 2)
            && outputs.into_iter().all(|output| weights(output) == weights(first))
        {
            Way::Strided
        } else {
            Way::Single
        }
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

vectorized! {
    /// Mixes the rows of `x` into the row `row` of the output.
    fn across<'a>(x: &'a [f32], rows: &'a Axis, row: usize, y: &'a mut [f32]) {
        let width = y.len();
        let (start, weights) = rows.taps(row);
        let mut sources = x[start * width..].chunks_exact(width);
        let mut source = || sources.next().unwrap_or_default();
        let (head, rest) = weights.split_at(weights.len() - weights.len().saturating_sub(2) / 4 * 4);
        let (head, left) = head.split_at(head.len().min(2));
        match *head {
            [] => y.fill(0.0),
            [1.0] => y.copy_from_slice(source()),
            [only] => {
                for (y, x) in y.iter_mut().zip(source()) {
                    *y = x * only;
                }
            }
            [low, high, ..] => {
                for ((y, a), b) in y.iter_mut().zip(source()).zip(source()) {
                    *y = b.mul_add(high, a * low);
                }
            }
        }
        for weight in left {
            for (y, x) in y.iter_mut().zip(source()) {
                *y = x.mul_add(*weight, *y);
            }
        }
        for weights in rest.chunks_exact(4) {
            let (a, b, c, d) = (source(), source(), source(), source());
            for ((((y, a), b), c), d) in y.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                let pairs = (b.mul_add(weights[1], a * weights[0]), d.mul_add(weights[3], c * weights[2]));
                *y += pairs.0 + pairs.1;
            }
        }
    }

    /// Mixes the columns of a row.
    fn along<'a>(x: &'a [f32], columns: &'a Columns<'a>, y: &'a mut [f32]) {
        for stretch in &columns.stretches {
            let y = &mut y[stretch.outputs.clone()];
            match (stretch.way, stretch.taps) {
                (Way::Runs(2), 1) => copies::<2>(x, columns, stretch, y),
                (Way::Runs(4), 1) => copies::<4>(x, columns, stretch, y),
                (Way::Runs(_), 1) => copies::<8>(x, columns, stretch, y),
                (Way::Runs(2), _) => runs::<2>(x, columns, stretch, y),
                (Way::Runs(4), _) => runs::<4>(x, columns, stretch, y),
                (Way::Runs(_), _) => runs::<8>(x, columns, stretch, y),
                (Way::Strided, 2) => strided::<2>(x, columns.axis, stretch, y),
                (Way::Strided, 3) => strided::<3>(x, columns.axis, stretch, y),
                (Way::Strided, _) => strided::<4>(x, columns.axis, stretch, y),
                (Way::Single, 1) => {
                    let weights = &columns.pairs[0][stretch.outputs.clone()];
                    for ((y, start), weight) in y.iter_mut().zip(&columns.axis.starts[stretch.outputs.clone()]).zip(weights) {
                        *y = x[*start] * weight;
                    }
                }
                (Way::Single, _) => single(x, columns.axis, stretch, y),
            }
        }
    }
}

/// Runs of `N` outputs that take one input each.
#[inline(always)]
fn copies<const N: usize>(x: &[f32], columns: &Columns, stretch: &Stretch, y: &mut [f32]) {
    let weights = columns.pairs[0][stretch.outputs.clone()].chunks_exact(N);
    let sources = &x[columns.axis.starts[stretch.outputs.start]..];
    for ((y, x), weights) in y.chunks_exact_mut(N).zip(sources).zip(weights) {
        for place in 0..N {
            y[place] = x * weights[place];
        }
    }
}

/// Runs of `N` outputs that mix the same two inputs.
#[inline(always)]
fn runs<const N: usize>(x: &[f32], columns: &Columns, stretch: &Stretch, y: &mut [f32]) {
    let [low, high] = &columns.pairs;
    let weights =
        low[stretch.outputs.clone()].chunks_exact(N).zip(high[stretch.outputs.clone()].chunks_exact(N));
    let sources = x[columns.axis.starts[stretch.outputs.start]..].windows(2);
    for ((y, x), (low, high)) in y.chunks_exact_mut(N).zip(sources).zip(weights) {
        for place in 0..N {
            y[place] = x[1].mul_add(high[place], x[0] * low[place]);
        }
    }
}

/// Outputs that mix `K` inputs each, two further every time, by the same weights.
#[inline(always)]
fn strided<const K: usize>(x: &[f32], axis: &Axis, stretch: &Stretch, y: &mut [f32]) {
    let (start, weights) = axis.taps(stretch.outputs.start);
    let (Some(x), Some(weights)) = (x.get(start..), weights.first_chunk::<K>()) else { return };
    let x = &x[..2 * (y.len() - 1) + K];
    for (place, y) in y.iter_mut().enumerate() {
        let mut sum = x[2 * place] * weights[0];
        for tap in 1..K {
            sum = x[2 * place + tap].mul_add(weights[tap], sum);
        }
        *y = sum;
    }
}

/// Outputs one by one.
#[inline(always)]
fn single(x: &[f32], axis: &Axis, stretch: &Stretch, y: &mut [f32]) {
    for (output, y) in stretch.outputs.clone().zip(y) {
        let (start, weights) = axis.taps(output);
        let x = &x[start..start + weights.len()];
        *y = match (x, weights) {
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
        let enlarged = |run: usize| -> Axis {
            let inside = (0..5 * run).map(move |i| (i / run, vec![i as f32, 2.0 - i as f32]));
            let edges = |start| std::iter::repeat_n((start, vec![1.0]), run / 2);
            Axis::new(6, edges(0).chain(inside).chain(edges(5)))
        };
        let copied = |run: usize| Axis::new(7, (0..7 * run).map(move |i| (i / run, [i as f32])));
        let strided = |taps: usize| {
            Axis::new(
                41,
                (0..18).map(move |i| (2 * i + 1, vec![taps as f32, -1.0, 3.0, 0.5][..taps].to_vec())),
            )
        };
        let single = Axis::new(6, (0..6).map(|i| (5 - i, [2.0])));
        let long = Axis::new(40, (0..3).map(|i| (i, vec![1.0 + i as f32; 37])));
        let empty = Axis::new(6, [(1, vec![1.0, 2.0, 3.0]), (0, vec![]), (2, vec![0.5; 4])].into_iter());
        let runs = [2, 3, 4, 8];
        let others = [single, long, empty].into_iter().chain([1, 2, 3, 4].map(strided));
        for axis in runs.map(enlarged).into_iter().chain(runs.map(copied)).chain(others) {
            let x: Vec<f32> = (0..axis.input).map(|i| (i * i % 7) as f32 - 3.0).collect();
            let mut y = vec![f32::NAN; axis.output()];
            along(&x, &Columns::new(&axis), &mut y);
            assert_eq!(y, times(&axis.matrix(), axis.input, &x), "{axis:?}");
        }
    }

    #[test]
    fn every_number_of_rows_is_mixed() {
        for rows in 0..15 {
            let weights: Vec<f32> = (0..rows).map(|row| row as f32 - 4.0).collect();
            let axis = Axis::new(16, std::iter::once((1, weights)));
            let x: Vec<f32> = (0..16 * 19).map(|i| (i * i % 11) as f32).collect();
            let mut y = vec![f32::NAN; 19];
            across(&x, &axis, 0, &mut y);
            let column = |column: usize| -> f32 {
                times(&axis.matrix(), 16, &x.iter().skip(column).step_by(19).copied().collect::<Vec<_>>())[0]
            };
            assert_eq!(y, (0..19).map(column).collect::<Vec<_>>());
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
