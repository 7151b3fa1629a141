//! Boundary loss: probabilities weighted by the distance to the border of their class, negative inside.
//!
//! `sum_i sum_c p_ic D_ic / (N C)` over the `N` labelled pixels; `D_ic` is the distance of pixel `i` to the nearest pixel of class `c` of its image
//! outside the class, and one less the distance to the nearest other pixel inside. A class that is absent, or everywhere, has `D = 0`.
//! The loss can be negative.
//!
//! The seed leaves class 0 out, as `exclude_background` does; class 0 is road in Cityscapes and wall in ADE20K, so it counts by default. The
//! seed's distances leak from one image of the batch into the next, and mean nothing where a class is everywhere.
//!
//! The paper adds the loss to a regional one with a weight that grows while the regional one's falls: weights with `from` and `to`.
//!
//! # Source
//! Kervadec et al., <https://arxiv.org/abs/1812.07032>, equation 5.

use candle_core::Tensor;
use segbench_targets::{ClassDistances, DistanceMap};
use serde::{Deserialize, Serialize};

use super::seed;
use crate::loss::Objective;
use crate::masked::{Block, Masked, Scratch, subset};
use crate::{Form, Loss, Needs, Result, Target};

/// Probabilities weighted by signed distances.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Boundary {
    /// Which code.
    pub form: Form,
    /// Whether class 0 is left out. Default: no; always in the seed's form.
    pub exclude_background: bool,
    /// Classes that count. Default: all.
    pub classes: Vec<usize>,
}

impl Boundary {
    /// The name in commands and files.
    pub const NAME: &'static str = "boundary";
}

impl Loss for Boundary {
    fn needs(&self) -> Needs {
        Needs { distances: true, ..Needs::default() }
    }

    fn validate(&self, classes: Option<usize>) -> Result<()> {
        classes.map_or(Ok(()), |classes| subset(Self::NAME, &self.classes, classes).map(|_| ()))
    }

    fn forward(&self, logits: &Tensor, target: &Target) -> Result<Tensor> {
        self.apply(logits, target)
    }
}

impl Objective for Boundary {
    fn evaluate(&self, batch: &Masked, mut gradient: Option<&mut [f32]>) -> Result<f64> {
        let mut counted = subset(Self::NAME, &self.classes, batch.classes())?;
        if self.exclude_background || self.form == Form::Seed {
            counted.retain(|&class| class != 0);
        }
        let terms = batch.counts().total() as f64 * counted.len() as f64;
        let scale = if terms > 0.0 { 1.0 / terms } else { 0.0 };
        let sum = |image: usize, maps: &[f32], gradient: Option<&mut [f32]>| {
            batch.sum_of_image(image, gradient, |block, scratch| {
                add(batch, block, scratch, maps, &counted, scale)
            })
        };
        let size = batch.classes() * batch.pixels();
        let mut value = 0.0;
        if self.form == Form::Seed {
            let maps = seed_maps(batch)?;
            for image in 0..batch.images() {
                value += sum(image, &maps[image * size..][..size], gradient.as_deref_mut());
            }
            return Ok(value);
        }
        let (mut distances, mut maps) = (ClassDistances::default(), vec![0.0; size]);
        for image in 0..batch.images() {
            distances.maps(batch.target().grid(), batch.labels(image), DistanceMap::Level, &mut maps);
            value += sum(image, &maps, gradient.as_deref_mut());
        }
        Ok(value)
    }
}

/// The block's part of the loss, with the slopes left in the room.
fn add(
    batch: &Masked,
    block: &Block,
    scratch: &mut Scratch,
    maps: &[f32],
    counted: &[usize],
    scale: f64,
) -> f64 {
    let Scratch { probabilities, slopes, .. } = scratch;
    slopes.iter_mut().for_each(|row| row.fill(0.0));
    let mut total = 0.0;
    for &class in counted {
        let map = &maps[class * batch.pixels() + block.start..][..block.labels.len()];
        total += f64::from(segbench_nn::cpu::math::dot(probabilities.row(class), map));
        for (slope, distance) in slopes.row_mut(class).iter_mut().zip(map) {
            *slope = distance * scale as f32;
        }
    }
    total * scale
}

/// The seed's maps, image after image and class after class.
fn seed_maps(batch: &Masked) -> Result<Vec<f32>> {
    let grid = seed::grid(batch, Boundary::NAME)?;
    let labels = batch.target().labels();
    let mut maps = vec![0.0; labels.len() * batch.classes()];
    for class in 0..batch.classes() {
        let holds = |at: usize| usize::from(labels[at]) == class;
        if !(0..labels.len()).any(holds) {
            continue;
        }
        let (inside, outside) = (seed::distances(&grid, holds), seed::distances(&grid, |at| !holds(at)));
        for at in 0..labels.len() {
            let (image, pixel) = (at / batch.pixels(), at % batch.pixels());
            let level = if holds(at) { 1.0 - inside[at] } else { outside[at] };
            maps[(image * batch.classes() + class) * batch.pixels() + pixel] = level as f32;
        }
    }
    Ok(maps)
}
