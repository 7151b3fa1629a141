//! What travels through a forward pass beside the tensors.
//!
//! One [`Context`] is made for each forward pass. It says whether the network trains, hands out the random numbers of dropout,
//! counts multiply-adds and, when asked, records intermediate tensors so that they can be compared with a reference.

use std::cell::{Cell, RefCell};

use candle_core::Tensor;
use segbench_types::Rng;

/// The state of one forward pass.
///
/// # Examples
///
/// ```
/// use segbench_nn::Context;
///
/// let ctx = Context::eval();
/// ctx.add_macs(64);
/// assert_eq!((ctx.macs(), ctx.is_training()), (64, false));
/// ```
#[derive(Debug)]
pub struct Context {
    training: Option<Place>,
    without_gradients: bool,
    macs: Cell<u64>,
    trace: Option<RefCell<Vec<(String, Tensor)>>>,
}

/// Where in the training the random numbers are drawn.
#[derive(Debug)]
struct Place {
    seed: u64,
    step: u64,
    /// Which of how many passes of the step.
    part: (u64, u64),
    calls: Cell<u64>,
}

impl Context {
    /// A pass that predicts: no dropout, and batch normalization uses its running statistics.
    // Never inlined, here and below: rustc 1.95 and 1.96 may give two calls one copy of two equal arguments that they can see
    // through (https://github.com/rust-lang/rust/issues/155241), so the second pass would begin with the counts of the first.
    #[inline(never)]
    pub fn eval() -> Self {
        Self { training: None, without_gradients: false, macs: Cell::new(0), trace: None }
    }

    /// A pass of training step `step`: dropout draws from `seed`, and batch normalization uses the statistics of the batch.
    ///
    /// Two passes with the same seed and step draw the same numbers.
    #[inline(never)]
    pub fn train(seed: u64, step: u64) -> Self {
        Self { training: Some(Place { seed, step, part: (0, 1), calls: Cell::new(0) }), ..Self::eval() }
    }

    /// Says that a training pass is number `part` of `parts` whose gradients are added up for one optimizer step: the passes draw
    /// different random numbers and count as one batch for the running statistics of batch normalization.
    pub fn with_part(mut self, part: u64, parts: u64) -> Self {
        if let Some(place) = &mut self.training {
            place.part = (part, parts);
        }
        self
    }

    /// Which pass of how many of the optimizer step; `(0, 1)` if not said otherwise.
    pub fn part(&self) -> (u64, u64) {
        self.training.as_ref().map_or((0, 1), |place| place.part)
    }

    /// Also records the tensors that layers hand to [`Context::record`].
    pub fn with_trace(mut self) -> Self {
        self.trace = Some(RefCell::default());
        self
    }

    /// Cuts the layers' parameters off the graph of gradients, so that intermediate tensors are freed as soon as they are used.
    pub fn without_gradients(mut self) -> Self {
        self.without_gradients = true;
        self
    }

    /// Whether the network trains.
    pub fn is_training(&self) -> bool {
        self.training.is_some()
    }

    /// The next random stream of a training pass: stream `n` is fixed by the seed, the step, `n` and the part of the step.
    /// None in a pass that predicts.
    pub fn random_stream(&self) -> Option<Rng> {
        let place = self.training.as_ref()?;
        let call = place.calls.get();
        place.calls.set(call + 1);
        Some(match place.part {
            (0, _) => Rng::new(place.seed, &[place.step, call]),
            (part, _) => Rng::new(place.seed, &[place.step, call, part]),
        })
    }

    /// The parameter as the pass should use it: cut off the graph of gradients if the pass was made
    /// [`Context::without_gradients`].
    pub fn parameter(&self, parameter: &Tensor) -> Tensor {
        if self.without_gradients { parameter.detach() } else { parameter.clone() }
    }

    /// Records a tensor under a name, if the pass was made [`Context::with_trace`].
    pub fn record(&self, name: &str, tensor: &Tensor) {
        if let Some(trace) = &self.trace {
            trace.borrow_mut().push((name.to_owned(), tensor.clone()));
        }
    }

    /// Everything recorded so far, in the order it was recorded.
    pub fn trace(&self) -> Vec<(String, Tensor)> {
        self.trace.as_ref().map(|trace| trace.borrow().clone()).unwrap_or_default()
    }

    /// Counts multiply-adds.
    pub fn add_macs(&self, macs: u64) {
        self.macs.set(self.macs.get() + macs);
    }

    /// The multiply-adds counted so far.
    pub fn macs(&self) -> u64 {
        self.macs.get()
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;

    #[test]
    fn streams_depend_on_the_seed_the_step_and_the_call_and_on_nothing_else() {
        let draws = |seed, step| {
            let ctx = Context::train(seed, step);
            [ctx.random_stream().unwrap().bits(), ctx.random_stream().unwrap().bits()]
        };
        assert_eq!(draws(1, 2), draws(1, 2));
        assert_eq!(draws(1, 2)[1], Rng::new(1, &[2, 1]).bits());
        assert_ne!(draws(1, 2)[0], draws(1, 2)[1]);
        assert_ne!(draws(1, 2), draws(1, 3));
        assert!(Context::eval().random_stream().is_none());
        let of_part = |part| Context::train(1, 2).with_part(part, 2).random_stream().unwrap().bits();
        assert_eq!(of_part(0), draws(1, 2)[0]);
        assert_ne!(of_part(0), of_part(1));
    }

    #[test]
    fn every_pass_begins_anew_when_it_is_handed_over_by_value() {
        let pass = |ctx: Context| -> (u64, Option<u64>) {
            ctx.add_macs(std::hint::black_box(3));
            (ctx.macs(), ctx.random_stream().map(|mut stream| stream.bits()))
        };
        for _ in 0..2 {
            assert_eq!(pass(Context::eval()), pass(Context::eval()));
            assert_eq!(pass(Context::train(1, 5)), pass(Context::train(1, 5)));
        }
    }

    #[test]
    fn tensors_are_recorded_in_order_and_only_when_asked() {
        let tensor = Tensor::zeros((2, 3), DType::F32, &Device::Cpu).unwrap();
        let (silent, tracing) = (Context::eval(), Context::eval().with_trace());
        for ctx in [&silent, &tracing] {
            ctx.record("stage2", &tensor);
            ctx.record("stage1", &tensor);
        }
        let names: Vec<String> = tracing.trace().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["stage2", "stage1"]);
        assert!(silent.trace().is_empty());
    }
}
