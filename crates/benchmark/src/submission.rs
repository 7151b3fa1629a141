//! Predictions for a test server.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use segbench_datasets::{
    CityscapesSubmission, DecodeError, Error as DatasetError, PreparedDataset, card, write_submission,
};
use segbench_types::{ClassCatalog, IGNORE, Progress};
use serde::Serialize;

use crate::Error;
use crate::prediction_files::{PredictionFiles, list_predictions, pair};

/// What was written for a test server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Submission {
    /// The zip or the folder.
    pub output: PathBuf,
    /// Frames in it.
    pub images: u64,
    /// Pixels without a class, which the server counts as misses.
    pub unpredicted_pixels: u64,
    /// What the server may not like, in sentences.
    pub notes: Vec<String>,
}

/// Writes predictions as the test server of Cityscapes takes them, to a folder or, where `output` ends in `.zip`, to a zip. `dataset`
/// says which frames there have to be; without it every file is taken for a frame by its name. Nothing is written unless everything
/// is right.
///
/// # Errors
/// [`Error::NotSubmittable`], [`Error::EmptySplit`], [`Error::NoFrame`], [`Error::NotFrameSize`] for anything but 2048x1024, those of
/// reading predictions (see [`score_against_dataset`](crate::score_against_dataset)), and [`Error::Datasets`] where `output` cannot be
/// written.
pub fn submit_to_cityscapes(
    dataset: Option<&PreparedDataset>,
    split: &str,
    predictions: &PredictionFiles<'_>,
    output: &Path,
    progress: &dyn Progress,
) -> Result<Submission, Error> {
    let cityscapes = card("cityscapes")?;
    let catalog = match dataset {
        Some(dataset) => dataset.info.catalog.clone(),
        None => cityscapes.catalog(),
    };
    if catalog.name != CityscapesSubmission::CATALOG {
        return Err(Error::NotSubmittable {
            dataset: dataset.map(|dataset| dataset.info.name.clone()).unwrap_or_default(),
            got: catalog.name,
            expected: CityscapesSubmission::CATALOG.into(),
        });
    }
    let frames = match dataset {
        Some(dataset) => frames_of(dataset, split, predictions.dir)?,
        None => frames_by_name(predictions.dir)?,
    };
    let mut notes = Vec::new();
    let complete = cityscapes.splits.iter().find(|card| card.name == split).and_then(|card| card.images);
    if let Some(complete) = complete.filter(|complete| *complete != frames.len() as u64) {
        notes.push(format!(
            "these are {} frames; the complete split `{split}` of Cityscapes has {complete}, and the server wants all of `test`",
            frames.len()
        ));
    }
    let bar = progress.start("export", frames.len() as u64);
    let encode = |(frame, path): &(String, PathBuf)| {
        let encoded = encode(frame, path, predictions, &catalog);
        bar.advance(1);
        encoded
    };
    let files: Vec<Result<_, Error>> = frames.par_iter().map(encode).collect();
    let files: Vec<Encoded> = files.into_iter().collect::<Result<_, _>>()?;
    let unpredicted_pixels = files.iter().map(|file| file.unpredicted_pixels).sum();
    let files: Vec<(String, Vec<u8>)> = files.into_iter().map(|file| (file.name, file.bytes)).collect();
    write_submission(output, &files)?;
    Ok(Submission { output: output.into(), images: files.len() as u64, unpredicted_pixels, notes })
}

/// The frames of a prepared split, each with its prediction.
fn frames_of(dataset: &PreparedDataset, split: &str, dir: &Path) -> Result<Vec<(String, PathBuf)>, Error> {
    let records = dataset.records(split);
    let ids: Vec<&str> = records.iter().map(|record| record.id.as_str()).collect();
    if ids.is_empty() {
        return Err(Error::EmptySplit { dataset: dataset.info.name.clone(), split: split.into() });
    }
    let files = pair(&ids, dir)?;
    Ok(ids.into_iter().map(str::to_owned).zip(files).collect())
}

/// The frames that files are named after.
fn frames_by_name(dir: &Path) -> Result<Vec<(String, PathBuf)>, Error> {
    let mut frames = BTreeMap::<String, PathBuf>::new();
    for (stem, path) in list_predictions(dir)? {
        let frame =
            CityscapesSubmission::frame(&stem).ok_or_else(|| Error::NoFrame { path: path.clone() })?;
        if let Some(first) = frames.insert(frame.to_owned(), path.clone()) {
            return Err(Error::TwoPredictions { id: frame.to_owned(), first, second: path });
        }
    }
    if frames.is_empty() {
        return Err(Error::NoLabels { dir: dir.into() });
    }
    Ok(frames.into_iter().collect())
}

struct Encoded {
    name: String,
    bytes: Vec<u8>,
    unpredicted_pixels: u64,
}

fn encode(
    frame: &str,
    path: &Path,
    predictions: &PredictionFiles<'_>,
    catalog: &ClassCatalog,
) -> Result<Encoded, Error> {
    let labels = predictions.read(path, catalog)?.labels;
    let (got, expected) = ((labels.width(), labels.height()), CityscapesSubmission::SIZE);
    if got != expected {
        return Err(Error::NotFrameSize { path: path.into(), got, expected });
    }
    let wrap = |source: DecodeError| DatasetError::Decode { file: path.display().to_string(), source };
    let (name, bytes) = CityscapesSubmission::file(frame, &labels, catalog).map_err(wrap)?;
    let unpredicted = labels.as_slice().iter().filter(|label| **label == IGNORE).count();
    Ok(Encoded { name, bytes, unpredicted_pixels: unpredicted as u64 })
}
