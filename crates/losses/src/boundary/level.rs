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

use segbench_targets::{ClassDistances, DistanceMap};
use serde::{Deserialize, Serialize};

use super::seed;
use super::weighted::{Errors, leave_out, scale};
use crate::batch::Batch;
use crate::loss::Objective;
use crate::{Form, Needs, Result, Target};

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

impl Objective for Boundary {
    const NAME: &'static str = "boundary";

    fn needs(&self) -> Needs {
        Needs { distances: true, ..Needs::default() }
    }

    fn classes(&self) -> &[usize] {
        &self.classes
    }

    fn evaluate<B: Batch>(&self, batch: &mut B, counted: &[usize]) -> Result<B::Value> {
        let skip_first = self.exclude_background || self.form == Form::Seed;
        let counts = |class: usize| counted.contains(&class) && !(skip_first && class == 0);
        let classes = batch.classes();
        let target = batch.target().clone();
        let scale = scale(&target, classes, (0..classes).filter(|&class| counts(class)).count());
        let maps = match self.form {
            Form::Seed => Some(seed_maps(&target, classes)?),
            Form::Repaired => None,
        };
        let (mut distances, pixels) = (ClassDistances::default(), target.grid().len());
        batch.weigh(Errors::Linear, scale, |image, weights| {
            match &maps {
                Some(maps) => weights.copy_from_slice(&maps[image * classes * pixels..][..classes * pixels]),
                None => distances.maps(target.grid(), target.image(image), DistanceMap::Level, weights),
            }
            leave_out(weights, pixels, |class| !counts(class));
        })
    }
}

/// The seed's maps, image after image and class after class.
fn seed_maps(target: &Target, classes: usize) -> Result<Vec<f32>> {
    let grid = seed::grid(target, Boundary::NAME)?;
    let (labels, pixels) = (target.labels(), target.grid().len());
    let mut maps = vec![0.0; labels.len() * classes];
    for class in 0..classes {
        let holds = |at: usize| usize::from(labels[at]) == class;
        if !(0..labels.len()).any(holds) {
            continue;
        }
        let (inside, outside) = (seed::distances(&grid, holds), seed::distances(&grid, |at| !holds(at)));
        for at in 0..labels.len() {
            let (image, pixel) = (at / pixels, at % pixels);
            let level = if holds(at) { 1.0 - inside[at] } else { outside[at] };
            maps[(image * classes + class) * pixels + pixel] = level as f32;
        }
    }
    Ok(maps)
}
