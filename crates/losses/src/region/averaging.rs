//! Which sums a ratio is made of, and which ratios are averaged.

use serde::{Deserialize, Serialize};

use super::overlap::{Overlap, Slopes};

/// What is averaged over classes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Average {
    /// A ratio for each class, then their mean: every class counts the same.
    #[default]
    Macro,
    /// One ratio of the sums over all classes. False positives and false negatives are then equal in number, so their weights in
    /// a Tversky index have no effect.
    Micro,
}

/// Which pixels are summed for one ratio.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Over {
    /// Those of an image; then the mean over images.
    #[default]
    Image,
    /// Those of all images of the batch.
    Batch,
}

/// Options of the mean over images and classes.
pub(super) struct Averaging<'a> {
    pub(super) average: Average,
    pub(super) over: Over,
    /// The classes that count.
    pub(super) counted: &'a [usize],
}

impl Averaging<'_> {
    /// The mean of `ratio` over all groups of sums, with the slopes of the mean in each sum.
    pub(super) fn mean(
        &self,
        overlaps: &[Overlap],
        classes: usize,
        ratio: impl Fn(&Overlap) -> (f64, Slopes),
    ) -> (f64, Vec<Slopes>) {
        let groups = self.groups(overlaps.len(), classes);
        let share = if groups.is_empty() { 0.0 } else { 1.0 / groups.len() as f64 };
        let (mut mean, mut slopes) = (0.0, vec![Slopes::default(); overlaps.len()]);
        for group in groups {
            let sums = group.iter().fold(Overlap::default(), |sums, &at| sums.plus(overlaps[at]));
            let (value, slope) = ratio(&sums);
            mean += value * share;
            for at in group {
                slopes[at] = Slopes {
                    both: slope.both * share,
                    predicted: slope.predicted * share,
                    both_squared: slope.both_squared * share,
                    others_squared: slope.others_squared * share,
                };
            }
        }
        (mean, slopes)
    }

    /// Places of the sums that are added up for one ratio.
    fn groups(&self, cells: usize, classes: usize) -> Vec<Vec<usize>> {
        let images: Vec<usize> = (0..cells.checked_div(classes).unwrap_or(0)).collect();
        let sets: Vec<&[usize]> = match self.over {
            Over::Image => images.chunks(1).collect(),
            Over::Batch => vec![&images],
        };
        let place = |images: &[usize], set: &[usize]| -> Vec<usize> {
            images.iter().flat_map(|image| set.iter().map(move |class| image * classes + class)).collect()
        };
        let of_images = |images: &&[usize]| -> Vec<Vec<usize>> {
            match self.average {
                Average::Micro => vec![place(images, self.counted)],
                Average::Macro => self.counted.iter().map(|&class| place(images, &[class])).collect(),
            }
        };
        sets.iter().flat_map(of_images).collect()
    }
}

/// `1 - above / below` and its slope for the slopes of both; 0 where both are 0.
pub(super) fn one_minus(above: (f64, Slopes), below: (f64, Slopes)) -> (f64, Slopes) {
    let ((above, rise), (below, fall)) = (above, below);
    if below == 0.0 {
        return (0.0, Slopes::default());
    }
    let quotient = above / below;
    let slope = |rise: f64, fall: f64| (quotient * fall - rise) / below;
    let slopes = Slopes {
        both: slope(rise.both, fall.both),
        predicted: slope(rise.predicted, fall.predicted),
        both_squared: slope(rise.both_squared, fall.both_squared),
        others_squared: slope(rise.others_squared, fall.others_squared),
    };
    (1.0 - quotient, slopes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_follow_images_and_classes() {
        let groups = |average, over| Averaging { average, over, counted: &[0, 2] }.groups(6, 3);
        assert_eq!(groups(Average::Macro, Over::Image), [[0], [2], [3], [5]]);
        assert_eq!(groups(Average::Micro, Over::Image), [[0, 2], [3, 5]]);
        assert_eq!(groups(Average::Macro, Over::Batch), [[0, 3], [2, 5]]);
        assert_eq!(groups(Average::Micro, Over::Batch), [[0, 2, 3, 5]]);
    }
}
