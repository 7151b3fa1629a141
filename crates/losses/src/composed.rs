//! Losses from operations of tensors, for devices other than the CPU and for f64.
//!
//! What has a gradient stays on the device: probabilities, cross-entropies, sums over pixels. What a loss makes of those is decided on
//! the CPU, from one number per pixel or per class and image, and comes back as the slopes of a linear function of them, which has the loss's
//! gradient; its value is put right by a constant.

use candle_core::{D, DType, Device, Tensor};
use segbench_nn::cpu;
use segbench_nn::ops::{gather, log_softmax, softmax};
use segbench_types::IGNORE;

use crate::batch::Batch;
use crate::boundary::Errors;
use crate::distribution::Pixel;
use crate::loss::Objective;
use crate::masked::Masked;
use crate::region::{Overlap, Slopes, Squares, overlap};
use crate::{Result, Target};

/// The loss of f32 or f64 logits that fit the target, as a scalar of their type.
pub(crate) fn apply<L: Objective>(
    objective: &L,
    counted: &[usize],
    logits: &Tensor,
    target: &Target,
) -> Result<Tensor> {
    let mut batch = Tensors::new(logits, target)?;
    if target.is_ignored() {
        // All logits are 0 and pass no gradient on.
        return with_gradient(0.0, &total(&batch.logits)?);
    }
    objective.evaluate(&mut batch, counted)
}

/// Logits as (B, C, pixels).
struct Tensors<'a> {
    /// 0 at ignored pixels, whatever stood there.
    logits: Tensor,
    target: &'a Target,
    /// The class of every pixel, (B, 1, pixels); 0 at ignored ones.
    labels: Tensor,
    /// 1 at pixels that count, 0 at others, (B, 1, pixels).
    counted: Tensor,
}

impl<'a> Tensors<'a> {
    fn new(logits: &Tensor, target: &'a Target) -> Result<Self> {
        let (device, size) = (logits.device(), (target.batch(), 1, target.grid().len()));
        let labels = target.labels().iter();
        let class = |&label: &u8| if label == IGNORE { 0 } else { u32::from(label) };
        let is_counted = Tensor::from_iter(labels.clone().map(|&label| u8::from(label != IGNORE)), device)?;
        let is_counted = is_counted.reshape(size)?;
        let logits = logits.flatten_from(2)?;
        let nothing = logits.zeros_like()?;
        Ok(Self {
            logits: is_counted.broadcast_as(logits.shape())?.where_cond(&logits, &nothing)?,
            target,
            labels: Tensor::from_iter(labels.map(class), device)?.reshape(size)?,
            counted: is_counted.to_dtype(logits.dtype())?,
        })
    }

    /// (B, C, pixels), 0 at ignored pixels.
    fn probabilities(&self) -> Result<Tensor> {
        Ok(softmax(&self.logits, 1)?.broadcast_mul(&self.counted)?)
    }

    /// 1 where the class is that of the pixel, (B, C, pixels).
    fn truth(&self) -> Result<Tensor> {
        let classes = Tensor::arange(0, self.classes() as u32, self.logits.device())?;
        let classes = classes.reshape((1, self.classes(), 1))?;
        let is_class = self.labels.broadcast_eq(&classes)?.to_dtype(self.logits.dtype())?;
        Ok(is_class.broadcast_mul(&self.counted)?)
    }

    /// The cross-entropy of every pixel, (B, 1, pixels); some number at ignored ones.
    fn cross_entropy(&self) -> Result<Tensor> {
        Ok(gather(&log_softmax(&self.logits, 1)?, &self.labels, 1)?.neg()?)
    }
}

/// The sum of all elements. Two steps: candle reduces a whole tensor with a single block of threads.
fn total(tensor: &Tensor) -> Result<Tensor> {
    Ok(tensor.sum(D::Minus1)?.sum_all()?)
}

/// Numbers from the CPU in the shape and the type of a tensor, and on its device.
fn like(tensor: &Tensor, numbers: &[f64]) -> Result<Tensor> {
    let numbers = Tensor::from_slice(numbers, tensor.shape(), &Device::Cpu)?;
    Ok(numbers.to_dtype(tensor.dtype())?.to_device(tensor.device())?)
}

fn numbers(tensor: &Tensor) -> Result<Vec<f64>> {
    let on_cpu = tensor.detach().to_device(&Device::Cpu)?;
    Ok(on_cpu.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?)
}

/// `value` with the gradient of `linear`.
fn with_gradient(value: f64, linear: &Tensor) -> Result<Tensor> {
    Ok(((linear - linear.detach())? + value)?)
}

impl Batch for Tensors<'_> {
    type Value = Tensor;

    fn target(&self) -> &Target {
        self.target
    }

    fn classes(&self) -> usize {
        self.logits.dims()[1]
    }

    fn losses(&self) -> Result<Vec<f32>> {
        let losses = numbers(&self.cross_entropy()?)?;
        let pixels = losses.into_iter().zip(self.target.labels());
        Ok(pixels
            .map(|(loss, &label)| if label == IGNORE { f32::NEG_INFINITY } else { loss as f32 })
            .collect())
    }

    fn predicted(&self) -> Result<Vec<u8>> {
        let probabilities = self.probabilities()?.detach();
        let largest = numbers(&probabilities.max(1)?)?;
        let classes = probabilities.argmax(1)?.to_device(&Device::Cpu)?.flatten_all()?.to_vec1::<u32>()?;
        let pixels = classes.into_iter().zip(largest);
        Ok(pixels.map(|(class, largest)| if largest > 0.5 { class as u8 } else { IGNORE }).collect())
    }

    fn sum(&mut self, shape: impl Fn(Pixel) -> (f64, f64) + Send + Sync) -> Result<Tensor> {
        let losses = self.cross_entropy()?;
        let mut value = 0.0;
        let of_pixel = |((at, loss), &label): ((usize, f64), &u8)| {
            if label == IGNORE {
                return 0.0;
            }
            let (part, slope) = shape(Pixel { at, class: label.into(), loss });
            value += part;
            slope
        };
        let pixels = numbers(&losses)?.into_iter().enumerate().zip(self.target.labels());
        let slopes: Vec<f64> = pixels.map(of_pixel).collect();
        with_gradient(value, &total(&(&losses * like(&losses, &slopes)?)?)?)
    }

    fn overlaps(
        &mut self,
        squares: Squares,
        reduce: impl FnOnce(&[Overlap]) -> (f64, Vec<Slopes>),
    ) -> Result<Tensor> {
        let (p, truth) = (self.probabilities()?, self.truth()?);
        let of_class = (&p * &truth)?;
        let mut sums = vec![of_class.sum(2)?, p.sum(2)?];
        if squares == Squares::With {
            sums.extend([of_class.sqr()?.sum(2)?, (&p - &of_class)?.sqr()?.sum(2)?]);
        }
        let mut overlaps = overlap::of_labels(self.target, self.classes());
        for (sum, place) in sums.iter().zip(Overlap::PLACES) {
            for (overlap, number) in overlaps.iter_mut().zip(numbers(sum)?) {
                *place(overlap) = number;
            }
        }
        let (value, mut slopes) = reduce(&overlaps);
        let mut linear: Option<Tensor> = None;
        for (sum, place) in sums.iter().zip(Slopes::PLACES) {
            let slopes: Vec<f64> = slopes.iter_mut().map(|slopes| *place(slopes)).collect();
            let part = total(&(sum * like(sum, &slopes)?)?)?;
            linear = Some(linear.map_or(Ok(part.clone()), |linear| linear + &part)?);
        }
        match linear {
            Some(linear) => with_gradient(value, &linear),
            None => Ok(Tensor::new(value, self.logits.device())?.to_dtype(self.logits.dtype())?),
        }
    }

    fn weigh(
        &mut self,
        errors: Errors,
        scale: f64,
        mut fill: impl FnMut(usize, &mut [f32]),
    ) -> Result<Tensor> {
        let p = self.probabilities()?;
        let errors = match errors {
            Errors::Linear => p,
            Errors::Squared => (p - self.truth()?)?.sqr()?,
        };
        let (batch, classes, pixels) = errors.dims3()?;
        let mut weights = vec![0.0; classes * pixels];
        let mut sum = Tensor::zeros((), errors.dtype(), errors.device())?;
        for image in 0..batch {
            fill(image, &mut weights);
            let weights = Tensor::from_slice(&weights, (classes, pixels), errors.device())?;
            sum = (sum + total(&(errors.get(image)? * weights.to_dtype(errors.dtype())?)?)?)?;
        }
        Ok((sum * scale)?)
    }

    fn evaluate(&mut self, work: impl FnOnce(&Masked, Option<&mut [f32]>) -> Result<f64>) -> Result<Tensor> {
        let logits = self.logits.detach().to_device(&Device::Cpu)?.to_dtype(DType::F32)?;
        let mut gradient = self.logits.track_op().then(|| vec![0.0; logits.elem_count()]);
        let value = cpu::with_dense(&logits, |values| {
            work(&Masked::new(values, self.target, self.classes()), gradient.as_deref_mut())
        })??;
        let Some(gradient) = gradient else {
            return Ok(Tensor::new(value, self.logits.device())?.to_dtype(self.logits.dtype())?);
        };
        let gradient = Tensor::from_vec(gradient, self.logits.shape(), &Device::Cpu)?;
        let gradient = gradient.to_device(self.logits.device())?.to_dtype(self.logits.dtype())?;
        with_gradient(value, &total(&(&self.logits * gradient)?)?)
    }
}
