//! From a data set's archives to the common label format.

use std::path::PathBuf;
use std::sync::OnceLock;

use segbench_datasets::{
    Conversion, ConversionOptions, ConversionPlan, PreparedDataset, TaskRecords, draw, is_drawn, raw_name,
};
use segbench_types::Progress;
use serde::{Deserialize, Serialize};

use super::{Outcome, Stage, Work, find_login};
use crate::config::DatasetConfig;
use crate::task::Plan;
use crate::{Error, Project};

/// Prepares one data set.
#[derive(Debug, Clone)]
pub struct PrepareStage {
    /// Its name.
    pub dataset: String,
    /// Sources and splits.
    pub config: DatasetConfig,
}

impl PrepareStage {
    /// The archives to read: those named, or what lies in `data/raw/<name>`.
    fn sources(&self, project: &Project) -> Vec<PathBuf> {
        let raw = project.raw(&self.dataset);
        let find = |source: &PathBuf| match raw.join(source) {
            inside if inside.exists() => inside,
            _ if source.exists() || source.is_absolute() => source.clone(),
            _ => project.config_dir.join(source),
        };
        match self.config.source.as_slice() {
            [] if raw.exists() => vec![raw],
            sources => sources.iter().map(find).collect(),
        }
    }

    /// Pairs the files of the sources; what the program draws is drawn if it is not there yet.
    fn plan(&self, project: &Project, progress: &dyn Progress) -> Result<Conversion, Error> {
        let options = ConversionOptions {
            sample: self.config.draw.clone().unwrap_or_default().options(),
            labels: self.config.label_png.into(),
        };
        let sources = if self.config.source.is_empty() { Vec::new() } else { self.sources(project) };
        let described = self.described(project);
        if sources.is_empty() {
            let card = segbench_datasets::find(&described, &project.root)?;
            let (settings, login) = (project.fetch_settings(), |site| find_login(site, project));
            segbench_datasets::download(
                &card,
                &self.config.splits,
                &project.root,
                &settings,
                &login,
                progress,
            )?;
        }
        Conversion::unpack(&described, &sources, &project.root, progress)?;
        if sources.is_empty() {
            draw(raw_name(&self.dataset), &project.root, &options.sample, progress)?;
        }
        let conversion =
            Conversion::plan(&described, &options, &sources, &self.config.splits, &project.root)?;
        // Everything later looks for the tree under this name.
        if conversion.card().name != self.dataset {
            let (name, described) = (self.dataset.clone(), conversion.card().name.clone());
            return Err(Error::OtherDataset { name, described });
        }
        Ok(conversion)
    }

    /// Whether the splits are there, made of files that nobody names now: no reason to fetch gigabytes again.
    fn is_made_of_other_files(&self, project: &Project) -> bool {
        if !self.config.source.is_empty()
            || self.config.describe.is_some()
            || self.dataset == "sample"
            || project.raw(&self.dataset).exists()
        {
            return false;
        }
        let made = PreparedDataset::open(&project.root, &self.dataset);
        made.is_ok_and(|made| self.config.splits.iter().all(|split| made.info.splits.contains_key(split)))
    }

    /// What finds the data set: its name, or the file that describes it, with the taxonomy of the name.
    fn described(&self, project: &Project) -> String {
        let Some(file) = &self.config.describe else { return self.dataset.clone() };
        let file = if file.is_file() { file.clone() } else { project.config_dir.join(file) };
        let taxonomy = &self.dataset[segbench_datasets::raw_name(&self.dataset).len()..];
        format!("{}{taxonomy}", file.display())
    }
}

/// A conversion as it stands in a plan file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Preparation {
    plan: ConversionPlan,
    #[serde(skip)]
    opened: OnceLock<Conversion>,
}

impl Preparation {
    fn new(conversion: Conversion) -> Self {
        Self { plan: conversion.description().clone(), opened: conversion.into() }
    }

    /// Whether the files of these images are there.
    pub(super) fn holds(&self, done: &TaskRecords) -> bool {
        let mut files =
            done.records.iter().flat_map(|record| std::iter::once(&record.image).chain(&record.label));
        self.conversion().is_ok_and(|conversion| files.all(|file| conversion.folder().join(file).is_file()))
    }

    /// The conversion, opened once per process.
    pub(super) fn conversion(&self) -> Result<&Conversion, Error> {
        if let Some(conversion) = self.opened.get() {
            return Ok(conversion);
        }
        let conversion = Conversion::open(&self.plan)?;
        Ok(self.opened.get_or_init(|| conversion))
    }
}

impl Stage for PrepareStage {
    fn name(&self) -> String {
        format!("prepare {}", self.dataset)
    }

    fn reads(&self, project: &Project) -> Vec<String> {
        match self.sources(project).as_slice() {
            [] if is_drawn(&self.dataset) => vec!["nothing: the program draws it".into()],
            [] => vec![project.raw(&self.dataset).display().to_string()],
            sources => sources.iter().map(|source| source.display().to_string()).collect(),
        }
    }

    fn writes(&self, project: &Project) -> Vec<String> {
        vec![project.prepared(&self.dataset).display().to_string()]
    }

    fn needs(&self, project: &Project) -> Vec<String> {
        let absent = |source: &PathBuf| (!source.exists()).then(|| source.display().to_string());
        let mut needs: Vec<String> = self.sources(project).iter().filter_map(absent).collect();
        let is_there = is_drawn(&self.dataset) || !self.sources(project).is_empty();
        let card = segbench_datasets::find(&self.described(project), &project.root).ok();
        let download = card.and_then(|card| card.download.clone());
        let place = format!("the archives of {} in {}", self.dataset, project.raw(&self.dataset).display());
        match download {
            _ if is_there || !needs.is_empty() => {}
            Some(download) if !project.is_offline => {
                let login = if download.login.is_some() { " with your login" } else { "" };
                needs.push(format!("{place} (fetched{login} if absent)"));
            }
            _ => needs.push(place),
        }
        needs
    }

    fn makes(&self) -> Option<String> {
        Some(super::dataset(&self.dataset))
    }

    fn run(&self, project: &Project, progress: &dyn Progress) -> Result<Outcome, Error> {
        let place = project.prepared(&self.dataset);
        if self.is_made_of_other_files(project) {
            let place = place.display();
            let message = format!("{place}: made before from files that are no longer named; nothing to do");
            return Ok(Outcome::UpToDate(message));
        }
        let conversion = self.plan(project, progress)?;
        let key = conversion.fingerprint().to_owned();
        for note in conversion.notes() {
            progress.note(note);
        }
        let job = project.job("prepare", &self.dataset, &key);
        if conversion.is_done()? {
            // A run that was killed at its very end leaves the job.
            job.remove()?;
            return Ok(Outcome::UpToDate(format!("{}: up to date, nothing to do", place.display())));
        }
        // Another conversion overwrites the files that an unfinished one counts on.
        job.remove_others()?;
        conversion.begin()?;
        let images = conversion.image_count();
        let work = Work::Prepare(Box::new(Preparation::new(conversion)));
        let plan = Plan::create(&job.dir(), &key, work)?;
        plan.run_pending(&self.name(), progress)?;
        let tasks: Vec<TaskRecords> = plan.merge()?;
        if let Work::Prepare(preparation) = plan.work() {
            preparation.conversion()?.finish(tasks)?;
        }
        job.remove()?;
        Ok(Outcome::Done(format!("{}: {images} images", place.display())))
    }
}
