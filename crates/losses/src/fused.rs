//! From a function of slices to an operation of candle's graph.
//!
//! A loss has one number as its result, so its gradient is known, up to one factor, as soon as its value is. Both are computed
//! together, in the forward pass, and only if somebody will ask for the gradient. Logits on another device are copied to the
//! CPU and the gradient back.

use std::sync::{Mutex, PoisonError};

use candle_core::{DType, Device, Shape, Tensor};
use segbench_nn::cpu::{self, Backward, Function, Operand};
use segbench_types::IGNORE;

use crate::loss::Objective;
use crate::masked::Masked;
use crate::{Error, Result, Target};

/// The loss of logits of any floating-point type on any device, as an f32 scalar.
pub(crate) fn apply(objective: impl Objective, logits: &Tensor, target: &Target) -> Result<Tensor> {
    let classes = check(logits, target)?;
    let logits = logits.to_dtype(DType::F32)?;
    let on_cpu = logits.to_device(&Device::Cpu)?;
    // What cannot be computed is told here, with its reason; candle's errors have none.
    let wanted = logits.track_op();
    let mut gradient = wanted.then(|| vec![0.0; logits.elem_count()]);
    let value = cpu::with_dense(&on_cpu, |values| {
        evaluate(&objective, &Masked::new(values, target, classes), gradient.as_deref_mut())
    })??;
    let known = Known { objective, target: target.clone(), classes, value, gradient: Mutex::new(gradient) };
    if logits.device().is_cpu() {
        return Ok(cpu::apply(known, &[&logits])?);
    }
    elsewhere(&logits, known)
}

/// Checks sizes and labels; the number of classes.
pub(crate) fn check(logits: &Tensor, target: &Target) -> Result<usize> {
    let expected = target.dims();
    let mut got = logits.dims().to_vec();
    let classes = if got.len() > 1 { got.remove(1) } else { 0 };
    if got != expected {
        return Err(Error::Size { what: "the batch of logits", got, expected });
    }
    target.check(classes)?;
    Ok(classes)
}

/// The objective's value; 0 if no pixel counts.
fn evaluate(objective: &impl Objective, batch: &Masked, gradient: Option<&mut [f32]>) -> Result<f64> {
    if batch.target().labels().iter().all(|&label| label == IGNORE) {
        return Ok(0.0);
    }
    objective.evaluate(batch, gradient)
}

/// A value whose slope in each logit is known.
struct Known<L> {
    objective: L,
    target: Target,
    classes: usize,
    value: f64,
    /// Taken by the first backward pass; further ones compute it again.
    gradient: Mutex<Option<Vec<f32>>>,
}

impl<L: Objective> Function for Known<L> {
    const NAME: &'static str = "loss";

    fn forward(&self, _: &[Operand]) -> candle_core::Result<(Vec<f32>, Shape)> {
        Ok((vec![self.value as f32], Shape::from(())))
    }

    fn backward(&self, pass: &Backward) -> candle_core::Result<Vec<Option<Vec<f32>>>> {
        let factor = pass.gradient.dense()?.first().copied().unwrap_or_default();
        let kept = self.gradient.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut gradient = match kept {
            Some(gradient) => gradient,
            None => {
                let logits = pass.inputs[0].dense()?;
                let mut gradient = vec![0.0; logits.len()];
                let batch = Masked::new(&logits, &self.target, self.classes);
                let again = evaluate(&self.objective, &batch, Some(&mut gradient));
                again.map_err(candle_core::Error::wrap)?;
                gradient
            }
        };
        if factor != 1.0 {
            cpu::for_each_chunk(&mut gradient, 1 << 16, |_, chunk| {
                chunk.iter_mut().for_each(|slope| *slope *= factor);
            });
        }
        Ok(vec![Some(gradient)])
    }
}

/// The same from operations of any device: a sum that is 0 and has the gradient, and the value.
fn elsewhere<L>(logits: &Tensor, known: Known<L>) -> Result<Tensor> {
    let value = Tensor::new(known.value as f32, logits.device())?;
    let gradient = known.gradient.into_inner().unwrap_or_else(PoisonError::into_inner);
    let Some(gradient) = gradient else { return Ok(value) };
    let gradient = Tensor::from_vec(gradient, logits.shape(), &Device::Cpu)?.to_device(logits.device())?;
    let nothing = ((logits - logits.detach())? * gradient)?.flatten_all()?;
    Ok((nothing.sum_all()? + value)?)
}
