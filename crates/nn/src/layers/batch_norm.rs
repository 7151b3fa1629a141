//! Batch normalization with parameters and running statistics.

use std::sync::{Mutex, PoisonError};

use candle_core::{Tensor, Var};
use candle_nn::{Init, VarBuilder};

use crate::ops::BatchStatistics;
use crate::{Context, Result, ops};

/// The constants of a [`BatchNorm`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BatchNormConfig {
    /// Added to the variance; default 1e-5.
    pub eps: f64,
    /// The share of a batch in the running statistics; default 0.1.
    pub momentum: f64,
}

impl Default for BatchNormConfig {
    fn default() -> Self {
        Self { eps: 1e-5, momentum: 0.1 }
    }
}

/// Normalization of each channel; parameters `weight` and `bias`, buffers `running_mean` and `running_var`, all `(C)`.
///
/// A training pass normalizes by the batch and moves the running statistics towards it, with the unbiased variance, as PyTorch
/// does. The passes of one optimizer step ([`Context::with_part`]) count as one batch for the running statistics: the last of
/// them moves them towards the mean and variance of all. The buffers are written in place: if the `VarBuilder` hands out
/// variables, their owner sees the new values.
#[derive(Debug)]
pub struct BatchNorm {
    weight: Tensor,
    bias: Tensor,
    running_mean: Var,
    running_var: Var,
    config: BatchNormConfig,
    /// What the passes of the current optimizer step have seen.
    seen: Mutex<Option<Seen>>,
}

impl BatchNorm {
    /// A layer over `channels` channels.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Candle`] if the parameters are missing or have another shape.
    pub fn new(channels: usize, config: BatchNormConfig, vb: VarBuilder) -> Result<Self> {
        let get = |name, value| vb.get_with_hints(channels, name, Init::Const(value));
        Ok(Self {
            weight: get("weight", 1.0)?,
            bias: get("bias", 0.0)?,
            running_mean: Var::from_tensor(&get("running_mean", 0.0)?)?,
            running_var: Var::from_tensor(&get("running_var", 1.0)?)?,
            config,
            seen: Mutex::new(None),
        })
    }

    /// Applies the layer to `x: (B, C, ..)`.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Shape`] if `x` has other channels or a batch has a single value per channel, which has no variance.
    pub fn forward(&self, x: &Tensor, ctx: &Context) -> Result<Tensor> {
        let (weight, bias) = (ctx.parameter(&self.weight), ctx.parameter(&self.bias));
        if !ctx.is_training() {
            return ops::batch_norm_eval(
                x,
                &weight,
                &bias,
                &self.running_mean,
                &self.running_var,
                self.config.eps,
            );
        }
        let values = x.elem_count() / self.weight.elem_count().max(1);
        if values < 2 {
            let problem = format!("cannot train on one value per channel: {:?}", x.dims());
            return Err(crate::Error::shape("BatchNorm", problem));
        }
        let (y, batch) = ops::batch_norm_train(x, &weight, &bias, self.config.eps)?;
        self.note(Seen { batch, values: values as f64 }, ctx)?;
        Ok(y)
    }

    /// Moves the running statistics, or keeps what was seen for the last pass of the optimizer step.
    fn note(&self, seen: Seen, ctx: &Context) -> Result<()> {
        let (part, parts) = ctx.part();
        let mut before = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = match before.take() {
            // A step that was given up leaves something behind, which the first pass of the next one drops.
            Some(before) if part > 0 => before.and(seen)?,
            _ => seen,
        };
        if part + 1 < parts {
            *before = Some(seen);
            return Ok(());
        }
        let unbiased = (seen.batch.variance * (seen.values / (seen.values - 1.0)))?;
        move_towards(&self.running_mean, &seen.batch.mean, self.config.momentum)?;
        move_towards(&self.running_var, &unbiased, self.config.momentum)
    }
}

/// Statistics and how many values of each channel they are of.
#[derive(Debug)]
struct Seen {
    batch: BatchStatistics,
    values: f64,
}

impl Seen {
    /// The statistics of both together.
    fn and(self, other: Self) -> Result<Self> {
        let values = self.values + other.values;
        let (first, second) = (self.values / values, other.values / values);
        let apart = (&other.batch.mean - &self.batch.mean)?;
        let mean = (self.batch.mean + (&apart * second)?)?;
        let within = ((self.batch.variance * first)? + (other.batch.variance * second)?)?;
        let variance = (within + (apart.sqr()? * (first * second))?)?;
        Ok(Self { batch: BatchStatistics { mean, variance }, values })
    }
}

fn move_towards(running: &Var, batch: &Tensor, momentum: f64) -> Result<()> {
    let moved = ((running.as_detached_tensor() * (1.0 - momentum))? + (batch * momentum)?)?;
    Ok(running.set(&moved)?)
}
