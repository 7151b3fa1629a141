//! What a model is worth: accuracy as counts per image, speed as percentiles, and scores of anybody's label maps.
//!
//! A [`Job`] is one model with its weights on one split under one protocol. It is cut into indexed tasks (shards of images, and one
//! for speed), so that any of them can be run anywhere and again; [`Job::finish`] puts the results together and writes the run.

mod accuracy;
mod error;
mod gallery;
mod job;
mod machine;
mod predict;
mod prediction_files;
mod predictions;
mod score_array;
mod seal;
mod speed;
mod submission;
mod verify;
mod weights;

pub use error::Error;
pub use job::{Job, SpeedOptions, TaskResult};
pub use machine::{environment, peak_memory_mib, reset_peak_memory};
pub use predict::{Predictor, normalized};
pub use prediction_files::{Encoding, PredictionFiles};
pub use predictions::{
    CalibrationScores, ClassRow, PredictionScores, TargetClasses, score_against_dataset, score_against_labels,
};
pub use score_array::ArrayLayout;
pub use submission::{Submission, submit_to_cityscapes};
pub use verify::{Check, verify_run};
pub use weights::WeightsSource;
