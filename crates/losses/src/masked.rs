//! Which pixels count: the one place that knows.
//!
//! A pixel whose label is [`IGNORE`] has no class and no prediction: [`Masked::softmax`] gives it the probability 0 for every
//! class, [`Masked::counts`] leaves it out, and it gets no gradient, whatever its logits are, infinite or
//! not a number.

use rayon::prelude::*;
use segbench_nn::cpu::math::exp;
use segbench_nn::vectorized;
use segbench_types::IGNORE;

use crate::{Error, Result, Target};

/// Pixels that are worked on together: their probabilities of all classes stay in the cache.
const BLOCK: usize = 512;

/// Logits with the labels that say which pixels count.
#[derive(Clone, Copy)]
pub(crate) struct Masked<'a> {
    logits: &'a [f32],
    target: &'a Target,
    classes: usize,
}

/// Neighboring pixels of one image.
pub(crate) struct Block<'a> {
    pub(crate) image: usize,
    /// Place of the first pixel in the image.
    pub(crate) start: usize,
    pub(crate) labels: &'a [u8],
    /// One row of logits for each class.
    logits: Vec<&'a [f32]>,
}

/// Numbers per class and pixel of a block, class after class.
pub(crate) struct Rows {
    values: Vec<f32>,
    width: usize,
}

/// How many pixels of each class an image has.
pub(crate) struct Counts {
    classes: usize,
    pixels: Vec<u64>,
}

impl<'a> Masked<'a> {
    /// `logits` are those of the target's size, and every label is a class or ignored.
    pub(crate) fn new(logits: &'a [f32], target: &'a Target, classes: usize) -> Self {
        Self { logits, target, classes }
    }

    pub(crate) fn target(&self) -> &'a Target {
        self.target
    }

    pub(crate) fn classes(&self) -> usize {
        self.classes
    }

    pub(crate) fn images(&self) -> usize {
        self.target.batch()
    }

    /// Pixels of an image, ignored ones included.
    pub(crate) fn pixels(&self) -> usize {
        self.target.grid().len()
    }

    /// The labels of an image.
    pub(crate) fn labels(&self, image: usize) -> &'a [u8] {
        self.target.image(image)
    }

    /// The logits of one class of an image.
    pub(crate) fn plane(&self, image: usize, class: usize) -> &'a [f32] {
        &self.logits[(image * self.classes + class) * self.pixels()..][..self.pixels()]
    }

    fn blocks_of(&self, image: usize) -> impl Iterator<Item = Block<'a>> + use<'a> {
        let this = *self;
        (0..self.pixels()).step_by(BLOCK).map(move |start| {
            let end = (start + BLOCK).min(this.pixels());
            Block {
                image,
                start,
                labels: &this.labels(image)[start..end],
                logits: (0..this.classes).map(|class| &this.plane(image, class)[start..end]).collect(),
            }
        })
    }

    /// Calls `work` with every block and room for its numbers; the results come in the order of the blocks.
    pub(crate) fn map<R: Send>(&self, work: impl Fn(&Block, &mut Scratch) -> R + Send + Sync) -> Vec<R> {
        let blocks: Vec<Block> = (0..self.images()).flat_map(|image| self.blocks_of(image)).collect();
        blocks.par_iter().map_init(Scratch::default, |scratch, block| work(block, scratch)).collect()
    }

    /// Calls `work` with every block of an image, the block's part of the gradient, and room; results come in order.
    pub(crate) fn map_image<R: Send>(
        &self,
        image: usize,
        gradient: &mut [f32],
        work: impl Fn(&Block, &mut [&mut [f32]], &mut Scratch) -> R + Send + Sync,
    ) -> Vec<R> {
        let blocks: Vec<Block> = self.blocks_of(image).collect();
        let parts = self.parts(image, gradient);
        let work = |scratch: &mut Scratch, (block, mut part): (&Block, Vec<&mut [f32]>)| {
            work(block, &mut part, scratch)
        };
        blocks.par_iter().zip(parts).map_init(Scratch::default, work).collect()
    }

    /// As [`Masked::map_image`], for all images.
    pub(crate) fn map_gradient<R: Send>(
        &self,
        gradient: &mut [f32],
        work: impl Fn(&Block, &mut [&mut [f32]], &mut Scratch) -> R + Send + Sync,
    ) -> Vec<R> {
        (0..self.images()).flat_map(|image| self.map_image(image, gradient, &work)).collect()
    }

    /// The sum of `work` over all blocks; `work` finds the block's probabilities in its room and leaves the slopes in them there.
    pub(crate) fn sum_over_probabilities(
        &self,
        mut gradient: Option<&mut [f32]>,
        work: impl Fn(&Block, &mut Scratch) -> f64 + Send + Sync,
    ) -> f64 {
        (0..self.images()).map(|image| self.sum_of_image(image, gradient.as_deref_mut(), &work)).sum()
    }

    /// As [`Masked::sum_over_probabilities`], for one image.
    pub(crate) fn sum_of_image(
        &self,
        image: usize,
        gradient: Option<&mut [f32]>,
        work: impl Fn(&Block, &mut Scratch) -> f64 + Send + Sync,
    ) -> f64 {
        let parts: Vec<f64> = match gradient {
            None => {
                let blocks: Vec<Block> = self.blocks_of(image).collect();
                let value = |scratch: &mut Scratch, block: &Block| block.with_probabilities(scratch, &work);
                blocks.par_iter().map_init(Scratch::default, value).collect()
            }
            Some(gradient) => self.map_image(image, gradient, |block, gradient, scratch| {
                let value = block.with_probabilities(scratch, &work);
                descend(scratch, gradient);
                value
            }),
        };
        parts.into_iter().sum()
    }

    /// Per pixel of the batch: the largest logit and one over the sum of the exponentials relative to it.
    pub(crate) fn normalizers(&self) -> Vec<(f32, f32)> {
        let blocks = self.map(|block, scratch| {
            block.normalize(scratch);
            let pairs = scratch.largest.iter().zip(&scratch.sum);
            pairs.map(|(&largest, &sum)| (largest, 1.0 / sum)).collect::<Vec<_>>()
        });
        blocks.concat()
    }

    /// Writes the probabilities of a class of an image, those of ignored pixels too.
    pub(crate) fn probabilities(
        &self,
        image: usize,
        class: usize,
        normalizers: &[(f32, f32)],
        out: &mut [f32],
    ) {
        let normalizers = &normalizers[image * self.pixels()..][..self.pixels()];
        probabilities(self.plane(image, class), normalizers, out);
    }

    /// Turns the slopes in all probabilities, which stand where the gradient belongs, into the gradient.
    pub(crate) fn descend(&self, gradient: &mut [f32]) {
        self.map_gradient(gradient, |block, gradient, scratch| {
            block.softmax(scratch);
            let Scratch { slopes, .. } = scratch;
            slopes.resize(gradient.len(), block.labels.len());
            slopes.iter_mut().zip(&*gradient).for_each(|(slopes, found)| slopes.copy_from_slice(found));
            descend(scratch, gradient);
        });
    }

    /// For each block of an image, its rows of the gradient.
    fn parts<'g>(&self, image: usize, gradient: &'g mut [f32]) -> Vec<Vec<&'g mut [f32]>> {
        let size = self.classes * self.pixels();
        let planes = gradient[image * size..][..size].chunks_exact_mut(self.pixels().max(1));
        let mut rows: Vec<_> = planes.map(|plane| plane.chunks_mut(BLOCK)).collect();
        let blocks = self.pixels().div_ceil(BLOCK);
        (0..blocks).map(|_| rows.iter_mut().filter_map(Iterator::next).collect()).collect()
    }
}

/// Room that a thread uses for one block after the other.
#[derive(Default)]
pub(crate) struct Scratch {
    /// Probabilities.
    pub(crate) probabilities: Rows,
    /// Slopes of the loss in the probabilities.
    pub(crate) slopes: Rows,
    /// Per pixel: the largest logit, and what its exponentials sum up to relative to that one's; [`Block::softmax`] leaves one over
    /// that.
    pub(crate) largest: Vec<f32>,
    pub(crate) sum: Vec<f32>,
}

impl Default for Rows {
    fn default() -> Self {
        Self { values: Vec::new(), width: 1 }
    }
}

impl Rows {
    pub(crate) fn resize(&mut self, classes: usize, width: usize) {
        self.width = width;
        self.values.resize(classes * width, 0.0);
    }

    pub(crate) fn row_mut(&mut self, class: usize) -> &mut [f32] {
        &mut self.values[class * self.width..][..self.width]
    }

    pub(crate) fn at(&self, class: usize, pixel: usize) -> f32 {
        self.values[class * self.width + pixel]
    }

    pub(crate) fn at_mut(&mut self, class: usize, pixel: usize) -> &mut f32 {
        &mut self.values[class * self.width + pixel]
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.width)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut [f32]> {
        self.values.chunks_exact_mut(self.width)
    }
}

impl Block<'_> {
    /// The pixels that count, as place in the block and class.
    pub(crate) fn counted(&self) -> impl Iterator<Item = (usize, usize)> {
        let counts = |&(_, &label): &(usize, &u8)| label != IGNORE;
        self.labels.iter().enumerate().filter(counts).map(|(pixel, &label)| (pixel, usize::from(label)))
    }

    pub(crate) fn logit(&self, class: usize, pixel: usize) -> f32 {
        self.logits[class][pixel]
    }

    /// Fills `largest` and `sum` of the scratch.
    pub(crate) fn normalize(&self, scratch: &mut Scratch) {
        let Scratch { largest, sum, .. } = scratch;
        largest.clear();
        largest.resize(self.labels.len(), f32::NEG_INFINITY);
        sum.clear();
        sum.resize(self.labels.len(), 0.0);
        normalize(&self.logits, largest, sum);
    }

    fn with_probabilities<R>(&self, scratch: &mut Scratch, work: impl Fn(&Self, &mut Scratch) -> R) -> R {
        self.softmax(scratch);
        scratch.slopes.resize(self.logits.len(), self.labels.len());
        work(self, scratch)
    }

    /// Fills `probabilities` of the scratch; ignored pixels get 0.
    pub(crate) fn softmax(&self, scratch: &mut Scratch) {
        let Scratch { largest, sum, probabilities, .. } = scratch;
        largest.clear();
        largest.resize(self.labels.len(), f32::NEG_INFINITY);
        sum.clear();
        sum.resize(self.labels.len(), 0.0);
        probabilities.resize(self.logits.len(), self.labels.len());
        softmax(&self.logits, self.labels, largest, sum, &mut probabilities.values);
    }
}

/// Turns slopes in the probabilities into slopes in the logits, `p_c (s_c - sum_k p_k s_k)`; 0 at ignored pixels, where all `p` are.
fn descend(scratch: &mut Scratch, gradient: &mut [&mut [f32]]) {
    let Scratch { probabilities, slopes, sum, .. } = scratch;
    sum.fill(0.0);
    for (p, slope) in probabilities.iter().zip(slopes.iter()) {
        add_products(p, slope, sum);
    }
    for ((gradient, p), slope) in gradient.iter_mut().zip(probabilities.iter()).zip(slopes.iter()) {
        through_softmax(p, slope, sum, gradient);
    }
}

vectorized! {
    fn normalize<'x>(logits: &'x [&'x [f32]], largest: &'x mut [f32], sum: &'x mut [f32]) {
        for row in logits {
            for (largest, x) in largest.iter_mut().zip(*row) {
                *largest = if *x > *largest { *x } else { *largest };
            }
        }
        for row in logits {
            for ((sum, x), largest) in sum.iter_mut().zip(*row).zip(&*largest) {
                *sum += exp(x - largest);
            }
        }
    }

    fn softmax<'x>(
        logits: &'x [&'x [f32]], labels: &'x [u8], largest: &'x mut [f32], sum: &'x mut [f32], out: &'x mut [f32],
    ) {
        for row in logits {
            for (largest, x) in largest.iter_mut().zip(*row) {
                *largest = if *x > *largest { *x } else { *largest };
            }
        }
        let width = labels.len();
        for (row, out) in logits.iter().zip(out.chunks_exact_mut(width)) {
            for (((out, x), largest), sum) in out.iter_mut().zip(*row).zip(&*largest).zip(&mut *sum) {
                *out = exp(x - largest);
                *sum += *out;
            }
        }
        for sum in &mut *sum {
            *sum = 1.0 / *sum;
        }
        for out in out.chunks_exact_mut(width) {
            for ((out, factor), label) in out.iter_mut().zip(&*sum).zip(labels) {
                let p = *out * factor;
                *out = if *label == IGNORE { 0.0 } else { p };
            }
        }
    }

    fn probabilities<'x>(logits: &'x [f32], normalizers: &'x [(f32, f32)], out: &'x mut [f32]) {
        for ((out, x), (largest, factor)) in out.iter_mut().zip(logits).zip(normalizers) {
            *out = exp(x - largest) * factor;
        }
    }

    fn add_products<'x>(a: &'x [f32], b: &'x [f32], sum: &'x mut [f32]) {
        for ((sum, a), b) in sum.iter_mut().zip(a).zip(b) {
            *sum = a.mul_add(*b, *sum);
        }
    }

    fn through_softmax<'x>(p: &'x [f32], slope: &'x [f32], mean: &'x [f32], out: &'x mut [f32]) {
        for (((out, p), slope), mean) in out.iter_mut().zip(p).zip(slope).zip(mean) {
            *out = p * (slope - mean);
        }
    }
}

impl Counts {
    pub(crate) fn new(target: &Target, classes: usize) -> Self {
        let of_image = |image| {
            let mut pixels = [0_u64; 256];
            target.image(image).iter().for_each(|&label| pixels[usize::from(label)] += 1);
            pixels.into_iter().take(classes).collect::<Vec<_>>()
        };
        Self { classes, pixels: (0..target.batch()).flat_map(of_image).collect() }
    }

    pub(crate) fn of(&self, image: usize, class: usize) -> u64 {
        self.pixels[image * self.classes + class]
    }

    /// Pixels of an image that count.
    pub(crate) fn image(&self, image: usize) -> u64 {
        self.pixels[image * self.classes..][..self.classes].iter().sum()
    }

    /// Pixels of the batch that count.
    pub(crate) fn total(&self) -> u64 {
        self.pixels.iter().sum()
    }
}

/// The classes that count: the given ones, or all.
///
/// # Errors
/// [`Error::Option`] for one that the network does not have.
pub(crate) fn subset(loss: &'static str, given: &[usize], classes: usize) -> Result<Vec<usize>> {
    if let Some(wrong) = given.iter().find(|&&class| class >= classes) {
        let problem = format!("`classes` has {wrong}, expected 0 to {}", classes.saturating_sub(1));
        return Err(Error::Option { loss, problem });
    }
    Ok(if given.is_empty() { (0..classes).collect() } else { given.to_vec() })
}

/// The weight of a pixel by its label: that of its class, 1 without weights, and 0 for ignored pixels and classes that do not count.
///
/// # Errors
/// [`Error::Size`] unless there is a weight for each class, [`Error::ClassWeight`] for one that is negative or not finite.
pub(crate) fn pixel_weights(
    classes: usize,
    class_weights: Option<&[f32]>,
    counted: &[usize],
) -> Result<[f32; 256]> {
    if let Some(given) = class_weights {
        if given.len() != classes {
            let (got, expected) = (vec![given.len()], vec![classes]);
            return Err(Error::Size { what: "the list of class weights", got, expected });
        }
        let wrong = |weight: &f32| !weight.is_finite() || *weight < 0.0;
        if let Some(class) = given.iter().position(wrong) {
            return Err(Error::ClassWeight { class, weight: given[class] });
        }
    }
    let mut weights = [0.0; 256];
    for &class in counted.iter().filter(|&&class| class != usize::from(IGNORE)) {
        weights[class] = class_weights.map_or(1.0, |given| given[class]);
    }
    Ok(weights)
}
