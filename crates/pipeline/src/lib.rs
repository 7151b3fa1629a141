//! From `pipeline.yaml` to finished stages: a validated plan, resumable tasks, and nothing done twice.
//!
//! A [`Config`] is what a person writes. [`Project`] turns it, or one command of the program, into [`Stage`]s. Work that has parts
//! becomes a [`task::Plan`]: an immutable file of indexed tasks with one status file each, which the local pool runs here and a
//! cluster's scheduler can run elsewhere.

pub mod config;
mod error;
mod job_place;
mod project;
mod report_check;
mod stage;
pub mod task;
mod weights;

pub use config::Config;
pub use error::Error;
pub use job_place::JobPlace;
pub use project::Project;
pub use report_check::report_check;
pub use stage::{
    BenchStage, ClassWeightsStage, DistancesStage, Outcome, Preparation, PrepareStage, ReportStage, Stage,
    Start, TrainJob, TrainStage, Work, find_login,
};
pub use weights::{StoredWeights, WeightsStore};
