//! Convolution with filters that see one channel each.
//!
//! A map is copied into a frame of zeros, in which a tap is a fixed distance, so that the whole map is one long row: its result
//! is a sum of shifted copies, computed for all columns of the frame, of which those beside the output are dropped. With a stride
//! the frame has one plane for each remainder that a tap's place leaves (its phase), so that taps are fixed distances again.

use super::geometry::Geometry;
use super::windows::{add_every, take_every};
use crate::cpu::math::long_dot;
use crate::cpu::{LANES, for_each_chunk, share_chunks, sum_partials};
use crate::vectorized;

/// Maps in one piece of work, which shares scratch memory.
const MAPS: usize = 8;
/// Elements of the result that are kept in registers over all taps.
const BLOCK: usize = 4 * LANES;
/// Elements that are multiplied by all taps before the next: they stay in the first cache.
const SPAN: usize = 2048;

/// The result of the convolution.
pub(in crate::ops) fn forward(
    geometry: &Geometry,
    x: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
) -> Vec<f32> {
    let frame = Frame::of(geometry);
    let (plane, plane_out, taps) = (geometry.input_plane(), geometry.output_plane(), geometry.taps());
    let filters = geometry.outputs / geometry.channels;
    let mut y = vec![0.0; geometry.batch * geometry.outputs * plane_out];
    for_each_chunk(&mut y, MAPS * plane_out, |index, chunk| {
        let (mut framed, mut full) = (vec![0.0; frame.size()], vec![0.0; frame.positions]);
        for (map, y) in chunk.chunks_exact_mut(plane_out).enumerate() {
            let map = index * MAPS + map;
            let output = map % geometry.outputs;
            frame.enter(&x[map / filters * plane..][..plane], &mut framed);
            full.fill(bias.map_or(0.0, |bias| bias[output]));
            correlate(&framed, &frame.offsets, &weight[output * taps..][..taps], &mut full);
            frame.keep(&full, y);
        }
    });
    y
}

/// The gradient of the input, to which `bias` is added: without it the gradient of a convolution, with it the result of a
/// transposed convolution.
pub(in crate::ops) fn input_gradient(
    geometry: &Geometry,
    weight: &[f32],
    grad: &[f32],
    bias: Option<&[f32]>,
) -> Vec<f32> {
    let frame = Frame::of(geometry);
    let (plane, plane_out, taps) = (geometry.input_plane(), geometry.output_plane(), geometry.taps());
    let filters = geometry.outputs / geometry.channels;
    let far = frame.phases.iter().flat_map(|phase| &phase.taps).map(|(_, offset)| *offset).max().unwrap_or(0);
    let mut x_grad = vec![0.0; geometry.batch * geometry.channels * plane];
    for_each_chunk(&mut x_grad, MAPS * plane, |index, chunk| {
        // The gradient of the result lies behind as many zeros as the farthest tap reaches, and taps reach backwards.
        let mut spread = vec![0.0; far + frame.plane];
        let mut full = vec![0.0; frame.plane];
        for (map, x_grad) in chunk.chunks_exact_mut(plane).enumerate() {
            let map = index * MAPS + map;
            let channel = map % geometry.channels;
            x_grad.fill(bias.map_or(0.0, |bias| bias[channel]));
            for filter in 0..filters {
                let grad = &grad[(map * filters + filter) * plane_out..][..plane_out];
                frame.spread(grad, &mut spread[far..]);
                let weight = &weight[(channel * filters + filter) * taps..][..taps];
                for phase in &frame.phases {
                    let backwards: Vec<usize> = phase.taps.iter().map(|(_, offset)| far - offset).collect();
                    let weight: Vec<f32> = phase.taps.iter().map(|(tap, _)| weight[*tap]).collect();
                    full.fill(0.0);
                    correlate(&spread, &backwards, &weight, &mut full);
                    frame.leave(phase, &full, x_grad);
                }
            }
        }
    });
    x_grad
}

/// The gradient of the weight.
pub(in crate::ops) fn weight_gradient(geometry: &Geometry, x: &[f32], grad: &[f32]) -> Vec<f32> {
    let frame = Frame::of(geometry);
    let (plane, plane_out, taps) = (geometry.input_plane(), geometry.output_plane(), geometry.taps());
    let filters = geometry.outputs / geometry.channels;
    let mut partials = vec![0.0; geometry.batch * geometry.outputs * taps];
    share_chunks(&mut partials, MAPS * taps, |index, chunk| {
        let (mut framed, mut spread) = (vec![0.0; frame.size()], vec![0.0; frame.positions]);
        for (map, sums) in chunk.chunks_exact_mut(taps).enumerate() {
            let map = index * MAPS + map;
            frame.enter(&x[map / filters * plane..][..plane], &mut framed);
            frame.spread(&grad[map * plane_out..][..plane_out], &mut spread);
            products(&spread, &framed, &frame.offsets, sums);
        }
    });
    sum_partials(&partials, geometry.outputs * taps)
}

/// A map with its padding, in planes of one phase each.
struct Frame<'a> {
    geometry: &'a Geometry,
    phases: Vec<Phase>,
    /// Rows and columns of a plane.
    rows: usize,
    columns: usize,
    /// Elements of a plane.
    plane: usize,
    /// Elements from the first position of the window to the last.
    positions: usize,
    /// How far each tap lies from the first position.
    offsets: Vec<usize>,
}

/// The elements whose places leave one remainder in each axis.
struct Phase {
    remainder: [usize; 3],
    /// The taps that meet them: number and distance in the plane.
    taps: Vec<(usize, usize)>,
}

impl<'a> Frame<'a> {
    fn of(geometry: &'a Geometry) -> Self {
        let Geometry { stride, dilation, output, .. } = *geometry;
        let reach = geometry.reach();
        let [depth, rows, columns] = [0, 1, 2].map(|axis| reach[axis].div_ceil(stride[axis]));
        let plane = depth * rows * columns;
        let mut phases: Vec<Phase> = Vec::new();
        let mut offsets = Vec::new();
        for tap in 0..geometry.taps() {
            let steps = geometry.tap(tap);
            let place = [0, 1, 2].map(|axis| steps[axis] * dilation[axis]);
            let remainder = [0, 1, 2].map(|axis| place[axis] % stride[axis]);
            let [z, y, x] = [0, 1, 2].map(|axis| place[axis] / stride[axis]);
            let offset = (z * rows + y) * columns + x;
            let known = phases.iter().position(|phase| phase.remainder == remainder);
            let phase = known.unwrap_or(phases.len());
            if known.is_none() {
                phases.push(Phase { remainder, taps: Vec::new() });
            }
            phases[phase].taps.push((tap, offset));
            offsets.push(phase * plane + offset);
        }
        let positions = ((output[0] - 1) * rows + output[1] - 1) * columns + output[2];
        Self { geometry, phases, rows, columns, plane, positions, offsets }
    }

    /// Elements of all planes.
    fn size(&self) -> usize {
        self.phases.len() * self.plane
    }

    /// For each row of the input that a phase meets: where it begins in the plane, which elements of it and of the plane's row
    /// meet, and where the first lies in the input.
    fn rows_of(&self, phase: &Phase) -> impl Iterator<Item = (std::ops::Range<usize>, usize)> {
        let Geometry { input, stride, padding, .. } = *self.geometry;
        let remainder = phase.remainder;
        let along = move |axis: usize, places: usize| {
            let first = padding[axis].saturating_sub(remainder[axis]).div_ceil(stride[axis]);
            let end = (input[axis] + padding[axis]).saturating_sub(remainder[axis]).div_ceil(stride[axis]);
            first..end.min(places).max(first)
        };
        let source = move |axis: usize, place: usize| place * stride[axis] + remainder[axis] - padding[axis];
        let (rows, columns) = (self.rows, self.columns);
        let across = along(2, columns);
        let planes = along(0, self.plane / (rows * columns));
        planes.flat_map(move |z| along(1, rows).map(move |y| (z, y))).filter_map(move |(z, y)| {
            let start = (z * rows + y) * columns;
            let at = (source(0, z) * input[1] + source(1, y)) * input[2];
            let inside = start + across.start..start + across.end;
            (!inside.is_empty()).then(|| (inside, at + source(2, across.start)))
        })
    }

    /// Copies a map into the frame; what lies around it keeps its zeros.
    fn enter(&self, map: &[f32], framed: &mut [f32]) {
        for (phase, plane) in self.phases.iter().zip(framed.chunks_exact_mut(self.plane)) {
            for (inside, at) in self.rows_of(phase) {
                take_every(&map[at..], self.geometry.stride[2], &mut plane[inside]);
            }
        }
    }

    /// Adds a plane to the elements of a map that lie in it.
    fn leave(&self, phase: &Phase, plane: &[f32], map: &mut [f32]) {
        for (inside, at) in self.rows_of(phase) {
            add_every(&plane[inside], self.geometry.stride[2], &mut map[at..]);
        }
    }

    /// Where the rows of the output begin in a plane.
    fn output_rows(&self) -> impl Iterator<Item = usize> {
        let ([depth, height, _], rows, columns) = (self.geometry.output, self.rows, self.columns);
        (0..depth * height).map(move |row| (row / height * rows + row % height) * columns)
    }

    /// Keeps the columns of the output.
    fn keep(&self, full: &[f32], map: &mut [f32]) {
        for (start, to) in self.output_rows().zip(map.chunks_exact_mut(self.geometry.output[2])) {
            to.copy_from_slice(&full[start..][..to.len()]);
        }
    }

    /// Puts the columns of the output to their places; the others keep their zeros.
    fn spread(&self, map: &[f32], full: &mut [f32]) {
        for (start, from) in self.output_rows().zip(map.chunks_exact(self.geometry.output[2])) {
            full[start..][..from.len()].copy_from_slice(from);
        }
    }
}

vectorized! {
    /// `out[i] += Σ weight[t] · x[i + offsets[t]]`.
    fn correlate<'a>(x: &'a [f32], offsets: &'a [usize], weight: &'a [f32], out: &'a mut [f32]) {
        let mut blocks = out.chunks_exact_mut(BLOCK);
        let mut place = 0;
        for block in &mut blocks {
            let mut sums = [0.0; BLOCK];
            sums.copy_from_slice(block);
            for (offset, weight) in offsets.iter().zip(weight) {
                let x = &x[place + offset..][..BLOCK];
                for (sum, x) in sums.iter_mut().zip(x) {
                    *sum = x.mul_add(*weight, *sum);
                }
            }
            block.copy_from_slice(&sums);
            place += BLOCK;
        }
        let rest = blocks.into_remainder();
        for (offset, weight) in offsets.iter().zip(weight) {
            let x = &x[place + offset..][..rest.len()];
            for (sum, x) in rest.iter_mut().zip(x) {
                *sum = x.mul_add(*weight, *sum);
            }
        }
    }

    /// `sums[t] += Σ grad[i] · x[i + offsets[t]]`.
    fn products<'a>(grad: &'a [f32], x: &'a [f32], offsets: &'a [usize], sums: &'a mut [f32]) {
        for (index, grad) in grad.chunks(SPAN).enumerate() {
            for (offset, sum) in offsets.iter().zip(sums.iter_mut()) {
                *sum += long_dot(grad, &x[index * SPAN + offset..]);
            }
        }
    }
}
