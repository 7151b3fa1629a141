//! Whether two runs differ by more than the choice of images explains.

use rayon::prelude::*;
use segbench_types::{AbsentClass, Rng};

use crate::ClassTotals;
use crate::resample::{Images, deviation, draw, percentile};

/// Two-sided 5 % and one-sided 20 % points of the normal distribution: what a difference has to exceed in standard errors so that a
/// test at 5 % finds it in 80 % of cases.
const DETECTABLE: f64 = 1.959_964 + 0.841_621;

/// How much the mIoU of a second run differs from that of a first one on the same images, as fractions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// Second minus first.
    pub difference: f64,
    /// Lower end of its 95 % interval.
    pub low: f64,
    /// Upper end of its 95 % interval.
    pub high: f64,
    /// Its standard error.
    pub error: f64,
    /// The smallest difference that these images would show in four of five cases.
    pub detectable: f64,
}

/// The difference with its interval, by resampling images, the same for both runs. `None` without images, if the runs have different
/// numbers of images or if a score is undefined.
///
/// # Source
/// The paired percentile bootstrap: Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), section 13.3.
///
/// # Panics
/// If the images differ in their number of classes.
pub fn paired_bootstrap(
    absent: AbsentClass,
    first: &[ClassTotals],
    second: &[ClassTotals],
    resamples: usize,
    seed: u64,
) -> Option<Difference> {
    let runs = [Images::new(absent, first), Images::new(absent, second)];
    if first.len() != second.len() {
        return None;
    }
    let difference = |times: &[f64], sums: &mut Vec<f64>| {
        let [first, second] = runs.each_ref().map(|run| {
            run.sum(times, sums);
            run.miou(sums)
        });
        Some(second? - first?)
    };
    let resample = |(times, sums): &mut (Vec<f64>, Vec<f64>), index| {
        draw(first.len(), seed, index, times);
        difference(times, sums)
    };
    let drawn = (0..resamples).into_par_iter().map_init(Default::default, resample);
    let mut drawn: Vec<f64> = drawn.flatten().collect();
    drawn.sort_by(f64::total_cmp);
    let error = deviation(&drawn)?;
    Some(Difference {
        difference: difference(&vec![1.0; first.len()], &mut Vec::new())?,
        low: percentile(&drawn, 0.025)?,
        high: percentile(&drawn, 0.975)?,
        error,
        detectable: DETECTABLE * error,
    })
}

/// The probability of a difference at least as large if it were a coin toss, image by image, which run made which prediction.
///
/// Both runs' counts are swapped in a random half of the images, `permutations` times. Where no permutation reaches the difference,
/// its distance is measured in standard deviations of the permuted differences and looked up in the normal distribution, so that a
/// correction for many pairs does not ask for millions of permutations. `None` as [`paired_bootstrap`].
///
/// # Source
/// The paired randomization test of Fisher (1935); Good, "Permutation, Parametric and Bootstrap Tests of Hypotheses" (2005).
///
/// # Panics
/// If the images differ in their number of classes.
pub fn permutation_test(
    absent: AbsentClass,
    first: &[ClassTotals],
    second: &[ClassTotals],
    permutations: usize,
    seed: u64,
) -> Option<f64> {
    permutation_tests(absent, &[first, second], permutations, seed).pop().flatten()
}

/// [`permutation_test`] of every pair of runs, `(0, 1), (0, 2), ..., (1, 2), ...`, which costs little more than that of one: what moves
/// between two runs is the difference of what moves out of either, and the same images are swapped in every pair.
///
/// # Panics
/// If the images differ in their number of classes.
pub fn permutation_tests(
    absent: AbsentClass,
    runs: &[&[ClassTotals]],
    permutations: usize,
    seed: u64,
) -> Vec<Option<f64>> {
    let runs: Vec<Images> = runs.iter().map(|run| Images::new(absent, run)).collect();
    let pairs: Vec<(usize, usize)> = (0..runs.len())
        .flat_map(|first| (first + 1..runs.len()).map(move |second| (first, second)))
        .collect();
    let images = runs.first().map_or(0, Images::len);
    if images == 0 || runs.iter().any(|run| run.len() != images) {
        return vec![None; pairs.len()];
    }
    let all = vec![1.0; images];
    let sums: Vec<Vec<f64>> = runs
        .iter()
        .map(|run| {
            let mut sums = Vec::new();
            run.sum(&all, &mut sums);
            sums
        })
        .collect();
    let permute = |Buffers { swapped, moved, a, b }: &mut Buffers, index| {
        let mut rng = Rng::new(seed, &[index as u64]);
        swapped.clear();
        while swapped.len() < images {
            let bits = rng.bits();
            swapped.extend((0..64.min(images - swapped.len())).map(|bit| (bits >> bit & 1) as f64));
        }
        moved.resize(runs.len(), Vec::new());
        for (run, moved) in runs.iter().zip(moved.iter_mut()) {
            run.sum(swapped, moved);
        }
        let difference = |&(first, second): &(usize, usize)| {
            let exchange = |sums: &[f64], out: &[f64], into: &[f64], result: &mut Vec<f64>| {
                result.clear();
                result
                    .extend(sums.iter().zip(out.iter().zip(into)).map(|(sum, (out, into))| sum - out + into));
            };
            exchange(&sums[first], &moved[first], &moved[second], a);
            exchange(&sums[second], &moved[second], &moved[first], b);
            Some(runs[second].miou(b)? - runs[first].miou(a)?)
        };
        pairs.iter().map(difference).collect::<Vec<Option<f64>>>()
    };
    let permuted: Vec<Vec<Option<f64>>> =
        (0..permutations).into_par_iter().map_init(Buffers::default, permute).collect();
    let test = |(pair, &(first, second)): (usize, &(usize, usize))| {
        let observed = (runs[second].miou(&sums[second])? - runs[first].miou(&sums[first])?).abs();
        let permuted: Vec<f64> = permuted.iter().filter_map(|differences| differences[pair]).collect();
        Some(probability(observed, &permuted))
    };
    pairs.iter().enumerate().map(test).collect()
}

/// What one permutation after the other is computed in.
#[derive(Default)]
struct Buffers {
    /// 1 for each image whose counts are exchanged.
    swapped: Vec<f64>,
    /// Of each run: the sums over those images.
    moved: Vec<Vec<f64>>,
    a: Vec<f64>,
    b: Vec<f64>,
}

/// How probable a difference as large as `observed` is among the `permuted` ones.
fn probability(observed: f64, permuted: &[f64]) -> f64 {
    // Sums in another order may differ in the last digits.
    let reaches = |difference: &&f64| difference.abs() >= observed * (1.0 - 1e-12);
    let reached = permuted.iter().filter(reaches).count();
    let counted = (reached + 1) as f64 / (permuted.len() + 1) as f64;
    let deviation = deviation(permuted).filter(|&deviation| deviation > 0.0);
    match (reached, deviation) {
        (0, Some(deviation)) => counted.min(2.0 * normal_tail(observed / deviation)),
        _ => counted,
    }
}

/// Holm's correction: probabilities that stay below a limit for all of several tests together with that limit's probability of a single
/// mistake, in the order given.
///
/// # Source
/// Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of Statistics 6 (1979).
pub fn holm(probabilities: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    order.sort_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b]));
    let mut corrected = vec![0.0; probabilities.len()];
    let mut least: f64 = 0.0;
    for (rank, &index) in order.iter().enumerate() {
        least = least.max((probabilities.len() - rank) as f64 * probabilities[index]).min(1.0);
        corrected[index] = least;
    }
    corrected
}

/// Letters for items of which some pairs differ: two items share a letter exactly if they do not differ. Items come in their order of
/// merit; `a` is among the letters of the first.
///
/// # Source
/// The insert-and-absorb algorithm of Piepho, "An Algorithm for a Letter-Based Representation of All-Pairwise Comparisons", Journal of
/// Computational and Graphical Statistics 13 (2004).
pub fn letters(items: usize, differ: impl Fn(usize, usize) -> bool) -> Vec<String> {
    let mut groups: Vec<Vec<bool>> = vec![vec![true; items]];
    for first in 0..items {
        for second in first + 1..items {
            if !differ(first, second) {
                continue;
            }
            let (both, mut kept): (Vec<_>, Vec<_>) =
                groups.into_iter().partition(|group| group[first] && group[second]);
            for group in both {
                for without in [first, second] {
                    let mut part = group.clone();
                    part[without] = false;
                    let is_part_of =
                        |group: &Vec<bool>| part.iter().zip(group).all(|(&part, &all)| !part || all);
                    if !kept.iter().any(is_part_of) {
                        kept.push(part);
                    }
                }
            }
            groups = kept;
        }
    }
    // The best members first.
    groups.sort_by(|a, b| b.cmp(a));
    let of_item = |item: usize| {
        let of_group = |(index, group): (usize, &Vec<bool>)| group[item].then(|| letter(index));
        groups.iter().enumerate().filter_map(of_group).collect()
    };
    (0..items).map(of_item).collect()
}

/// `a` to `z`, then `a1` to `z1` and so on.
fn letter(index: usize) -> String {
    let letter = char::from(b'a' + (index % 26) as u8);
    match index / 26 {
        0 => letter.to_string(),
        round => format!("{letter}{round}"),
    }
}

/// The probability that a standard normal variable exceeds `z >= 0`, to a relative 1e-6 or better.
///
/// # Source
/// The continued fraction of Laplace for large `z`, the Taylor series around 0 below (Abramowitz and Stegun, 26.2.10 and 26.2.14).
fn normal_tail(z: f64) -> f64 {
    let density = (-z * z / 2.0).exp() / std::f64::consts::TAU.sqrt();
    if z < 2.5 {
        let (mut term, mut sum, mut odd) = (z, z, 1.0);
        while term > 1e-17 {
            odd += 2.0;
            term *= z * z / odd;
            sum += term;
        }
        return 0.5 - density * sum;
    }
    let fraction = (1..=60).rev().fold(z, |fraction, step| z + f64::from(step) / fraction);
    density / fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs of two classes: `found` of 100 pixels of class 0 per image.
    fn run(found: impl Fn(u64) -> u64) -> Vec<ClassTotals> {
        (0..40)
            .map(|image| ClassTotals {
                correct: vec![found(image), 50],
                ground_truth: vec![100, 50],
                predicted: vec![found(image), 50],
            })
            .collect()
    }

    fn noisy(image: u64) -> u64 {
        60 + image * 17 % 29
    }

    #[test]
    fn a_run_does_not_differ_from_itself() {
        let run = run(noisy);
        let same = paired_bootstrap(AbsentClass::Skipped, &run, &run, 200, 0).expect("images");
        assert_eq!((same.difference, same.low, same.high, same.detectable), (0.0, 0.0, 0.0, 0.0));
        assert_eq!(permutation_test(AbsentClass::Skipped, &run, &run, 200, 0), Some(1.0));
    }

    #[test]
    fn a_small_difference_in_every_image_is_found_though_images_scatter_more() {
        let (first, second) = (run(noisy), run(|image| noisy(image) + 1 + image % 2));
        let found = paired_bootstrap(AbsentClass::Skipped, &first, &second, 500, 0).expect("images");
        assert!((found.difference - 0.0075).abs() < 1e-12, "{found:?}");
        assert!(found.low > 0.0 && found.detectable < found.difference, "{found:?}");
        let p = permutation_test(AbsentClass::Skipped, &first, &second, 500, 0).expect("images");
        assert!(p < 1e-6, "{p}");
        assert_eq!(paired_bootstrap(AbsentClass::Skipped, &first, &second[1..], 500, 0), None);
    }

    #[test]
    fn the_permutation_test_counts_as_an_exact_one_does() {
        // Five images; the second run is better by 1, 2, 3, 4 and worse by 2 pixels of 100. Of the 32 sign patterns of these
        // differences, 8 reach a sum of 8 in absolute value: p = 8 / 32, as enumerated by hand.
        let image =
            |found| ClassTotals { correct: vec![found], ground_truth: vec![100], predicted: vec![found] };
        let first: Vec<_> = [50, 50, 50, 50, 52].map(image).to_vec();
        let second: Vec<_> = [51, 52, 53, 54, 50].map(image).to_vec();
        let p = permutation_test(AbsentClass::Skipped, &first, &second, 20_000, 1).expect("images");
        let exact = (0..32_u32)
            .filter(|signs| {
                let sum: i32 = [1, 2, 3, 4, -2]
                    .iter()
                    .enumerate()
                    .map(|(at, d)| if signs >> at & 1 == 1 { -d } else { *d })
                    .sum();
                sum.abs() >= 8
            })
            .count();
        assert_eq!(exact, 8);
        assert!((p - 0.25).abs() < 0.01, "{p}");
    }

    #[test]
    fn all_pairs_at_once_get_what_each_pair_gets_alone() {
        let runs = [run(noisy), run(|image| noisy(image) + image % 3), run(|image| 95 - image), run(noisy)];
        let slices: Vec<&[ClassTotals]> = runs.iter().map(Vec::as_slice).collect();
        let all = permutation_tests(AbsentClass::Skipped, &slices, 300, 5);
        let pairs = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)];
        assert_eq!(all.len(), pairs.len());
        for ((first, second), found) in pairs.into_iter().zip(all) {
            let alone = permutation_test(AbsentClass::Skipped, &runs[first], &runs[second], 300, 5);
            assert_eq!(found, alone, "{first} {second}");
        }
        assert_eq!(permutation_tests(AbsentClass::Skipped, &[&runs[0], &runs[1][1..]], 9, 0), [None]);
    }

    #[test]
    fn holms_correction_is_that_of_statsmodels() {
        // statsmodels.stats.multitest.multipletests([0.01, 0.04, 0.03, 0.005], method="holm")[1]
        let corrected = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (got, expected) in corrected.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((got - expected).abs() < 1e-15, "{corrected:?}");
        }
    }

    #[test]
    fn items_share_a_letter_exactly_if_they_do_not_differ() {
        assert_eq!(letters(3, |_, _| false), ["a", "a", "a"]);
        assert_eq!(letters(3, |_, _| true), ["a", "b", "c"]);
        assert_eq!(letters(4, |first, second| second - first > 1), ["a", "ab", "bc", "c"]);
        let differ = |first: usize, second: usize| (first * 7 + second * 3) % 4 == 1;
        let letters = letters(9, differ);
        for first in 0..9 {
            for second in first + 1..9 {
                let share = letters[first].chars().any(|letter| letters[second].contains(letter));
                assert_eq!(share, !differ(first, second), "{first} {second} {letters:?}");
            }
        }
    }

    #[test]
    fn normal_tails_are_those_of_scipy() {
        // scipy.stats.norm.sf
        for (z, expected) in [
            (0.0, 0.5),
            (1.0, 0.158_655_253_931),
            (1.959_964, 0.025),
            (3.0, 1.349_898_03e-3),
            (8.0, 6.220_960_57e-16),
        ] {
            assert!((normal_tail(z) / expected - 1.0).abs() < 1e-6, "{z}: {}", normal_tail(z));
        }
    }
}
