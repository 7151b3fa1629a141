//! The task contract: an immutable plan, N indexed tasks, one status file each, a merge that refuses gaps.
//!
//! ```text
//! <jobs>/<stage>-<name>-<key>/plan.json          what is to be done, written once
//! <jobs>/<stage>-<name>-<key>/status/000017.json what became of task 17, written by rename
//! ```
//! Whoever runs index 17, the pool of this process, an element of a Slurm array or a pod of an indexed job, does the same thing and
//! leaves the same file. Resuming means running the indices that are not done.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use segbench_types::{Explain, Progress, Task};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::Error;
use crate::stage::Work;

const SCHEMA: u32 = 1;

/// Work cut into indexed tasks.
pub trait Tasks: Sync {
    /// What a task finds out.
    type Output: Serialize + DeserializeOwned;

    /// Number of tasks; indices run from 0.
    ///
    /// # Errors
    /// Whatever keeps the work from being cut.
    fn count(&self) -> Result<usize, Error>;

    /// Number of steps of all tasks, for the progress bar.
    ///
    /// # Errors
    /// As [`Tasks::count`].
    fn steps(&self) -> Result<u64, Error>;

    /// Runs one task. Running it twice leaves the same files as running it once.
    ///
    /// # Errors
    /// Whatever keeps the task from being done.
    fn run(&self, index: usize, task: &dyn Task) -> Result<Self::Output, Error>;

    /// Whether the files that a result speaks of are still there.
    fn holds(&self, output: &Self::Output) -> bool;

    /// Whether several tasks may run at once in one process, beside the threads each uses itself.
    fn is_parallel(&self) -> bool;
}

/// The contents of a plan file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanFile {
    schema: u32,
    key: String,
    tasks: usize,
    work: Work,
}

/// What became of a task.
#[derive(Debug, Serialize, Deserialize)]
struct Status {
    schema: u32,
    key: String,
    index: usize,
    #[serde(flatten)]
    state: State,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
enum State {
    Done { result: Value },
    Failed { message: String, exit_code: u8, help: Option<String> },
}

/// A plan on disk.
#[derive(Debug)]
pub struct Plan {
    path: PathBuf,
    file: PlanFile,
}

impl Plan {
    /// Writes the plan of `work` to `dir`, unless the same one is there already. What its tasks did counts as long as the key is the
    /// same.
    ///
    /// # Errors
    /// [`Error::Storage`] if it cannot be written; whatever keeps the work from being cut into tasks.
    pub fn create(dir: &Path, key: &str, work: Work) -> Result<Self, Error> {
        let path = dir.join("plan.json");
        let file = PlanFile { schema: SCHEMA, key: key.into(), tasks: work.count()?, work };
        let mut text =
            serde_json::to_vec_pretty(&file).map_err(|err| Error::NotJson { reason: err.to_string() })?;
        text.push(b'\n');
        // Folders in a plan may have another name than when a killed run wrote it.
        if !segbench_storage::read(&path).is_ok_and(|old| old == text) {
            segbench_storage::write(&path, &text)?;
        }
        Ok(Self { path, file })
    }

    /// Opens a plan file.
    ///
    /// # Errors
    /// [`Error::Storage`] if it cannot be read, [`Error::BadPlan`] if it is of another version.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let file: PlanFile = segbench_storage::read_json(path)?;
        if file.schema != SCHEMA {
            let reason = format!("its schema is {}, expected {SCHEMA}", file.schema);
            return Err(Error::BadPlan { path: path.into(), reason });
        }
        Ok(Self { path: path.into(), file })
    }

    /// The plan file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Number of tasks.
    pub fn tasks(&self) -> usize {
        self.file.tasks
    }

    /// The work that was planned.
    pub fn work(&self) -> &Work {
        &self.file.work
    }

    /// Runs one task and writes its status, whatever it is.
    ///
    /// # Errors
    /// [`Error::BadPlan`] for an index that does not exist; the task's own error.
    pub fn run_task(&self, index: usize, task: &dyn Task) -> Result<(), Error> {
        if index >= self.file.tasks {
            let reason = format!("it has {} tasks, there is no index {index}", self.file.tasks);
            return Err(Error::BadPlan { path: self.path.clone(), reason });
        }
        let outcome = self.file.work.run(index, task);
        let state = match &outcome {
            Ok(result) => State::Done { result: result.clone() },
            Err(err) => {
                State::Failed { message: describe(err), exit_code: err.kind().exit_code(), help: err.help() }
            }
        };
        let status = Status { schema: SCHEMA, key: self.file.key.clone(), index, state };
        segbench_storage::write_json(&self.status_path(index), &status)?;
        outcome.map(|_| ())
    }

    /// Indices that are not done yet: never run, killed, failed, or done with files that were removed since.
    pub fn pending(&self) -> Vec<usize> {
        (0..self.file.tasks).filter(|&index| self.result(index).is_none()).collect()
    }

    /// Runs everything that is pending in this process. A failed task does not keep the others from being done.
    ///
    /// # Errors
    /// [`Error::TasksFailed`] if any task failed.
    pub fn run_pending(&self, name: &str, progress: &dyn Progress) -> Result<(), Error> {
        let pending = self.pending();
        let steps = self.file.work.steps()?;
        let bar = progress.start(name, steps);
        // Tasks done earlier are shown as done; all tasks but the last are of one size.
        let finished = self.file.tasks - pending.len();
        bar.advance(steps * finished as u64 / self.file.tasks.max(1) as u64);
        let run = |&index: &usize| self.run_task(index, bar.as_ref()).err();
        let failures: Vec<Error> = if self.file.work.is_parallel() {
            pending.par_iter().filter_map(run).collect()
        } else {
            pending.iter().filter_map(run).collect()
        };
        match failures.first() {
            None => Ok(()),
            Some(_) if self.file.tasks == 1 => failures.into_iter().next().map_or(Ok(()), Err),
            Some(first) => Err(Error::TasksFailed {
                stage: name.into(),
                failed: failures.len(),
                total: self.file.tasks,
                first: describe(first),
                kind: first.kind(),
                help: first.help(),
            }),
        }
    }

    /// The results of all tasks in their order.
    ///
    /// # Errors
    /// [`Error::Gap`] if any task is not done, [`Error::BadPlan`] if a result has the wrong shape.
    pub fn merge<T: DeserializeOwned>(&self) -> Result<Vec<T>, Error> {
        let total = self.file.tasks;
        (0..total)
            .map(|index| {
                let result =
                    self.result(index).ok_or_else(|| Error::Gap { plan: self.path.clone(), index, total })?;
                serde_json::from_value(result)
                    .map_err(|err| Error::BadPlan { path: self.status_path(index), reason: err.to_string() })
            })
            .collect()
    }

    fn result(&self, index: usize) -> Option<Value> {
        let status: Status = segbench_storage::read_json(&self.status_path(index)).ok()?;
        match status.state {
            State::Done { result } if status.key == self.file.key && status.index == index => {
                self.file.work.holds(&result).then_some(result)
            }
            _ => None,
        }
    }

    fn status_path(&self, index: usize) -> PathBuf {
        self.path.with_file_name("status").join(format!("{index:06}.json"))
    }
}

/// An error with its causes on one line.
fn describe(err: &dyn std::error::Error) -> String {
    let mut text = err.to_string();
    let mut cause = err.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
