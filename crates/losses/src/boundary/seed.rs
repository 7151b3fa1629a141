//! Distances as the seed's code computes them: by scipy, on all images of the batch as if they were the slices of one volume.

use segbench_targets::{Grid, to_nearest};

use crate::{Error, Result, Target};

/// The grid of the seed's distance transform.
///
/// # Errors
/// [`Error::Option`] for volumes, which the seed's code does not take.
pub(super) fn grid(target: &Target, loss: &'static str) -> Result<Grid> {
    let [depth, height, width] = target.grid().size();
    if target.dims().len() != 3 || depth != 1 {
        return Err(Error::Option { loss, problem: "`form: seed` takes images, not volumes".into() });
    }
    Ok(Grid::volume(target.batch(), height, width))
}

/// `scipy.ndimage.distance_transform_edt` of the elements where `holds`: the distance to the nearest other element, 0 for those.
///
/// Where every element holds, scipy measures the distance to the place one before the first.
pub(super) fn distances(grid: &Grid, holds: impl Fn(usize) -> bool) -> Vec<f64> {
    let [_, height, width] = grid.size();
    let nowhere = |at: usize| {
        let place = [at / (height * width) + 1, at / width % height, at % width];
        place.map(|step| (step * step) as f64).iter().sum::<f64>()
    };
    let squares = to_nearest(grid, |at| !holds(at)).unwrap_or_else(|| (0..grid.len()).map(nowhere).collect());
    squares.into_iter().map(f64::sqrt).collect()
}

/// `1 + max(d) - d` of every pixel, for the distance-penalized cross-entropy.
pub(crate) fn penalties(target: &Target, classes: usize, loss: &'static str) -> Result<Vec<f32>> {
    let grid = grid(target, loss)?;
    let labels = target.labels();
    let mut weights = vec![1.0; labels.len()];
    for class in (0..classes).filter(|&class| labels.iter().any(|&label| usize::from(label) == class)) {
        let distances = distances(&grid, |at| usize::from(labels[at]) == class);
        let largest = distances.iter().copied().fold(0.0, f64::max);
        for ((weight, distance), &label) in weights.iter_mut().zip(distances).zip(labels) {
            if usize::from(label) == class {
                *weight = (1.0 + largest - distance) as f32;
            }
        }
    }
    Ok(weights)
}
