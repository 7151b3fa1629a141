//! Convolution of maps and of volumes.

use candle_core::{Shape, Tensor};

use super::kernels::{Geometry, depthwise, rows, unfolded, with_depth};
use super::{on_cpu, unfold};
use crate::cpu::{Backward, Function, Operand, apply, share_chunks};
use crate::{Error, Result};

/// How a convolution moves over its input; arrays go `[height, width]` for maps and `[depth, height, width]` for volumes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvOptions<const N: usize> {
    /// Steps between two windows; default 1.
    pub stride: [usize; N],
    /// Zeros added before and after each axis, for maps `[[top, bottom], [left, right]]`; default 0.
    pub padding: [[usize; 2]; N],
    /// Steps between two taps of a window; default 1.
    pub dilation: [usize; N],
    /// Groups of channels that do not see each other; default 1, and as many as there are channels for a depthwise convolution.
    pub groups: usize,
}

/// How a convolution moves over maps.
pub type Conv2dOptions = ConvOptions<2>;
/// How a convolution moves over volumes.
pub type Conv3dOptions = ConvOptions<3>;

impl<const N: usize> Default for ConvOptions<N> {
    fn default() -> Self {
        Self { stride: [1; N], padding: [[0; 2]; N], dilation: [1; N], groups: 1 }
    }
}

impl<const N: usize> ConvOptions<N> {
    /// The default with `padding` zeros on every side.
    ///
    /// # Examples
    ///
    /// ```
    /// use segbench_nn::ops::Conv2dOptions;
    ///
    /// let options = Conv2dOptions { stride: [2; 2], ..Conv2dOptions::padded(1) };
    /// assert_eq!(options.output_size([7, 8], [3, 3]), Some([4, 4]));
    /// ```
    pub fn padded(padding: usize) -> Self {
        Self { padding: [[padding; 2]; N], ..Self::default() }
    }

    /// The size of the output for an input and a kernel; None if the window does not fit or a size or an option is zero.
    pub fn output_size(&self, input: [usize; N], kernel: [usize; N]) -> Option<[usize; N]> {
        let mut output = [0; N];
        for (axis, size) in output.iter_mut().enumerate() {
            if self.dilation[axis] == 0 || input[axis] == 0 {
                return None;
            }
            let span = self.dilation[axis] * kernel[axis].checked_sub(1)? + 1;
            let [before, after] = self.padding[axis];
            let room = (input[axis] + before + after).checked_sub(span)?;
            *size = room.checked_div(self.stride[axis])? + 1;
        }
        Some(output)
    }

    /// The sizes of a convolution of `x` by `weight`, or what does not fit.
    pub(super) fn geometry(
        &self,
        x: &[usize],
        weight: &[usize],
        bias: Option<&[usize]>,
    ) -> Result<Geometry, String> {
        const { assert!(N <= 3) };
        let (batch, channels, input) = maps(x)?;
        let (outputs, inputs, kernel) = filters(weight)?;
        let groups = self.groups;
        if self.stride.contains(&0) || self.dilation.contains(&0) || groups == 0 {
            return Err(format!("stride, dilation and groups must be at least 1, got {self:?}"));
        }
        if inputs * groups != channels {
            let expected = inputs * groups;
            return Err(format!(
                "weight {weight:?} in {groups} groups expects {expected} channels, got {x:?}"
            ));
        }
        if channels == 0 || outputs == 0 || !outputs.is_multiple_of(groups) {
            return Err(format!(
                "{groups} groups do not divide {channels} channels and {outputs} outputs of weight {weight:?}"
            ));
        }
        check_bias(bias, outputs)?;
        let Some(output) = self.output_size(input, kernel) else {
            return Err(format!(
                "a window of weight {weight:?} does not fit into maps {x:?} with padding {:?} and dilation {:?}",
                self.padding, self.dilation
            ));
        };
        Ok(Geometry {
            batch,
            channels,
            outputs,
            groups,
            input: with_depth(input, 1),
            kernel: with_depth(kernel, 1),
            output: with_depth(output, 1),
            stride: with_depth(self.stride, 1),
            padding: with_depth(self.padding.map(|[before, _]| before), 0),
            dilation: with_depth(self.dilation, 1),
        })
    }
}

/// Batch, channels and sizes of maps.
pub(super) fn maps<const N: usize>(x: &[usize]) -> Result<(usize, usize, [usize; N]), String> {
    split(x).ok_or_else(|| {
        format!("expected maps of {} axes (batch, channels and {N} of space), got {x:?}", N + 2)
    })
}

/// The first two axes and the kernel of a weight.
pub(super) fn filters<const N: usize>(weight: &[usize]) -> Result<(usize, usize, [usize; N]), String> {
    split(weight).ok_or_else(|| {
        format!("expected a weight of {} axes (two of channels and {N} of the kernel), got {weight:?}", N + 2)
    })
}

fn split<const N: usize>(dims: &[usize]) -> Option<(usize, usize, [usize; N])> {
    let (&first, rest) = dims.split_first()?;
    let (&second, rest) = rest.split_first()?;
    Some((first, second, rest.try_into().ok()?))
}

pub(super) fn check_bias(bias: Option<&[usize]>, outputs: usize) -> Result<(), String> {
    match bias {
        Some(bias) if bias != [outputs] => Err(format!("expected a bias [{outputs}], got {bias:?}")),
        _ => Ok(()),
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
    convolve(x, weight, bias, options)
}

/// Convolves volumes with a kernel, as [`conv2d`] does with maps.
///
/// # Shapes
///
/// `x: (B, I, D, H, W)`, `weight: (O, I / groups, kernel depth, kernel height, kernel width)`, `bias: (O)`.
///
/// # Errors
///
/// [`Error::Shape`] if the sizes do not fit each other or the options.
pub fn conv3d(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, options: &Conv3dOptions) -> Result<Tensor> {
    convolve(x, weight, bias, options)
}

pub(crate) fn convolve<const N: usize>(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    options: &ConvOptions<N>,
) -> Result<Tensor> {
    let geometry = options
        .geometry(x.dims(), weight.dims(), bias.map(Tensor::dims))
        .map_err(|problem| Error::shape(Convolution::<N>::NAME, problem))?;
    if !on_cpu(&[x, weight]) {
        return Ok(portable(x, weight, bias, options, &geometry)?);
    }
    let function = Convolution::<N>(geometry);
    Ok(match bias {
        Some(bias) => apply(function, &[x, weight, bias])?,
        None => apply(function, &[x, weight])?,
    })
}

struct Convolution<const N: usize>(Geometry);

impl<const N: usize> Function for Convolution<N> {
    const NAME: &'static str = if N == 3 { "conv3d" } else { "conv2d" };

    fn forward(&self, inputs: &[Operand]) -> candle_core::Result<(Vec<f32>, Shape)> {
        let (x, weight) = (inputs[0].dense()?, inputs[1].dense()?);
        let bias = inputs.get(2).map(Operand::dense).transpose()?;
        let y = forward(&self.0, &x, &weight, bias.as_deref());
        Ok((y, shape::<N>(self.0.batch, self.0.outputs, self.0.output)))
    }

    fn backward(&self, pass: &Backward) -> candle_core::Result<Vec<Option<Vec<f32>>>> {
        let (x, weight, grad) = (pass.inputs[0].dense()?, pass.inputs[1].dense()?, pass.gradient.dense()?);
        let x_grad = pass.wanted[0].then(|| input_gradient(&self.0, &weight, &grad, None));
        let weight_grad = pass.wanted[1].then(|| weight_gradient(&self.0, &x, &grad));
        Ok(vec![x_grad, weight_grad, bias_gradient(pass, &grad)])
    }
}

pub(super) fn shape<const N: usize>(batch: usize, channels: usize, sizes: [usize; 3]) -> Shape {
    let mut dims = vec![batch, channels];
    dims.extend_from_slice(&sizes[3 - N..]);
    dims.into()
}

pub(super) fn forward(geometry: &Geometry, x: &[f32], weight: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
    if geometry.is_depthwise() {
        depthwise::forward(geometry, x, weight, bias)
    } else {
        unfolded::forward(geometry, x, weight, bias)
    }
}

pub(super) fn input_gradient(
    geometry: &Geometry,
    weight: &[f32],
    grad: &[f32],
    bias: Option<&[f32]>,
) -> Vec<f32> {
    if geometry.is_depthwise() {
        depthwise::input_gradient(geometry, weight, grad, bias)
    } else {
        unfolded::input_gradient(geometry, weight, grad, bias)
    }
}

pub(super) fn weight_gradient(geometry: &Geometry, x: &[f32], grad: &[f32]) -> Vec<f32> {
    if geometry.is_depthwise() {
        depthwise::weight_gradient(geometry, x, grad)
    } else {
        unfolded::weight_gradient(geometry, x, grad)
    }
}

/// The sum of each channel of the result's gradient, if there is a bias.
pub(super) fn bias_gradient(pass: &Backward, grad: &[f32]) -> Option<Vec<f32>> {
    let &[batch, channels, ref sizes @ ..] = pass.gradient.dims() else { return None };
    let plane: usize = sizes.iter().product();
    (pass.wanted.get(2) == Some(&true)).then(|| {
        let mut sums = vec![0.0; channels];
        share_chunks(&mut sums, 1, |channel, out| {
            let plane_of = |image: usize| &grad[(image * channels + channel) * plane..][..plane];
            out[0] = (0..batch).map(|image| rows::long_sum(plane_of(image))).sum::<f64>() as f32;
        });
        sums
    })
}

/// For other devices and number formats: candle's convolution where it is right and can, otherwise a product with all windows.
#[expect(clippy::disallowed_methods, reason = "candle's convolution, where it is right")]
fn portable<const N: usize>(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    options: &ConvOptions<N>,
    geometry: &Geometry,
) -> candle_core::Result<Tensor> {
    let uniform = |axes: [usize; N]| axes.iter().all(|&value| value == axes[0]);
    let y = if N == 2 && uniform(options.stride) && uniform(options.dilation) {
        // candle finds the gradient's size only where height and width leave the same remainder: drop what no window reaches.
        let mut padded = x.clone();
        for (axis, [before, after]) in options.padding.into_iter().enumerate() {
            let reach = geometry.reach()[3 - N + axis];
            padded = padded.pad_with_zeros(2 + axis, before, after)?.narrow(2 + axis, 0, reach)?;
        }
        padded.contiguous()?.conv2d(weight, 0, options.stride[0], options.dilation[0], options.groups)?
    } else {
        let Geometry { batch, channels, outputs, groups, .. } = *geometry;
        let rows = channels / groups * geometry.taps();
        let windows = unfold::windows(x, geometry)?.reshape((batch, groups, rows, ()))?;
        let weight = weight.reshape((1, groups, outputs / groups, rows))?;
        weight.broadcast_matmul(&windows)?.reshape(shape::<N>(batch, outputs, geometry.output))?
    };
    add_bias(y, bias)
}

pub(super) fn add_bias(y: Tensor, bias: Option<&Tensor>) -> candle_core::Result<Tensor> {
    let Some(bias) = bias else { return Ok(y) };
    let mut dims = vec![1; y.rank()];
    dims[1] = bias.elem_count();
    y.broadcast_add(&bias.reshape(dims)?)
}
