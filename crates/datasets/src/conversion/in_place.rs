//! Label files of train ids beside the original ones, for programs that look for them there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use segbench_types::Progress;
use serde::Serialize;

use super::findings::UnknownValues;
use super::sources;
use crate::cards::{DatasetCard, Role};
use crate::reading::{self, Reading};
use crate::{Error, RawValue, UnknownLabel, label_png};

/// What was written beside the original files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct InPlace {
    /// Files that are new or different.
    pub written: u64,
    /// Files that were there with the same bytes.
    pub unchanged: u64,
}

/// A label file and what is written beside it.
struct Job {
    source: PathBuf,
    /// Which of the data set's label patterns it matches.
    rule: usize,
}

/// Writes 8-bit grey PNGs of train ids (255: no class) beside the label files in `folders`, as the data set's own tools do. Every file
/// appears when it is complete; one that is there with the right bytes is not touched, so that an interrupted run goes on. What can be
/// converted is, whatever happens to the rest.
///
/// # Errors
/// [`Error::NotInPlace`] for data sets whose tools do not, [`Error::UnknownSplit`], [`Error::MissingSource`] if there is no label file;
/// [`Error::UnknownLabels`] over all files, else the first of [`Error::Decode`] and [`Error::Storage`], after everything else was
/// written.
pub fn write_train_ids(
    card: &DatasetCard,
    folders: &[PathBuf],
    splits: &[String],
    progress: &dyn Progress,
) -> Result<InPlace, Error> {
    let jobs = jobs(card, folders, splits)?;
    let task = progress.start(&card.name, jobs.len() as u64);
    let results: Vec<Result<bool, Error>> = jobs
        .par_iter()
        .map(|(target, job)| {
            let written = write(card, job, target);
            task.advance(1);
            written
        })
        .collect();
    let mut done = InPlace::default();
    let (mut unknown, mut failed) = (UnknownValues::default(), None);
    for result in results {
        match result {
            Ok(true) => done.written += 1,
            Ok(false) => done.unchanged += 1,
            Err(Error::UnknownLabels { values, .. }) => unknown.add(values),
            Err(err) => {
                // Only one error ends the program, so the others are told here.
                if failed.is_some() {
                    progress.note(&err.to_string());
                }
                failed.get_or_insert(err);
            }
        }
    }
    let values = unknown.into_vec();
    if !values.is_empty() {
        return Err(Error::UnknownLabels { dataset: card.name.clone(), values });
    }
    failed.map_or(Ok(done), Err)
}

/// What to write, by its path, from which file. Of several files for one, that of the first pattern counts.
fn jobs(card: &DatasetCard, folders: &[PathBuf], splits: &[String]) -> Result<BTreeMap<PathBuf, Job>, Error> {
    let rule = card.layout.in_place.as_ref().filter(|_| card.layout.taxonomy.is_none());
    let rule = rule.ok_or_else(|| Error::NotInPlace { dataset: card.name.clone() })?;
    if let Some(split) = splits.iter().find(|split| card.split_order(split).is_none()) {
        return Err(Error::UnknownSplit {
            dataset: card.name.clone(),
            split: split.clone(),
            known: card.known_splits(),
        });
    }
    let mut jobs = BTreeMap::<PathBuf, Job>::new();
    // Members of an archive have no file to stand beside.
    for folder in folders.iter().filter(|path| path.is_dir()) {
        let source = sources::open_folder(0, folder)?;
        for member in source.archive.members() {
            let ending = rule.endings.iter().find(|ending| member.name.ends_with(ending.as_str()));
            let (Some(ending), Some(found)) = (ending, source.recognize(card, member)) else { continue };
            let is_wanted = found.role == Role::Label
                && found
                    .split
                    .is_some_and(|split| splits.is_empty() || splits.contains(&card.splits[split].name));
            let (true, Some(path)) = (is_wanted, source.archive.file(member)?) else { continue };
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let stem = name.strip_suffix(ending.as_str()).unwrap_or(&name);
            let target = path.with_file_name(format!("{stem}{}", rule.train_ids));
            let job = Job { source: path, rule: found.rule };
            if jobs.get(&target).is_none_or(|other| job.rule < other.rule) {
                jobs.insert(target, job);
            }
        }
    }
    if jobs.is_empty() {
        let folders: Vec<String> = folders.iter().map(|folder| format!("`{}`", folder.display())).collect();
        let place = if folders.is_empty() { "any known folder".into() } else { folders.join(", ") };
        return Err(Error::MissingSource {
            what: format!("no unpacked label files of `{}` are in {place}", card.name),
            help: format!(
                "unpack the archives and name the folder: `segbench prepare {} --in-place --source DIR`",
                card.name
            ),
        });
    }
    Ok(jobs)
}

/// Whether the file was written, or was there as it should be.
fn write(card: &DatasetCard, job: &Job, target: &Path) -> Result<bool, Error> {
    let file = job.source.display().to_string();
    let bytes = segbench_storage::read(&job.source)?;
    let rule = &card.layout.labels[job.rule];
    let Reading { raw, .. } = reading::read(&bytes, rule.coding, &card.layout)
        .map_err(|source| Error::Decode { file: file.clone(), source })?;
    let counted = rule.table.map(raw).map_err(|unknown| {
        let value = |(id, pixels)| UnknownLabel { value: RawValue::Id(id), pixels, file: file.clone() };
        Error::UnknownLabels { dataset: card.name.clone(), values: unknown.into_iter().map(value).collect() }
    })?;
    let encoded = label_png::encode_train_ids(&counted.labels);
    if std::fs::read(target).is_ok_and(|there| there == encoded) {
        return Ok(false);
    }
    segbench_storage::write(target, &encoded)?;
    Ok(true)
}
