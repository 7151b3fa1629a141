//! The conversion as a list of independent tasks.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use segbench_storage::Sha256;
use segbench_types::{DatasetInfo, IGNORE, ImageRecord, Progress, SplitInfo};
use serde::{Deserialize, Serialize};

use super::item::{Context, Converted, convert};
use super::pairing::{self, Pairing};
use super::sources::{self, ConversionOptions, Place, Source};
use super::state::{State, is_up_to_date, state_path};
use crate::cards::{DatasetCard, card};
use crate::labels::LabelTable;
use crate::{Error, UnknownLabel};

/// Images in one task.
pub const IMAGES_PER_TASK: usize = 16;

/// A data set on its way from its archives to the common label format.
#[derive(Debug)]
pub struct Conversion {
    card: &'static DatasetCard,
    plan: ConversionPlan,
    sources: Vec<Source>,
    pairing: Pairing,
    folder: PathBuf,
}

/// What another process needs to run tasks of the same conversion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConversionPlan {
    /// Name of the data set.
    pub dataset: String,
    /// The data folder.
    pub root: PathBuf,
    /// The archives and folders to read.
    pub sources: Vec<PathBuf>,
    /// The splits asked for; empty for all that are there.
    pub splits: Vec<String>,
    /// [`Conversion::fingerprint`] when the plan was made.
    pub fingerprint: String,
}

impl Conversion {
    /// Lists and pairs the files of data set `name`: those in `sources`, or those in `<root>/raw/<name>` if none are named. No image
    /// is read; the sample is drawn if it is not there yet.
    ///
    /// # Errors
    /// [`Error::UnknownDataset`], [`Error::UnknownSplit`], [`Error::MissingSource`] if nothing or only images or only label maps are
    /// found, [`Error::Unpaired`], [`Error::Duplicate`], and [`Error::Archive`] for an archive that cannot be listed.
    pub fn plan(
        name: &str,
        options: &ConversionOptions,
        sources: &[PathBuf],
        splits: &[String],
        root: &Path,
    ) -> Result<Self, Error> {
        let card = card(name)?;
        let paths = sources::locate(card, options, sources, root)?;
        let sources = sources::open(&paths)?;
        let pairing = pairing::pair(card, &sources, splits)?;
        let fingerprint = fingerprint(card, &sources, &pairing);
        let plan = ConversionPlan {
            dataset: card.name.to_owned(),
            root: root.to_owned(),
            sources: paths,
            splits: splits.to_vec(),
            fingerprint,
        };
        Ok(Self { card, plan, sources, pairing, folder: crate::prepared::folder(root, name) })
    }

    /// The conversion that `plan` describes, as another process left it.
    ///
    /// # Errors
    /// As [`Self::plan`], and [`Error::SourceChanged`] if the files are not those of the plan.
    pub fn open(plan: &ConversionPlan) -> Result<Self, Error> {
        let options = ConversionOptions::default();
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
    pub fn card(&self) -> &'static DatasetCard {
        self.card
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
        is_up_to_date(&self.plan.root, self.card.name, &self.plan.fingerprint)
    }

    /// Makes room: removes what a killed run left unfinished, and the description of an older tree, which is no longer true. Call it
    /// once, before the first task.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn begin(&self) -> Result<(), Error> {
        segbench_storage::create_dir(&self.folder)?;
        segbench_storage::remove_temporaries(&self.folder)?;
        for path in
            [state_path(&self.folder), self.folder.join("dataset.yaml"), self.folder.join("manifest.parquet")]
        {
            remove(&path)?;
        }
        Ok(())
    }

    /// Converts the images of one task, in parallel. Running a task again writes the same files.
    ///
    /// # Errors
    /// [`Error::Decode`], [`Error::SizeMismatch`], [`Error::UnknownLabels`] over all images of the task, [`Error::Archive`],
    /// [`Error::Storage`]: the first in the order of the images.
    pub fn run_task(&self, index: usize) -> Result<Vec<ImageRecord>, Error> {
        let count = self.task_count();
        let items = self
            .pairing
            .items
            .chunks(IMAGES_PER_TASK)
            .nth(index)
            .ok_or(Error::NoSuchTask { index, count })?;
        let catalog = self.card.catalog();
        let context = Context {
            card: self.card,
            sources: &self.sources,
            table: &LabelTable::new(&catalog),
            catalog: &catalog,
            folder: &self.folder,
        };
        let converted: Vec<_> = items.par_iter().map(|item| convert(item, &context)).collect();
        let mut records = Vec::with_capacity(items.len());
        let mut unknown: BTreeMap<u16, UnknownLabel> = BTreeMap::new();
        for result in converted {
            match result? {
                Converted::Done(record) => records.push(record),
                Converted::Unknown { file, pixels } => {
                    for (value, pixels) in pixels {
                        let first = || UnknownLabel { value, pixels: 0, file: file.clone() };
                        unknown.entry(value).or_insert_with(first).pixels += pixels;
                    }
                }
            }
        }
        if unknown.is_empty() {
            Ok(records)
        } else {
            let values = unknown.into_values().collect();
            Err(Error::UnknownLabels { dataset: self.card.name.to_owned(), values })
        }
    }

    /// Writes the manifest and, last, the description, and removes files of images that are no longer part of the data set.
    /// `records` are those of all tasks, in any order.
    ///
    /// # Errors
    /// [`Error::Incomplete`] unless there is one record for each image; [`Error::Table`], [`Error::Storage`].
    pub fn finish(&self, mut records: Vec<ImageRecord>) -> Result<DatasetInfo, Error> {
        let order: BTreeMap<&str, usize> =
            self.pairing.items.iter().enumerate().map(|(order, item)| (item.id.as_str(), order)).collect();
        records.sort_by_key(|record| order.get(record.id.as_str()).copied().unwrap_or(usize::MAX));
        records.dedup_by(|second, first| second.id == first.id);
        let missing = self.pairing.items.iter().zip(records.iter().map(Some).chain(std::iter::repeat(None)));
        let missing =
            missing.into_iter().find(|(item, record)| record.is_none_or(|record| record.id != item.id));
        if missing.is_some() || records.len() != self.pairing.items.len() {
            return Err(Error::Incomplete {
                dataset: self.card.name.to_owned(),
                got: records.len(),
                expected: self.pairing.items.len(),
                first: missing.map(|(item, _)| item.id.clone()).unwrap_or_default(),
            });
        }
        let info = self.info(&records);
        self.sweep(&records)?;
        segbench_tables::write_manifest(&self.folder.join("manifest.parquet"), &records)?;
        crate::prepared::write_info(&self.folder, &info)?;
        segbench_storage::write_json(
            &state_path(&self.folder),
            &State { stage_key: self.plan.fingerprint.clone() },
        )?;
        Ok(info)
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
        let task = progress.start(self.card.name, self.image_count() as u64);
        let records: Result<Vec<_>, Error> = (0..self.task_count())
            .into_par_iter()
            .map(|index| {
                let records = self.run_task(index)?;
                task.advance(records.len() as u64);
                Ok(records)
            })
            .collect();
        self.finish(records?.into_iter().flatten().collect())
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
            name: self.card.name.to_owned(),
            converter_version: self.card.converter_version,
            source: format!("{} ({}), from {}", self.card.title, self.card.address, files.join(", ")),
            licence: self.card.licence.to_owned(),
            ignore_value: IGNORE,
            images: "original".to_owned(),
            splits,
            catalog: self.card.catalog(),
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
        for (record, item) in records.iter().zip(&self.pairing.items) {
            kept.insert(self.folder.join(&record.image));
            kept.extend(record.label.as_ref().map(|label| self.folder.join(label)));
            if item.instances.is_some() && record.label.is_some() {
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
    files.chain(&pairing.lists)
}

fn fingerprint(card: &DatasetCard, sources: &[Source], pairing: &Pairing) -> String {
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
    let splits: BTreeSet<&str> = pairing.items.iter().map(|item| item.split).collect();
    let mut hash = Sha256::default();
    hash.update(
        format!("{}\n{}\n{splits:?}\n{}", card.name, card.converter_version, parts.join("\n")).as_bytes(),
    );
    hash.hex()
}

fn sweep(folder: &Path, kept: &BTreeSet<PathBuf>) -> Result<(), Error> {
    if !folder.exists() {
        return Ok(());
    }
    for path in segbench_storage::list_dir(folder)? {
        if path.is_dir() && !path.is_symlink() {
            sweep(&path, kept)?;
        } else if !kept.contains(&path) {
            remove(&path)?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(err) if err.kind() != std::io::ErrorKind::NotFound => {
            Err(segbench_storage::Error::writing(path, err).into())
        }
        _ => Ok(()),
    }
}
