//! Scores of label maps that anybody's program wrote.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use segbench_datasets::{PreparedDataset, label_png, read_image};
use segbench_metrics::{ConfusionMatrix, Scores};
use segbench_types::{ClassCatalog, IGNORE, LabelMap, Protocol};
use serde::Serialize;

use crate::Error;

/// How predictions are coded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Encoding {
    /// Train ids; 255 means "no class".
    #[default]
    TrainId,
    /// The data set's own ids, mapped by its catalog.
    SourceId,
    /// The catalog's colors.
    Color,
}

/// What `segbench evaluate` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PredictionScores {
    /// Images compared.
    pub images: u64,
    /// Protocol whose scoring rule was used.
    pub protocol: String,
    /// Rows are ground truth, columns predictions, the last column "no class".
    pub confusion: Vec<Vec<u64>>,
    /// Scores per class, as fractions.
    pub classes: Vec<ClassRow>,
    /// Mean IoU over the classes that occur.
    pub miou: Option<f64>,
    /// Mean recall (mmsegmentation's mAcc).
    pub mean_recall: Option<f64>,
    /// Mean precision.
    pub mean_precision: Option<f64>,
    /// Share of labelled pixels that are right.
    pub pixel_accuracy: Option<f64>,
    /// IoU weighted by class frequency.
    pub fw_iou: Option<f64>,
    /// Mean Dice.
    pub mean_dice: Option<f64>,
    /// Pixels whose label is to be ignored.
    pub ignored_pixels: u64,
    /// Labelled pixels that were given no class: counted as misses.
    pub unpredicted_pixels: u64,
}

/// Scores of one class, as fractions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassRow {
    /// Its name.
    pub name: String,
    /// Intersection over union.
    pub iou: Option<f64>,
    /// Share of its pixels that were found.
    pub recall: Option<f64>,
    /// Share of the pixels given to it that are its own.
    pub precision: Option<f64>,
    /// Dice coefficient.
    pub dice: Option<f64>,
}

/// Scores the label maps in `predictions` against one split of a prepared data set.
///
/// # Errors
/// [`Error::NoPrediction`], [`Error::TwoPredictions`], [`Error::SizesDiffer`], [`Error::BadValue`]; [`Error::Datasets`] for files that
/// are no label maps.
pub fn score_against_dataset(
    dataset: &PreparedDataset,
    split: &str,
    predictions: &Path,
    encoding: Encoding,
    protocol: &Protocol,
) -> Result<PredictionScores, Error> {
    let (records, _) = crate::accuracy::selection(dataset, split, None)?;
    let ids: Vec<&str> = records.iter().map(|record| record.id.as_str()).collect();
    let files = pair(&ids, predictions)?;
    let catalog = &dataset.info.catalog;
    let read = |index: usize| {
        let prediction = read_prediction(&files[index], encoding, catalog)?;
        Ok((dataset.labels(records[index])?, prediction))
    };
    score(&files, catalog, protocol, read)
}

/// Scores the label maps in `predictions` against those in `labels`; both hold train ids below `classes`, or `ignore`.
///
/// # Errors
/// As [`score_against_dataset`].
pub fn score_against_labels(
    labels: &Path,
    predictions: &Path,
    classes: usize,
    ignore: u8,
    protocol: &Protocol,
) -> Result<PredictionScores, Error> {
    let truths = list_pngs(labels)?;
    let ids: Vec<&str> = truths.keys().map(String::as_str).collect();
    let files = pair(&ids, predictions)?;
    let catalog = numbered(classes);
    let truth_paths: Vec<&PathBuf> = truths.values().collect();
    let read = |index: usize| {
        let prediction = read_prediction(&files[index], Encoding::TrainId, &catalog)?;
        let mut truth = label_png::read(truth_paths[index])?;
        for label in truth.as_mut_slice().iter_mut().filter(|label| **label == ignore) {
            *label = IGNORE;
        }
        check(&truth, truth_paths[index], &catalog)?;
        Ok((truth, prediction))
    };
    score(&files, &catalog, protocol, read)
}

fn numbered(classes: usize) -> ClassCatalog {
    let class = |index: usize| segbench_types::Class {
        name: format!("class {index}"),
        color: [0, 0, 0],
        source_id: index as u16,
        has_instances: false,
    };
    ClassCatalog {
        name: "numbered".into(),
        classes: (0..classes).map(class).collect(),
        ignored_source_ids: Vec::new(),
    }
}

fn score(
    files: &[PathBuf],
    catalog: &ClassCatalog,
    protocol: &Protocol,
    read: impl Fn(usize) -> Result<(LabelMap, LabelMap), Error> + Sync,
) -> Result<PredictionScores, Error> {
    let matrices: Vec<ConfusionMatrix> = (0..files.len())
        .into_par_iter()
        .map(|index| {
            let (truth, prediction) = read(index)?;
            let size = |map: &LabelMap| (map.width(), map.height());
            if size(&truth) != size(&prediction) {
                let path = files[index].clone();
                return Err(Error::SizesDiffer { path, got: size(&prediction), expected: size(&truth) });
            }
            let mut confusion = ConfusionMatrix::new(catalog.len());
            confusion.count(truth.as_slice(), prediction.as_slice())?;
            Ok(confusion)
        })
        .collect::<Result<_, Error>>()?;
    let mut confusion = ConfusionMatrix::new(catalog.len());
    for matrix in &matrices {
        confusion.merge(matrix)?;
    }
    let scores = Scores::of(&confusion);
    let class = |(name, class): (&str, &segbench_metrics::ClassScores)| ClassRow {
        name: name.to_owned(),
        iou: class.iou,
        recall: class.recall,
        precision: class.precision,
        dice: class.dice,
    };
    Ok(PredictionScores {
        images: files.len() as u64,
        protocol: protocol.name.clone(),
        unpredicted_pixels: confusion.no_class(),
        confusion: confusion.rows(),
        classes: catalog.names().zip(&scores.classes).map(class).collect(),
        miou: scores.miou,
        mean_recall: scores.mean_recall,
        mean_precision: scores.mean_precision,
        pixel_accuracy: scores.pixel_accuracy,
        fw_iou: scores.fw_iou,
        mean_dice: scores.mean_dice,
        ignored_pixels: confusion.ignored(),
    })
}

/// One file per id: the one whose stem is the id, or else begins with it and an underscore, and with no longer id.
fn pair(ids: &[&str], dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let files = list_pngs(dir)?;
    let known: BTreeSet<&str> = ids.iter().copied().collect();
    let mut longer = BTreeMap::<&str, Vec<&PathBuf>>::new();
    for (stem, file) in &files {
        let mut beginnings = stem.rmatch_indices('_').map(|(end, _)| &stem[..end]);
        if !known.contains(stem.as_str())
            && let Some(id) = beginnings.find(|beginning| known.contains(beginning))
        {
            longer.entry(id).or_default().push(file);
        }
    }
    let mut pairs = Vec::new();
    let mut missing = Vec::new();
    for &id in ids {
        match (files.get(id), longer.get(id).map(Vec::as_slice)) {
            (Some(file), _) => pairs.push(file.clone()),
            (None, Some([file])) => pairs.push((*file).clone()),
            (None, Some([first, second, ..])) => {
                return Err(Error::TwoPredictions {
                    id: id.into(),
                    first: (*first).clone(),
                    second: (*second).clone(),
                });
            }
            (None, _) => missing.push(id),
        }
    }
    match missing.first() {
        None => Ok(pairs),
        Some(&first) => Err(Error::NoPrediction {
            dir: dir.into(),
            count: missing.len(),
            total: ids.len(),
            first: first.into(),
        }),
    }
}

/// All PNGs below a folder by stem.
fn list_pngs(dir: &Path) -> Result<BTreeMap<String, PathBuf>, Error> {
    let mut files = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in segbench_storage::list_dir(&folder)? {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png")) {
                let id = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                if let Some(first) = files.insert(id.clone(), path.clone()) {
                    return Err(Error::TwoPredictions { id, first, second: path });
                }
            }
        }
    }
    Ok(files)
}

fn read_prediction(path: &Path, encoding: Encoding, catalog: &ClassCatalog) -> Result<LabelMap, Error> {
    if encoding == Encoding::Color {
        return read_colors(path, catalog);
    }
    let mut map = label_png::read(path)?;
    if encoding == Encoding::SourceId {
        // Values that mean nothing are given an id no class can have, so that `check` names them.
        let mut table = [None; 256];
        for (train_id, class) in (0..).zip(&catalog.classes) {
            if let Some(place) = table.get_mut(usize::from(class.source_id)) {
                *place = Some(train_id);
            }
        }
        for &source in &catalog.ignored_source_ids {
            if let Some(place) = table.get_mut(usize::from(source)) {
                *place = Some(IGNORE);
            }
        }
        table[usize::from(IGNORE)].get_or_insert(IGNORE);
        let expected = || format!("an id of `{}`", catalog.name);
        let width = map.width() as usize;
        for (index, label) in map.as_mut_slice().iter_mut().enumerate() {
            *label = table[usize::from(*label)]
                .ok_or_else(|| bad_value(path, label.to_string(), index, width, expected()))?;
        }
        return Ok(map);
    }
    check(&map, path, catalog)?;
    Ok(map)
}

fn read_colors(path: &Path, catalog: &ClassCatalog) -> Result<LabelMap, Error> {
    let picture = read_image(path)?;
    let labels: BTreeMap<[u8; 3], u8> =
        (0..).zip(&catalog.classes).map(|(id, class)| (class.color, id)).collect();
    let width = picture.width() as usize;
    let label = |(index, pixel): (usize, &image::Rgb<u8>)| match labels.get(&pixel.0) {
        Some(&label) => Ok(label),
        None if pixel.0 == [0, 0, 0] => Ok(IGNORE),
        None => Err(bad_value(
            path,
            format!("{:?}", pixel.0),
            index,
            width,
            format!("a color of `{}`", catalog.name),
        )),
    };
    let data: Vec<u8> = picture.pixels().enumerate().map(label).collect::<Result<_, _>>()?;
    LabelMap::new(picture.width(), picture.height(), data)
        .map_err(|err| Error::BadResults { reason: err.to_string() })
}

fn check(map: &LabelMap, path: &Path, catalog: &ClassCatalog) -> Result<(), Error> {
    let classes = catalog.len();
    match map.as_slice().iter().position(|&label| label != IGNORE && usize::from(label) >= classes) {
        None => Ok(()),
        Some(index) => {
            let expected = format!("0 to {} or {IGNORE}", classes.saturating_sub(1));
            Err(bad_value(path, map.as_slice()[index].to_string(), index, map.width() as usize, expected))
        }
    }
}

fn bad_value(path: &Path, value: String, index: usize, width: usize, expected: String) -> Error {
    Error::BadValue { path: path.into(), value, x: index % width, y: index / width, expected }
}
