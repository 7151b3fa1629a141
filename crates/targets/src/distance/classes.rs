//! Maps of all classes of a label map.

use rayon::prelude::*;

use super::planar::Planar;
use super::{DistanceMap, Grid, Instructions, to_nearest};

/// Distance maps of label maps, one after the other; its memory is used again.
///
/// # Examples
/// ```
/// use segbench_targets::{ClassDistances, DistanceMap, Grid};
///
/// let mut maps = [0.0; 2 * 4];
/// ClassDistances::default().maps(&Grid::plane(1, 4), &[0, 0, 0, 1], DistanceMap::Signed, &mut maps);
/// assert_eq!(maps, [-3.0, -2.0, -1.0, 1.0, 3.0, 2.0, 1.0, -1.0]);
/// ```
#[derive(Default)]
pub struct ClassDistances {
    planar: Planar,
}

impl ClassDistances {
    /// Computes with given instructions.
    pub fn with_instructions(instructions: Instructions) -> Self {
        let mut distances = Self::default();
        distances.planar.instructions = instructions;
        distances
    }

    /// Reads a label map, whose classes' maps can then be had one by one.
    ///
    /// # Shapes
    /// `labels`: the grid.
    pub fn read<'a>(&'a mut self, grid: &Grid, labels: &'a [u8]) -> ImageDistances<'a> {
        let is_planar = grid.is_pixels() && !grid.is_empty();
        if is_planar {
            let [_, height, width] = grid.size();
            self.planar.prepare(labels, height, width);
        }
        ImageDistances { planar: is_planar.then_some(&self.planar), grid: *grid, labels }
    }

    /// Writes one map for each class `0..`, as many as `out` holds. Elements with other labels are outside of every class.
    ///
    /// # Shapes
    /// `labels`: the grid; `out`: classes times the grid.
    pub fn maps(&mut self, grid: &Grid, labels: &[u8], kind: DistanceMap, out: &mut [f32]) {
        if grid.is_empty() {
            return;
        }
        let image = self.read(grid, labels);
        let planes = out.par_chunks_exact_mut(grid.len()).enumerate().with_max_len(1);
        planes.for_each(|(class, plane)| image.map(class as u8, kind, plane));
    }

    /// Writes the distance of every element to the nearest one with another label; 0 if there is none.
    ///
    /// # Shapes
    /// `labels`, `out`: the grid.
    pub fn inside(&mut self, grid: &Grid, labels: &[u8], out: &mut [f32]) {
        if grid.is_empty() {
            return;
        }
        if grid.is_pixels() {
            let [_, height, width] = grid.size();
            self.planar.prepare(labels, height, width);
            self.planar.inside(out);
            return;
        }
        out.fill(0.0);
        for class in 0..=u8::MAX {
            if !labels.contains(&class) {
                continue;
            }
            if let Some(squares) = to_nearest(grid, |at| labels[at] != class) {
                let inner = out.iter_mut().zip(squares).zip(labels).filter(|(_, label)| **label == class);
                inner.for_each(|((out, square), _)| *out = square.sqrt() as f32);
            }
        }
    }
}

/// A label map that was read.
pub struct ImageDistances<'a> {
    /// Where the fast transform serves.
    planar: Option<&'a Planar>,
    grid: Grid,
    labels: &'a [u8],
}

impl ImageDistances<'_> {
    /// Writes the map of one class.
    ///
    /// # Shapes
    /// `out`: the grid.
    pub fn map(&self, class: u8, kind: DistanceMap, out: &mut [f32]) {
        if let Some(planar) = self.planar {
            planar.map(class, kind, out);
            return;
        }
        let outside = to_nearest(&self.grid, |at| self.labels[at] == class);
        let inside = to_nearest(&self.grid, |at| self.labels[at] != class);
        let (Some(outside), Some(inside)) = (outside, inside) else {
            out.fill(0.0);
            return;
        };
        for ((out, outside), inside) in out.iter_mut().zip(outside).zip(inside) {
            *out = kind.of_square((outside - inside) as f32);
        }
        kind.finish(out);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use segbench_types::Rng;

    use super::*;

    const KINDS: [DistanceMap; 5] = [
        DistanceMap::Signed,
        DistanceMap::Level,
        DistanceMap::Unsigned,
        DistanceMap::Squared,
        DistanceMap::Penalty,
    ];

    /// Blocks of labels, a few single pixels, and a class that is nowhere.
    fn labels(rng: &mut Rng, height: usize, width: usize) -> Vec<u8> {
        let block = 1 + rng.below(9);
        let blocks: Vec<u8> = (0..(height + block) * (width + block)).map(|_| rng.below(4) as u8).collect();
        (0..height * width)
            .map(|at| match rng.below(60) {
                0 => 255,
                1 => rng.below(4) as u8,
                _ => blocks[(at / width / block) * (width / block + 1) + at % width / block],
            })
            .collect()
    }

    /// The signed square of the distance by comparing every pair.
    fn naive(labels: &[u8], width: usize, class: u8) -> Vec<i64> {
        let square = |a: usize, b: usize| {
            let (dy, dx) = ((a / width).abs_diff(b / width) as i64, (a % width).abs_diff(b % width) as i64);
            dy * dy + dx * dx
        };
        let nearest = |at: usize, wanted: &dyn Fn(u8) -> bool| {
            let others = (0..labels.len()).filter(|&other| wanted(labels[other]));
            others.map(|other| square(at, other)).min().unwrap_or(0)
        };
        (0..labels.len())
            .map(|at| match labels[at] == class {
                true => -nearest(at, &|label| label != class),
                false => nearest(at, &|label| label == class),
            })
            .collect()
    }

    fn expected(kind: DistanceMap, squares: &[i64]) -> Vec<f32> {
        let inner = |square: &&i64| **square < 0;
        let highest = squares.iter().max().map_or(0.0, |&square| (square.max(0) as f64).sqrt());
        let lowest = squares.iter().filter(inner).min().map_or(0.0, |&square| (-square as f64).sqrt());
        let value = |square: i64| {
            let (distance, is_inside) = ((square.abs() as f64).sqrt(), square < 0);
            match kind {
                DistanceMap::Signed => distance.copysign(square as f64),
                DistanceMap::Level if is_inside => 1.0 - distance,
                DistanceMap::Level | DistanceMap::Unsigned => distance,
                DistanceMap::Squared => square.abs() as f64,
                DistanceMap::Penalty => {
                    if is_inside {
                        lowest - distance
                    } else {
                        highest - distance
                    }
                }
            }
        };
        squares
            .iter()
            .map(|&square| if squares.iter().all(|&s| s == 0) { 0.0 } else { value(square) as f32 })
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn all_maps_of_an_image_equal_those_of_comparing_every_pair(
            height in 1_usize..40, width in 1_usize..75, seed in any::<u64>(),
        ) {
            let labels = labels(&mut Rng::new(seed, &[]), height, width);
            let grid = Grid::plane(height, width);
            let instructions = [Instructions::Best, Instructions::Avx2, Instructions::Baseline];
            let mut distances = ClassDistances::with_instructions(instructions[(seed % 3) as usize]);
            let mut maps = vec![f32::NAN; 5 * grid.len()];
            let mut inside = vec![f32::NAN; grid.len()];
            distances.inside(&grid, &labels, &mut inside);
            for kind in KINDS {
                // The second image meets buffers that the first one used.
                distances.maps(&grid, &labels, kind, &mut maps);
                for (class, map) in maps.chunks_exact(grid.len()).enumerate() {
                    let squares = naive(&labels, width, class as u8);
                    // Differences of two rounded distances of up to 85.
                    let close = |a: &f32, b: f32| (a - b).abs() <= 1e-5 * b.abs().max(1.0);
                    for (at, (got, wanted)) in map.iter().zip(expected(kind, &squares)).enumerate() {
                        prop_assert!(close(got, wanted), "{kind:?} {class} at {at}: {got} {wanted}");
                        if labels[at] == class as u8 {
                            let wanted = (-squares[at] as f64).sqrt() as f32;
                            prop_assert!(close(&inside[at], wanted), "{} {wanted}", inside[at]);
                        }
                    }
                }
            }
        }

        #[test]
        fn planes_and_volumes_of_one_slice_are_the_same(
            height in 1_usize..30, width in 1_usize..40, seed in any::<u64>(),
        ) {
            let labels = labels(&mut Rng::new(seed, &[]), height, width);
            // Two units apart along depth changes nothing in a plane, but is no image for the fast transform.
            let (plane, volume) = (Grid::plane(height, width), Grid::volume(1, height, width).with_spacing([1.0, 1.0, 1.0 + 1e-12]));
            for kind in KINDS {
                let (mut fast, mut general) = (vec![0.0; 4 * plane.len()], vec![0.0; 4 * plane.len()]);
                ClassDistances::default().maps(&plane, &labels, kind, &mut fast);
                ClassDistances::default().maps(&volume, &labels, kind, &mut general);
                for (fast, general) in fast.iter().zip(&general) {
                    prop_assert!((fast - general).abs() <= 1e-5 * (1.0 + general.abs()), "{kind:?}: {fast} {general}");
                }
            }
        }
    }

    #[test]
    fn every_instruction_set_gives_the_same_maps() {
        let (height, width) = (211, 333);
        let labels = labels(&mut Rng::new(3, &[]), height, width);
        let maps = |instructions| {
            let mut maps = vec![f32::NAN; 5 * height * width];
            let mut distances = ClassDistances::with_instructions(instructions);
            distances.maps(&Grid::plane(height, width), &labels, DistanceMap::Level, &mut maps);
            maps
        };
        let baseline = maps(Instructions::Baseline);
        assert_eq!(maps(Instructions::Avx2), baseline);
        assert_eq!(maps(Instructions::Best), baseline);
    }

    #[test]
    fn a_class_that_is_everywhere_or_nowhere_has_the_map_0() {
        let grid = Grid::plane(3, 17);
        let mut maps = vec![f32::NAN; 2 * grid.len()];
        for kind in KINDS {
            ClassDistances::default().maps(&grid, &vec![1; grid.len()], kind, &mut maps);
            assert!(maps.iter().all(|&value| value == 0.0), "{kind:?}");
        }
        let mut inside = vec![f32::NAN; grid.len()];
        ClassDistances::default().inside(&grid, &vec![1; grid.len()], &mut inside);
        assert!(inside.iter().all(|&value| value == 0.0));
    }

    #[test]
    fn distances_farther_than_f32_counts_are_exact() {
        // 9001 x 3 pixels whose only pixel of class 1 is in the corner: squares beyond 2^24 keep their last digit.
        let (height, width) = (9001, 3);
        let mut labels = vec![0; height * width];
        labels[0] = 1;
        let mut squares = vec![0.0; 2 * labels.len()];
        ClassDistances::default().maps(
            &Grid::plane(height, width),
            &labels,
            DistanceMap::Squared,
            &mut squares,
        );
        let farthest = squares[2 * labels.len() - 1];
        assert_eq!(farthest, (9000_u32 * 9000 + 4) as f32);
    }
}
