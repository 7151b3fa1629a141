//! Scores of label maps that anybody's program wrote.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use segbench_datasets::{PreparedDataset, Remapped, Taxonomy, label_png};
use segbench_metrics::{
    Calibration, CalibrationBin, ClassTotals, ConfusionMatrix, GroupScores, ImageScores, ObjectCounts,
    Scores, SizeRecall, recall_by_size,
};
use segbench_types::{ClassCatalog, IGNORE, LabelMap, Protocol};
use serde::Serialize;

use crate::Error;
use crate::prediction_files::{Prediction, PredictionFiles, check, list_pngs, pair};

/// The classes that predictions for a data set are scored in.
#[derive(Debug, Clone, Copy)]
pub enum TargetClasses<'a> {
    /// The data set's own, which the predictions have as well.
    Own,
    /// Others, which the predictions have already: labels are converted.
    Predicted(&'a Taxonomy),
    /// Others: predictions have the data set's own classes and are converted as the labels are.
    Converted(&'a Taxonomy),
}

impl TargetClasses<'_> {
    fn taxonomy(&self) -> Option<&Taxonomy> {
        match self {
            Self::Own => None,
            Self::Predicted(taxonomy) | Self::Converted(taxonomy) => Some(taxonomy),
        }
    }
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
    /// Whether confidences are right as often as they say, where predictions are scores per class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calibration: Option<CalibrationScores>,
    /// What became of the labels' own classes, where scores are in others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remapped: Option<Vec<Remapped>>,
    /// Pixels whose label is to be ignored.
    pub ignored_pixels: u64,
    /// Labelled pixels that were given no class.
    pub unpredicted_pixels: u64,
}

/// Labelled pixels by the probability of their predicted class.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CalibrationScores {
    /// Expected calibration error.
    pub ece: Option<f64>,
    /// The counts it is made of.
    pub bins: Vec<CalibrationBin>,
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

/// Scores predictions against one split of a prepared data set, once per protocol. Every file is read once.
///
/// # Errors
/// [`Error::NoPrediction`], [`Error::TwoPredictions`], [`Error::SizesDiffer`], [`Error::BadValue`], [`Error::SixteenBits`],
/// [`Error::BadArray`], [`Error::BadScore`]; [`Error::Datasets`] for files that are no label maps.
pub fn score_against_dataset(
    dataset: &PreparedDataset,
    split: &str,
    predictions: &PredictionFiles<'_>,
    classes: TargetClasses<'_>,
    protocols: &[Protocol],
) -> Result<Vec<PredictionScores>, Error> {
    let (records, _) = crate::accuracy::selection(dataset, split, None)?;
    let ids: Vec<&str> = records.iter().map(|record| record.id.as_str()).collect();
    let files = pair(&ids, predictions.dir)?;
    let own = &dataset.info.catalog;
    let taxonomy = classes.taxonomy();
    let catalog = taxonomy.map_or(own, Taxonomy::catalog);
    let predicted = if matches!(classes, TargetClasses::Predicted(_)) { catalog } else { own };
    let read = |index: usize| {
        let mut prediction = predictions.read(&files[index], predicted)?;
        let mut truth = dataset.labels(records[index])?;
        if let Some(taxonomy) = taxonomy {
            taxonomy.apply(&mut truth);
        }
        if let TargetClasses::Converted(taxonomy) = classes {
            taxonomy.apply(&mut prediction.labels);
            // Confidences are of single classes, and a merged one has those of all its parts.
            prediction.confidences = None;
        }
        Ok(Pair { prediction, truth, instances: dataset.instances(records[index])? })
    };
    // Objects carry ids of the data set's own classes.
    let class_of = |instance: u16| {
        let class = own.class_of_instance(instance)?;
        match taxonomy {
            Some(taxonomy) => {
                taxonomy.train_ids().get(usize::from(class)).copied().filter(|class| *class != IGNORE)
            }
            None => Some(class),
        }
    };
    let mut scores = score(&files, catalog, &class_of, protocols, read)?;
    if let Some(taxonomy) = taxonomy {
        let mut pixels = vec![0; own.len()];
        for record in &records {
            pixels.iter_mut().zip(&record.class_pixels).for_each(|(sum, pixels)| *sum += pixels);
        }
        let report = taxonomy.report(&pixels);
        scores.iter_mut().for_each(|scores| scores.remapped = Some(report.clone()));
    }
    Ok(scores)
}

/// Scores predictions against the label maps in `labels`, once per protocol; both hold train ids below `classes`, or `ignore`.
///
/// # Errors
/// As [`score_against_dataset`].
pub fn score_against_labels(
    labels: &Path,
    predictions: &PredictionFiles<'_>,
    classes: usize,
    ignore: u8,
    protocols: &[Protocol],
) -> Result<Vec<PredictionScores>, Error> {
    let truths = list_pngs(labels)?;
    if truths.is_empty() {
        return Err(Error::NoLabels { dir: labels.into() });
    }
    let ids: Vec<&str> = truths.keys().map(String::as_str).collect();
    let files = pair(&ids, predictions.dir)?;
    let catalog = ClassCatalog::numbered(classes);
    let truth_paths: Vec<&PathBuf> = truths.values().collect();
    let read = |index: usize| {
        let prediction = predictions.read(&files[index], &catalog)?;
        let mut truth = label_png::read(truth_paths[index])?;
        for label in truth.as_mut_slice().iter_mut().filter(|label| **label == ignore) {
            *label = IGNORE;
        }
        check(&truth, truth_paths[index], &catalog)?;
        Ok(Pair { truth, prediction, instances: None })
    };
    score(&files, &catalog, &|_| None, protocols, read)
}

/// The maps of one image.
struct Pair {
    truth: LabelMap,
    prediction: Prediction,
    instances: Option<Vec<u16>>,
}

/// The counts of one image, all that scores are made of.
struct Counted {
    confusion: ConfusionMatrix,
    objects: Option<Vec<ObjectCounts>>,
    calibration: Option<Calibration>,
}

/// The class of an object by its id.
type ClassOf<'a> = dyn Fn(u16) -> Option<u8> + Sync + 'a;

fn score(
    files: &[PathBuf],
    catalog: &ClassCatalog,
    class_of: &ClassOf<'_>,
    protocols: &[Protocol],
    read: impl Fn(usize) -> Result<Pair, Error> + Sync,
) -> Result<Vec<PredictionScores>, Error> {
    let count = |index: usize| count(&files[index], read(index)?, catalog.len(), class_of);
    let images: Vec<Result<Counted, Error>> = (0..files.len()).into_par_iter().map(count).collect();
    // Of several errors the first in the order of the images, whatever the number of threads.
    let images: Vec<Counted> = images.into_iter().collect::<Result<_, Error>>()?;
    let mut confusion = ConfusionMatrix::new(catalog.len());
    for image in &images {
        confusion.merge(&image.confusion)?;
    }
    // Objects are scored where every image has them, and so is calibration.
    let objects: Option<Vec<ObjectCounts>> = images
        .iter()
        .map(|image| image.objects.clone())
        .collect::<Option<Vec<_>>>()
        .filter(|images| !images.is_empty())
        .map(|images| images.into_iter().flatten().collect());
    let calibration = images.iter().map(|image| image.calibration.as_ref()).collect::<Option<Vec<_>>>();
    let calibration = calibration.map(|images| {
        let mut all = Calibration::default();
        images.into_iter().for_each(|image| all.merge(image));
        CalibrationScores { ece: all.error(), bins: all.bins().to_vec() }
    });
    let score = |protocol| {
        let scores = of_protocol(protocol, catalog, &images, &confusion, objects.as_deref());
        PredictionScores { calibration: calibration.clone(), ..scores }
    };
    Ok(protocols.iter().map(score).collect())
}

fn count(file: &Path, pair: Pair, classes: usize, class_of: &ClassOf<'_>) -> Result<Counted, Error> {
    let Pair { truth, prediction: Prediction { labels, confidences }, instances } = pair;
    let size = |map: &LabelMap| (map.width(), map.height());
    if size(&truth) != size(&labels) {
        return Err(Error::SizesDiffer { path: file.into(), got: size(&labels), expected: size(&truth) });
    }
    let mut confusion = ConfusionMatrix::new(classes);
    confusion.count(truth.as_slice(), labels.as_slice())?;
    let objects = instances
        .map(|instances| ObjectCounts::count(&instances, labels.as_slice(), classes, class_of))
        .transpose()?;
    let calibration = confidences.map(|confidences| {
        let mut calibration = Calibration::default();
        let pixels = truth.as_slice().iter().zip(labels.as_slice()).zip(&confidences);
        for ((truth, label), confidence) in pixels.filter(|((truth, _), _)| **truth != IGNORE) {
            calibration.add(*confidence, truth == label);
        }
        calibration
    });
    Ok(Counted { confusion, objects, calibration })
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
        calibration: None,
        remapped: None,
        ignored_pixels: confusion.ignored(),
    }
}
