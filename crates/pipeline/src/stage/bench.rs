//! Accuracy and speed of one model.

use segbench_benchmark::{Job, SpeedOptions, TaskResult};
use segbench_datasets::PreparedDataset;
use segbench_types::{Progress, Protocol, RunRecord};

use super::{Outcome, Stage, Work};
use crate::config::BenchConfig;
use crate::task::Plan;
use crate::{Error, Project};

/// Measures a model with its weights on a split, once per protocol.
#[derive(Debug, Clone)]
pub struct BenchStage {
    /// Architecture with preset.
    pub model: String,
    /// Weights: a file or a tag.
    pub weights: String,
    /// What is measured.
    pub config: BenchConfig,
    /// Whether accuracy is measured.
    pub accuracy: bool,
    /// Device by name.
    pub device: String,
}

impl BenchStage {
    /// Measures, or reads what an earlier run measured.
    ///
    /// # Errors
    /// As [`Stage::run`].
    pub fn records(
        &self,
        project: &Project,
        progress: &dyn Progress,
    ) -> Result<Vec<(RunRecord, bool)>, Error> {
        let dataset = PreparedDataset::open(&project.root, &self.config.dataset)?;
        let weights = project.weights().resolve(&self.weights)?;
        let mut records = Vec::new();
        for name in &self.config.protocols {
            let protocol = weights.source().protocol_on(Protocol::find(name)?, &self.config.dataset);
            let mut job = Job::new(
                &self.model,
                weights.source(),
                &dataset,
                &project.root,
                &self.config.split,
                protocol,
                &self.device,
                &project.runs_dir(),
            );
            job.limit = self.config.limit;
            job.accuracy = self.accuracy;
            // Speed does not depend on how predictions are scored: measure it once.
            job.speed = self.config.speed.as_ref().filter(|_| records.is_empty()).map(|speed| SpeedOptions {
                sizes: speed.sizes.iter().map(|size| [size.height, size.width]).collect(),
                batches: speed.batches.clone(),
                seconds: speed.seconds,
            });
            records.push(self.record(job, project, progress)?);
        }
        Ok(records)
    }

    fn record(
        &self,
        job: Job,
        project: &Project,
        progress: &dyn Progress,
    ) -> Result<(RunRecord, bool), Error> {
        let key = job.key();
        let place = project.job("bench", &self.model, &key);
        if job.is_done() {
            // A run that was killed at its very end leaves the job.
            place.remove()?;
            return Ok((segbench_storage::read_json(&job.run_dir().join("record.json"))?, true));
        }
        segbench_storage::remove_temporaries(&job.run_dir())?;
        let plan = Plan::create(&place.dir(), &key, Work::Bench(Box::new(job)))?;
        plan.run_pending(&self.name(), progress)?;
        let results: Vec<TaskResult> = plan.merge()?;
        let Work::Bench(job) = plan.work() else {
            return Err(Error::BadPlan { path: plan.path().into(), reason: "it is no benchmark".into() });
        };
        let record = job.finish(results)?;
        place.remove()?;
        Ok((record, false))
    }
}

impl Stage for BenchStage {
    fn name(&self) -> String {
        format!("bench {} on {}", self.weights, self.config.dataset)
    }

    fn reads(&self, project: &Project) -> Vec<String> {
        vec![
            format!("weights {}", self.weights),
            project.prepared(&self.config.dataset).display().to_string(),
        ]
    }

    fn writes(&self, project: &Project) -> Vec<String> {
        vec![project.runs_dir().join("<run id>").display().to_string()]
    }

    fn needs(&self, project: &Project) -> Vec<String> {
        let wanted = super::weights(&self.weights);
        let stages = project.stages().unwrap_or_default();
        let is_made = stages.iter().any(|stage| stage.makes().as_ref() == Some(&wanted));
        if is_made || project.weights().resolve(&self.weights).is_ok() { Vec::new() } else { vec![wanted] }
    }

    fn takes(&self) -> Vec<String> {
        vec![super::dataset(&self.config.dataset), super::weights(&self.weights)]
    }

    fn run(&self, project: &Project, progress: &dyn Progress) -> Result<Outcome, Error> {
        let records = self.records(project, progress)?;
        let ids: Vec<String> = records
            .iter()
            .map(|(record, _)| project.runs_dir().join(&record.run_id).display().to_string())
            .collect();
        Ok(if records.iter().all(|&(_, was_done)| was_done) {
            Outcome::UpToDate(format!("{}: up to date", ids.join(", ")))
        } else {
            Outcome::Done(ids.join(", "))
        })
    }
}
