//! The accuracy pass: predict, count per image, forget the pixels.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Instant;

use segbench_datasets::{PreparedDataset, label_png};
use segbench_metrics::ConfusionMatrix;
use segbench_tables::CountRow;
use segbench_types::{IGNORE, ImageRecord, Task};
use serde::{Deserialize, Serialize};

use crate::{Error, Predictor, gallery};

/// Non-zero counts of one image: ground truth, predicted, pixels; 255 means "no class".
type Cells = Vec<(u8, u8, u64)>;

/// The counts of some images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shard {
    /// Per image: its id and its counts.
    pub images: Vec<(String, Cells)>,
    /// Pixels whose label is to be ignored.
    pub ignored: u64,
    /// How long it took.
    pub seconds: f64,
}

impl Shard {
    /// The counts as rows of `counts.parquet`.
    pub(crate) fn count_rows(&self) -> impl Iterator<Item = CountRow> + '_ {
        self.images.iter().flat_map(|(id, cells)| {
            cells.iter().map(|&(ground_truth, predicted, count)| CountRow {
                image_id: id.clone(),
                ground_truth,
                predicted,
                count,
            })
        })
    }
}

/// The labelled images of a split that are evaluated, and how many there would be without a limit.
pub(crate) fn selection<'a>(
    dataset: &'a PreparedDataset,
    split: &str,
    limit: Option<usize>,
) -> Result<(Vec<&'a ImageRecord>, usize), Error> {
    let mut labelled: Vec<_> =
        dataset.records(split).into_iter().filter(|record| record.label.is_some()).collect();
    let available = labelled.len();
    if available == 0 {
        return Err(Error::NothingToEvaluate { dataset: dataset.info.name.clone(), split: split.into() });
    }
    labelled.truncate(limit.unwrap_or(available).max(1));
    Ok((labelled, available))
}

/// The most frequent image size of a split as height and width; of equally frequent ones the largest.
pub(crate) fn usual_size(dataset: &PreparedDataset, split: &str) -> Result<[u32; 2], Error> {
    let mut sizes = std::collections::BTreeMap::<[u32; 2], usize>::new();
    for record in dataset.records(split) {
        *sizes.entry([record.height, record.width]).or_default() += 1;
    }
    let usual = sizes.into_iter().max_by_key(|&(size, count)| (count, size));
    usual
        .map(|(size, _)| size)
        .ok_or_else(|| Error::NothingToEvaluate { dataset: dataset.info.name.clone(), split: split.into() })
}

/// Where the label map that a run predicted for an image lies.
pub(crate) fn prediction(run_dir: &Path, id: &str) -> PathBuf {
    run_dir.join("predictions").join(format!("{id}.png"))
}

/// Evaluates `range` of `images`; predictions and gallery pictures go to `run_dir`.
pub(crate) fn evaluate(
    dataset: &PreparedDataset,
    images: &[&ImageRecord],
    range: Range<usize>,
    predictor: &Predictor,
    run_dir: &Path,
    task: &dyn Task,
) -> Result<Shard, Error> {
    let start = Instant::now();
    let catalog = &dataset.info.catalog;
    let examples: Vec<usize> = gallery::chosen(images.len()).collect();
    let mut shard = Shard { images: Vec::new(), ignored: 0, seconds: 0.0 };
    for index in range {
        let record = images[index];
        let image = dataset.image(record)?;
        let truth = dataset.labels(record)?;
        let predicted = predictor.label_map(&image)?;
        let mut confusion = ConfusionMatrix::new(catalog.len());
        confusion.count(truth.as_slice(), predicted.as_slice())?;
        let cells =
            confusion.cells().map(|(truth, predicted, count)| (truth, predicted.unwrap_or(IGNORE), count));
        shard.images.push((record.id.clone(), cells.collect()));
        shard.ignored += confusion.ignored();
        label_png::write(&prediction(run_dir, &record.id), &predicted, catalog)?;
        if examples.contains(&index) {
            gallery::write(&run_dir.join("examples"), &record.id, &image, &truth, &predicted, catalog)?;
        }
        task.advance(1);
    }
    shard.seconds = start.elapsed().as_secs_f64();
    Ok(shard)
}
