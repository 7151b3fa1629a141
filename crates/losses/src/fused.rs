//! Losses on the CPU: one operation of candle's graph each, from slices to a value and a gradient.
//!
//! A loss has one number as its result, so its gradient is known, up to one factor, as soon as its value is. Both are computed
//! together, in the forward pass, and only if somebody will ask for the gradient.

use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{Shape, Tensor};
use segbench_nn::cpu::{self, Backward, Function, Operand};

use crate::batch::Batch;
use crate::boundary::{Errors, weighted};
use crate::distribution::{Pixel, pixelwise};
use crate::loss::Objective;
use crate::masked::Masked;
use crate::region::{Overlap, Slopes, Squares, overlap};
use crate::{Error, Result, Target};

/// The loss of f32 logits on the CPU that fit the target, as a scalar.
pub(crate) fn apply<L: Objective>(
    objective: &L,
    counted: &[usize],
    logits: &Tensor,
    target: &Target,
) -> Result<Tensor> {
    let failure = Arc::default();
    let operation = Operation {
        objective: objective.clone(),
        counted: counted.to_vec(),
        target: target.clone(),
        classes: logits.dims()[1],
        is_gradient_wanted: logits.track_op(),
        gradient: Mutex::new(None),
        failure: Arc::clone(&failure),
    };
    cpu::apply(operation, &[logits]).map_err(|err| take(&failure).unwrap_or(Error::Candle(err)))
}

/// A loss in the graph.
struct Operation<L> {
    objective: L,
    counted: Vec<usize>,
    target: Target,
    classes: usize,
    is_gradient_wanted: bool,
    /// Filled by the forward pass and taken by the first backward pass; further ones compute it again.
    gradient: Mutex<Option<Vec<f32>>>,
    /// Why there is no value: candle's errors have no reason.
    failure: Arc<Mutex<Option<Error>>>,
}

fn take<T>(cell: &Mutex<Option<T>>) -> Option<T> {
    cell.lock().unwrap_or_else(PoisonError::into_inner).take()
}

fn put<T>(cell: &Mutex<Option<T>>, value: T) {
    *cell.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
}

impl<L: Objective> Operation<L> {
    /// The value; 0 if no pixel counts.
    fn evaluate(&self, logits: &[f32], gradient: Option<&mut [f32]>) -> candle_core::Result<f64> {
        if self.target.is_ignored() {
            return Ok(0.0);
        }
        let mut batch = Slices { masked: Masked::new(logits, &self.target, self.classes), gradient };
        self.objective.evaluate(&mut batch, &self.counted).map_err(|err| {
            let shown = candle_core::Error::msg(&err);
            put(&self.failure, err);
            shown
        })
    }
}

impl<L: Objective> Function for Operation<L> {
    const NAME: &'static str = L::NAME;

    fn forward(&self, inputs: &[Operand]) -> candle_core::Result<(Vec<f32>, Shape)> {
        let logits = inputs[0].dense()?;
        let mut gradient = self.is_gradient_wanted.then(|| vec![0.0; logits.len()]);
        let value = self.evaluate(&logits, gradient.as_deref_mut())?;
        if let Some(gradient) = gradient {
            put(&self.gradient, gradient);
        }
        Ok((vec![value as f32], Shape::from(())))
    }

    fn backward(&self, pass: &Backward) -> candle_core::Result<Vec<Option<Vec<f32>>>> {
        let factor = pass.gradient.dense()?.first().copied().unwrap_or_default();
        let mut gradient = match take(&self.gradient) {
            Some(gradient) => gradient,
            None => {
                let logits = pass.inputs[0].dense()?;
                let mut gradient = vec![0.0; logits.len()];
                self.evaluate(&logits, Some(&mut gradient))?;
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

/// Logits as slices, and room for their gradient where it is wanted.
struct Slices<'a> {
    masked: Masked<'a>,
    gradient: Option<&'a mut [f32]>,
}

impl Batch for Slices<'_> {
    type Value = f64;

    fn target(&self) -> &Target {
        self.masked.target()
    }

    fn classes(&self) -> usize {
        self.masked.classes()
    }

    fn losses(&self) -> Result<Vec<f32>> {
        Ok(pixelwise::losses(&self.masked))
    }

    fn predicted(&self) -> Result<Vec<u8>> {
        Ok(weighted::predicted(&self.masked))
    }

    fn sum(&mut self, shape: impl Fn(Pixel) -> (f64, f64) + Send + Sync) -> Result<f64> {
        Ok(pixelwise::sum(&self.masked, self.gradient.as_deref_mut(), shape))
    }

    fn overlaps(
        &mut self,
        squares: Squares,
        reduce: impl FnOnce(&[Overlap]) -> (f64, Vec<Slopes>),
    ) -> Result<f64> {
        Ok(overlap::evaluate(&self.masked, self.gradient.as_deref_mut(), squares, reduce))
    }

    fn weigh(&mut self, errors: Errors, scale: f64, fill: impl FnMut(usize, &mut [f32])) -> Result<f64> {
        Ok(weighted::sum(&self.masked, self.gradient.as_deref_mut(), errors, scale, fill))
    }

    fn evaluate(&mut self, work: impl FnOnce(&Masked, Option<&mut [f32]>) -> Result<f64>) -> Result<f64> {
        work(&self.masked, self.gradient.as_deref_mut())
    }
}
