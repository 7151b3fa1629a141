//! AdamW with decoupled weight decay and clipping by the global norm.
//!
//! # Source
//! Loshchilov & Hutter 2019, "Decoupled Weight Decay Regularization", algorithm 2, with PyTorch's order of operations
//! (`torch.optim.AdamW`, `torch.nn.utils.clip_grad_norm_`, PyTorch 2.6). Parameters of one dimension, which are biases and the
//! scales of normalizations, do not decay, as in mmsegmentation's SegFormer configurations.

use std::cell::RefCell;
use std::collections::BTreeMap;

use candle_core::backprop::GradStore;
use candle_core::{CpuStorage, Device, InplaceOp2, Layout, Storage, Tensor, Var};
use rayon::prelude::*;
use segbench_nn::weights::Parameters;

use crate::{Error, TrainOptions};

/// Keeps the division away from zero. PyTorch's default.
const EPSILON: f32 = 1e-8;
/// What PyTorch adds to the norm before it divides by it.
const CLIP_EPSILON: f64 = 1e-6;
/// How the names of the decode head's tensors begin.
const HEAD: &str = "decode_head.";
const FIRST: &str = "first_moment/";
const SECOND: &str = "second_moment/";

/// The optimizer and its memory.
pub(crate) struct AdamW {
    parameters: Vec<Parameter>,
}

struct Parameter {
    name: String,
    var: Var,
    first: Vec<f32>,
    second: Vec<f32>,
}

impl AdamW {
    /// Starts with moments of zero.
    pub(crate) fn new(parameters: &Parameters) -> Self {
        let with_moments = |(name, var): (String, Var)| {
            let count = var.elem_count();
            Parameter { name, var, first: vec![0.0; count], second: vec![0.0; count] }
        };
        Self { parameters: parameters.trainable().into_iter().map(with_moments).collect() }
    }

    /// The norm of the gradient of all parameters together.
    pub(crate) fn gradient_norm(&self, gradients: &GradStore) -> Result<f64, Error> {
        let squares = self.parameters.par_iter().map(|parameter| match gradients.get(&parameter.var) {
            None => Ok(0.0),
            Some(gradient) => with_values(&gradient.contiguous()?, |values| {
                values.iter().map(|&value| f64::from(value) * f64::from(value)).sum::<f64>()
            }),
        });
        // Collected first, so that the sum has one order.
        let squares: Vec<f64> = squares.collect::<candle_core::Result<_>>()?;
        Ok(squares.iter().sum::<f64>().sqrt())
    }

    /// Moves every parameter that has a gradient. `step` counts from 1; `norm` is that of [`AdamW::gradient_norm`].
    pub(crate) fn step(
        &mut self,
        gradients: &GradStore,
        options: &TrainOptions,
        step: u64,
        learning_rate: f64,
        norm: f64,
    ) -> Result<(), Error> {
        let clip = options.grad_clip.map_or(1.0, |limit| (limit / (norm + CLIP_EPSILON)).min(1.0));
        let moved = self.parameters.par_iter_mut().map(|parameter| {
            let Some(gradient) = gradients.get(&parameter.var) else { return Ok(()) };
            let head = if parameter.name.starts_with(HEAD) { options.head_lr_multiplier } else { 1.0 };
            let decay = if parameter.var.rank() > 1 { options.weight_decay } else { 0.0 };
            let update = Update::new(learning_rate * head, decay, options.betas, step, clip as f32);
            let moments =
                Moments { update, state: RefCell::new((&mut parameter.first, &mut parameter.second)) };
            parameter.var.inplace_op2(&gradient.contiguous()?, &moments)
        });
        Ok(moved.collect::<candle_core::Result<()>>()?)
    }

    /// The moments as tensors, for a checkpoint.
    pub(crate) fn state(&self) -> Result<BTreeMap<String, Tensor>, Error> {
        let mut state = BTreeMap::new();
        for Parameter { name, var, first, second } in &self.parameters {
            for (prefix, moments) in [(FIRST, first), (SECOND, second)] {
                let tensor = Tensor::from_slice(moments, var.shape(), &Device::Cpu)?;
                state.insert(format!("{prefix}{name}"), tensor);
            }
        }
        Ok(state)
    }

    /// Takes the moments out of a checkpoint's tensors; the name of one that is absent or of another size is the error.
    pub(crate) fn take_state(&mut self, tensors: &mut BTreeMap<String, Tensor>) -> Result<(), String> {
        for Parameter { name, first, second, .. } in &mut self.parameters {
            for (prefix, moments) in [(FIRST, first), (SECOND, second)] {
                let name = format!("{prefix}{name}");
                let values = tensors
                    .remove(&name)
                    .and_then(|tensor| tensor.flatten_all().and_then(|flat| flat.to_vec1()).ok());
                match values {
                    Some(values) if values.len() == moments.len() => *moments = values,
                    _ => return Err(name),
                }
            }
        }
        Ok(())
    }
}

/// Hands the values of a contiguous f32 tensor on the CPU to `read`.
fn with_values<R>(tensor: &Tensor, read: impl FnOnce(&[f32]) -> R) -> candle_core::Result<R> {
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => {
            let start = layout.start_offset();
            Ok(read(&storage.as_slice::<f32>()?[start..start + layout.shape().elem_count()]))
        }
        _ => candle_core::bail!("the optimizer works on the CPU"),
    }
}

/// The numbers of one step, the same for all values of a parameter.
#[derive(Debug, Clone, Copy)]
struct Update {
    keep: f32,
    first_rate: f32,
    second_keep: f32,
    second_rate: f32,
    step_size: f32,
    second_correction: f32,
    clip: f32,
}

impl Update {
    fn new(learning_rate: f64, decay: f64, [first, second]: [f64; 2], step: u64, clip: f32) -> Self {
        let power = step.min(i32::MAX as u64) as i32;
        Self {
            keep: (1.0 - learning_rate * decay) as f32,
            first_rate: (1.0 - first) as f32,
            second_keep: second as f32,
            second_rate: (1.0 - second) as f32,
            step_size: (learning_rate / (1.0 - first.powi(power))) as f32,
            second_correction: (1.0 - second.powi(power)).sqrt() as f32,
            clip,
        }
    }

    fn apply(&self, values: &mut [f32], gradient: &[f32], first: &mut [f32], second: &mut [f32]) {
        let moments = first.iter_mut().zip(second);
        for ((value, &gradient), (first, second)) in values.iter_mut().zip(gradient).zip(moments) {
            let gradient = gradient * self.clip;
            *first += (gradient - *first) * self.first_rate;
            *second = *second * self.second_keep + gradient * gradient * self.second_rate;
            let denominator = second.sqrt() / self.second_correction + EPSILON;
            *value = *value * self.keep - self.step_size * (*first / denominator);
        }
    }
}

/// [`Update`] as an operation on a tensor's own memory.
struct Moments<'a> {
    update: Update,
    state: RefCell<(&'a mut Vec<f32>, &'a mut Vec<f32>)>,
}

impl InplaceOp2 for Moments<'_> {
    fn name(&self) -> &'static str {
        "adamw"
    }

    fn cpu_fwd(
        &self,
        values: &mut CpuStorage,
        layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
    ) -> candle_core::Result<()> {
        let range =
            |layout: &Layout| layout.start_offset()..layout.start_offset() + layout.shape().elem_count();
        let gradient = &gradient.as_slice::<f32>()?[range(gradient_layout)];
        let CpuStorage::F32(values) = values else { candle_core::bail!("the optimizer moves f32 values") };
        let (first, second) = &mut *self.state.borrow_mut();
        self.update.apply(&mut values[range(layout)], gradient, first, second);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(tensor: &Tensor) -> Vec<f32> {
        tensor.flatten_all().and_then(|flat| flat.to_vec1()).expect("f32 values")
    }

    /// `body.weight` (2, 2), which decays, and `decode_head.bias` (2), which does not and learns ten times as fast.
    fn parameters() -> Parameters {
        let parameters = Parameters::new(0);
        let vb = parameters.var_builder(&Device::Cpu);
        vb.get((2, 2), "body.weight").expect("created");
        vb.get(2, "decode_head.bias").expect("created");
        let tensor = |values: &[f32], shape: &[usize]| {
            Tensor::from_slice(values, shape, &Device::Cpu).expect("a tensor")
        };
        let tensors = [
            ("body.weight".to_owned(), tensor(&[0.5, -1.0, 2.0, 0.1], &[2, 2])),
            ("decode_head.bias".to_owned(), tensor(&[0.3, -0.7], &[2])),
        ];
        parameters.load(&tensors.into()).expect("loaded");
        parameters
    }

    /// The loss `sum(a * w^2) + sum(b * c)`, whose gradients are `2 a w` and `b`.
    fn gradients(parameters: &Parameters) -> GradStore {
        let tensor = |values: &[f32], shape: &[usize]| {
            Tensor::from_slice(values, shape, &Device::Cpu).expect("a tensor")
        };
        let vars: BTreeMap<String, Var> = parameters.trainable().into_iter().collect();
        let (weight, bias) = (&vars["body.weight"], &vars["decode_head.bias"]);
        let left = (weight.sqr().expect("squares") * tensor(&[1.0, 0.5, -0.25, 3.0], &[2, 2]))
            .and_then(|x| x.sum_all());
        let right = (bias.as_tensor() * tensor(&[0.2, -4.0], &[2])).and_then(|x| x.sum_all());
        (left.expect("a sum") + right.expect("a sum")).and_then(|loss| loss.backward()).expect("gradients")
    }

    #[test]
    fn three_steps_move_the_parameters_as_pytorch_does() {
        // What tests/fixtures/adamw.py prints with PyTorch 2.6: two groups (lr 0.1, decay 0.05) and (lr 1, no decay), clip 2.0.
        let expected: [f32; 6] =
            [0.198_638_35, -0.687_966_8, 2.269_053_2, -0.072_867_334, -2.701_379_8, 2.301_38];
        let options = TrainOptions {
            weight_decay: 0.05,
            grad_clip: Some(2.0),
            head_lr_multiplier: 10.0,
            ..TrainOptions::default()
        };
        let parameters = parameters();
        let mut optimizer = AdamW::new(&parameters);
        for step in 1..=3 {
            let gradients = gradients(&parameters);
            let norm = optimizer.gradient_norm(&gradients).expect("a norm");
            optimizer.step(&gradients, &options, step, 0.1, norm).expect("moved");
        }
        let tensors = parameters.tensors();
        let moved = [values(&tensors["body.weight"]), values(&tensors["decode_head.bias"])].concat();
        for (ours, theirs) in moved.iter().zip(expected) {
            assert!((ours - theirs).abs() <= 2e-6, "{moved:?} instead of {expected:?}");
        }
    }

    #[test]
    fn the_state_goes_into_a_checkpoint_and_back() {
        let parameters = parameters();
        let mut optimizer = AdamW::new(&parameters);
        let gradients = gradients(&parameters);
        optimizer.step(&gradients, &TrainOptions::default(), 1, 0.1, 1.0).expect("moved");
        let mut state = optimizer.state().expect("tensors");
        assert_eq!(state.len(), 4);
        let mut other = AdamW::new(&parameters);
        other.take_state(&mut state.clone()).expect("complete");
        assert_eq!(other.parameters[0].second, optimizer.parameters[0].second);
        state.remove("second_moment/decode_head.bias");
        assert_eq!(other.take_state(&mut state), Err("second_moment/decode_head.bias".to_owned()));
    }
}
