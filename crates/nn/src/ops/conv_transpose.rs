//! Transposed convolution of maps and of volumes: the gradient of a convolution's input, as an operation of its own.

use candle_core::{Shape, Tensor};

use super::conv::{self, add_bias, bias_gradient, check_bias, filters, maps, shape};
use super::kernels::{Geometry, with_depth};
use super::{on_cpu, unfold};
use crate::cpu::{Backward, Function, Operand, apply};
use crate::{Error, Result};

/// How a transposed convolution spreads its input; arrays go `[height, width]` for maps and `[depth, height, width]` for volumes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvTransposeOptions<const N: usize> {
    /// Steps in the output between two elements of the input; default 1.
    pub stride: [usize; N],
    /// What is cut off before and after each axis of the output, for maps `[[top, bottom], [left, right]]`; default 0.
    pub padding: [[usize; 2]; N],
    /// What is added after each axis of the output, less than stride or dilation; default 0.
    pub output_padding: [usize; N],
    /// Steps between two taps of a window; default 1.
    pub dilation: [usize; N],
    /// Groups of channels that do not see each other; default 1.
    pub groups: usize,
}

/// How a transposed convolution spreads maps.
pub type ConvTranspose2dOptions = ConvTransposeOptions<2>;
/// How a transposed convolution spreads volumes.
pub type ConvTranspose3dOptions = ConvTransposeOptions<3>;

impl<const N: usize> Default for ConvTransposeOptions<N> {
    fn default() -> Self {
        Self { stride: [1; N], padding: [[0; 2]; N], output_padding: [0; N], dilation: [1; N], groups: 1 }
    }
}

impl<const N: usize> ConvTransposeOptions<N> {
    /// The default with `padding` cut off on every side.
    pub fn padded(padding: usize) -> Self {
        Self { padding: [[padding; 2]; N], ..Self::default() }
    }

    /// The size of the output for an input and a kernel; None if nothing is left or a size or an option is zero.
    pub fn output_size(&self, input: [usize; N], kernel: [usize; N]) -> Option<[usize; N]> {
        let mut output = [0; N];
        for (axis, size) in output.iter_mut().enumerate() {
            if self.dilation[axis] == 0 || self.stride[axis] == 0 {
                return None;
            }
            let span = self.dilation[axis] * kernel[axis].checked_sub(1)? + 1;
            let full = input[axis].checked_sub(1)? * self.stride[axis] + span + self.output_padding[axis];
            let [before, after] = self.padding[axis];
            *size = full.checked_sub(before + after).filter(|&size| size > 0)?;
        }
        Some(output)
    }

    /// The sizes of the convolution whose transpose takes `x` by `weight`, or what does not fit.
    fn geometry(&self, x: &[usize], weight: &[usize], bias: Option<&[usize]>) -> Result<Geometry, String> {
        const { assert!(N <= 3) };
        let (batch, inputs, input) = maps(x)?;
        let (expected, per_group, kernel) = filters(weight)?;
        if self.stride.contains(&0) || self.dilation.contains(&0) || self.groups == 0 {
            return Err(format!("stride, dilation and groups must be at least 1, got {self:?}"));
        }
        if expected != inputs {
            return Err(format!("weight {weight:?} expects {expected} channels, got {x:?}"));
        }
        let outputs = per_group * self.groups;
        if inputs == 0 || outputs == 0 || !inputs.is_multiple_of(self.groups) {
            return Err(format!(
                "{} groups do not divide {inputs} channels of weight {weight:?}",
                self.groups
            ));
        }
        check_bias(bias, outputs)?;
        let allowed = |axis: usize| self.stride[axis].max(self.dilation[axis]) - 1;
        if (0..N).any(|axis| self.output_padding[axis] > allowed(axis)) {
            return Err(format!("expected output padding less than stride or dilation, got {self:?}"));
        }
        let Some(output) = self.output_size(input, kernel) else {
            return Err(format!(
                "nothing is left of maps {x:?} by weight {weight:?} with padding {:?}",
                self.padding
            ));
        };
        Ok(Geometry {
            batch,
            channels: outputs,
            outputs: inputs,
            groups: self.groups,
            input: with_depth(output, 1),
            kernel: with_depth(kernel, 1),
            output: with_depth(input, 1),
            stride: with_depth(self.stride, 1),
            padding: with_depth(self.padding.map(|[before, _]| before), 0),
            dilation: with_depth(self.dilation, 1),
        })
    }
}

/// Spreads each element of maps by a kernel and adds up what overlaps, which enlarges them by the stride.
///
/// # Shapes
///
/// `x: (B, I, H, W)`, `weight: (I, O / groups, kernel height, kernel width)`, `bias: (O)`; the result's height is
/// `(H - 1) · stride + dilation · (kernel - 1) + 1 + output padding - padding`.
///
/// # Errors
///
/// [`Error::Shape`] if the sizes do not fit each other or the options.
pub fn conv_transpose2d(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    options: &ConvTranspose2dOptions,
) -> Result<Tensor> {
    convolve_transposed(x, weight, bias, options)
}

/// Spreads volumes by a kernel, as [`conv_transpose2d`] does with maps.
///
/// # Shapes
///
/// `x: (B, I, D, H, W)`, `weight: (I, O / groups, kernel depth, kernel height, kernel width)`, `bias: (O)`.
///
/// # Errors
///
/// [`Error::Shape`] if the sizes do not fit each other or the options.
pub fn conv_transpose3d(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    options: &ConvTranspose3dOptions,
) -> Result<Tensor> {
    convolve_transposed(x, weight, bias, options)
}

pub(crate) fn convolve_transposed<const N: usize>(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    options: &ConvTransposeOptions<N>,
) -> Result<Tensor> {
    let geometry = options
        .geometry(x.dims(), weight.dims(), bias.map(Tensor::dims))
        .map_err(|problem| Error::shape(Transposed::<N>::NAME, problem))?;
    if !on_cpu(&[x, weight]) {
        return Ok(portable::<N>(x, weight, bias, &geometry)?);
    }
    let function = Transposed::<N>(geometry);
    Ok(match bias {
        Some(bias) => apply(function, &[x, weight, bias])?,
        None => apply(function, &[x, weight])?,
    })
}

/// Holds the convolution that is transposed.
struct Transposed<const N: usize>(Geometry);

impl<const N: usize> Function for Transposed<N> {
    const NAME: &'static str = if N == 3 { "conv_transpose3d" } else { "conv_transpose2d" };

    fn forward(&self, inputs: &[Operand]) -> candle_core::Result<(Vec<f32>, Shape)> {
        let (x, weight) = (inputs[0].dense()?, inputs[1].dense()?);
        let bias = inputs.get(2).map(Operand::dense).transpose()?;
        let y = conv::input_gradient(&self.0, &weight, &x, bias.as_deref());
        Ok((y, shape::<N>(self.0.batch, self.0.channels, self.0.input)))
    }

    fn backward(&self, pass: &Backward) -> candle_core::Result<Vec<Option<Vec<f32>>>> {
        let (x, weight, grad) = (pass.inputs[0].dense()?, pass.inputs[1].dense()?, pass.gradient.dense()?);
        let x_grad = pass.wanted[0].then(|| conv::forward(&self.0, &grad, &weight, None));
        let weight_grad = pass.wanted[1].then(|| conv::weight_gradient(&self.0, &grad, &x));
        Ok(vec![x_grad, weight_grad, bias_gradient(pass, &grad)])
    }
}

/// For other devices and number formats: a product that gives all windows, and their sum.
fn portable<const N: usize>(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    geometry: &Geometry,
) -> candle_core::Result<Tensor> {
    let Geometry { batch, channels, outputs, groups, .. } = *geometry;
    let rows = channels / groups * geometry.taps();
    let weight = weight.reshape((1, groups, outputs / groups, rows))?.transpose(2, 3)?;
    let windows = weight.broadcast_matmul(&x.reshape((batch, groups, outputs / groups, ()))?)?;
    let windows = windows.reshape((batch, channels * geometry.taps(), ()))?;
    let y = unfold::add_windows(&windows, geometry)?;
    add_bias(y.reshape(shape::<N>(batch, channels, geometry.input))?, bias)
}
