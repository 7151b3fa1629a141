//! The stages a pipeline consists of. Each knows what it reads and writes, and leaves alone what is done already.

mod bench;
mod class_weights;
mod distances;
mod login;
mod prepare;
mod report;
mod train;
mod train_progress;

use segbench_benchmark::{Job, TaskResult};
use segbench_datasets::TaskRecords;
use segbench_types::{Progress, Task};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use bench::BenchStage;
pub use class_weights::ClassWeightsStage;
pub use distances::DistancesStage;
pub use login::find_login;
pub use prepare::{Preparation, PrepareStage};
pub use report::ReportStage;
pub use train::{Start, TrainJob, TrainStage};

use self::train::Trained;
use crate::task::Tasks;
use crate::{Error, Project};

/// One step of a pipeline.
pub trait Stage {
    /// Name for people, such as `prepare sample`.
    fn name(&self) -> String;

    /// What it reads.
    fn reads(&self, project: &Project) -> Vec<String>;

    /// What it writes.
    fn writes(&self, project: &Project) -> Vec<String>;

    /// What has to be there that no earlier stage makes.
    fn needs(&self, project: &Project) -> Vec<String>;

    /// The data set or the weights that it makes for later stages.
    fn makes(&self) -> Option<String> {
        None
    }

    /// The data set and the weights that it takes, from an earlier stage if one makes them.
    fn takes(&self) -> Vec<String> {
        Vec::new()
    }

    /// Does it, or finds it done.
    ///
    /// # Errors
    /// Whatever keeps it from being done; what was done stays.
    fn run(&self, project: &Project, progress: &dyn Progress) -> Result<Outcome, Error>;
}

/// How a data set is called in [`Stage::makes`] and [`Stage::takes`].
fn dataset(name: &str) -> String {
    format!("the data set `{name}`")
}

/// How weights are called in [`Stage::makes`] and [`Stage::takes`].
fn weights(tag: &str) -> String {
    format!("the weights `{tag}`")
}

/// How a stage ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing had to be done.
    UpToDate(String),
    /// Something was done.
    Done(String),
}

impl Outcome {
    /// One line for people.
    pub fn message(&self) -> &str {
        match self {
            Self::UpToDate(message) | Self::Done(message) => message,
        }
    }
}

/// Work that is cut into tasks, as it stands in a plan file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Work {
    /// Chunks of images to convert.
    Prepare(Box<Preparation>),
    /// One training.
    Train(Box<TrainJob>),
    /// Shards of images to evaluate, and one task for speed.
    Bench(Box<Job>),
}

impl Tasks for Work {
    type Output = Value;

    fn count(&self) -> Result<usize, Error> {
        Ok(match self {
            Self::Prepare(preparation) => preparation.conversion()?.task_count(),
            Self::Train(_) => 1,
            Self::Bench(job) => job.task_count()?,
        })
    }

    fn steps(&self) -> Result<u64, Error> {
        Ok(match self {
            Self::Prepare(preparation) => preparation.conversion()?.image_count() as u64,
            Self::Train(job) => job.options.steps,
            Self::Bench(job) => job.steps()?,
        })
    }

    fn run(&self, index: usize, task: &dyn Task) -> Result<Value, Error> {
        let value = match self {
            Self::Prepare(preparation) => {
                let done = preparation.conversion()?.run_task(index)?;
                task.advance((done.records.len() + done.skipped.len()) as u64);
                serde_json::to_value(done)
            }
            Self::Train(job) => serde_json::to_value(job.run(task)?),
            Self::Bench(job) => serde_json::to_value(job.run_task(index, task)?),
        };
        value.map_err(|err| Error::NotJson { reason: err.to_string() })
    }

    fn holds(&self, output: &Value) -> bool {
        fn read<T: DeserializeOwned>(output: &Value) -> Option<T> {
            T::deserialize(output).ok()
        }
        match self {
            Self::Prepare(preparation) => {
                read(output).is_some_and(|done: TaskRecords| preparation.holds(&done))
            }
            Self::Train(_) => read(output).is_some_and(|trained: Trained| trained.weights.is_file()),
            Self::Bench(job) => read(output).is_some_and(|result: TaskResult| job.holds(&result)),
        }
    }

    fn is_parallel(&self) -> bool {
        matches!(self, Self::Prepare(_))
    }
}
