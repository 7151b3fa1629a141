//! Counts of images laid out for resampling, which adds them up ten thousand times.

use segbench_types::{AbsentClass, Rng};

use crate::ClassTotals;

/// The images of one run, of which any selection can be scored quickly.
///
/// Counts are kept as f64: sums stay exact below 2^53 pixels, and products with how often an image was drawn need no conversion.
#[derive(Debug, Clone)]
pub(crate) struct Images {
    absent: AbsentClass,
    classes: usize,
    /// Values per image: the intersections of all classes, their unions, and their labelled pixels where the rule asks for them.
    width: usize,
    counts: Vec<f64>,
}

impl Images {
    /// # Panics
    /// If the images differ in their number of classes.
    pub(crate) fn new(absent: AbsentClass, images: &[ClassTotals]) -> Self {
        let classes = images.first().map_or(0, ClassTotals::classes);
        let width = if absent == AbsentClass::SkippedUnlessLabelled { 3 * classes } else { 2 * classes };
        let mut counts = Vec::with_capacity(images.len() * width);
        for totals in images {
            assert_eq!(totals.classes(), classes, "all images have the same classes");
            counts.extend(totals.correct.iter().map(|&count| count as f64));
            counts.extend((0..classes).map(|class| totals.union(class) as f64));
            if absent == AbsentClass::SkippedUnlessLabelled {
                counts.extend(totals.ground_truth.iter().map(|&count| count as f64));
            }
        }
        Self { absent, classes, width, counts }
    }

    /// Number of images.
    pub(crate) fn len(&self) -> usize {
        self.counts.len().checked_div(self.width).unwrap_or(0)
    }

    /// The counts of one image.
    pub(crate) fn image(&self, index: usize) -> &[f64] {
        &self.counts[index * self.width..(index + 1) * self.width]
    }

    /// The counts of all images together, each taken as often as `times` says.
    pub(crate) fn sum(&self, times: &[f64], sums: &mut Vec<f64>) {
        sums.clear();
        sums.resize(self.width, 0.0);
        for (image, &times) in self.counts.chunks_exact(self.width.max(1)).zip(times) {
            if times != 0.0 {
                for (sum, &count) in sums.iter_mut().zip(image) {
                    *sum += times * count;
                }
            }
        }
    }

    /// The mIoU of summed counts.
    pub(crate) fn miou(&self, sums: &[f64]) -> Option<f64> {
        let (intersections, rest) = sums.split_at(self.classes);
        let (unions, labelled) = rest.split_at(self.classes);
        let (mut sum, mut present) = (0.0, 0_u32);
        for (class, (&intersection, &union)) in intersections.iter().zip(unions).enumerate() {
            let counts = match self.absent {
                AbsentClass::Skipped => union > 0.0,
                AbsentClass::SkippedUnlessLabelled => labelled.get(class).is_some_and(|&pixels| pixels > 0.0),
                AbsentClass::Zero => true,
            };
            if counts {
                present += 1;
                sum += if union > 0.0 { intersection / union } else { 0.0 };
            }
        }
        (present > 0 && unions.iter().any(|&union| union > 0.0)).then(|| sum / f64::from(present))
    }
}

/// How often each of `images` is drawn when as many are drawn with replacement.
pub(crate) fn draw(images: usize, seed: u64, resample: usize, times: &mut Vec<f64>) {
    times.clear();
    times.resize(images, 0.0);
    let mut rng = Rng::new(seed, &[resample as u64]);
    for _ in 0..images {
        times[rng.below(images)] += 1.0;
    }
}

/// The value below which a share of the sorted values lies, interpolated linearly, as NumPy does.
pub(crate) fn percentile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = share * sorted.len().checked_sub(1)? as f64;
    let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    Some(low + (high - low) * place.fract())
}

/// The standard deviation of a sample.
pub(crate) fn deviation(values: &[f64]) -> Option<f64> {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
    (values.len() > 1).then(|| (squares / (count - 1.0)).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_interpolate_between_neighbors() {
        // numpy.percentile([1, 2, 4, 8], [2.5, 50, 97.5]) = [1.075, 3.0, 7.7]
        let of = |share| percentile(&[1.0, 2.0, 4.0, 8.0], share).expect("four values");
        for (share, expected) in [(0.025, 1.075), (0.5, 3.0), (0.975, 7.7)] {
            assert!((of(share) - expected).abs() < 1e-12, "{share}");
        }
    }

    #[test]
    fn every_rule_scores_the_sums_as_the_scores_do() {
        let image =
            ClassTotals { correct: vec![3, 0, 0], ground_truth: vec![4, 0, 0], predicted: vec![3, 1, 0] };
        let miou = |absent| {
            let images = Images::new(absent, std::slice::from_ref(&image));
            let mut sums = Vec::new();
            images.sum(&[2.0], &mut sums);
            images.miou(&sums)
        };
        assert_eq!(miou(AbsentClass::Skipped), Some(0.375));
        assert_eq!(miou(AbsentClass::SkippedUnlessLabelled), Some(0.75));
        assert_eq!(miou(AbsentClass::Zero), Some(0.25));
    }
}
