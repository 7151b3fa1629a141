//! Lovász-softmax: the convex extension of the Jaccard loss of sets of wrong pixels.
//!
//! For a class, the errors `e_i = |g_i - p_i|` of all pixels are sorted from the largest down. Adding pixel after pixel to the set of
//! wrong ones raises the Jaccard loss of the set, and the loss is the sum of `e_i` times what pixel `i` raised it by. Classes that no
//! pixel has are left out, or, with `present: all`, cost their largest error.
//!
//! With `surrogate: hinge` the errors are `max(0, 1 - s_i x_i)` with the logit `x_i` of the class and `s_i` 1 on its pixels, -1 elsewhere.
//!
//! The seed takes raw logits for probabilities, and all classes.
//!
//! A pixel behind the last one of the class raises nothing any more, so only errors as large as the smallest on the class's own pixels
//! are sorted, by their bits.
//!
//! # Source
//! Berman, Triki, Blaschko, <https://arxiv.org/abs/1705.08790>, algorithm 1; equal to mmsegmentation's `LovaszLoss(classes='present')` and
//! segmentation_models.pytorch's.

use rayon::prelude::*;
use segbench_types::IGNORE;
use serde::{Deserialize, Serialize};

use super::Over;
use super::ranking::{Ranked, sort_descending};
use crate::batch::Batch;
use crate::loss::Objective;
use crate::masked::{Counts, Masked};
use crate::{Form, Result};

/// The Lovász extension of the Jaccard loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LovaszSoftmax {
    /// Which code.
    pub form: Form,
    /// What an error is. Default: softmax.
    pub surrogate: Surrogate,
    /// Which classes are averaged. Default: present.
    pub present: Present,
    /// Which pixels are sorted together. Default: those of the batch.
    pub over: Over,
    /// Classes that count. Default: all.
    pub classes: Vec<usize>,
}

/// What an error is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Surrogate {
    /// How far the probability is from 0 or 1.
    #[default]
    Softmax,
    /// How far the logit is from the right side of the margin.
    Hinge,
}

/// Which classes are averaged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Present {
    /// Those that a pixel has.
    #[default]
    Only,
    /// All.
    All,
}

impl Default for LovaszSoftmax {
    fn default() -> Self {
        let (form, surrogate, present, classes) = Default::default();
        Self { form, surrogate, present, over: Over::Batch, classes }
    }
}

/// How errors and their slopes come from logits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Error {
    /// Distance of the probability from 0 or 1; slopes are those in the probability.
    Softmax,
    /// Distance of the logit from 0 or 1.
    Raw,
    Hinge,
}

impl Error {
    /// The error and its slope.
    #[inline(always)]
    fn of(self, x: f32, is_class: bool) -> (f32, f32) {
        match self {
            // Rounding may put a probability above 1.
            Self::Softmax if is_class => (if x > 1.0 { 0.0 } else { 1.0 - x }, -1.0),
            Self::Softmax => (x, 1.0),
            Self::Raw => {
                let difference = x - if is_class { 1.0 } else { 0.0 };
                (difference.abs(), if difference == 0.0 { 0.0 } else { difference.signum() })
            }
            Self::Hinge => {
                let sign = if is_class { 1.0 } else { -1.0 };
                let error = 1.0 - sign * x;
                if error > 0.0 { (error, -sign) } else { (0.0, 0.0) }
            }
        }
    }
}

impl Objective for LovaszSoftmax {
    const NAME: &'static str = "lovasz-softmax";

    fn classes(&self) -> &[usize] {
        &self.classes
    }

    fn evaluate<B: Batch>(&self, batch: &mut B, counted: &[usize]) -> Result<B::Value> {
        batch.evaluate(|batch, gradient| Ok(self.extension(batch, gradient, counted)))
    }
}

impl LovaszSoftmax {
    fn extension(&self, batch: &Masked, mut gradient: Option<&mut [f32]>, counted: &[usize]) -> f64 {
        let (error, all, over) = match (self.form, self.surrogate) {
            (Form::Seed, _) => (Error::Raw, true, Over::Batch),
            (_, Surrogate::Softmax) => (Error::Softmax, self.present == Present::All, self.over),
            (_, Surrogate::Hinge) => (Error::Hinge, self.present == Present::All, self.over),
        };
        let counts = Counts::new(batch.target(), batch.classes());
        let images: Vec<usize> = (0..batch.images()).filter(|&image| counts.image(image) > 0).collect();
        let groups: Vec<&[usize]> = match over {
            Over::Image => images.chunks(1).collect(),
            Over::Batch if images.is_empty() => Vec::new(),
            Over::Batch => vec![&images],
        };
        let normalizers = if error == Error::Softmax { batch.normalizers() } else { Vec::new() };
        let mut planes = planes(batch, gradient.as_deref_mut());
        let mut tasks = Vec::new();
        for images in &groups {
            let pixels = |class: usize| images.iter().map(|&image| counts.of(image, class)).sum::<u64>();
            let averaged: Vec<usize> =
                counted.iter().copied().filter(|&class| all || pixels(class) > 0).collect();
            let share = 1.0 / (averaged.len() * groups.len()).max(1) as f64;
            for class in averaged {
                let mut plane = |&image: &usize| planes[image * batch.classes() + class].take();
                let slopes: Option<Vec<&mut [f32]>> = images.iter().map(&mut plane).collect();
                tasks.push(Task { images, class, pixels: pixels(class), share, slopes });
            }
        }
        let extend = |room: &mut Room, task: Task| task.run(batch, error, &normalizers, room);
        let values: Vec<f64> =
            tasks.into_par_iter().with_max_len(1).map_init(Room::default, extend).collect();
        if let Some(gradient) = gradient.filter(|_| error == Error::Softmax) {
            batch.descend(gradient);
        }
        values.iter().sum()
    }
}

/// The gradient, image after image and class after class.
fn planes<'g>(batch: &Masked, gradient: Option<&'g mut [f32]>) -> Vec<Option<&'g mut [f32]>> {
    match gradient {
        None => (0..batch.images() * batch.classes()).map(|_| None).collect(),
        Some(gradient) => gradient.chunks_exact_mut(batch.pixels().max(1)).map(Some).collect(),
    }
}

/// One class of the images that are sorted together.
struct Task<'t> {
    images: &'t [usize],
    class: usize,
    /// Pixels of the class.
    pixels: u64,
    /// The class's part of the loss.
    share: f64,
    /// Where slopes are left, for each image.
    slopes: Option<Vec<&'t mut [f32]>>,
}

/// Memory that one class after the other uses.
#[derive(Default)]
struct Room {
    /// Probabilities or logits of all pixels that are sorted together.
    predictions: Vec<f32>,
    items: Vec<Ranked>,
    sorted: Vec<Ranked>,
    /// The slope of each pixel.
    slopes: Vec<f32>,
}

impl Task<'_> {
    fn run(mut self, batch: &Masked, error: Error, normalizers: &[(f32, f32)], room: &mut Room) -> f64 {
        let Room { predictions, items, sorted, slopes } = room;
        let size = batch.pixels();
        predictions.resize(self.images.len() * size, 0.0);
        for (out, &image) in predictions.chunks_exact_mut(size).zip(self.images) {
            match error {
                Error::Softmax => batch.probabilities(image, self.class, normalizers, out),
                Error::Raw | Error::Hinge => out.copy_from_slice(batch.plane(image, self.class)),
            }
        }
        // Behind the last pixel of the class nothing rises; without such a pixel the largest error costs everything.
        let mut least = if self.pixels == 0 { 0.0 } else { f32::INFINITY };
        self.for_each(batch, predictions, |_, x, is_class| {
            let (value, _) = error.of(x, is_class);
            if self.pixels == 0 {
                least = value.max(least);
            } else if is_class {
                least = value.min(least);
            }
        });
        items.clear();
        self.for_each(batch, predictions, |at, x, is_class| {
            let (value, _) = error.of(x, is_class);
            // A value that is no number is kept: the loss must not look finite.
            if value >= least || value.is_nan() {
                items.push(Ranked::new(value, (at as u32) << 1 | u32::from(is_class)));
            }
        });
        sort_descending(items, sorted);
        slopes.clear();
        slopes.resize(if self.slopes.is_some() { predictions.len() } else { 0 }, 0.0);
        let (mut inside, mut outside, mut before, mut total) = (0.0, 0.0, 0.0, 0.0);
        let pixels = self.pixels as f64;
        for item in items.iter() {
            let is_class = item.origin() & 1 == 1;
            if is_class {
                inside += 1.0;
            } else {
                outside += 1.0;
            }
            let jaccard = 1.0 - (pixels - inside) / (pixels + outside);
            let rise = (jaccard - before) * self.share;
            before = jaccard;
            total += f64::from(item.value()) * rise;
            let at = (item.origin() >> 1) as usize;
            if let Some(slope) = slopes.get_mut(at) {
                *slope = error.of(predictions[at], is_class).1 * rise as f32;
            }
        }
        for (out, found) in self.slopes.iter_mut().flatten().zip(slopes.chunks_exact(size)) {
            out.copy_from_slice(found);
        }
        total
    }

    /// Calls `visit(place, prediction, is of the class)` for every pixel that counts.
    fn for_each(&self, batch: &Masked, predictions: &[f32], mut visit: impl FnMut(usize, f32, bool)) {
        let size = batch.pixels();
        for (place, (predictions, &image)) in predictions.chunks_exact(size).zip(self.images).enumerate() {
            for (pixel, (&x, &label)) in predictions.iter().zip(batch.labels(image)).enumerate() {
                if label != IGNORE {
                    visit(place * size + pixel, x, usize::from(label) == self.class);
                }
            }
        }
    }
}
