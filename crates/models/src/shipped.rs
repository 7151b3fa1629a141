//! Checkpoints that travel inside the program, so that the first command of a newcomer needs no download.

use std::path::Path;

use candle_core::Device;
use segbench_nn::weights::decode_checkpoint;

use crate::{Result, Tensors, zoo};

/// A checkpoint in the program's own bytes.
#[derive(Debug, Clone, Copy)]
pub struct Shipped {
    /// `<model>.<train data set>`, such as `segformer-tiny.sample`.
    pub tag: &'static str,
    /// The model it fits.
    pub model: &'static str,
    /// How it was trained, as the JSON of the card that stands beside trained weights.
    pub card: &'static str,
    /// A safetensors file.
    pub bytes: &'static [u8],
}

/// Sorted by tag.
static SHIPPED: &[Shipped] = &[Shipped {
    tag: "segformer-b0.sample",
    model: "segformer-b0",
    card: include_str!("../assets/segformer-b0.sample.json"),
    bytes: include_bytes!("../assets/segformer-b0.sample.safetensors"),
}];

/// All checkpoints that travel inside the program, sorted by tag.
pub fn shipped() -> &'static [Shipped] {
    SHIPPED
}

impl Shipped {
    /// The model with these weights.
    ///
    /// # Errors
    ///
    /// Those of [`zoo::load`], which a test rules out.
    pub fn load(&self, device: &Device) -> Result<zoo::Loaded> {
        zoo::load(self.model, self.tensors(device)?, device)
    }

    /// The tensors of the checkpoint.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Layer`] if the bytes are no weight file, which a test rules out.
    pub fn tensors(&self, device: &Device) -> Result<Tensors> {
        Ok(decode_checkpoint(Path::new(self.tag), self.bytes, device)?)
    }
}
