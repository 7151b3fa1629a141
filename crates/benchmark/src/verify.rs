//! Whether a run still is what it was, link by link: data, weights, label maps, counts, tables.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use segbench_datasets::{PreparedDataset, label_png};
use segbench_metrics::ConfusionMatrix;
use segbench_models::shipped;
use segbench_storage::{sha256_bytes, sha256_file};
use segbench_tables::{ImageRow, read_counts, read_images};
use segbench_types::{IGNORE, ImageRecord, RunRecord};
use serde::Serialize;

use crate::accuracy::prediction;
use crate::{Error, seal};

/// One link of the chain from the data to the tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at.
    pub what: String,
    /// How many files or entries.
    pub checked: u64,
    /// What is not as it was, each with the file's name; empty if everything is.
    pub faults: Vec<String>,
    /// Why nothing could be compared, if nothing could.
    pub not_checked: Option<String>,
}

impl Check {
    /// A link that was compared.
    pub fn of(what: &str, checked: usize, faults: Vec<String>) -> Self {
        Self { what: what.into(), checked: checked as u64, faults, not_checked: None }
    }

    /// A link that could not be compared.
    pub fn none(what: &str, reason: &str) -> Self {
        Self { what: what.into(), checked: 0, faults: Vec::new(), not_checked: Some(reason.into()) }
    }
}

/// Checks a run folder against itself and against the data and weights below `root`. What is not there any more (data, weights, label
/// maps) is said and is no fault.
///
/// # Errors
/// [`Error::Storage`] if the record cannot be read, [`Error::BadResults`] if the list of hashes is none. Everything else that is wrong is
/// a fault in the result.
pub fn verify_run(run_dir: &Path, root: &Path) -> Result<Vec<Check>, Error> {
    let record: RunRecord = segbench_storage::read_json(&run_dir.join("record.json"))?;
    let mut checks = vec![run_files(run_dir)?];
    let dataset = PreparedDataset::open(root, &record.dataset.name);
    let prepared = root.join("prepared").join(&record.dataset.name);
    let records = match &dataset {
        Ok(dataset) if dataset.manifest_sha256() == record.manifest_sha256 => {
            checks.push(Check::of("manifest", 1, Vec::new()));
            dataset.records(&record.split)
        }
        Ok(_) => {
            let path = prepared.join("manifest.parquet");
            let fault = format!("{}: it is not the manifest that the run was made with", path.display());
            checks.push(Check::of("manifest", 1, vec![fault]));
            Vec::new()
        }
        Err(err) if prepared.is_dir() => {
            checks.push(Check::of("manifest", 1, vec![err.to_string()]));
            Vec::new()
        }
        Err(_) => {
            let reason = format!("`{}` is not prepared here", record.dataset.name);
            checks.push(Check::none("manifest", &reason));
            Vec::new()
        }
    };
    checks.push(data_files(&prepared, &records));
    checks.push(weights(&record, root)?);
    if record.accuracy.is_some() {
        checks.push(predictions(run_dir));
        checks.push(match &dataset {
            Ok(dataset) if !records.is_empty() => counts(run_dir, dataset, &records),
            _ => Check::none("counts, counted again", "the labels are not there"),
        });
    }
    Ok(checks)
}

/// Whether a file has the hash it had.
fn compare(path: &Path, expected: &str) -> Option<String> {
    match sha256_file(path) {
        Ok(got) if got == expected => None,
        Ok(got) => Some(format!("{}: SHA-256 {got}, expected {expected}", path.display())),
        Err(err) => Some(err.to_string()),
    }
}

fn run_files(run_dir: &Path) -> Result<Check, Error> {
    let Some(sums) = seal::read(run_dir)? else {
        let reason = format!("there is no `{}`; this run is of an earlier version", seal::SUMS);
        return Ok(Check::none("files of the run", &reason));
    };
    let faults = sums.par_iter().filter_map(|(name, sha256)| compare(&run_dir.join(name), sha256)).collect();
    Ok(Check::of("files of the run", sums.len(), faults))
}

fn data_files(prepared: &Path, records: &[&ImageRecord]) -> Check {
    if records.is_empty() {
        return Check::none("images and labels", "there is no manifest to compare with");
    }
    let files: Vec<(PathBuf, &str)> = records
        .iter()
        .flat_map(|record| {
            let image = (prepared.join(&record.image), record.image_sha256.as_str());
            let label = record.label.as_ref().zip(record.label_sha256.as_deref());
            [Some(image), label.map(|(path, sha256)| (prepared.join(path), sha256))]
        })
        .flatten()
        .collect();
    let faults = files.par_iter().filter_map(|(path, sha256)| compare(path, sha256)).collect();
    Check::of("images and labels", files.len(), faults)
}

fn weights(record: &RunRecord, root: &Path) -> Result<Check, Error> {
    let what = "weights";
    let path = root.join("weights").join(format!("{}.safetensors", record.weights_sha256));
    if path.is_file() {
        return Ok(Check::of(what, 1, compare(&path, &record.weights_sha256).into_iter().collect()));
    }
    if let Some(shipped) = shipped().iter().find(|shipped| shipped.tag == record.weights) {
        let got = sha256_bytes(shipped.bytes);
        if got == record.weights_sha256 {
            return Ok(Check::of(what, 1, Vec::new()));
        }
    }
    Ok(Check::none(what, &format!("`{}` is not among the weights here", record.weights)))
}

fn predictions(run_dir: &Path) -> Check {
    let what = "label maps";
    let path = run_dir.join("images.parquet");
    if !path.is_file() {
        return Check::none(what, "there is no `images.parquet`; this run is of an earlier version");
    }
    let rows = match read_images(&path) {
        Ok(rows) => rows,
        Err(err) => return Check::of(what, 0, vec![err.to_string()]),
    };
    if !run_dir.join("predictions").is_dir() {
        return Check::none(what, "`predictions` was removed");
    }
    let compare_row = |row: &ImageRow| compare(&prediction(run_dir, &row.image_id), &row.prediction_sha256);
    Check::of(what, rows.len(), rows.par_iter().filter_map(compare_row).collect())
}

/// The cells of an image's confusion matrix.
type Cells = BTreeMap<(u8, u8), u64>;

/// Counts every image anew from its label map and its prediction.
fn counts(run_dir: &Path, dataset: &PreparedDataset, records: &[&ImageRecord]) -> Check {
    let what = "counts, counted again";
    if !run_dir.join("predictions").is_dir() {
        return Check::none(what, "`predictions` was removed");
    }
    let path = run_dir.join("counts.parquet");
    let rows = match read_counts(&path) {
        Ok(rows) => rows,
        Err(err) => return Check::of(what, 0, vec![err.to_string()]),
    };
    let mut stored = BTreeMap::<&str, Cells>::new();
    // An image without a labelled pixel has no counts.
    let listed = read_images(&run_dir.join("images.parquet")).unwrap_or_default();
    for image in &listed {
        stored.entry(&image.image_id).or_default();
    }
    for row in rows.iter().filter(|row| row.ground_truth != IGNORE) {
        let cells = stored.entry(&row.image_id).or_default();
        *cells.entry((row.ground_truth, row.predicted)).or_default() += row.count;
    }
    let count = |id: &str| -> Result<Cells, Error> {
        let missing = || Error::BadResults { reason: format!("the split has no image `{id}`") };
        let record = records.iter().find(|record| record.id == id).ok_or_else(missing)?;
        let truth = dataset.labels(record)?;
        let predicted = label_png::read(&prediction(run_dir, id))?;
        let mut matrix = ConfusionMatrix::new(dataset.info.catalog.len());
        matrix.count(truth.as_slice(), predicted.as_slice())?;
        let cell = |(truth, label, count): (u8, Option<u8>, u64)| ((truth, label.unwrap_or(IGNORE)), count);
        Ok(matrix.cells().map(cell).collect())
    };
    let images: Vec<_> = stored.into_iter().collect();
    let compare = |(id, stored): &(&str, Cells)| match count(id) {
        Ok(counted) => (counted != *stored)
            .then(|| format!("{}: the counts of `{id}` are not those of its label maps", path.display())),
        Err(err) => Some(format!("`{id}`: {err}")),
    };
    Check::of(what, images.len(), images.par_iter().filter_map(compare).collect())
}
