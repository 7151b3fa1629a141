//! How far a score could have been off with other images of the same kind.

use rayon::prelude::*;
use segbench_types::Rng;

use crate::{ClassTotals, ConfusionMatrix};

/// The 95 % interval of mIoU by resampling images.
///
/// Draws as many images as there are, with replacement, `resamples` times, pools their counts and takes the 2.5th and the 97.5th
/// percentile of the mIoU found. The same seed gives the same interval with any number of threads. `None` if no resample has a
/// defined mIoU.
///
/// # Source
/// The percentile bootstrap of Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), section 13.3, over images, because
/// pixels of one image are not independent. Percentiles interpolate linearly, as NumPy's do.
///
/// # Panics
/// If the matrices differ in their number of classes.
pub fn miou_interval(per_image: &[ConfusionMatrix], resamples: usize, seed: u64) -> Option<(f64, f64)> {
    let totals: Vec<ClassTotals> = per_image.iter().map(ClassTotals::of).collect();
    miou_interval_of_totals(&totals, resamples, seed)
}

/// [`miou_interval`] where only the totals of each image are at hand, which is all it needs.
///
/// # Panics
/// If the images differ in their number of classes.
pub fn miou_interval_of_totals(per_image: &[ClassTotals], resamples: usize, seed: u64) -> Option<(f64, f64)> {
    let classes = per_image.first()?.classes();
    // Per image, the intersections of all classes and then the unions.
    let width = 2 * classes;
    let mut images = Vec::with_capacity(per_image.len() * width);
    for totals in per_image {
        assert_eq!(totals.classes(), classes, "all images have the same classes");
        images.extend_from_slice(&totals.correct);
        images.extend((0..classes).map(|class| totals.union(class)));
    }
    if width == 0 {
        return None;
    }
    let resample = |index: usize| {
        let mut rng = Rng::new(seed, &[index as u64]);
        let mut sums = vec![0_u64; width];
        for _ in 0..per_image.len() {
            let image = rng.below(per_image.len());
            for (sum, count) in sums.iter_mut().zip(&images[image * width..(image + 1) * width]) {
                *sum += count;
            }
        }
        let (intersections, unions) = sums.split_at(classes);
        let (mut sum, mut present) = (0.0, 0_u32);
        for (&intersection, &union) in intersections.iter().zip(unions) {
            if union > 0 {
                sum += intersection as f64 / union as f64;
                present += 1;
            }
        }
        (present > 0).then(|| sum / f64::from(present))
    };
    let mut scores: Vec<f64> = (0..resamples).into_par_iter().filter_map(resample).collect();
    scores.sort_by(f64::total_cmp);
    Some((percentile(&scores, 0.025)?, percentile(&scores, 0.975)?))
}

/// The value below which a share of the sorted values lies, interpolated linearly.
fn percentile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = share * sorted.len().checked_sub(1)? as f64;
    let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    Some(low + (high - low) * place.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(correct: u64, missed: u64) -> ConfusionMatrix {
        let mut matrix = ConfusionMatrix::new(2);
        matrix.add(0, Some(0), correct).expect("a class");
        matrix.add(0, Some(1), missed).expect("a class");
        matrix
    }

    #[test]
    fn images_that_are_all_alike_leave_no_doubt() {
        let images = vec![image(30, 10); 7];
        // (30/40 + 0) / 2, in every resample.
        assert_eq!(miou_interval(&images, 200, 1), Some((0.375, 0.375)));
    }

    #[test]
    fn the_seed_decides_and_the_number_of_threads_does_not() {
        let images: Vec<ConfusionMatrix> =
            (0..37).map(|index| image(100 + index * 7 % 53, index * 13 % 61)).collect();
        let with_threads = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            pool.install(|| miou_interval(&images, 300, 5))
        };
        assert_eq!(with_threads(1), with_threads(3));
        assert_ne!(miou_interval(&images, 300, 5), miou_interval(&images, 300, 6));
    }

    #[test]
    fn without_images_or_resamples_or_labelled_pixels_there_is_no_interval() {
        assert_eq!(miou_interval(&[], 100, 0), None);
        assert_eq!(miou_interval(&[image(1, 1)], 0, 0), None);
        assert_eq!(miou_interval(&[ConfusionMatrix::new(2)], 100, 0), None);
        assert_eq!(miou_interval(&[ConfusionMatrix::new(0)], 100, 0), None);
    }

    #[test]
    fn percentiles_interpolate_between_neighbors() {
        // numpy.percentile([1, 2, 4, 8], [2.5, 50, 97.5]) = [1.075, 3.0, 7.7]
        let of = |share| percentile(&[1.0, 2.0, 4.0, 8.0], share).expect("four values");
        for (share, expected) in [(0.025, 1.075), (0.5, 3.0), (0.975, 7.7)] {
            assert!((of(share) - expected).abs() < 1e-12, "{share}");
        }
    }
}
