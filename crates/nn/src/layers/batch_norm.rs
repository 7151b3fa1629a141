//! Batch normalization with parameters and running statistics.

use candle_core::{Tensor, Var};
use candle_nn::{Init, VarBuilder};

use crate::{Context, Result, ops};

/// The constants of a [`BatchNorm2d`].
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
/// does. The buffers are written in place: if the `VarBuilder` hands out variables, their owner sees the new values.
#[derive(Debug)]
pub struct BatchNorm2d {
    weight: Tensor,
    bias: Tensor,
    running_mean: Var,
    running_var: Var,
    config: BatchNormConfig,
}

impl BatchNorm2d {
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
        })
    }

    /// Applies the layer to `x: (B, C, H, W)`.
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
            return Err(crate::Error::shape("BatchNorm2d", problem));
        }
        let (y, batch) = ops::batch_norm_train(x, &weight, &bias, self.config.eps)?;
        let unbiased = (batch.variance * (values as f64 / (values - 1) as f64))?;
        move_towards(&self.running_mean, &batch.mean, self.config.momentum)?;
        move_towards(&self.running_var, &unbiased, self.config.momentum)?;
        Ok(y)
    }
}

fn move_towards(running: &Var, batch: &Tensor, momentum: f64) -> Result<()> {
    let moved = ((running.as_detached_tensor() * (1.0 - momentum))? + (batch * momentum)?)?;
    Ok(running.set(&moved)?)
}
