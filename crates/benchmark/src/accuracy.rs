//! The accuracy pass: predict, count per image, forget the pixels.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Instant;

use segbench_datasets::{PreparedDataset, label_png};
use segbench_metrics::{
    BOUNDARY_SHARES, BoundaryCell, BoundaryCounts, ClassTotals, ConfusionMatrix, ObjectCounts, image_miou,
};
use segbench_models::Input;
use segbench_tables::{BoundaryRow, CountRow, ImageRow, ObjectRow};
use segbench_types::{IGNORE, ImageRecord, InferenceRule, LabelMap, Task};
use serde::{Deserialize, Serialize};

use crate::{Error, Predictor, gallery};

/// What was counted in one image; everything is an integer, and every score is made of these.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageCounts {
    /// Its id.
    pub id: String,
    /// Width and height of its label map.
    pub size: (u32, u32),
    /// Pixels whose label is to be ignored.
    pub ignored: u64,
    /// SHA-256 of the predicted label map's file.
    pub prediction_sha256: String,
    /// Non-zero cells of its confusion matrix: ground truth, predicted, pixels; 255 means "no class".
    pub cells: Vec<(u8, u8, u64)>,
    /// Counts along the outlines of classes.
    pub boundary: BoundaryCounts,
    /// What was predicted on its objects; `None` for a data set without instance maps.
    pub objects: Option<Vec<ObjectCounts>>,
}

/// The counts of some images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shard {
    /// One entry per image.
    pub images: Vec<ImageCounts>,
    /// How long it took.
    pub seconds: f64,
}

/// Writes the counts of all images of a run as tables.
pub(crate) fn write_counts(dir: &Path, shards: &[Shard]) -> Result<(), Error> {
    let images = || shards.iter().flat_map(|shard| &shard.images);
    let counts: Vec<CountRow> = images().flat_map(ImageCounts::count_rows).collect();
    segbench_tables::write_counts(&dir.join("counts.parquet"), &counts)?;
    let rows: Vec<ImageRow> = images().map(ImageCounts::image_row).collect();
    segbench_tables::write_images(&dir.join("images.parquet"), &rows)?;
    let boundary: Vec<BoundaryRow> = images().flat_map(ImageCounts::boundary_rows).collect();
    segbench_tables::write_boundary(&dir.join("boundary.parquet"), &boundary)?;
    if images().all(|image| image.objects.is_some()) {
        let objects: Vec<ObjectRow> = images().flat_map(ImageCounts::object_rows).collect();
        segbench_tables::write_objects(&dir.join("objects.parquet"), &objects)?;
    }
    Ok(())
}

impl ImageCounts {
    fn count_rows(&self) -> impl Iterator<Item = CountRow> + '_ {
        self.cells.iter().map(|&(ground_truth, predicted, count)| CountRow {
            image_id: self.id.clone(),
            ground_truth,
            predicted,
            count,
        })
    }

    fn image_row(&self) -> ImageRow {
        ImageRow {
            image_id: self.id.clone(),
            width: self.size.0,
            height: self.size.1,
            ignored_pixels: self.ignored,
            prediction_sha256: self.prediction_sha256.clone(),
        }
    }

    fn boundary_rows(&self) -> impl Iterator<Item = BoundaryRow> + '_ {
        (0..BOUNDARY_SHARES.len()).flat_map(move |level| {
            let cells = self.boundary.level(level).iter().enumerate();
            cells.filter(|(_, cell)| **cell != BoundaryCell::default()).map(move |(class, cell)| {
                BoundaryRow {
                    image_id: self.id.clone(),
                    level: level as u8,
                    class: class as u8,
                    counts: cell.to_array(),
                }
            })
        })
    }

    fn object_rows(&self) -> impl Iterator<Item = ObjectRow> + '_ {
        self.objects.iter().flatten().flat_map(move |object| {
            object.predicted.iter().map(move |&(predicted, count)| ObjectRow {
                image_id: self.id.clone(),
                instance: object.instance.into(),
                class: object.class,
                predicted: predicted.unwrap_or(IGNORE),
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

/// Evaluates `range` of `images`; predictions go to `run_dir`.
pub(crate) fn evaluate(
    dataset: &PreparedDataset,
    images: &[&ImageRecord],
    range: Range<usize>,
    predictor: &Predictor,
    rule: &InferenceRule,
    run_dir: &Path,
    task: &dyn Task,
) -> Result<Shard, Error> {
    let start = Instant::now();
    let catalog = &dataset.info.catalog;
    let mut shard = Shard { images: Vec::new(), seconds: 0.0 };
    for index in range {
        let record = images[index];
        let image = dataset.image(record)?;
        let truth = dataset.labels(record)?;
        let (predicted, depth) = match predictor.input() {
            Input::Image => (predictor.label_map_by(rule, &image)?, 1),
            Input::Volume => {
                let volume = dataset.volume(record)?;
                (predictor.label_volume(&volume)?, volume.size()[0])
            }
        };
        let file = label_png::encode(&predicted, catalog);
        shard.images.push(ImageCounts {
            prediction_sha256: segbench_storage::sha256_bytes(&file),
            ..count(dataset, record, &truth, &predicted, depth)?
        });
        segbench_storage::write(&prediction(run_dir, &record.id), &file)?;
        task.advance(1);
    }
    shard.seconds = start.elapsed().as_secs_f64();
    Ok(shard)
}

/// Writes the pictures of some of the evaluated `images` and says of which.
pub(crate) fn write_examples(
    dataset: &PreparedDataset,
    images: &[&ImageRecord],
    shards: &[Shard],
    run_dir: &Path,
) -> Result<Vec<String>, Error> {
    let catalog = &dataset.info.catalog;
    let score = |image: &ImageCounts| -> Result<Option<f64>, Error> {
        let mut matrix = ConfusionMatrix::new(catalog.len());
        for &(truth, predicted, count) in &image.cells {
            matrix.add(truth, Some(predicted), count)?;
        }
        Ok(image_miou(&ClassTotals::of(&matrix)))
    };
    let scores: Vec<Option<f64>> =
        shards.iter().flat_map(|shard| &shard.images).map(score).collect::<Result<_, _>>()?;
    let mut examples = Vec::new();
    for index in gallery::chosen(&scores) {
        let Some(record) = images.get(index) else { continue };
        let (image, truth) = (dataset.image(record)?, dataset.labels(record)?);
        let predicted = label_png::read(&prediction(run_dir, &record.id))?;
        gallery::write(&run_dir.join("examples"), &record.id, &image, &truth, &predicted, catalog)?;
        examples.push(record.id.clone());
    }
    Ok(examples)
}

/// Counts everything that scores are made of; outlines are those within each of the `depth` slices.
fn count(
    dataset: &PreparedDataset,
    record: &ImageRecord,
    truth: &LabelMap,
    predicted: &LabelMap,
    depth: usize,
) -> Result<ImageCounts, Error> {
    let catalog = &dataset.info.catalog;
    let mut confusion = ConfusionMatrix::new(catalog.len());
    confusion.count(truth.as_slice(), predicted.as_slice())?;
    let mut boundary = BoundaryCounts::new(catalog.len());
    for (truth, predicted) in slices(truth, depth).zip(slices(predicted, depth)) {
        boundary.count(&truth, &predicted)?;
    }
    let class_of = |instance| catalog.class_of_instance(instance);
    let objects = dataset
        .instances(record)?
        .map(|instances| ObjectCounts::count(&instances, predicted.as_slice(), catalog.len(), class_of))
        .transpose()?;
    let cells = confusion.cells().map(|(truth, label, count)| (truth, label.unwrap_or(IGNORE), count));
    Ok(ImageCounts {
        id: record.id.clone(),
        size: (truth.width(), truth.height()),
        ignored: confusion.ignored(),
        prediction_sha256: String::new(),
        cells: cells.collect(),
        boundary,
        objects,
    })
}

/// The maps that lie below each other in one.
fn slices(map: &LabelMap, depth: usize) -> impl Iterator<Item = LabelMap> + '_ {
    let (width, height) = (map.width(), map.height() / depth.max(1) as u32);
    let slices = map.as_slice().chunks_exact(((width * height) as usize).max(1));
    slices.filter_map(move |labels| LabelMap::new(width, height, labels.to_vec()).ok())
}
