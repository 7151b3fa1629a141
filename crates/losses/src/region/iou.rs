//! IoU loss, also Jaccard: one minus the intersection over the union.
//!
//! `1 - (I + s) / (P + G - I + s)` with `I = sum p g`, `P = sum p`, `G = sum g` over the pixels of an image, for each class, then the
//! mean over classes and images. A class that is absent has the value `P / (P + s)`.
//!
//! The seed sums over the classes before it divides ([`Average::Micro`]).
//!
//! # Source
//! Rahman, Wang, <https://doi.org/10.1007/978-3-319-50835-1_22>, equation 3; equal to MONAI's `DiceLoss(jaccard=True)` and SegLoss's `IoULoss`.

use serde::{Deserialize, Serialize};

use super::averaging::{Averaging, one_minus};
use super::overlap::{Slopes, Squares};
use super::{Average, Over};
use crate::batch::Batch;
use crate::loss::Objective;
use crate::options::{SMOOTH, not_negative};
use crate::{Form, Result};

/// One minus the intersection over the union.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Iou {
    /// Which code; the seed's is micro.
    pub form: Form,
    /// What is averaged. Default: macro.
    pub average: Average,
    /// Which pixels are summed. Default: those of an image.
    pub over: Over,
    /// `s`, 0 or more. Default 1e-5.
    pub smooth: f64,
    /// Classes that count. Default: all.
    pub classes: Vec<usize>,
}

impl Default for Iou {
    fn default() -> Self {
        let (form, average, over) = Default::default();
        Self { form, average, over, smooth: SMOOTH, classes: Vec::new() }
    }
}

impl Objective for Iou {
    const NAME: &'static str = "iou";

    fn classes(&self) -> &[usize] {
        &self.classes
    }

    fn check(&self, _: Option<usize>) -> Result<()> {
        not_negative(Self::NAME, "smooth", self.smooth)
    }

    fn evaluate<B: Batch>(&self, batch: &mut B, counted: &[usize]) -> Result<B::Value> {
        let classes = batch.classes();
        let average = if self.form == Form::Seed { Average::Micro } else { self.average };
        let averaging = Averaging { average, over: self.over, counted };
        batch.overlaps(Squares::Without, |overlaps| {
            averaging.mean(overlaps, classes, |sums| {
                let union = sums.predicted + sums.truth - sums.both;
                one_minus(
                    (sums.both + self.smooth, Slopes { both: 1.0, ..Slopes::default() }),
                    (union + self.smooth, Slopes { both: -1.0, predicted: 1.0, ..Slopes::default() }),
                )
            })
        })
    }
}
