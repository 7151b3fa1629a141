//! Networks: backbones, heads and the zoo that names them.
//!
//! [`zoo::find`] turns a name such as `segformer-b0` into a [`zoo::Model`], which builds a [`Segmentor`] from new parameters or
//! from a checkpoint of any known layout. Networks are written with `segbench-nn` only.

mod architecture;
pub mod backbones;
pub mod blocks;
mod card;
pub mod encoder_decoder;
mod error;
pub mod features;
pub mod heads;
pub mod necks;
mod own_loss;
mod segmentor;
mod shipped;
pub mod zoo;

pub use architecture::{Architecture, Entry, Layout, Presets, Tensors};
pub use card::{Inference, ModelCard, Preprocessing, Published, Reference, Status, WeightSource};
pub use error::{Error, Result};
pub use own_loss::Labels;
pub use segmentor::{Input, InputSpec, SegOutput, Segmentor, volume_input};
pub use shipped::{Shipped, shipped};
