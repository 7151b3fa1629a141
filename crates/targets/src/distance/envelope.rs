//! The distance transform of one mask, axis by axis, for any number of dimensions and any spacing.
//!
//! Along the rows the nearest element of the mask is found by two scans; along every further axis the squared distances are the
//! lower envelope of parabolas, one above each element.
//!
//! # Source
//! Felzenszwalb, Huttenlocher, [Distance Transforms of Sampled Functions](https://doi.org/10.4086/toc.2012.v008a019), algorithm 1.

use super::Grid;

/// The squared distance of every element to the nearest one for which `is_site` holds; none if it holds nowhere.
///
/// `is_site` gets the index of an element in row-major order.
pub fn to_nearest(grid: &Grid, is_site: impl Fn(usize) -> bool) -> Option<Vec<f64>> {
    let [depth, height, width] = grid.size();
    let mut squares: Vec<f64> =
        (0..grid.len()).map(|at| if is_site(at) { 0.0 } else { f64::INFINITY }).collect();
    if !squares.contains(&0.0) {
        return None;
    }
    squares.chunks_exact_mut(width).for_each(|row| scan(row, grid.spacing()[2]));
    let mut line = Line::default();
    if height > 1 {
        for plane in squares.chunks_exact_mut(height * width) {
            for column in 0..width {
                line.transform(plane, column, width, grid.spacing()[1]);
            }
        }
    }
    if depth > 1 {
        for pillar in 0..height * width {
            line.transform(&mut squares, pillar, height * width, grid.spacing()[0]);
        }
    }
    Some(squares)
}

/// Squared distances along a row that holds 0 at its sites and infinity elsewhere.
fn scan(row: &mut [f64], spacing: f64) {
    let mut steps = f64::INFINITY;
    for value in row.iter_mut() {
        steps = if *value == 0.0 { 0.0 } else { steps + 1.0 };
        *value = steps;
    }
    steps = f64::INFINITY;
    for value in row.iter_mut().rev() {
        steps = if *value == 0.0 { 0.0 } else { steps + 1.0 };
        let distance = value.min(steps) * spacing;
        *value = distance * distance;
    }
}

/// Buffers for one line of elements.
#[derive(Default)]
struct Line {
    heights: Vec<f64>,
    /// Places of the parabolas of the envelope, and where each begins to be the lowest.
    envelope: Vec<(usize, f64)>,
}

impl Line {
    /// Replaces every `step`-th value from `start` by the smallest sum of a value and the squared distance to it.
    fn transform(&mut self, values: &mut [f64], start: usize, step: usize, spacing: f64) {
        self.heights.clear();
        self.heights.extend(values[start..].iter().step_by(step));
        self.envelope.clear();
        let weight = spacing * spacing;
        let heights = &self.heights;
        for (place, height) in heights.iter().enumerate().filter(|(_, height)| height.is_finite()) {
            let begin = loop {
                let Some(&(last, begin)) = self.envelope.last() else { break f64::NEG_INFINITY };
                // Where the two parabolas meet.
                let (new, old) = (place as f64, last as f64);
                let meet = ((height - heights[last]) / weight + new * new - old * old) / (2.0 * (new - old));
                if meet > begin {
                    break meet;
                }
                self.envelope.pop();
            };
            self.envelope.push((place, begin));
        }
        if self.envelope.is_empty() {
            return;
        }
        let mut lowest = 0;
        for (place, value) in values[start..].iter_mut().step_by(step).enumerate() {
            while self.envelope.get(lowest + 1).is_some_and(|&(_, begin)| begin <= place as f64) {
                lowest += 1;
            }
            let (site, _) = self.envelope[lowest];
            let steps = place as f64 - site as f64;
            *value = heights[site] + steps * steps * weight;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every pair of elements.
    fn naive(grid: &Grid, sites: &[bool]) -> Option<Vec<f64>> {
        let [_, height, width] = grid.size();
        let place = |at: usize| [at / (height * width), at / width % height, at % width];
        let square = |a: usize, b: usize| -> f64 {
            let (a, b) = (place(a), place(b));
            (0..3).map(|axis| ((a[axis] as f64 - b[axis] as f64) * grid.spacing()[axis]).powi(2)).sum()
        };
        let sites: Vec<usize> = (0..grid.len()).filter(|&site| sites[site]).collect();
        let nearest = |at| sites.iter().map(|&site| square(at, site)).fold(f64::INFINITY, f64::min);
        (!sites.is_empty()).then(|| (0..grid.len()).map(nearest).collect())
    }

    proptest! {
        #[test]
        fn every_element_gets_the_distance_of_the_nearest_site(
            size in (1_usize..4, 1_usize..9, 1_usize..9),
            spacing in prop::sample::select(vec![[1.0, 1.0, 1.0], [2.5, 1.0, 0.75]]),
            seed in any::<u64>(), rarity in 2_usize..40,
        ) {
            let grid = Grid::volume(size.0, size.1, size.2).with_spacing(spacing);
            let mut rng = segbench_types::Rng::new(seed, &[]);
            let sites: Vec<bool> = (0..grid.len()).map(|_| rng.below(rarity) == 0).collect();
            prop_assert_eq!(to_nearest(&grid, |at| sites[at]), naive(&grid, &sites));
        }
    }
}
