//! The tensors a network is trained on.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::{DType, Device, Shape, Tensor, Var};
use candle_nn::init::{Init, NormalOrUniform};
use candle_nn::var_builder::{SimpleBackend, VarBuilder};
use segbench_types::Rng;

use super::report::{self, LoadReport};
use super::seeded::fnv1a;
use crate::Result;

/// Whether a tensor is kept and saved with a network but not trained: the running statistics of a BatchNorm.
pub fn is_buffer(name: &str) -> bool {
    matches!(name.rsplit('.').next(), Some("running_mean" | "running_var" | "num_batches_tracked"))
}

/// The parameters and buffers of a network that is built new, created as its layers ask for them.
///
/// A value depends on the seed, the name of its tensor and its place in it, never on the order in which layers are built, so
/// that a network with one more layer starts from the same values in all others. Clones share the same tensors.
///
/// # Examples
/// ```
/// use candle_core::Device;
/// use segbench_nn::weights::Parameters;
///
/// let parameters = Parameters::new(7);
/// let vb = parameters.var_builder(&Device::Cpu);
/// let weight = vb.pp("head").get_with_hints((19, 256), "weight", candle_nn::init::DEFAULT_KAIMING_NORMAL)?;
/// assert_eq!(weight.dims(), [19, 256]);
/// assert_eq!(parameters.trainable()[0].0, "head.weight");
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Parameters {
    seed: u64,
    vars: Arc<Mutex<BTreeMap<String, Var>>>,
}

impl Parameters {
    /// A store without tensors.
    pub fn new(seed: u64) -> Self {
        Self { seed, vars: Arc::default() }
    }

    /// What a network is built with; it creates f32 tensors on `device`.
    pub fn var_builder(&self, device: &Device) -> VarBuilder<'static> {
        VarBuilder::from_backend(Box::new(self.clone()), DType::F32, device.clone())
    }

    /// What an optimizer moves: every tensor that is no buffer, sorted by name.
    pub fn trainable(&self) -> Vec<(String, Var)> {
        let vars = self.lock();
        vars.iter()
            .filter(|(name, _)| !is_buffer(name))
            .map(|(name, var)| (name.clone(), var.clone()))
            .collect()
    }

    /// The number of trainable values.
    pub fn count(&self) -> u64 {
        self.trainable().iter().map(|(_, var)| var.elem_count() as u64).sum()
    }

    /// All tensors, buffers too, by name. They share memory with the network: training changes them.
    pub fn tensors(&self) -> BTreeMap<String, Tensor> {
        self.lock().iter().map(|(name, var)| (name.clone(), var.as_detached_tensor())).collect()
    }

    /// A copy of all tensors that later training leaves alone.
    ///
    /// # Errors
    /// [`Error::Candle`](crate::Error::Candle) if memory runs out.
    pub fn snapshot(&self) -> Result<BTreeMap<String, Tensor>> {
        self.tensors().into_iter().map(|(name, tensor)| Ok((name, tensor.copy()?))).collect()
    }

    /// Overwrites every tensor, parameters and buffers, with the one of the same name.
    ///
    /// # Errors
    /// [`Error::WeightsDoNotFit`](crate::Error::WeightsDoNotFit) unless `tensors` has exactly the names and shapes of this store, which then stays unchanged.
    pub fn load(&self, tensors: &BTreeMap<String, Tensor>) -> Result<()> {
        let vars = self.lock();
        let wanted = vars.iter().map(|(name, var)| (name.as_str(), var.dims()));
        LoadReport::compare(wanted, tensors).strict(&[])?;
        for (name, var) in vars.iter() {
            if let Some(tensor) = tensors.get(name) {
                var.set(&tensor.to_device(var.device())?.to_dtype(var.dtype())?.contiguous()?)?;
            }
        }
        Ok(())
    }

    /// Overwrites those tensors that `tensors` has with the same name and shape, and reports what fitted: the start of a
    /// training from another network's weights.
    ///
    /// # Errors
    /// [`Error::Candle`](crate::Error::Candle) if a tensor cannot be copied to the device.
    pub fn load_matching(&self, tensors: &BTreeMap<String, Tensor>) -> Result<LoadReport> {
        let vars = self.lock();
        let wanted = vars.iter().map(|(name, var)| (name.as_str(), var.dims()));
        let report = LoadReport::compare(wanted, tensors);
        for name in &report.loaded {
            if let (Some(var), Some(tensor)) = (vars.get(name), tensors.get(name)) {
                var.set(&tensor.to_device(var.device())?.to_dtype(var.dtype())?.contiguous()?)?;
            }
        }
        Ok(report)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Var>> {
        // A panic elsewhere leaves the map whole: each change to it is one insertion.
        self.vars.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parameters").field("seed", &self.seed).field("tensors", &self.lock().len()).finish()
    }
}

impl SimpleBackend for Parameters {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        init: Init,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        let mut vars = self.lock();
        if let Some(var) = vars.get(name) {
            if var.shape() != &shape {
                candle_core::bail!("`{name}` is {:?} and was asked for again as {shape:?}", var.shape());
            }
            return Ok(var.as_tensor().clone());
        }
        let values = initial_values(self.seed, name, &shape, init);
        let tensor = Tensor::from_vec(values, shape, &Device::Cpu)?.to_dtype(dtype)?.to_device(device)?;
        let var = Var::from_tensor(&tensor)?;
        let tensor = var.as_tensor().clone();
        vars.insert(name.to_owned(), var);
        Ok(tensor)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> candle_core::Result<Tensor> {
        match self.lock().get(name) {
            Some(var) => Ok(var.as_tensor().clone()),
            None => Err(report::shape_needed(name)),
        }
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.lock().contains_key(name)
    }
}

/// The values candle's `init` describes, drawn from a stream of their own.
fn initial_values(seed: u64, name: &str, shape: &Shape, init: Init) -> Vec<f32> {
    enum Draw {
        Constant(f64),
        Normal { mean: f64, deviation: f64 },
        Uniform { low: f64, high: f64 },
    }
    let draw = match init {
        Init::Const(value) => Draw::Constant(value),
        Init::Randn { mean, stdev } => Draw::Normal { mean, deviation: stdev },
        Init::Uniform { lo, up } => Draw::Uniform { low: lo, high: up },
        Init::Kaiming { dist, fan, non_linearity } => {
            let deviation = non_linearity.gain() / (fan.for_shape(shape).max(1) as f64).sqrt();
            match dist {
                NormalOrUniform::Normal => Draw::Normal { mean: 0.0, deviation },
                NormalOrUniform::Uniform => {
                    let bound = 3_f64.sqrt() * deviation;
                    Draw::Uniform { low: -bound, high: bound }
                }
            }
        }
    };
    let mut rng = Rng::new(seed, &[fnv1a(name)]);
    let count = 0..shape.elem_count();
    match draw {
        Draw::Constant(value) => count.map(|_| value as f32).collect(),
        Draw::Normal { mean, deviation } => {
            count.map(|_| (mean + deviation * f64::from(rng.normal())) as f32).collect()
        }
        Draw::Uniform { low, high } => {
            count.map(|_| (low + (high - low) * f64::from(rng.unit())) as f32).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_nn::init::{DEFAULT_KAIMING_NORMAL, DEFAULT_KAIMING_UNIFORM, ONE, ZERO};

    use super::*;

    fn values(tensor: &Tensor) -> Vec<f32> {
        tensor.flatten_all().and_then(|flat| flat.to_vec1()).expect("f32 values")
    }

    fn small(seed: u64, names: &[&str]) -> Parameters {
        let parameters = Parameters::new(seed);
        let vb = parameters.var_builder(&Device::Cpu);
        for name in names {
            vb.get_with_hints((3, 5), name, DEFAULT_KAIMING_UNIFORM).expect("created");
        }
        parameters
    }

    #[test]
    fn values_depend_on_the_seed_and_the_name_and_not_on_the_order_of_creation() {
        let (one, other) = (small(1, &["a", "b"]).tensors(), small(1, &["b", "c", "a"]).tensors());
        assert_eq!(values(&one["a"]), values(&other["a"]));
        assert_eq!(values(&one["b"]), values(&other["b"]));
        assert_ne!(values(&one["a"]), values(&one["b"]));
        assert_ne!(values(&one["a"]), values(&small(2, &["a"]).tensors()["a"]));
    }

    #[test]
    fn running_statistics_are_kept_and_not_trained() {
        let parameters = Parameters::new(0);
        let vb = parameters.var_builder(&Device::Cpu).pp("bn");
        for (name, init) in [("weight", ONE), ("bias", ZERO), ("running_mean", ZERO), ("running_var", ONE)] {
            vb.get_with_hints(4, name, init).expect("created");
        }
        let trainable: Vec<String> = parameters.trainable().into_iter().map(|(name, _)| name).collect();
        assert_eq!(trainable, ["bn.bias", "bn.weight"]);
        assert_eq!(parameters.count(), 8);
        assert_eq!(parameters.tensors().len(), 4);
        assert_eq!(values(&parameters.tensors()["bn.running_var"]), [1.0; 4]);
    }

    #[test]
    fn kaiming_has_the_deviation_of_the_paper() {
        let parameters = Parameters::new(3);
        let vb = parameters.var_builder(&Device::Cpu);
        // He et al. 2015, equation 10: sqrt(2 / fan in), fan in = 32 * 3 * 3.
        let expected = (2.0_f32 / 288.0).sqrt();
        for (name, init) in [("normal", DEFAULT_KAIMING_NORMAL), ("uniform", DEFAULT_KAIMING_UNIFORM)] {
            let drawn = values(&vb.get_with_hints((64, 32, 3, 3), name, init).expect("created"));
            let mean = drawn.iter().sum::<f32>() / drawn.len() as f32;
            let deviation =
                (drawn.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / drawn.len() as f32).sqrt();
            assert!((deviation / expected - 1.0).abs() < 0.02, "{name}: {deviation} instead of {expected}");
        }
    }

    #[test]
    fn a_change_reaches_the_network_and_tensors_but_not_a_snapshot() {
        let parameters = small(1, &["a"]);
        let held = parameters.var_builder(&Device::Cpu).get((3, 5), "a").expect("there");
        let before = parameters.snapshot().expect("copied");
        parameters.trainable()[0]
            .1
            .set(&Tensor::ones((3, 5), DType::F32, &Device::Cpu).expect("ones"))
            .expect("set");
        assert_eq!(values(&held), [1.0; 15]);
        assert_eq!(values(&parameters.tensors()["a"]), [1.0; 15]);
        assert_ne!(values(&before["a"]), [1.0; 15]);
        parameters.load(&before).expect("loaded back");
        assert_eq!(values(&held), values(&before["a"]));
    }

    #[test]
    fn loading_something_else_changes_nothing_and_says_what_differs() {
        let parameters = small(1, &["a", "b"]);
        let before = parameters.snapshot().expect("copied");
        let wrong = small(9, &["a", "bb"]).tensors();
        let refused = parameters.load(&wrong).expect_err("another network").to_string();
        assert!(refused.contains("`b`") && refused.contains("`bb`"), "{refused}");
        assert_eq!(values(&parameters.tensors()["a"]), values(&before["a"]));
        let report = parameters.load_matching(&wrong).expect("loaded in part");
        assert_eq!(report.loaded, ["a"]);
        assert_eq!(values(&parameters.tensors()["a"]), values(&wrong["a"]));
        assert_eq!(values(&parameters.tensors()["b"]), values(&before["b"]));
    }
}
