//! Training: from a prepared data set to weights that `segbench-models` loads.
//!
//! [`train`] runs the recipe that [`TrainOptions`] describes. What happens in a step depends on the seed and the number of the step
//! alone, so a run that was killed and resumed from its checkpoint ends with the same bits as an undisturbed one.

mod checkpoint;
mod data;
mod error;
mod log;
mod optimizer;
mod options;
mod output;
mod schedule;
mod train;
mod validation;
mod volumes;

pub use error::Error;
pub use log::{LogRecord, curve};
pub use options::{ClassWeights, TrainOptions};
pub use output::{ClassResult, TrainingCard};
pub use train::{Timings, TrainOutcome, train};
