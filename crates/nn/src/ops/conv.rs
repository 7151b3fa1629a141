//! Two-dimensional convolution.

use candle_core::{Shape, Tensor};

use super::kernels::{Geometry, depthwise, rows, unfolded};
use super::{on_cpu, portable};
use crate::cpu::{Backward, Function, Operand, apply, share_chunks};
use crate::{Error, Result};

/// How a convolution moves over its input; every pair is `[height, width]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conv2dOptions {
    /// Steps between two windows; default 1.
    pub stride: [usize; 2],
    /// Zeros added on each side; default 0.
    pub padding: [usize; 2],
    /// Steps between two taps of a window; default 1.
    pub dilation: [usize; 2],
    /// Groups of channels that do not see each other; default 1, and as many as there are channels for a depthwise convolution.
    pub groups: usize,
}

impl Default for Conv2dOptions {
    fn default() -> Self {
        Self { stride: [1; 2], padding: [0; 2], dilation: [1; 2], groups: 1 }
    }
}

impl Conv2dOptions {
    /// The size of the output for an input and a kernel; None if the window does not fit or an option is zero.
    pub fn output_size(&self, input: [usize; 2], kernel: [usize; 2]) -> Option<[usize; 2]> {
        let along = |axis: usize| {
            let span = self.dilation[axis] * kernel[axis].checked_sub(1)? + 1;
            let room = (input[axis] + 2 * self.padding[axis]).checked_sub(span)?;
            if self.dilation[axis] == 0 || input[axis] == 0 {
                None
            } else {
                Some(room.checked_div(self.stride[axis])? + 1)
            }
        };
        Some([along(0)?, along(1)?])
    }
}

/// Convolves maps with a kernel (cross-correlation, as every framework calls convolution).
///
/// # Shapes
///
/// `x: (B, I, H, W)`, `weight: (O, I / groups, kernel height, kernel width)`, `bias: (O)`.
///
/// # Errors
///
/// [`Error::Shape`] if the sizes do not fit each other or the options.
pub fn conv2d(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, options: &Conv2dOptions) -> Result<Tensor> {
    check(x, weight, bias, options)?;
    if !on_cpu(&[x, weight]) {
        return Ok(portable::conv2d(x, weight, bias, options)?);
    }
    Ok(match bias {
        Some(bias) => apply(Conv2d(*options), &[x, weight, bias])?,
        None => apply(Conv2d(*options), &[x, weight])?,
    })
}

fn check(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, options: &Conv2dOptions) -> Result<()> {
    let fits = match (x.dims(), weight.dims()) {
        (&[_, channels, h, w], &[outputs, inputs, kernel_h, kernel_w]) => {
            options.groups > 0
                && inputs > 0
                && outputs > 0
                && channels == inputs * options.groups
                && outputs % options.groups == 0
                && bias.is_none_or(|bias| bias.dims() == [outputs])
                && options.output_size([h, w], [kernel_h, kernel_w]).is_some()
        }
        _ => false,
    };
    if fits {
        return Ok(());
    }
    let bias = bias.map(Tensor::dims);
    let problem =
        format!("weight {:?}, bias {bias:?} and {options:?} do not fit {:?}", weight.dims(), x.dims());
    Err(Error::shape("conv2d", problem))
}

struct Conv2d(Conv2dOptions);

impl Conv2d {
    fn geometry(&self, x: &[usize], weight: &[usize]) -> candle_core::Result<Geometry> {
        if let (&[batch, channels, h, w], &[outputs, _, kernel_h, kernel_w]) = (x, weight)
            && let Some(output) = self.0.output_size([h, w], [kernel_h, kernel_w])
        {
            let (input, kernel) = ([h, w], [kernel_h, kernel_w]);
            return Ok(Geometry { batch, channels, outputs, input, kernel, output, options: self.0 });
        }
        candle_core::bail!("weight {weight:?} does not fit {x:?}")
    }
}

impl Function for Conv2d {
    const NAME: &'static str = "conv2d";

    fn forward(&self, inputs: &[Operand]) -> candle_core::Result<(Vec<f32>, Shape)> {
        let geometry = self.geometry(inputs[0].dims(), inputs[1].dims())?;
        let (x, weight) = (inputs[0].dense()?, inputs[1].dense()?);
        let bias = inputs.get(2).map(Operand::dense).transpose()?;
        let y = if geometry.is_depthwise() {
            depthwise::forward(&geometry, &x, &weight, bias.as_deref())
        } else {
            unfolded::forward(&geometry, &x, &weight, bias.as_deref())
        };
        let [height, width] = geometry.output;
        Ok((y, (geometry.batch, geometry.outputs, height, width).into()))
    }

    fn backward(&self, pass: &Backward) -> candle_core::Result<Vec<Option<Vec<f32>>>> {
        let geometry = self.geometry(pass.inputs[0].dims(), pass.inputs[1].dims())?;
        let (x, weight, grad) = (pass.inputs[0].dense()?, pass.inputs[1].dense()?, pass.gradient.dense()?);
        let (x_grad, weight_grad) = if geometry.is_depthwise() {
            depthwise::backward(&geometry, &x, &weight, &grad)
        } else {
            unfolded::backward(&geometry, &x, &weight, &grad, pass.wanted[0])
        };
        let bias_grad = pass.wanted.get(2).map(|_| channel_sums(&grad, pass.gradient.dims()));
        Ok(vec![pass.wanted[0].then_some(x_grad), Some(weight_grad), bias_grad])
    }
}

/// The sum of each channel of a batch of maps.
fn channel_sums(maps: &[f32], dims: &[usize]) -> Vec<f32> {
    let &[batch, channels, height, width] = dims else { return Vec::new() };
    let plane = height * width;
    let mut sums = vec![0.0; channels];
    share_chunks(&mut sums, 1, |channel, out| {
        let plane_of = |image: usize| &maps[(image * channels + channel) * plane..][..plane];
        out[0] = (0..batch).map(|image| rows::long_sum(plane_of(image))).sum::<f64>() as f32;
    });
    sums
}
