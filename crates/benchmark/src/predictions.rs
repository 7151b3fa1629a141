//! Scores of label maps that anybody's program wrote.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use segbench_datasets::{PreparedDataset, label_png};
use segbench_metrics::{
    ClassTotals, ConfusionMatrix, GroupScores, ImageScores, ObjectCounts, Scores, SizeRecall, recall_by_size,
};
use segbench_types::{ClassCatalog, IGNORE, LabelMap, Protocol};
use serde::Serialize;

use crate::prediction_files::{check, list_pngs, pair, read_prediction};
use crate::{Encoding, Error};

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
    /// Mean IoU over the classes that the protocol counts.
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
    /// IoU of all classes' pixels together.
    pub micro_iou: Option<f64>,
    /// Cohen's kappa.
    pub kappa: Option<f64>,
    /// Scores that are taken per image first.
    #[serde(flatten)]
    pub per_image: ImageScores,
    /// Scores of categories and objects, where the protocol and the data set have them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<GroupScores>,
    /// Recall of small, medium and large objects, where the data set has instance maps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recall_by_size: Option<[SizeRecall; 3]>,
    /// Pixels whose label is to be ignored.
    pub ignored_pixels: u64,
    /// Labelled pixels that were given no class.
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

/// Scores the label maps in `predictions` against one split of a prepared data set, once per protocol. Every file is read once.
///
/// # Errors
/// [`Error::NoPrediction`], [`Error::TwoPredictions`], [`Error::SizesDiffer`], [`Error::BadValue`]; [`Error::Datasets`] for files that
/// are no label maps.
pub fn score_against_dataset(
    dataset: &PreparedDataset,
    split: &str,
    predictions: &Path,
    encoding: Encoding,
    protocols: &[Protocol],
) -> Result<Vec<PredictionScores>, Error> {
    let (records, _) = crate::accuracy::selection(dataset, split, None)?;
    let ids: Vec<&str> = records.iter().map(|record| record.id.as_str()).collect();
    let files = pair(&ids, predictions)?;
    let catalog = &dataset.info.catalog;
    let read = |index: usize| {
        Ok(Pair {
            prediction: read_prediction(&files[index], encoding, catalog)?,
            truth: dataset.labels(records[index])?,
            instances: dataset.instances(records[index])?,
        })
    };
    score(&files, catalog, protocols, read)
}

/// Scores the label maps in `predictions` against those in `labels`, once per protocol; both hold train ids below `classes`, or
/// `ignore`.
///
/// # Errors
/// As [`score_against_dataset`].
pub fn score_against_labels(
    labels: &Path,
    predictions: &Path,
    classes: usize,
    ignore: u8,
    protocols: &[Protocol],
) -> Result<Vec<PredictionScores>, Error> {
    let truths = list_pngs(labels)?;
    let ids: Vec<&str> = truths.keys().map(String::as_str).collect();
    let files = pair(&ids, predictions)?;
    let catalog = ClassCatalog::numbered(classes);
    let truth_paths: Vec<&PathBuf> = truths.values().collect();
    let read = |index: usize| {
        let prediction = read_prediction(&files[index], Encoding::TrainId, &catalog)?;
        let mut truth = label_png::read(truth_paths[index])?;
        for label in truth.as_mut_slice().iter_mut().filter(|label| **label == ignore) {
            *label = IGNORE;
        }
        check(&truth, truth_paths[index], &catalog)?;
        Ok(Pair { truth, prediction, instances: None })
    };
    score(&files, &catalog, protocols, read)
}

/// The maps of one image.
struct Pair {
    truth: LabelMap,
    prediction: LabelMap,
    instances: Option<Vec<u16>>,
}

/// The counts of one image, all that scores are made of.
struct Counted {
    confusion: ConfusionMatrix,
    objects: Option<Vec<ObjectCounts>>,
}

fn score(
    files: &[PathBuf],
    catalog: &ClassCatalog,
    protocols: &[Protocol],
    read: impl Fn(usize) -> Result<Pair, Error> + Sync,
) -> Result<Vec<PredictionScores>, Error> {
    let count = |index: usize| count(&files[index], read(index)?, catalog);
    let images: Vec<Counted> = (0..files.len()).into_par_iter().map(count).collect::<Result<_, Error>>()?;
    let mut confusion = ConfusionMatrix::new(catalog.len());
    for image in &images {
        confusion.merge(&image.confusion)?;
    }
    // Objects are scored where every image has them.
    let objects: Option<Vec<ObjectCounts>> = images
        .iter()
        .map(|image| image.objects.clone())
        .collect::<Option<Vec<_>>>()
        .filter(|images| !images.is_empty())
        .map(|images| images.into_iter().flatten().collect());
    let score = |protocol| of_protocol(protocol, catalog, &images, &confusion, objects.as_deref());
    Ok(protocols.iter().map(score).collect())
}

fn count(file: &Path, pair: Pair, catalog: &ClassCatalog) -> Result<Counted, Error> {
    let Pair { truth, prediction, instances } = pair;
    let size = |map: &LabelMap| (map.width(), map.height());
    if size(&truth) != size(&prediction) {
        return Err(Error::SizesDiffer { path: file.into(), got: size(&prediction), expected: size(&truth) });
    }
    let mut confusion = ConfusionMatrix::new(catalog.len());
    confusion.count(truth.as_slice(), prediction.as_slice())?;
    let class_of = |instance| catalog.class_of_instance(instance);
    let objects = instances
        .map(|instances| ObjectCounts::count(&instances, prediction.as_slice(), catalog.len(), class_of))
        .transpose()?;
    Ok(Counted { confusion, objects })
}

fn of_protocol(
    protocol: &Protocol,
    catalog: &ClassCatalog,
    images: &[Counted],
    confusion: &ConfusionMatrix,
    objects: Option<&[ObjectCounts]>,
) -> PredictionScores {
    let rule = &protocol.scoring;
    let scores = Scores::by(rule, confusion);
    let totals: Vec<ClassTotals> =
        images.iter().map(|image| ClassTotals::by(rule.no_class, &image.confusion)).collect();
    let class = |(name, class): (&str, &segbench_metrics::ClassScores)| ClassRow {
        name: name.to_owned(),
        iou: class.iou,
        recall: class.recall,
        precision: class.precision,
        dice: class.dice,
    };
    PredictionScores {
        images: images.len() as u64,
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
        micro_iou: scores.micro_iou,
        kappa: scores.kappa,
        per_image: ImageScores::of(&totals),
        groups: GroupScores::by(rule, catalog, confusion, objects),
        recall_by_size: objects.map(recall_by_size),
        ignored_pixels: confusion.ignored(),
    }
}
