//! Activations: functions of single elements.

use candle_core::{Shape, Tensor};
use candle_nn::ops as candle;

use super::kernels::pointwise::{self, Curve};
use super::kernels::{planes, rows};
use super::on_cpu;
use crate::cpu::{Backward, Function, Operand, apply, for_each_chunk};
use crate::{Error, Result};

/// Elements in one piece of work.
const CHUNK: usize = 1 << 14;

/// Applies a curve with the fused function, or its portable twin elsewhere.
fn apply_curve<C: Curve>(
    curve: C,
    x: &Tensor,
    portable: impl Fn(&Tensor) -> candle_core::Result<Tensor>,
) -> Result<Tensor> {
    if on_cpu(&[x]) { Ok(apply(Pointwise(curve), &[x])?) } else { Ok(portable(x)?) }
}

/// `max(x, 0)`, with the gradient 0 at 0.
///
/// # Errors
///
/// [`Error::Candle`] if the device fails.
pub fn relu(x: &Tensor) -> Result<Tensor> {
    apply_curve(pointwise::Relu, x, Tensor::relu)
}

/// `min(max(x, 0), 6)`, with the gradient 0 at 0 and 6.
///
/// # Errors
///
/// [`Error::Candle`] if the device fails.
pub fn relu6(x: &Tensor) -> Result<Tensor> {
    apply_curve(pointwise::Relu6, x, |x| x.clamp(0.0, 6.0))
}

/// `x` where it is positive, and `slope · x` elsewhere.
///
/// # Errors
///
/// [`Error::Candle`] if the device fails.
pub fn leaky_relu(x: &Tensor, slope: f64) -> Result<Tensor> {
    apply_curve(pointwise::LeakyRelu(slope as f32), x, |x| candle::leaky_relu(x, slope))
}

/// `x` where it is positive, and `alpha · (exp(x) - 1)` elsewhere.
///
/// # Errors
///
/// [`Error::Candle`] if the device fails.
///
/// # Source
///
/// Clevert, Unterthiner, Hochreiter, [Exponential Linear Units](https://arxiv.org/abs/1511.07289).
pub fn elu(x: &Tensor, alpha: f64) -> Result<Tensor> {
    apply_curve(pointwise::Elu(alpha as f32), x, |x| x.elu(alpha))
}

/// `1 / (1 + exp(-x))`.
///
/// # Errors
///
/// [`Error::Candle`] if the device fails.
pub fn sigmoid(x: &Tensor) -> Result<Tensor> {
    apply_curve(pointwise::Sigmoid, x, candle::sigmoid)
}

/// `x · sigmoid(x)`, also called swish.
///
/// # Errors
///
/// [`Error::Candle`] if the device fails.
pub fn silu(x: &Tensor) -> Result<Tensor> {
    apply_curve(pointwise::Silu, x, Tensor::silu)
}

/// The hyperbolic tangent.
///
/// # Errors
///
/// [`Error::Candle`] if the device fails.
pub fn tanh(x: &Tensor) -> Result<Tensor> {
    apply_curve(pointwise::Tanh, x, Tensor::tanh)
}

/// `relu6(x + 3) / 6`, a sigmoid of straight lines.
///
/// # Errors
///
/// [`Error::Candle`] if the device fails.
///
/// # Source
///
/// Howard et al., [Searching for MobileNetV3](https://arxiv.org/abs/1905.02244), section 5.2.
pub fn hard_sigmoid(x: &Tensor) -> Result<Tensor> {
    apply_curve(pointwise::HardSigmoid, x, candle::hard_sigmoid)
}

/// `x · hard_sigmoid(x)`.
///
/// # Errors
///
/// [`Error::Candle`] if the device fails.
///
/// # Source
///
/// Howard et al., [Searching for MobileNetV3](https://arxiv.org/abs/1905.02244), section 5.2.
pub fn hard_swish(x: &Tensor) -> Result<Tensor> {
    apply_curve(pointwise::HardSwish, x, |x| x * candle::hard_sigmoid(x)?)
}

/// The Gaussian error linear unit, `x · Φ(x)`, with the exact normal distribution and not the approximation by tanh.
///
/// # Errors
///
/// [`Error::Candle`] if the device fails.
///
/// # Source
///
/// Hendrycks, Gimpel, [Gaussian Error Linear Units](https://arxiv.org/abs/1606.08415).
pub fn gelu(x: &Tensor) -> Result<Tensor> {
    apply_curve(pointwise::Gelu, x, Tensor::gelu_erf)
}

/// [`gelu`] with the normal distribution approximated by tanh: `nn.GELU(approximate="tanh")` of PyTorch.
///
/// # Errors
///
/// [`Error::Candle`] if the device fails.
pub fn gelu_tanh(x: &Tensor) -> Result<Tensor> {
    apply_curve(pointwise::GeluTanh, x, Tensor::gelu)
}

/// `x` where it is positive, and `weight · x` elsewhere, with one weight for all channels or one for each.
///
/// # Shapes
///
/// `x: (B, C, ..)`, `weight: (1)` or `(C)`.
///
/// # Errors
///
/// [`Error::Shape`] if the sizes do not fit.
///
/// # Source
///
/// He et al., [Delving Deep into Rectifiers](https://arxiv.org/abs/1502.01852), equation 1.
pub fn prelu(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    let channels = x.dims().get(1).copied();
    match weight.dims() {
        &[weights] if weights == 1 || Some(weights) == channels => {}
        dims => {
            let problem = format!("got a weight {dims:?}, expected [1] or the channels of {:?}", x.dims());
            return Err(Error::shape("prelu", problem));
        }
    }
    if on_cpu(&[x, weight]) {
        return Ok(apply(Prelu, &[x, weight])?);
    }
    let mut column = vec![1; x.rank()];
    if let Some(size) = column.get_mut(1) {
        *size = weight.elem_count();
    }
    let falling = (x - x.relu()?)?;
    Ok((x.relu()? + falling.broadcast_mul(&weight.reshape(column)?)?)?)
}

struct Pointwise<C>(C);

/// `size` elements of `data`, the `index`-th such piece.
fn piece(data: &[f32], index: usize, size: usize) -> &[f32] {
    &data[index * size..data.len().min((index + 1) * size)]
}

impl<C: Curve> Function for Pointwise<C> {
    const NAME: &'static str = C::NAME;

    fn forward(&self, inputs: &[Operand]) -> candle_core::Result<(Vec<f32>, Shape)> {
        let x = inputs[0].dense()?;
        let mut y = vec![0.0; x.len()];
        for_each_chunk(&mut y, CHUNK, |index, y| pointwise::map(self.0, piece(&x, index, CHUNK), y));
        Ok((y, inputs[0].dims().into()))
    }

    fn backward(&self, pass: &Backward) -> candle_core::Result<Vec<Option<Vec<f32>>>> {
        let (x, grad) = (pass.inputs[0].dense()?, pass.gradient.dense()?);
        let mut out = vec![0.0; x.len()];
        for_each_chunk(&mut out, CHUNK, |index, out| {
            pointwise::map_gradient(self.0, piece(&x, index, CHUNK), piece(&grad, index, CHUNK), out);
        });
        Ok(vec![Some(out)])
    }
}

struct Prelu;

impl Prelu {
    /// The planes of `x`, where one weight for all makes a batch one plane.
    fn planes(x: &Operand, weight: &Operand) -> planes::Planes {
        match weight.dims() {
            [1] => planes::Planes::of(&[1, 1, x.layout().shape().elem_count()]),
            _ => planes::Planes::of(x.dims()),
        }
    }
}

impl Function for Prelu {
    const NAME: &'static str = "prelu";

    fn forward(&self, inputs: &[Operand]) -> candle_core::Result<(Vec<f32>, Shape)> {
        let planes = Self::planes(&inputs[0], &inputs[1]);
        let (x, weight) = (inputs[0].dense()?, inputs[1].dense()?);
        let mut y = vec![0.0; x.len()];
        planes.for_each_piece(&mut y, |channel, here, y| {
            pointwise::map(pointwise::LeakyRelu(weight[channel]), &x[here], y);
        });
        Ok((y, inputs[0].dims().into()))
    }

    fn backward(&self, pass: &Backward) -> candle_core::Result<Vec<Option<Vec<f32>>>> {
        let planes = Self::planes(&pass.inputs[0], &pass.inputs[1]);
        let (x, weight, grad) = (pass.inputs[0].dense()?, pass.inputs[1].dense()?, pass.gradient.dense()?);
        let mut x_grad = vec![0.0; x.len()];
        planes.for_each_piece(&mut x_grad, |channel, here, out| {
            pointwise::map_gradient(
                pointwise::LeakyRelu(weight[channel]),
                &x[here.clone()],
                &grad[here],
                out,
            );
        });
        let sums = planes.sums(|_, here| rows::long_falling_product(&x[here.clone()], &grad[here]));
        let weight_grad = planes.over_batch(&sums).into_iter().map(|sum| sum as f32).collect();
        Ok(vec![Some(x_grad), Some(weight_grad)])
    }
}
