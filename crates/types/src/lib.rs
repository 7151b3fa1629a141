//! The vocabulary of segbench: the words every other crate speaks, and no input or output.
//!
//! A *label map* holds train ids, a *catalog* says what they mean, a *protocol* says how predictions are scored, a *run record*
//! says what was measured, and [`Progress`] lets libraries report how far they are without drawing anything.

mod catalog;
mod dataset;
mod error;
mod label_map;
mod name;
mod progress;
mod protocol;
mod record;
mod rng;
mod volume;

pub use catalog::{Class, ClassCatalog};
pub use dataset::{DatasetInfo, ImageRecord, SplitInfo};
pub use error::{ErrorKind, Explain};
pub use label_map::{IGNORE, LabelMap, SizeMismatch};
pub use name::nearest;
pub use progress::{Progress, Silent, Task};
pub use protocol::{
    AbsentClass, Alignment, Category, InferenceRule, InputSize, InstanceSize, LogitSteps, NoClass, Protocol,
    ProtocolError, ScoringRule, Window,
};
pub use record::{Accuracy, Environment, RunRecord, Speed, SpeedPoint, Timing, TrainingSummary};
pub use rng::Rng;
pub use volume::Volume;
