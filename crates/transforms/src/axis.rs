//! Where the values along one side of a plane come from when PyTorch resizes it.

/// The two source positions of every target position, and how much of each.
///
/// # Source
/// PyTorch 2.6, `aten/src/ATen/native/UpSample.h` (`area_pixel_compute_scale`, `area_pixel_compute_source_index`).
#[derive(Debug, Clone)]
pub(crate) struct Axis {
    first: Vec<u32>,
    second: Vec<u32>,
    /// Weight of `second`; `first` has one minus it.
    weight: Vec<f32>,
}

impl Axis {
    pub(crate) fn new(source: usize, target: usize, align_corners: bool) -> Self {
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

    /// The axis that reads the mirror image of its source of this length.
    pub(crate) fn mirrored(mut self, source: usize) -> Self {
        for place in self.first.iter_mut().chain(&mut self.second) {
            *place = (source - 1) as u32 - *place;
        }
        self
    }

    /// Number of target positions.
    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.weight.len()
    }

    /// The source positions that a range of target positions reads: from, to (both included).
    #[inline(always)]
    pub(crate) fn reach(&self, from: usize, to: usize) -> (usize, usize) {
        let (start, end) = (self.pair(from), self.pair(to));
        (start.0.min(end.1), start.0.max(end.1))
    }

    #[inline(always)]
    pub(crate) fn pair(&self, position: usize) -> (usize, usize) {
        (self.first[position] as usize, self.second[position] as usize)
    }

    /// The weight of the second source position.
    #[inline(always)]
    pub(crate) fn weight(&self, position: usize) -> f32 {
        self.weight[position]
    }

    /// The weights of neighboring target positions.
    #[inline(always)]
    pub(crate) fn weights(&self, start: usize, count: usize) -> &[f32] {
        &self.weight[start..start + count]
    }

    /// The values of a row, given by their column, at the positions from `start` on.
    #[inline(always)]
    pub(crate) fn interpolate(&self, value: impl Fn(usize) -> f32, start: usize, out: &mut [f32]) {
        let end = start + out.len();
        let weights = &self.weight[start..end];
        let (from, to) = (self.pair(start), self.pair(end - 1));
        if from == to {
            // All positions lie between the same two columns.
            let (first, second) = (value(from.0), value(from.1));
            for (out, &weight) in out.iter_mut().zip(weights) {
                *out = mix(first, second, weight);
            }
            return;
        }
        let taps = self.first[start..end].iter().zip(&self.second[start..end]).zip(weights);
        for (out, ((&first, &second), &weight)) in out.iter_mut().zip(taps) {
            *out = mix(value(first as usize), value(second as usize), weight);
        }
    }
}

/// The value between two others: `weight` is the part of the second.
#[inline(always)]
pub(crate) fn mix(first: f32, second: f32, weight: f32) -> f32 {
    first.mul_add(1.0 - weight, second * weight)
}
