//! A checkpoint that keeps book of what is taken from it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::init::Init;
use candle_nn::var_builder::{SimpleBackend, VarBuilder};

use super::report::{Allowed, LoadReport};
use crate::Result;

/// Serves the tensors of a checkpoint and records every request.
///
/// A tensor that is missing or has another shape does not stop the building of the network: zeros take its place, and
/// [`Self::finish`] tells about all such tensors at once. A network is fit for use only after `finish` succeeded.
///
/// # Examples
/// ```
/// use std::collections::BTreeMap;
/// use candle_core::{DType, Device, Tensor};
/// use segbench_nn::weights::Tracked;
///
/// let weight = Tensor::ones((2, 3), DType::F32, &Device::Cpu)?;
/// let tracked = Tracked::new(BTreeMap::from([("head.weight".to_owned(), weight)]));
/// let vb = tracked.var_builder(&Device::Cpu);
/// vb.pp("head").get((2, 3), "weight")?;
/// let report = tracked.finish(&[])?;
/// assert_eq!(report.loaded, ["head.weight"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Tracked {
    tensors: Arc<BTreeMap<String, Tensor>>,
    requests: Arc<Mutex<BTreeMap<String, Vec<usize>>>>,
}

impl Tracked {
    /// Wraps the tensors of a checkpoint.
    pub fn new(tensors: BTreeMap<String, Tensor>) -> Self {
        Self { tensors: Arc::new(tensors), requests: Arc::default() }
    }

    /// What a network is built with.
    pub fn var_builder(&self, device: &Device) -> VarBuilder<'static> {
        VarBuilder::from_backend(Box::new(self.clone()), DType::F32, device.clone())
    }

    /// What fitted so far.
    pub fn report(&self) -> LoadReport {
        let requests = self.lock();
        LoadReport::compare(
            requests.iter().map(|(name, shape)| (name.as_str(), shape.as_slice())),
            &self.tensors,
        )
    }

    /// The report, if every tensor found its place.
    ///
    /// # Errors
    /// [`Error::WeightsDoNotFit`](crate::Error::WeightsDoNotFit) if a tensor is missing or unused and no pattern of `allowed`
    /// has a reason for it, or if it has another shape; [`Error::Pattern`](crate::Error::Pattern) if a pattern is wrong.
    pub fn finish(&self, allowed: &[Allowed]) -> Result<LoadReport> {
        self.report().strict(allowed)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Vec<usize>>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SimpleBackend for Tracked {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        _: Init,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        self.lock().insert(name.to_owned(), shape.dims().to_vec());
        match self.tensors.get(name) {
            Some(tensor) if tensor.shape() == &shape => tensor.to_device(device)?.to_dtype(dtype),
            _ => Tensor::zeros(shape, dtype, device),
        }
    }

    fn get_unchecked(&self, name: &str, dtype: DType, device: &Device) -> candle_core::Result<Tensor> {
        match self.tensors.get(name) {
            Some(tensor) => {
                self.lock().insert(name.to_owned(), tensor.dims().to_vec());
                tensor.to_device(device)?.to_dtype(dtype)
            }
            None => candle_core::bail!("`{name}` is not in the checkpoint"),
        }
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }
}

#[cfg(test)]
mod tests {
    use segbench_types::{ErrorKind, Explain as _};

    use super::*;
    use crate::weights::BATCH_COUNTERS;

    fn checkpoint(list: &[(&str, &[usize])]) -> Tracked {
        let ones = |shape: &[usize]| Tensor::ones(shape, DType::F32, &Device::Cpu).expect("ones");
        Tracked::new(list.iter().map(|(name, shape)| ((*name).to_owned(), ones(shape))).collect())
    }

    #[test]
    fn all_problems_are_reported_at_once() {
        let tracked = checkpoint(&[
            ("a.weight", &[2, 3]),
            ("b.weight", &[5]),
            ("c.wieght", &[7]),
            ("a.num_batches_tracked", &[]),
        ]);
        let vb = tracked.var_builder(&Device::Cpu);
        vb.get((2, 3), "a.weight").expect("served");
        let zeros = vb.get(4, "b.weight").expect("zeros for another shape");
        assert_eq!(zeros.to_vec1::<f32>().expect("values"), [0.0; 4]);
        vb.get(7, "c.weight").expect("zeros for a missing one");
        let refused = tracked.finish(&[BATCH_COUNTERS]).expect_err("three problems");
        assert_eq!(refused.kind(), ErrorKind::InvalidData);
        let text = refused.to_string();
        for part in [
            "did you mean `c.wieght`",
            "`b.weight` is 5 in the file, the network wants 4",
            "unused `c.wieght`",
        ] {
            assert!(text.contains(part), "{part} is not in: {text}");
        }
        assert!(!text.contains("num_batches_tracked"), "{text}");
    }

    #[test]
    fn a_tensor_that_nobody_took_is_an_error_unless_a_reason_is_given() {
        let tracked = checkpoint(&[("a", &[1]), ("auxiliary_head.conv.weight", &[1])]);
        tracked.var_builder(&Device::Cpu).get(1, "a").expect("served");
        assert!(tracked.finish(&[]).is_err());
        let allowed = Allowed { pattern: r"auxiliary_head\..*", reason: "used in training only" };
        let report = tracked.finish(&[allowed]).expect("allowed");
        assert_eq!(report.loaded, ["a"]);
        assert_eq!(report.allowed[0].1, "used in training only");
    }
}
