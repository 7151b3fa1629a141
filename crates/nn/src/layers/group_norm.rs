//! Normalization of groups of channels, and of single channels, with parameters.

use candle_core::Tensor;
use candle_nn::{Init, VarBuilder};

use crate::{Context, Error, Result, ops};

/// Normalization of groups of channels of each image; parameters `weight` and `bias`: `(C)`.
#[derive(Debug)]
pub struct GroupNorm {
    groups: usize,
    affine: [Tensor; 2],
    eps: f64,
}

impl GroupNorm {
    /// A layer over `channels` channels in `groups` groups. `eps` has no default because networks differ in it: PyTorch's is 1e-5,
    /// TransUNet's convolutions use 1e-6.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the groups do not divide the channels, [`Error::Candle`] if the parameters are missing or have another
    /// shape.
    pub fn new(groups: usize, channels: usize, eps: f64, vb: VarBuilder) -> Result<Self> {
        if groups == 0 || !channels.is_multiple_of(groups) {
            return Err(Error::shape(
                "GroupNorm",
                format!("{groups} groups do not divide {channels} channels"),
            ));
        }
        Ok(Self { groups, affine: parameters(channels, &vb)?, eps })
    }

    /// Applies the layer to `x: (B, C, ..)`.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if `x` has other channels.
    pub fn forward(&self, x: &Tensor, ctx: &Context) -> Result<Tensor> {
        let [weight, bias] = self.affine.each_ref().map(|tensor| ctx.parameter(tensor));
        ops::group_norm(x, self.groups, Some([&weight, &bias]), self.eps)
    }
}

/// Normalization of each channel of each image, without running statistics; parameters `weight` and `bias`: `(C)`, if it has any.
#[derive(Debug)]
pub struct InstanceNorm {
    affine: Option<[Tensor; 2]>,
    eps: f64,
}

impl InstanceNorm {
    /// A layer without parameters, as PyTorch's is unless asked.
    pub fn new(eps: f64) -> Self {
        Self { affine: None, eps }
    }

    /// A layer with a weight and a bias for each channel.
    ///
    /// # Errors
    ///
    /// [`Error::Candle`] if the parameters are missing or have another shape.
    pub fn affine(channels: usize, eps: f64, vb: VarBuilder) -> Result<Self> {
        Ok(Self { affine: Some(parameters(channels, &vb)?), eps })
    }

    /// Applies the layer to `x: (B, C, ..)`.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if `x` has other channels, or a single value in each.
    pub fn forward(&self, x: &Tensor, ctx: &Context) -> Result<Tensor> {
        let affine = self.affine.as_ref().map(|pair| pair.each_ref().map(|tensor| ctx.parameter(tensor)));
        ops::instance_norm(x, affine.as_ref().map(|pair| pair.each_ref()), self.eps)
    }
}

fn parameters(channels: usize, vb: &VarBuilder) -> Result<[Tensor; 2]> {
    let get = |name, value| vb.get_with_hints(channels, name, Init::Const(value));
    Ok([get("weight", 1.0)?, get("bias", 0.0)?])
}
