//! Where things are: the data folder, the reports folder, and the configuration.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use segbench_fetch::{Credentials, Settings};
use segbench_targets::Scheme;
use segbench_types::{ErrorKind, Explain as _, Progress};

use crate::config::{DatasetConfig, RunConfig};
use crate::stage::{
    BenchStage, ClassWeightsStage, DistancesStage, Outcome, PrepareStage, ReportStage, Stage, Start,
    TrainStage,
};
use crate::{Config, Error, JobPlace, WeightsStore};

/// A place on disk with a configuration.
#[derive(Debug, Clone)]
pub struct Project {
    /// Folder of all data, `data` unless told otherwise.
    pub root: PathBuf,
    /// Folder of runs and report, `reports` unless told otherwise.
    pub reports: PathBuf,
    /// What the configuration file says; empty without one.
    pub config: Config,
    /// Folder of the configuration file, for relative paths in it.
    pub config_dir: PathBuf,
    /// Device by name.
    pub device: String,
    /// Whether nothing may be fetched.
    pub is_offline: bool,
    /// Asks the person in front of the terminal for the login of a site; `None` where nobody is there to be asked.
    pub ask_login: Option<fn(&str) -> Option<Credentials>>,
}

impl Project {
    /// Archives of a data set.
    pub fn raw(&self, dataset: &str) -> PathBuf {
        self.root.join("raw").join(segbench_datasets::raw_name(dataset))
    }

    /// How files are fetched.
    pub fn fetch_settings(&self) -> Settings {
        let addresses = self.config.addresses.clone();
        Settings { is_offline: self.is_offline, addresses, ..Settings::default() }
    }

    /// A prepared data set.
    pub fn prepared(&self, dataset: &str) -> PathBuf {
        self.root.join("prepared").join(dataset)
    }

    /// All runs.
    pub fn runs_dir(&self) -> PathBuf {
        self.reports.join("runs")
    }

    /// The place of a plan that is being worked on.
    pub fn job(&self, stage: &str, name: &str, key: &str) -> JobPlace {
        JobPlace::new(&self.root.join("jobs"), &format!("{stage}-{name}"), key)
    }

    /// The folder of a training: checkpoint, log, final weights.
    pub fn training(&self, tag: &str) -> PathBuf {
        self.root.join("training").join(tag)
    }

    /// Weights that were trained or converted here.
    pub fn weights(&self) -> WeightsStore {
        WeightsStore::new(&self.root.join("weights"))
    }

    /// What the configuration says about a data set.
    pub fn dataset_config(&self, name: &str) -> DatasetConfig {
        self.config.datasets.get(name).cloned().unwrap_or_default()
    }

    /// All stages of the configuration in the order in which they run.
    ///
    /// # Errors
    /// [`Error::Usage`] for names the configuration check did not see.
    pub fn stages(&self) -> Result<Vec<Box<dyn Stage>>, Error> {
        let mut stages: Vec<Box<dyn Stage>> = Vec::new();
        for (name, config) in &self.config.datasets {
            stages.push(Box::new(PrepareStage { dataset: name.clone(), config: config.clone() }));
        }
        if let Some(weights) = &self.config.targets.class_weights {
            let schemes: Vec<Scheme> =
                weights.schemes.iter().map(|scheme| Scheme::parse(scheme)).collect::<Result<_, _>>()?;
            for name in self.config.datasets.keys() {
                stages.push(Box::new(ClassWeightsStage {
                    dataset: name.clone(),
                    schemes: schemes.clone(),
                    split: "train".into(),
                    adjustment: weights.adjustment()?,
                }));
            }
        }
        if let Some(distances) = &self.config.targets.distances {
            for name in self.config.datasets.keys() {
                stages.push(Box::new(DistancesStage {
                    dataset: name.clone(),
                    splits: distances.splits.clone(),
                    kind: distances.kind,
                }));
            }
        }
        for run in &self.config.runs {
            self.add_run(run, &mut stages)?;
        }
        if self.config.runs.iter().any(|run| run.bench.is_some()) {
            stages.push(Box::new(ReportStage { formats: self.config.report.formats.clone() }));
        }
        Ok(stages)
    }

    fn add_run(&self, run: &RunConfig, stages: &mut Vec<Box<dyn Stage>>) -> Result<(), Error> {
        let model = segbench_models::zoo::find(&run.model)?.name().to_owned();
        let mut weights = run.weights.as_ref().map(|name| self.relative_to_config(name));
        if let Some(config) = &run.train {
            let stage =
                TrainStage { model: model.clone(), config: config.clone(), start: Start::ResumeIfSame };
            weights = Some(stage.tag());
            stages.push(Box::new(stage));
        }
        if let (Some(config), Some(weights)) = (&run.bench, weights) {
            let (config, device) = (config.clone(), self.device.clone());
            stages.push(Box::new(BenchStage { model, weights, config, accuracy: true, device }));
        }
        Ok(())
    }

    /// A checkpoint named in the configuration lies beside it; a tag stays a tag.
    fn relative_to_config(&self, weights: &str) -> String {
        let beside = self.config_dir.join(weights);
        if beside.is_file() && !Path::new(weights).is_file() {
            beside.display().to_string()
        } else {
            weights.into()
        }
    }

    /// Runs stages in order; a stage whose inputs failed is not tried, the others are.
    ///
    /// # Errors
    /// [`Error::StagesFailed`]; `finished` has been given the reasons.
    pub fn run(
        &self,
        stages: &[Box<dyn Stage>],
        progress: &dyn Progress,
        mut finished: impl FnMut(&str, Result<&Outcome, &Error>),
    ) -> Result<(), Error> {
        let mut not_made = BTreeSet::new();
        let (mut failed, mut first) = (0, None);
        for stage in stages {
            let lacking = stage.takes().into_iter().find(|input| not_made.contains(input));
            let outcome = match lacking {
                Some(input) => Err(Error::NotTried { input }),
                None => stage.run(self, progress),
            };
            finished(&stage.name(), outcome.as_ref());
            if let Err(err) = outcome {
                failed += 1;
                first.get_or_insert(err.kind());
                not_made.extend(stage.makes());
            }
        }
        let total = stages.len();
        match first {
            None => Ok(()),
            Some(kind) if failed == total => Err(Error::StagesFailed { failed, total, kind }),
            Some(_) => Err(Error::StagesFailed { failed, total, kind: ErrorKind::SomeJobsFailed }),
        }
    }
}
