//! Which images and classes a difference of mIoU came from.

use segbench_types::AbsentClass;

use crate::ClassTotals;

/// What each class in each image contributes to the mIoU of a second run minus that of a first one on the same images: a row per image,
/// an entry per class, as fractions. All entries together are the difference, up to the rounding of f64. Exchanging the runs changes
/// every sign and nothing else. `None` without images, if the runs have different numbers of images or if a score is undefined.
///
/// A class's IoU is `I / U`, intersection and union over all images, and changes by
/// `ΔI · (1/U₁ + 1/U₂)/2 − ΔU · (I₁ + I₂)/2 / (U₁ U₂)`, which is linear in the changes of the images, so each image gets its part. The
/// mean over `n` classes weighs this with `(1/n₁ + 1/n₂)/2`. A class that counts in one run only, because the other neither holds nor
/// predicts it, also changes `n`; what that does is given to the class, and to its images in proportion to its pixels there.
///
/// # Source
/// The Shapley value of the factors `I` and `1/U`, and of the sum of IoUs and `1/n`: the mean over both orders in which a first
/// run's factor is replaced by the second's. Shapley, "A Value for n-Person Games" (1953).
///
/// # Panics
/// If the images differ in their number of classes.
pub fn decompose(
    absent: AbsentClass,
    first: &[ClassTotals],
    second: &[ClassTotals],
) -> Option<Vec<Vec<f64>>> {
    if first.len() != second.len() {
        return None;
    }
    let classes = first.first()?.classes();
    let [sums_1, sums_2] =
        [first, second].map(|run| -> Vec<Sums> { (0..classes).map(|class| Sums::of(run, class)).collect() });
    let counts = |sums: &Sums| match absent {
        AbsentClass::Skipped => sums.union > 0.0,
        AbsentClass::SkippedUnlessLabelled => sums.labelled > 0.0,
        AbsentClass::Zero => true,
    };
    let [(n_1, total_1), (n_2, total_2)] = [&sums_1, &sums_2].map(|sums| {
        let counted: Vec<&Sums> = sums.iter().filter(|sums| counts(sums)).collect();
        (counted.len() as f64, counted.iter().map(|sums| sums.iou()).sum::<f64>())
    });
    let has_pixels = |sums: &[Sums]| sums.iter().any(|sums| sums.union > 0.0);
    if n_1 == 0.0 || n_2 == 0.0 || !has_pixels(&sums_1) || !has_pixels(&sums_2) {
        return None;
    }
    let weight = f64::midpoint(1.0 / n_1, 1.0 / n_2);
    let cost_of_a_class = f64::midpoint(total_1, total_2) / (n_1 * n_2);

    let mut parts = vec![vec![0.0; classes]; first.len()];
    for (class, (one, two)) in sums_1.iter().zip(&sums_2).enumerate() {
        let change = |image: usize, get: fn(&ClassTotals, usize) -> u64| {
            get(&second[image], class) as f64 - get(&first[image], class) as f64
        };
        let joins = f64::from(u8::from(counts(two))) - f64::from(u8::from(counts(one)));
        // What is not linear in the images' counts.
        let mut rest = -cost_of_a_class * joins;
        if one.union > 0.0 && two.union > 0.0 {
            let per_hit = weight * f64::midpoint(1.0 / one.union, 1.0 / two.union);
            let per_pixel = weight * f64::midpoint(one.correct, two.correct) / (one.union * two.union);
            for (image, part) in parts.iter_mut().enumerate() {
                part[class] = per_hit * change(image, |totals, class| totals.correct[class])
                    - per_pixel * change(image, ClassTotals::union);
            }
        } else {
            rest += weight * (two.iou() - one.iou());
        }
        if rest != 0.0 {
            let changed = |image| {
                change(image, ClassTotals::union).abs()
                    + change(image, |totals, class| totals.ground_truth[class]).abs()
            };
            let changes: f64 = (0..parts.len()).map(changed).sum();
            for (image, part) in parts.iter_mut().enumerate().filter(|_| changes > 0.0) {
                part[class] += rest * changed(image) / changes;
            }
        }
    }
    Some(parts)
}

/// Counts of one class over all images.
#[derive(Debug, Clone, Copy)]
struct Sums {
    correct: f64,
    union: f64,
    labelled: f64,
}

impl Sums {
    fn of(run: &[ClassTotals], class: usize) -> Self {
        let sum = |get: fn(&ClassTotals, usize) -> u64| {
            run.iter().map(|totals| get(totals, class)).sum::<u64>() as f64
        };
        Self {
            correct: sum(|totals, class| totals.correct[class]),
            union: sum(ClassTotals::union),
            labelled: sum(|totals, class| totals.ground_truth[class]),
        }
    }

    /// IoU; 0 for a class that occurs nowhere.
    fn iou(&self) -> f64 {
        if self.union > 0.0 { self.correct / self.union } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use segbench_types::ScoringRule;

    use super::*;
    use crate::{ConfusionMatrix, Scores};

    const RULES: [AbsentClass; 3] =
        [AbsentClass::Skipped, AbsentClass::SkippedUnlessLabelled, AbsentClass::Zero];

    /// mIoU over all images, by way of the matrix.
    fn miou(absent_class: AbsentClass, images: &[ConfusionMatrix]) -> f64 {
        let mut all = ConfusionMatrix::new(images[0].classes());
        images.iter().for_each(|image| all.merge(image).expect("same classes"));
        let rule = ScoringRule { absent_class, ..ScoringRule::default() };
        Scores::by(&rule, &all).miou.expect("defined")
    }

    fn totals(images: &[ConfusionMatrix]) -> Vec<ClassTotals> {
        images.iter().map(ClassTotals::of).collect()
    }

    fn run(truth: &[Vec<u8>], predicted: &[Vec<u8>], classes: usize) -> Vec<ConfusionMatrix> {
        let count = |(truth, predicted): (&Vec<u8>, &Vec<u8>)| {
            let mut matrix = ConfusionMatrix::new(classes);
            matrix.count(truth, predicted).expect("fits");
            matrix
        };
        truth.iter().zip(predicted).map(count).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_parts_add_up_and_exchange_their_signs_with_the_runs(
            maps in prop::collection::vec(prop::collection::vec((0..4_u8, 0..6_u8, 0..6_u8), 13), 1..7)
        ) {
            // Classes 4 and 5 are never labelled, so a run may be alone in predicting them; 4 of the truth's values is "ignore".
            let pick = |get: fn(&(u8, u8, u8)) -> u8| -> Vec<Vec<u8>> {
                maps.iter().map(|map| map.iter().map(get).collect()).collect()
            };
            let truth = pick(|pixel| if pixel.0 == 3 { 255 } else { pixel.0 });
            let first = run(&truth, &pick(|pixel| pixel.1), 6);
            let second = run(&truth, &pick(|pixel| pixel.2), 6);
            prop_assume!(truth.iter().flatten().any(|label| *label != 255));
            for rule in RULES {
                let parts = decompose(rule, &totals(&first), &totals(&second)).expect("defined");
                let sum: f64 = parts.iter().flatten().sum();
                prop_assert!((sum - (miou(rule, &second) - miou(rule, &first))).abs() < 1e-12);
                let back = decompose(rule, &totals(&second), &totals(&first)).expect("defined");
                for (part, back) in parts.iter().flatten().zip(back.iter().flatten()) {
                    prop_assert!((part + back).abs() < 1e-15, "{} {}", part, back);
                }
            }
        }
    }

    #[test]
    fn an_image_that_did_not_change_contributes_nothing_and_one_that_lost_a_class_pays_for_it() {
        // Two classes; in image 1 the second run takes one of class 1's four pixels for class 0.
        let truth = vec![vec![0, 0, 0, 1], vec![0, 1, 1, 1]];
        let first = run(&truth, &truth, 2);
        let second = run(&truth, &[truth[0].clone(), vec![0, 0, 1, 1]], 2);
        let parts = decompose(AbsentClass::Skipped, &totals(&first), &totals(&second)).expect("defined");
        // IoU of class 0 from 4/4 to 4/5, of class 1 from 4/4 to 3/4; halves of both, all in image 1.
        assert_eq!(parts[0], [0.0, 0.0]);
        assert!((parts[1][0] + 0.1).abs() < 1e-15 && (parts[1][1] + 0.125).abs() < 1e-15, "{parts:?}");
    }

    #[test]
    fn a_class_that_only_one_run_predicts_takes_its_place_in_the_mean() {
        // The second run predicts class 2, which is nowhere, on one pixel of image 0 and three of image 1.
        let truth = vec![vec![0; 8], vec![1; 8]];
        let first = run(&truth, &truth, 3);
        let second = run(&truth, &[vec![0, 0, 0, 0, 0, 0, 0, 2], vec![1, 1, 1, 1, 1, 2, 2, 2]], 3);
        let parts = decompose(AbsentClass::Skipped, &totals(&first), &totals(&second)).expect("defined");
        // Sums of IoUs 2 and 7/8 + 5/8 = 1.5 over 2 and 3 classes: class 2 costs 1.75 / 6, a quarter of it in image 0.
        assert!(
            (parts[0][2] + 1.75 / 24.0).abs() < 1e-15 && (parts[1][2] + 1.75 / 8.0).abs() < 1e-15,
            "{parts:?}"
        );
        // Class 0 loses an eighth, weighed with the mean of 1/2 and 1/3.
        assert!((parts[0][0] + 0.125 * 5.0 / 12.0).abs() < 1e-15, "{parts:?}");
        assert_eq!(decompose(AbsentClass::Skipped, &totals(&first), &[]), None);
    }
}
