//! TopK: the mean cross-entropy of the hardest pixels.
//!
//! `sum_{i in K} l_i / |K|`, where `K` are the `k` percent of the labelled pixels with the largest cross-entropy `l_i`, at least one.
//! With a `threshold`, `K` are all pixels whose true class has a lower probability than it, but no fewer than those `k` percent: online
//! hard example mining. Of equally hard pixels the first in reading order are kept.
//!
//! The formula in the seed divides by all pixels; its code, and this, by those kept. The seed's code accepts class weights and an
//! ignore label and drops both, and keeps nothing where `k` percent are less than a pixel.
//!
//! # Source
//! Wu, Shen, van den Hengel, <https://arxiv.org/abs/1605.06885>; Shrivastava et al., <https://arxiv.org/abs/1604.03540>; `OHEMPixelSampler`
//! of mmsegmentation, whose `min_kept` is a number where `k` is a part.

use serde::{Deserialize, Serialize};

use crate::batch::Batch;
use crate::loss::Objective;
use crate::{Error, Form, Result};

/// The mean cross-entropy of the hardest pixels of the batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TopK {
    /// Which code.
    pub form: Form,
    /// Percent of the pixels that are kept, above 0 and up to 100. Default 10.
    pub k: f64,
    /// Pixels below this probability are all kept, 0 to 1. Default: none; mmsegmentation's configurations 0.7.
    pub threshold: Option<f64>,
    /// Classes whose pixels count. Default: all.
    pub classes: Vec<usize>,
}

impl Default for TopK {
    fn default() -> Self {
        Self { form: Form::Repaired, k: 10.0, threshold: None, classes: Vec::new() }
    }
}

impl TopK {
    /// How many of `counted` pixels are kept at least.
    fn least(&self, counted: usize) -> usize {
        let part = (counted as f64 * self.k / 100.0) as usize;
        if self.form == Form::Seed { part } else { part.max(1) }.min(counted)
    }
}

impl Objective for TopK {
    const NAME: &'static str = "topk";

    fn classes(&self) -> &[usize] {
        &self.classes
    }

    fn check(&self, _: Option<usize>) -> Result<()> {
        let wrong = |problem| Err(Error::Option { loss: Self::NAME, problem });
        if !(self.k > 0.0 && self.k <= 100.0) {
            return wrong(format!("`k` is {}, expected above 0 and up to 100 percent", self.k));
        }
        if let Some(threshold) = self.threshold.filter(|threshold| !(0.0..=1.0).contains(threshold)) {
            return wrong(format!("`threshold` is {threshold}, expected 0 to 1"));
        }
        Ok(())
    }

    fn evaluate<B: Batch>(&self, batch: &mut B, counted: &[usize]) -> Result<B::Value> {
        let losses = batch.losses()?;
        let labels = batch.target().labels();
        let mut is_counted = [false; 256];
        counted.iter().for_each(|&class| is_counted[class] = true);
        let counts = |at: usize| losses[at] != f32::NEG_INFINITY && is_counted[usize::from(labels[at])];
        let mut hardest: Vec<(f32, u32)> =
            (0..losses.len()).filter(|&at| counts(at)).map(|at| (losses[at], at as u32)).collect();
        let mut kept = self.least(hardest.len());
        if let (Some(threshold), Form::Repaired) = (self.threshold, self.form) {
            let least_loss = -threshold.ln();
            kept = kept.max(hardest.iter().filter(|(loss, _)| f64::from(*loss) > least_loss).count());
        }
        if kept == 0 {
            return batch.sum(|_| (0.0, 0.0));
        }
        hardest.select_nth_unstable_by(kept - 1, |a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let mut is_kept = vec![false; losses.len()];
        hardest[..kept].iter().for_each(|&(_, at)| is_kept[at as usize] = true);
        let share = 1.0 / kept as f64;
        batch.sum(|pixel| if is_kept[pixel.at] { (pixel.loss * share, share) } else { (0.0, 0.0) })
    }
}
