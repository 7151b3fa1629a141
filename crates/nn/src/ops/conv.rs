//! Two-dimensional convolution.

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Device, Layout, Shape, Tensor};

use super::kernels::{Dense, Geometry, depthwise, rows, share_chunks, unfolded};
use super::{on_cpu, portable};
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
        Some(bias) => x.apply_op3(weight, bias, Conv2d(*options))?,
        None => x.apply_op2(weight, Conv2d(*options))?,
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

    fn forward(
        &self,
        (x, x_layout): (&CpuStorage, &Layout),
        (weight, weight_layout): (&CpuStorage, &Layout),
        bias: Option<&[f32]>,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let geometry = self.geometry(x_layout.dims(), weight_layout.dims())?;
        let (x, weight) = (Dense::of_storage(x, x_layout)?, Dense::of_storage(weight, weight_layout)?);
        let y = if geometry.is_depthwise() {
            depthwise::forward(&geometry, &x, &weight, bias)
        } else {
            unfolded::forward(&geometry, &x, &weight, bias)
        };
        let [height, width] = geometry.output;
        Ok((CpuStorage::F32(y), (geometry.batch, geometry.outputs, height, width).into()))
    }

    /// The gradients of the input and the weight.
    fn backward(
        &self,
        x: &Tensor,
        weight: &Tensor,
        grad: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        let geometry = self.geometry(x.dims(), weight.dims())?;
        let x_wanted = x.track_op();
        let (x_grad, weight_grad) = Dense::with(x, |x| {
            Dense::with(weight, |weight| {
                Dense::with(grad, |grad| {
                    if geometry.is_depthwise() {
                        depthwise::backward(&geometry, x, weight, grad)
                    } else {
                        unfolded::backward(&geometry, x, weight, grad, x_wanted)
                    }
                })
            })
        })???;
        let x_grad = x_wanted.then(|| Tensor::from_vec(x_grad, x.shape(), &Device::Cpu)).transpose()?;
        Ok((x_grad, Some(Tensor::from_vec(weight_grad, weight.shape(), &Device::Cpu)?)))
    }
}

/// The sum of each channel of a batch of maps.
fn channel_sums(grad: &Tensor) -> candle_core::Result<Tensor> {
    let (batch, channels, height, width) = grad.dims4()?;
    let plane = height * width;
    let mut sums = vec![0.0; channels];
    Dense::with(grad, |grad| {
        share_chunks(&mut sums, 1, |channel, out| {
            let plane_of = |image: usize| &grad[(image * channels + channel) * plane..][..plane];
            out[0] = (0..batch).map(|image| rows::long_sum(plane_of(image))).sum::<f64>() as f32;
        });
    })?;
    Tensor::from_vec(sums, channels, &Device::Cpu)
}

impl CustomOp2 for Conv2d {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        self.forward((x, x_layout), (weight, weight_layout), None)
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _y: &Tensor,
        grad: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        self.backward(x, weight, grad)
    }
}

impl CustomOp3 for Conv2d {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let bias = Dense::of_storage(bias, bias_layout)?;
        self.forward((x, x_layout), (weight, weight_layout), Some(&bias))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _y: &Tensor,
        grad: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (x_grad, weight_grad) = self.backward(x, weight, grad)?;
        let bias_grad = bias.track_op().then(|| channel_sums(grad)).transpose()?;
        Ok((x_grad, weight_grad, bias_grad))
    }
}
