//! Which images a step sees, and how they become its batch.
//!
//! Slot `k` of step `s` shows sample `s * batch + k` of an endless list: all images in an order that depends on the seed and the
//! epoch, epoch after epoch. Its augmentation draws from a random stream of that step and slot. No other state exists, so that a
//! resumed training needs the number of its step and nothing else.

use std::sync::{Arc, OnceLock};

use candle_core::{Device, Tensor};
use image::RgbImage;
use rayon::prelude::*;
use segbench_datasets::PreparedDataset;
use segbench_losses::Target;
use segbench_transforms::{Augmentation, Normalization};
use segbench_types::{ImageRecord, LabelMap, Rng};

use crate::{Error, TrainOptions};

/// Marks of the random streams, so that no two uses share one.
const SHUFFLE: u64 = 1;
const AUGMENT: u64 = 2;

/// The input of one step.
pub(crate) struct Batch {
    /// (B, 3, H, W), normalized.
    pub(crate) images: Tensor,
    /// The labels of the same crops.
    pub(crate) target: Target,
}

/// A decoded image with its labels.
type Example = Arc<(RgbImage, LabelMap)>;

/// The labelled images of the train split.
pub(crate) struct Examples<'a> {
    dataset: &'a PreparedDataset,
    records: Vec<&'a ImageRecord>,
    /// One place per image, if all of them may stay in memory.
    cache: Option<Vec<OnceLock<Example>>>,
    augmentation: Augmentation,
    normalization: Normalization,
    batch: usize,
    seed: u64,
}

impl<'a> Examples<'a> {
    pub(crate) fn new(
        dataset: &'a PreparedDataset,
        options: &TrainOptions,
        normalization: Normalization,
    ) -> Result<Self, Error> {
        let records = labelled(dataset, "train");
        if records.is_empty() {
            return Err(Error::NoImages { dataset: dataset.info.name.clone(), split: "train" });
        }
        // Three bytes of color and one of label per pixel.
        let bytes: u64 =
            records.iter().map(|record| 4 * u64::from(record.width) * u64::from(record.height)).sum();
        let fits = bytes <= options.cache_mib << 20;
        Ok(Self {
            dataset,
            cache: fits.then(|| records.iter().map(|_| OnceLock::new()).collect()),
            records,
            augmentation: Augmentation {
                scale: (options.scale[0], options.scale[1]),
                crop: (options.crop[0], options.crop[1]),
                category_max_ratio: options.category_max_ratio,
                flip: options.flip,
                jitter: options.jitter,
            },
            normalization,
            batch: options.batch,
            seed: options.seed,
        })
    }

    /// The batch of a step, counted from 0.
    pub(crate) fn batch(&self, step: u64) -> Result<Batch, Error> {
        let (height, width) = (self.augmentation.crop.0 as usize, self.augmentation.crop.1 as usize);
        let mut planes = vec![0.0; self.batch * 3 * height * width];
        let slots = planes.par_chunks_mut(3 * height * width).zip(self.indices(step)).enumerate();
        let labels = slots.map(|(slot, (planes, index))| {
            let example = self.example(index)?;
            let mut rng = Rng::new(self.seed, &[AUGMENT, step, slot as u64]);
            let (image, labels) = self.augmentation.apply(&example.0, &example.1, &mut rng);
            self.normalization.apply(&image, planes);
            Ok(labels)
        });
        let labels: Vec<LabelMap> = labels.collect::<Result<_, Error>>()?;
        let images = Tensor::from_vec(planes, (self.batch, 3, height, width), &Device::Cpu)?;
        Ok(Batch { images, target: Target::stack(&labels)? })
    }

    /// The images of a step by their place in the split.
    fn indices(&self, step: u64) -> Vec<usize> {
        let count = self.records.len() as u64;
        let first = step * self.batch as u64;
        let mut order = (u64::MAX, Vec::new());
        let samples = (first..first + self.batch as u64).map(|sample| {
            let epoch = sample / count;
            if order.0 != epoch {
                order = (epoch, self.order(epoch));
            }
            order.1[(sample % count) as usize]
        });
        samples.collect()
    }

    fn order(&self, epoch: u64) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.records.len()).collect();
        Rng::new(self.seed, &[SHUFFLE, epoch]).shuffle(&mut order);
        order
    }

    fn example(&self, index: usize) -> Result<Example, Error> {
        let cached = self.cache.as_ref().map(|cache| &cache[index]);
        if let Some(example) = cached.and_then(OnceLock::get) {
            return Ok(Arc::clone(example));
        }
        let record = self.records[index];
        let example = Arc::new((self.dataset.image(record)?, self.dataset.labels(record)?));
        if let Some(cached) = cached {
            // Two slots may decode the same image at once; one copy is kept.
            return Ok(Arc::clone(cached.get_or_init(|| example)));
        }
        Ok(example)
    }
}

/// The images of a split that have labels, in the order of the manifest.
pub(crate) fn labelled<'a>(dataset: &'a PreparedDataset, split: &str) -> Vec<&'a ImageRecord> {
    dataset.records(split).into_iter().filter(|record| record.label.is_some()).collect()
}
