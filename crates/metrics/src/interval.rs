//! How far a score could have been off with other images of the same kind.

use rayon::prelude::*;
use segbench_types::AbsentClass;

use crate::resample::{Images, draw, percentile};
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
    miou_interval_of_totals(AbsentClass::Skipped, &totals, resamples, seed)
}

/// [`miou_interval`] where only the totals of each image are at hand, which is all it needs, under a rule for absent classes.
///
/// # Panics
/// If the images differ in their number of classes.
pub fn miou_interval_of_totals(
    absent: AbsentClass,
    per_image: &[ClassTotals],
    resamples: usize,
    seed: u64,
) -> Option<(f64, f64)> {
    let images = Images::new(absent, per_image);
    let score = |(times, sums): &mut (Vec<f64>, Vec<f64>), resample| {
        draw(images.len(), seed, resample, times);
        images.sum(times, sums);
        images.miou(sums)
    };
    let scores = (0..resamples).into_par_iter().map_init(Default::default, score);
    let mut scores: Vec<f64> = scores.flatten().collect();
    scores.sort_by(f64::total_cmp);
    Some((percentile(&scores, 0.025)?, percentile(&scores, 0.975)?))
}

/// The standard error of mIoU by leaving out one image at a time: a check of the bootstrap that draws nothing at random. `None` with
/// less than two images.
///
/// # Source
/// Efron and Tibshirani (1993), section 11.2.
///
/// # Panics
/// If the images differ in their number of classes.
pub fn jackknife_error(absent: AbsentClass, per_image: &[ClassTotals]) -> Option<f64> {
    let images = Images::new(absent, per_image);
    let mut all = Vec::new();
    images.sum(&vec![1.0; images.len()], &mut all);
    let without = |index| {
        let left: Vec<f64> = all.iter().zip(images.image(index)).map(|(sum, count)| sum - count).collect();
        images.miou(&left)
    };
    let scores: Vec<f64> = (0..images.len()).filter_map(without).collect();
    let count = scores.len() as f64;
    let mean = scores.iter().sum::<f64>() / count;
    let squares = scores.iter().map(|score| (score - mean).powi(2)).sum::<f64>();
    (scores.len() > 1).then(|| ((count - 1.0) / count * squares).sqrt())
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
    fn jackknife_and_bootstrap_agree_about_a_smooth_score() {
        let images: Vec<ClassTotals> = (0..200)
            .map(|index| ClassTotals::of(&image(400 + index * 7 % 53, 100 + index * 13 % 61)))
            .collect();
        let jackknife = jackknife_error(AbsentClass::Skipped, &images).expect("images");
        let (low, high) = miou_interval_of_totals(AbsentClass::Skipped, &images, 4000, 3).expect("images");
        let bootstrap = (high - low) / (2.0 * 1.96);
        assert!((bootstrap / jackknife - 1.0).abs() < 0.1, "{bootstrap} {jackknife}");
        assert_eq!(jackknife_error(AbsentClass::Skipped, &images[..1]), None);
    }
}
