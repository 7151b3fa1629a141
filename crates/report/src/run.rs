//! Run folders, read and checked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use segbench_metrics::{
    BOUNDARY_SHARES, BoundaryCell, BoundaryCounts, ClassTotals, ConfusionMatrix, Scores, image_miou,
    miou_interval_of_totals,
};
use segbench_storage::{Sha256, TEMPORARY_MARK};
use segbench_tables::{CountRow, CurveRow, LatencyRow, read_boundary, read_counts, read_curve, read_latency};
use segbench_types::{Accuracy, IGNORE, RunRecord, ScoringRule, nearest};

use crate::Error;
use crate::places::Places;

/// Resamples of a confidence interval. More would move its ends by a few hundredths of a point.
const RESAMPLES: usize = 1000;
/// Seed of the resampling, fixed so that the same counts give the same interval.
pub(crate) const SEED: u64 = 0;
/// Images that an interval needs. Of three, a resample in 27 is the same image three times, more than the 2.5 % beyond an end of
/// the interval, so its ends would be scores of single images.
pub(crate) const FEWEST_IMAGES: usize = 4;

/// One run with everything that follows from its counts.
#[derive(Debug)]
pub(crate) struct Run {
    /// What the run says of itself.
    pub(crate) record: RunRecord,
    /// Where it lies.
    pub(crate) folder: PathBuf,
    /// Its accuracy, unless only speed was measured.
    pub(crate) result: Option<Evaluation>,
    /// Single latencies, where they were kept.
    pub(crate) latencies: Vec<LatencyRow>,
    /// The course of the training, where it was kept.
    pub(crate) curve: Vec<CurveRow>,
}

/// What the counts of a run say.
#[derive(Debug)]
pub(crate) struct Evaluation {
    /// Counts over all images.
    pub(crate) confusion: ConfusionMatrix,
    /// Scores of these counts, as fractions.
    pub(crate) scores: Scores,
    /// 95 % interval of the mIoU, as fractions.
    pub(crate) interval: Option<(f64, f64)>,
    /// The images, sorted by id; everything per image has this order.
    pub(crate) images: Vec<String>,
    /// The totals of every image.
    pub(crate) per_image: Vec<ClassTotals>,
    /// Where each confusion happened most.
    pub(crate) places: Places,
    /// Mean Boundary IoU as a fraction, where the run counted boundaries.
    pub(crate) boundary_iou: Option<f64>,
    /// A hash over the images' names and how often each label occurs in them; runs compare only where it is the same.
    pub(crate) evaluated: String,
}

/// Reads all runs in `runs_dir`, sorted by run id, and says in notes what was left out and why.
///
/// # Errors
/// [`Error::NoRuns`] without any run folder, [`Error::AllBroken`] if none can be read, [`Error::Storage`] if the folder cannot
/// be listed.
pub(crate) fn read_runs(runs_dir: &Path) -> Result<(Vec<Run>, Vec<String>), Error> {
    if !runs_dir.exists() {
        return Err(Error::NoRuns { path: runs_dir.to_owned() });
    }
    let name_of = |folder: &Path| folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut folders = segbench_storage::list_dir(runs_dir)?;
    folders.retain(|folder| {
        let name = name_of(folder);
        folder.is_dir() && !name.starts_with('.') && !name.contains(TEMPORARY_MARK)
    });
    let read: Vec<Result<Run, String>> = folders.par_iter().map(|folder| Run::read(folder)).collect();
    let (mut runs, mut notes) = (BTreeMap::<String, Run>::new(), Vec::new());
    for (folder, read) in folders.iter().zip(read) {
        let name = name_of(folder);
        match read {
            Ok(run) => match runs.get(&run.record.run_id) {
                Some(first) => notes.push(format!(
                    "skipped `{name}`: it has the same run id as `{}`",
                    first.folder.file_name().unwrap_or_default().to_string_lossy()
                )),
                None => drop(runs.insert(run.record.run_id.clone(), run)),
            },
            Err(reason) => notes.push(format!("skipped `{name}`: {reason}")),
        }
    }
    match (runs.is_empty(), notes.is_empty()) {
        (true, true) => Err(Error::NoRuns { path: runs_dir.to_owned() }),
        (true, false) => Err(Error::AllBroken { path: runs_dir.to_owned(), reasons: notes.join("; ") }),
        _ => Ok((runs.into_values().collect(), notes)),
    }
}

/// The run that `name` means: a run folder, a run id below `runs_dir`, or the beginning of one.
///
/// # Errors
/// [`Error::UnknownRun`] with the nearest id, [`Error::AmbiguousRun`] with those it may mean.
pub fn find_run(runs_dir: &Path, name: &str) -> Result<PathBuf, Error> {
    let folder = Path::new(name);
    if folder.join("record.json").is_file() {
        return Ok(folder.to_owned());
    }
    let folders = if runs_dir.is_dir() { segbench_storage::list_dir(runs_dir)? } else { Vec::new() };
    let ids: Vec<String> = folders
        .iter()
        .filter(|folder| folder.join("record.json").is_file())
        .filter_map(|folder| Some(folder.file_name()?.to_string_lossy().into_owned()))
        .collect();
    let meant: Vec<&String> = ids.iter().filter(|id| id.starts_with(name)).collect();
    match (ids.iter().find(|id| *id == name), &meant[..]) {
        (Some(id), _) => Ok(runs_dir.join(id)),
        (None, [id]) if !name.is_empty() => Ok(runs_dir.join(id)),
        (None, [_, _, ..]) if !name.is_empty() => Err(Error::AmbiguousRun {
            name: name.into(),
            meant: meant.into_iter().cloned().collect::<Vec<_>>().join(", "),
        }),
        _ => Err(Error::UnknownRun {
            name: name.into(),
            path: runs_dir.into(),
            suggestion: nearest(name, ids.iter().map(String::as_str)).map(str::to_owned),
        }),
    }
}

impl Run {
    /// Reads a run folder, or says what is wrong with it.
    pub(crate) fn read(folder: &Path) -> Result<Self, String> {
        let record_path = folder.join("record.json");
        if !record_path.exists() {
            return Err("it has no record.json, so the run did not finish".into());
        }
        let record: RunRecord = segbench_storage::read_json(&record_path).map_err(|err| chain(&err))?;
        let result = match &record.accuracy {
            Some(accuracy) => {
                let rows = read_counts(&folder.join("counts.parquet")).map_err(|err| chain(&err))?;
                let classes = record.dataset.catalog.len();
                let evaluation = Evaluation::of(&rows, &record.protocol.scoring, classes, accuracy)?;
                Some(Evaluation { boundary_iou: boundary_iou(folder, classes)?, ..evaluation })
            }
            None => None,
        };
        let latency_path = folder.join("latency.parquet");
        let latencies = match record.speed.is_some() && latency_path.exists() {
            true => read_latency(&latency_path).map_err(|err| chain(&err))?,
            false => Vec::new(),
        };
        let curve_path = folder.join("curve.parquet");
        let curve = match curve_path.exists() {
            true => read_curve(&curve_path).map_err(|err| chain(&err))?,
            false => Vec::new(),
        };
        Ok(Self { record, folder: folder.to_owned(), result, latencies, curve })
    }

    /// mIoU in percent.
    pub(crate) fn miou(&self) -> Option<f64> {
        self.result.as_ref().and_then(|result| result.scores.miou).map(|miou| miou * 100.0)
    }

    /// The interval of the mIoU in percent.
    pub(crate) fn interval(&self) -> Option<(f64, f64)> {
        self.result.as_ref().and_then(|result| result.interval).map(|(low, high)| (low * 100.0, high * 100.0))
    }

    /// The mIoU of each image, as fractions.
    pub(crate) fn image_scores(&self) -> Vec<Option<f64>> {
        self.result.iter().flat_map(|result| &result.per_image).map(image_miou).collect()
    }

    /// Whether images of the split were left out.
    pub(crate) fn is_partial(&self) -> bool {
        self.record.accuracy.as_ref().is_some_and(|accuracy| accuracy.images < accuracy.available)
    }
}

impl Evaluation {
    fn of(
        rows: &[CountRow],
        rule: &ScoringRule,
        classes: usize,
        accuracy: &Accuracy,
    ) -> Result<Self, String> {
        if !(1..=usize::from(IGNORE)).contains(&classes) {
            return Err(format!("record.json has {classes} classes, expected 1 to {IGNORE}"));
        }
        let (mut per_image, mut labels) = (BTreeMap::<&str, Vec<&CountRow>>::new(), BTreeMap::new());
        for row in rows {
            per_image.entry(&row.image_id).or_default().push(row);
            let pixels: &mut u64 = labels.entry((&row.image_id, row.ground_truth)).or_default();
            *pixels = pixels.saturating_add(row.count);
        }
        if per_image.len() as u64 > accuracy.images {
            let (got, expected) = (per_image.len(), accuracy.images);
            return Err(format!("counts.parquet names {got} images, record.json {expected}"));
        }
        let (mut confusion, mut totals) = (ConfusionMatrix::new(classes), Vec::new());
        let (mut images, mut places) = (Vec::with_capacity(per_image.len()), Places::default());
        for (image, rows) in per_image {
            places.add(images.len(), &rows, accuracy.examples.iter().any(|example| example == image));
            images.push(image.to_owned());
            let mut matrix = ConfusionMatrix::new(classes);
            for row in rows {
                matrix
                    .add(row.ground_truth, Some(row.predicted), row.count)
                    .map_err(|err| format!("counts.parquet does not fit at `{image}`: {}", chain(&err)))?;
            }
            confusion.merge(&matrix).map_err(|err| chain(&err))?;
            totals.push(ClassTotals::by(rule.no_class, &matrix));
        }
        let mut evaluated = Sha256::default();
        for ((image, label), pixels) in &labels {
            evaluated.update(format!("{image}\n{label} {pixels}\n").as_bytes());
        }
        let interval = miou_interval_of_totals(rule.absent_class, &totals, RESAMPLES, SEED)
            .filter(|_| totals.len() >= FEWEST_IMAGES);
        Ok(Self {
            scores: Scores::by(rule, &confusion),
            confusion,
            interval,
            images,
            per_image: totals,
            places,
            boundary_iou: None,
            evaluated: evaluated.hex(),
        })
    }
}

/// The mean Boundary IoU of a run; runs of earlier versions have not counted boundaries.
fn boundary_iou(folder: &Path, classes: usize) -> Result<Option<f64>, String> {
    let path = folder.join("boundary.parquet");
    if !path.exists() {
        return Ok(None);
    }
    let mut counts = BoundaryCounts::new(classes);
    for row in read_boundary(&path).map_err(|err| chain(&err))? {
        counts.add(row.level.into(), row.class.into(), &BoundaryCell::from_array(row.counts));
    }
    Ok(counts.mean_iou(BOUNDARY_SHARES.len() - 1))
}

/// An error with all its causes in one line.
fn chain(err: &dyn std::error::Error) -> String {
    let mut text = err.to_string();
    let mut cause = err.source();
    while let Some(source) = cause {
        text.push_str(&format!(": {source}"));
        cause = source.source();
    }
    text
}
