//! The Hausdorff loss with erosions: what is left of an error after many of them is far from the border.

use rayon::prelude::*;
use segbench_targets::Grid;
use segbench_types::IGNORE;

use crate::masked::Masked;

/// `scale` times the sum over the pixels of the `counted` classes.
pub(super) fn sum(
    batch: &Masked,
    mut gradient: Option<&mut [f32]>,
    (erosions, alpha): (usize, f64),
    counted: &[usize],
    scale: f64,
) -> f64 {
    let normalizers = batch.normalizers();
    let stencil = Stencil::of(batch);
    let powers: Vec<f64> = (1..=erosions).map(|step| (step as f64).powf(alpha)).collect();
    let of_class = |(at, slopes): (usize, Option<&mut [f32]>)| {
        let (image, class) = (at / batch.classes(), at % batch.classes());
        if !counted.contains(&class) {
            return 0.0;
        }
        let mut errors = vec![0.0; batch.pixels()];
        batch.probabilities(image, class, &normalizers, &mut errors);
        for (error, &label) in errors.iter_mut().zip(batch.labels(image)) {
            match label {
                IGNORE => *error = 0.0,
                label if usize::from(label) == class => *error -= 1.0,
                _ => {}
            }
        }
        let levels = stencil.levels(&errors, erosions);
        let sums = levels[1..].iter().zip(&powers);
        let value = sums.map(|(level, power)| power * level.iter().map(|&x| f64::from(x)).sum::<f64>()).sum();
        if let Some(slopes) = slopes {
            stencil.slopes(&levels, &powers, slopes);
            for (slope, error) in slopes.iter_mut().zip(errors) {
                *slope *= 2.0 * error * scale as f32;
            }
        }
        value
    };
    let planes: Vec<Option<&mut [f32]>> = match gradient.as_deref_mut() {
        None => (0..batch.images() * batch.classes()).map(|_| None).collect(),
        Some(gradient) => gradient.chunks_exact_mut(batch.pixels().max(1)).map(Some).collect(),
    };
    let values: Vec<f64> = planes.into_par_iter().enumerate().with_max_len(1).map(of_class).collect();
    if let Some(gradient) = gradient {
        batch.descend(gradient);
    }
    scale * values.iter().sum::<f64>()
}

/// A pixel and its neighbors.
struct Stencil {
    grid: Grid,
    /// One over their number.
    share: f32,
}

impl Stencil {
    fn of(batch: &Masked) -> Self {
        let axes = batch.target().dims().len() - 1;
        Self { grid: *batch.target().grid(), share: 1.0 / (2 * axes + 1) as f32 }
    }

    /// The squared errors and what each erosion leaves of them.
    fn levels(&self, errors: &[f32], erosions: usize) -> Vec<Vec<f32>> {
        let mut levels = vec![errors.iter().map(|error| error * error).collect::<Vec<f32>>()];
        for _ in 0..erosions {
            let mut level = self.means(&levels[levels.len() - 1]);
            level.iter_mut().for_each(|x| *x = 2.0_f32.mul_add(*x, -1.0).max(0.0));
            levels.push(level);
        }
        levels
    }

    /// The slope of the weighted sum in each squared error.
    fn slopes(&self, levels: &[Vec<f32>], powers: &[f64], out: &mut [f32]) {
        out.fill(0.0);
        for (level, &power) in levels[1..].iter().zip(powers).rev() {
            for (slope, &left) in out.iter_mut().zip(level) {
                *slope = if left > 0.0 { 2.0 * (*slope + power as f32) } else { 0.0 };
            }
            // A mean passes its slope on to those that it is the mean of.
            out.copy_from_slice(&self.means(out));
        }
    }

    /// The mean over each pixel and its neighbors.
    fn means(&self, values: &[f32]) -> Vec<f32> {
        let [_, height, width] = self.grid.size();
        let mut sums = values.to_vec();
        for (row, sums) in sums.chunks_exact_mut(width).enumerate() {
            let start = row * width;
            add(&mut sums[1..], &values[start..]);
            add(&mut sums[..width - 1], &values[start + 1..]);
            if row % height > 0 {
                add(sums, &values[start - width..]);
            }
            if row % height + 1 < height {
                add(sums, &values[start + width..]);
            }
            // In a plane there is no slice before or behind.
            let slice = height * width;
            if start >= slice {
                add(sums, &values[start - slice..]);
            }
            if start + slice < values.len() {
                add(sums, &values[start + slice..]);
            }
            sums.iter_mut().for_each(|sum| *sum *= self.share);
        }
        sums
    }
}

fn add(sums: &mut [f32], values: &[f32]) {
    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
}
