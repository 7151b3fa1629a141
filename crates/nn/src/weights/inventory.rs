//! What a network consists of, without any weights.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::init::Init;
use candle_nn::var_builder::{SimpleBackend, VarBuilder};

use super::{is_buffer, report};

/// Serves zeros and lists every tensor a network asks for. Clones share the same list.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    shapes: Arc<Mutex<BTreeMap<String, Vec<usize>>>>,
}

impl Inventory {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// What a network is built with.
    pub fn var_builder(&self, device: &Device) -> VarBuilder<'static> {
        VarBuilder::from_backend(Box::new(self.clone()), DType::F32, device.clone())
    }

    /// Name and shape of every tensor, buffers too, sorted by name.
    pub fn shapes(&self) -> BTreeMap<String, Vec<usize>> {
        self.lock().clone()
    }

    /// The number of trainable values: what papers call the parameters of a network.
    pub fn parameters(&self) -> u64 {
        let trainable = |(name, shape): (&String, &Vec<usize>)| {
            (!is_buffer(name)).then(|| shape.iter().map(|&size| size as u64).product::<u64>())
        };
        self.lock().iter().filter_map(trainable).sum()
    }

    /// One line per tensor, `name 64x3x7x7`, sorted by name; `scalar` without a shape. The form in which lists of a
    /// reference's tensors are stored.
    pub fn to_text(&self) -> String {
        self.lock().iter().map(|(name, shape)| format!("{name} {}\n", report::shape_text(shape))).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Vec<usize>>> {
        self.shapes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SimpleBackend for Inventory {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        _: Init,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        self.lock().insert(name.to_owned(), shape.dims().to_vec());
        Tensor::zeros(shape, dtype, device)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> candle_core::Result<Tensor> {
        Err(report::shape_needed(name))
    }

    fn contains_tensor(&self, _: &str) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_count_without_running_statistics_and_the_list_with_them() {
        let inventory = Inventory::new();
        let vb = inventory.var_builder(&Device::Cpu);
        vb.get((6, 3, 1, 5), "conv.weight").expect("zeros");
        for name in ["weight", "bias", "running_mean", "running_var"] {
            vb.pp("bn").get(6, name).expect("zeros");
        }
        assert_eq!(inventory.parameters(), 6 * 3 * 5 + 12);
        assert_eq!(
            inventory.to_text(),
            "bn.bias 6\nbn.running_mean 6\nbn.running_var 6\nbn.weight 6\nconv.weight 6x3x1x5\n"
        );
    }
}
