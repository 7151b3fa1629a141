//! The conversion as a list of independent tasks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;
use segbench_storage::Sha256;
use segbench_types::{DatasetInfo, IGNORE, ImageRecord, Progress, Silent, SplitInfo};
use serde::{Deserialize, Serialize};

use super::findings::{Findings, Skipped, TaskRecords, UnknownValues};
use super::item::{Context, Converted, convert};
use super::pairing::{self, Item, Pairing};
use super::sources::{self, ConversionOptions, Place, Source};
use super::state::{State, is_up_to_date, state_path};
use super::sweep::{remove, sweep};
use crate::cards::{Coding, DatasetCard, find};
use crate::label_png::LabelForm;
use crate::{Error, UnknownLabel};

/// Images in one task.
pub const IMAGES_PER_TASK: usize = 16;

/// A data set on its way from its archives to the common label format.
#[derive(Debug)]
pub struct Conversion {
    card: Arc<DatasetCard>,
    plan: ConversionPlan,
    sources: Vec<Source>,
    pairing: Pairing,
    folder: PathBuf,
}

/// What another process needs to run tasks of the same conversion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConversionPlan {
    /// What [`find`](crate::find) finds the data set by.
    pub dataset: String,
    /// The data folder.
    pub root: PathBuf,
    /// The archives and folders to read.
    pub sources: Vec<PathBuf>,
    /// The splits asked for; empty for all that are there.
    pub splits: Vec<String>,
    /// What label maps are written as.
    #[serde(default)]
    pub labels: LabelForm,
    /// [`Conversion::fingerprint`] when the plan was made.
    pub fingerprint: String,
}

impl Conversion {
    /// Lists and pairs the files of the data set that `name` stands for (see [`find`](crate::find)): those in `sources`, or those in `<root>/raw/<name>` if none are named. No image
    /// is read; the sample is drawn if it is not there yet.
    ///
    /// # Errors
    /// Those of [`find`](crate::find), [`Error::UnknownSplit`], [`Error::MissingSource`] if nothing or only images or only label maps are
    /// found, [`Error::Unpaired`], [`Error::Duplicate`], and [`Error::Archive`] for an archive that cannot be listed.
    pub fn plan(
        name: &str,
        options: &ConversionOptions,
        sources: &[PathBuf],
        splits: &[String],
        root: &Path,
    ) -> Result<Self, Error> {
        let card = find(name, root)?;
        let paths = sources::locate(&card, options, sources, root)?;
        let sources = sources::open(&card, &paths, &root.join("raw").join(card.raw_name()), &Silent)?;
        let pairing = pairing::pair(&card, &sources, splits)?;
        let fingerprint = fingerprint(&card, &sources, &pairing, options.labels);
        let folder = crate::prepared::folder(root, &card.name);
        let plan = ConversionPlan {
            dataset: name.to_owned(),
            root: root.to_owned(),
            sources: paths,
            splits: splits.to_vec(),
            labels: options.labels,
            fingerprint,
        };
        Ok(Self { card, plan, sources, pairing, folder })
    }

    /// Unpacks those of the files of [`Self::plan`] that can only be read from the front (tar.gz and rar), which `plan` would do
    /// without a word. What is unpacked already stays.
    ///
    /// # Errors
    /// As [`Self::plan`].
    pub fn unpack(
        name: &str,
        sources: &[PathBuf],
        root: &Path,
        progress: &dyn Progress,
    ) -> Result<(), Error> {
        let card = find(name, root)?;
        let raw = root.join("raw").join(card.raw_name());
        let paths = if sources.is_empty() { vec![raw.clone()] } else { sources.to_vec() };
        let paths: Vec<PathBuf> = paths.into_iter().filter(|path| path.exists()).collect();
        sources::unpack(&card, &paths, &raw, progress)
    }

    /// The conversion that `plan` describes, as another process left it.
    ///
    /// # Errors
    /// As [`Self::plan`], and [`Error::SourceChanged`] if the files are not those of the plan.
    pub fn open(plan: &ConversionPlan) -> Result<Self, Error> {
        let options = ConversionOptions { labels: plan.labels, ..ConversionOptions::default() };
        let opened = Self::plan(&plan.dataset, &options, &plan.sources, &plan.splits, &plan.root)?;
        if opened.plan.fingerprint != plan.fingerprint {
            return Err(Error::SourceChanged { dataset: plan.dataset.clone() });
        }
        Ok(opened)
    }

    /// What another process needs to run tasks of this conversion.
    pub fn description(&self) -> &ConversionPlan {
        &self.plan
    }

    /// A hash over everything that determines the output: names, sizes and checksums of the files, the splits and the converter's
    /// version.
    pub fn fingerprint(&self) -> &str {
        &self.plan.fingerprint
    }

    /// What is worth telling and no error, such as a number of images that is not that of the complete data set.
    pub fn notes(&self) -> &[String] {
        &self.pairing.notes
    }

    /// The card of the data set.
    pub fn card(&self) -> &DatasetCard {
        &self.card
    }

    /// The folder that is written.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Number of images.
    pub fn image_count(&self) -> usize {
        self.pairing.items.len()
    }

    /// Number of tasks.
    pub fn task_count(&self) -> usize {
        self.pairing.items.len().div_ceil(IMAGES_PER_TASK)
    }

    /// Whether the tree is there already, made from these files.
    ///
    /// # Errors
    /// As [`is_up_to_date`].
    pub fn is_done(&self) -> Result<bool, Error> {
        is_up_to_date(&self.plan.root, &self.card.name, &self.plan.fingerprint)
    }

    /// Makes room: removes what a killed run left unfinished, and the description of an older tree, which is no longer true. Call it
    /// once, before the first task.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn begin(&self) -> Result<(), Error> {
        segbench_storage::create_dir(&self.folder)?;
        segbench_storage::remove_temporaries(&self.folder)?;
        for path in [
            state_path(&self.folder),
            self.folder.join("dataset.yaml"),
            self.folder.join("manifest.parquet"),
            Findings::path(&self.folder),
        ] {
            remove(&path)?;
        }
        Ok(())
    }

    /// Converts the images of one task, in parallel. Running a task again writes the same files.
    ///
    /// # Errors
    /// [`Error::UnknownLabels`] over all images of the task, and unless the data set is known to have some broken images:
    /// [`Error::Decode`], [`Error::SizeMismatch`], [`Error::Crop`], [`Error::Archive`]; [`Error::Storage`]: the first in the order of the
    /// images.
    pub fn run_task(&self, index: usize) -> Result<TaskRecords, Error> {
        let count = self.task_count();
        let items = self
            .pairing
            .items
            .chunks(IMAGES_PER_TASK)
            .nth(index)
            .ok_or(Error::NoSuchTask { index, count })?;
        let catalog = self.card.catalog();
        let context = Context {
            card: &self.card,
            sources: &self.sources,
            crops: &self.pairing.crops,
            catalog: &catalog,
            form: self.plan.labels,
            folder: &self.folder,
        };
        let converted: Vec<_> = items.par_iter().map(|item| convert(item, &context)).collect();
        let mut task = TaskRecords::default();
        let (mut unknown, mut refused) = (UnknownValues::default(), UnknownValues::default());
        for (item, result) in items.iter().zip(converted) {
            match result {
                Ok(Converted::Done(record, values)) => {
                    task.records.push(*record);
                    unknown.add(values);
                }
                Ok(Converted::Unknown(values)) => refused.add(values),
                Err(err) if self.card.layout.tolerate > 0 && err.is_about_one_image() => {
                    task.skipped.push(Skipped {
                        split: self.card.splits[item.split].name.clone(),
                        id: item.id.clone(),
                        reason: err.to_string(),
                        is_known: false,
                    });
                }
                Err(err) => return Err(err),
            }
        }
        let values = refused.into_vec();
        if !values.is_empty() {
            return Err(Error::UnknownLabels { dataset: self.card.name.clone(), values });
        }
        task.unknown = unknown.into_vec();
        Ok(task)
    }

    /// Writes the findings, the manifest and, last, the description, and removes files of images that are no longer part of the data
    /// set. `tasks` are the results of all tasks, in any order.
    ///
    /// # Errors
    /// [`Error::Incomplete`] unless every image has a record or was left out; [`Error::TooManySkipped`]; [`Error::Table`],
    /// [`Error::Storage`].
    pub fn finish(&self, tasks: Vec<TaskRecords>) -> Result<DatasetInfo, Error> {
        let order: BTreeMap<&str, usize> =
            self.pairing.items.iter().enumerate().map(|(order, item)| (item.id.as_str(), order)).collect();
        let place = |id: &str| order.get(id).copied().unwrap_or(usize::MAX);
        let mut records = Vec::with_capacity(order.len());
        let mut found = BTreeMap::new();
        let mut unknown = BTreeMap::new();
        for task in tasks {
            let first = task.records.first().map(|record| place(&record.id));
            let first = first.or(task.skipped.first().map(|skipped| place(&skipped.id)));
            // A task that ran twice says the same twice, and the order of the tasks decides which file is the first.
            unknown.insert(first.unwrap_or(usize::MAX), task.unknown);
            found.extend(task.skipped.into_iter().map(|skipped| (place(&skipped.id), skipped)));
            records.extend(task.records);
        }
        records.sort_by_key(|record| place(&record.id));
        records.dedup_by(|second, first| second.id == first.id);
        let done: BTreeSet<usize> =
            records.iter().map(|record| place(&record.id)).chain(found.keys().copied()).collect();
        let missing = self.pairing.items.iter().find(|item| !done.contains(&place(&item.id)));
        if missing.is_some() || records.len() + found.len() != self.pairing.items.len() {
            return Err(Error::Incomplete {
                dataset: self.card.name.clone(),
                got: records.len(),
                expected: self.pairing.items.len(),
                first: missing.map(|item| item.id.clone()).unwrap_or_default(),
            });
        }
        let findings = self.findings(found.into_values(), unknown.into_values().flatten())?;
        let info = self.info(&records);
        self.sweep(&records)?;
        segbench_storage::write_json(&Findings::path(&self.folder), &findings)?;
        segbench_tables::write_manifest(&self.folder.join("manifest.parquet"), &records)?;
        crate::prepared::write_info(&self.folder, &info)?;
        segbench_storage::write_json(
            &state_path(&self.folder),
            &State { stage_key: self.plan.fingerprint.clone() },
        )?;
        Ok(info)
    }

    /// Everything noticed; refused if more images are broken than the data set is known to have.
    fn findings(
        &self,
        found: impl Iterator<Item = Skipped>,
        values: impl Iterator<Item = UnknownLabel>,
    ) -> Result<Findings, Error> {
        let mut skipped = self.pairing.skipped.clone();
        skipped.extend(found);
        skipped.sort_by(|a, b| (&a.split, &a.id).cmp(&(&b.split, &b.id)));
        let faults = || skipped.iter().filter(|skipped| !skipped.is_known);
        let (count, limit) = (faults().count() as u64, self.card.layout.tolerate);
        if let Some(first) = faults().next()
            && count > limit
        {
            let first = format!("`{}`: {}", first.id, first.reason);
            return Err(Error::TooManySkipped { dataset: self.card.name.clone(), count, limit, first });
        }
        let mut unknown = UnknownValues::default();
        unknown.add(values);
        Ok(Findings { notes: self.pairing.notes.clone(), skipped, unknown: unknown.into_vec() })
    }

    /// Runs everything in this process, unless it is done already.
    ///
    /// # Errors
    /// Those of [`Self::begin`], [`Self::run_task`] and [`Self::finish`].
    pub fn run(&self, progress: &dyn Progress) -> Result<DatasetInfo, Error> {
        if self.is_done()? {
            return crate::prepared::read_info(&self.folder);
        }
        self.begin()?;
        let task = progress.start(&self.card.name, self.image_count() as u64);
        let tasks: Result<Vec<_>, Error> = (0..self.task_count())
            .into_par_iter()
            .map(|index| {
                let done = self.run_task(index)?;
                task.advance((done.records.len() + done.skipped.len()) as u64);
                Ok(done)
            })
            .collect();
        self.finish(tasks?)
    }

    fn info(&self, records: &[ImageRecord]) -> DatasetInfo {
        let mut splits: BTreeMap<String, SplitInfo> = BTreeMap::new();
        for record in records {
            let split = splits.entry(record.split.clone()).or_default();
            split.images += 1;
            split.labelled += u64::from(record.label.is_some());
        }
        let mut files: Vec<String> = self
            .used_sources()
            .filter_map(|source| Some(source.archive.path().file_name()?.to_string_lossy().into_owned()))
            .collect();
        files.sort();
        DatasetInfo {
            name: self.card.name.clone(),
            converter_version: self.card.converter_version,
            source: format!("{} ({}), from {}", self.card.title, self.card.address, files.join(", ")),
            licence: self.card.licence.clone(),
            ignore_value: IGNORE,
            images: self.images(),
            splits,
            catalog: self.card.catalog(),
        }
    }

    /// What was done to the images, for the description.
    fn images(&self) -> String {
        let layout = &self.card.layout;
        let used: BTreeSet<usize> = self.pairing.items.iter().map(|item| item.image.rule).collect();
        let mut rules =
            layout.images.iter().enumerate().filter(|(rule, _)| used.contains(rule)).map(|(_, rule)| rule);
        match (rules.find(|rule| rule.crop || rule.short_side.is_some()), &layout.crop_table) {
            (Some(rule), _) if rule.short_side.is_some() => {
                format!("scaled down to a shorter side of {}, as PNG", rule.short_side.unwrap_or_default())
            }
            (Some(_), Some(crop)) => format!("cut out and scaled to {}x{}, as PNG", crop.width, crop.height),
            _ => "original".to_owned(),
        }
    }

    fn used_sources(&self) -> impl Iterator<Item = &Source> {
        let used: BTreeSet<usize> = places(&self.pairing).map(|place| place.source).collect();
        self.sources
            .iter()
            .enumerate()
            .filter(move |(index, _)| used.contains(index))
            .map(|(_, source)| source)
    }

    /// Removes files of an earlier conversion that this one did not write.
    fn sweep(&self, records: &[ImageRecord]) -> Result<(), Error> {
        let mut kept = BTreeSet::new();
        let items: BTreeMap<&str, &Item> =
            self.pairing.items.iter().map(|item| (item.id.as_str(), item)).collect();
        for record in records {
            kept.insert(self.folder.join(&record.image));
            kept.extend(record.label.as_ref().map(|label| self.folder.join(label)));
            let is_drawn = |place: &Place| {
                self.card.layout.labels.get(place.rule).is_some_and(|rule| rule.coding == Coding::Polygons)
            };
            let has_instances = items
                .get(record.id.as_str())
                .is_some_and(|item| item.instances.is_some() || item.label.as_ref().is_some_and(is_drawn));
            if has_instances && record.label.is_some() {
                kept.insert(self.folder.join(format!("instances/{}/{}.png", record.split, record.id)));
            }
        }
        for part in ["images", "labels", "instances"] {
            sweep(&self.folder.join(part), &kept)?;
        }
        Ok(())
    }
}

fn places(pairing: &Pairing) -> impl Iterator<Item = &Place> {
    let files = pairing
        .items
        .iter()
        .flat_map(|item| std::iter::once(&item.image).chain(&item.label).chain(&item.instances));
    files.chain(&pairing.tables)
}

fn fingerprint(card: &DatasetCard, sources: &[Source], pairing: &Pairing, labels: LabelForm) -> String {
    // Sorted, so that the order in which archives were named does not matter.
    let mut parts: Vec<String> = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        let mut members =
            places(pairing).filter(|place| place.source == index).map(|place| &place.member).peekable();
        if members.peek().is_some() {
            parts.push(source.archive.fingerprint(members));
        }
    }
    parts.sort();
    let splits: BTreeSet<&str> =
        pairing.items.iter().map(|item| card.splits[item.split].name.as_str()).collect();
    let mut hash = Sha256::default();
    hash.update(
        format!("{}\n{}\n{splits:?}\n{}", card.name, card.converter_version, parts.join("\n")).as_bytes(),
    );
    hash.update(card.layout.identity.as_bytes());
    if labels == LabelForm::Grey {
        hash.update(b"grey");
    }
    hash.hex()
}
