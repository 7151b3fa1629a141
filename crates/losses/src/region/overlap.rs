//! Sums over the pixels of an image, per class, that region losses are made of, and the way back from slopes in them.

use segbench_nn::cpu::math::{dot, sum_of};
use segbench_nn::vectorized;

use crate::Target;
use crate::masked::{Block, Counts, Masked, Scratch};

/// Sums over the pixels of an image that count, for one class: of the probability `p` and of `g`, which is 1 on pixels of the class.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Overlap {
    /// `sum p g`.
    pub(crate) both: f64,
    /// `sum p`.
    pub(crate) predicted: f64,
    /// `sum g`.
    pub(crate) truth: f64,
    /// `sum (1 - g)`.
    pub(crate) others: f64,
    /// `sum p^2 g`; only where squares are asked for.
    pub(crate) both_squared: f64,
    /// `sum p^2 (1 - g)`; only where squares are asked for.
    pub(crate) others_squared: f64,
}

impl Overlap {
    /// What depends on probabilities, in the order of [`Slopes::PLACES`].
    pub(crate) const PLACES: [fn(&mut Self) -> &mut f64; 4] = [
        |overlap| &mut overlap.both,
        |overlap| &mut overlap.predicted,
        |overlap| &mut overlap.both_squared,
        |overlap| &mut overlap.others_squared,
    ];

    /// The sums over both sets of pixels.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            both: self.both + other.both,
            predicted: self.predicted + other.predicted,
            truth: self.truth + other.truth,
            others: self.others + other.others,
            both_squared: self.both_squared + other.both_squared,
            others_squared: self.others_squared + other.others_squared,
        }
    }
}

/// Slopes of a loss in the sums of an image and class.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Slopes {
    pub(crate) both: f64,
    pub(crate) predicted: f64,
    pub(crate) both_squared: f64,
    pub(crate) others_squared: f64,
}

impl Slopes {
    /// Those in the sums of [`Overlap::PLACES`].
    pub(crate) const PLACES: [fn(&mut Self) -> &mut f64; 4] = [
        |slopes| &mut slopes.both,
        |slopes| &mut slopes.predicted,
        |slopes| &mut slopes.both_squared,
        |slopes| &mut slopes.others_squared,
    ];
}

/// Whether sums of squared probabilities are needed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Squares {
    With,
    Without,
}

/// A loss of the sums: `reduce` gets one [`Overlap`] per image and class, image after image, and gives the value and a slope for each.
pub(crate) fn evaluate(
    batch: &Masked,
    gradient: Option<&mut [f32]>,
    squares: Squares,
    reduce: impl FnOnce(&[Overlap]) -> (f64, Vec<Slopes>),
) -> f64 {
    let (value, slopes) = reduce(&overlaps(batch, squares));
    let Some(gradient) = gradient else { return value };
    let classes = batch.classes();
    batch.sum_over_probabilities(Some(gradient), |block, scratch| {
        let Scratch { probabilities, slopes: out, .. } = scratch;
        let slopes = &slopes[block.image * classes..][..classes];
        for ((out, p), slope) in out.iter_mut().zip(probabilities.iter()).zip(slopes) {
            line(p, slope.predicted as f32, 2.0 * slope.others_squared as f32, out);
        }
        for (pixel, class) in block.counted() {
            let Slopes { both, predicted, both_squared, .. } = slopes[class];
            let p = f64::from(probabilities.at(class, pixel));
            *out.at_mut(class, pixel) = (both + predicted + 2.0 * both_squared * p) as f32;
        }
        0.0
    });
    value
}

vectorized! {
    /// `start + rise * p`.
    fn line<'x>(p: &'x [f32], start: f32, rise: f32, out: &'x mut [f32]) {
        for (out, p) in out.iter_mut().zip(p) {
            *out = rise.mul_add(*p, start);
        }
    }

    fn sum<'x>(p: &'x [f32]) -> f32 {
        sum_of(p, |p| p)
    }

    fn square_sum<'x>(p: &'x [f32]) -> f32 {
        dot(p, p)
    }
}

fn overlaps(batch: &Masked, squares: Squares) -> Vec<Overlap> {
    let classes = batch.classes();
    let of_block = |block: &Block, scratch: &mut Scratch| {
        block.softmax(scratch);
        let mut sums = vec![Overlap::default(); classes];
        for (overlap, p) in sums.iter_mut().zip(scratch.probabilities.iter()) {
            overlap.predicted = sum(p).into();
        }
        for (pixel, class) in block.counted() {
            let p = f64::from(scratch.probabilities.at(class, pixel));
            sums[class].both += p;
            sums[class].both_squared += p * p;
            // Leaves the probabilities of the other classes, whose squares are summed by themselves: as a difference of sums they
            // would drown in its rounding where a class is nearly everywhere.
            *scratch.probabilities.at_mut(class, pixel) = 0.0;
        }
        if squares == Squares::With {
            for (overlap, p) in sums.iter_mut().zip(scratch.probabilities.iter()) {
                overlap.others_squared = square_sum(p).into();
            }
        }
        (block.image, sums)
    };
    let mut overlaps = of_labels(batch.target(), classes);
    for (image, sums) in batch.map(of_block) {
        for (overlap, sum) in overlaps[image * classes..].iter_mut().zip(sums) {
            *overlap = overlap.plus(sum);
        }
    }
    overlaps
}

/// The sums that do not depend on probabilities, one for each image and class.
pub(crate) fn of_labels(target: &Target, classes: usize) -> Vec<Overlap> {
    let counts = Counts::new(target, classes);
    let of_class = |at: usize| {
        let truth = counts.of(at / classes, at % classes);
        let others = counts.image(at / classes) - truth;
        Overlap { truth: truth as f64, others: others as f64, ..Overlap::default() }
    };
    (0..target.batch() * classes).map(of_class).collect()
}
