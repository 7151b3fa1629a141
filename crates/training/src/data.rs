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
use segbench_models::Input;
use segbench_targets::Grid;
use segbench_transforms::{Augmentation, Normalization};
use segbench_types::{ImageRecord, LabelMap, Rng, Volume};

use crate::volumes::VolumeAugmentation;
use crate::{Error, TrainOptions};

/// Marks of the random streams, so that no two uses share one.
const SHUFFLE: u64 = 1;
const AUGMENT: u64 = 2;

/// The input of one step.
pub(crate) struct Batch {
    /// (B, 3, H, W), normalized, or (B, 1, D, H, W), standardized.
    pub(crate) images: Tensor,
    /// The labels of the same crops.
    pub(crate) target: Target,
}

/// What was decoded.
enum Scan {
    Image(RgbImage),
    Volume(Volume),
}

/// A decoded image or volume with its labels.
type Example = Arc<(Scan, LabelMap)>;

/// How examples become inputs.
enum Way {
    Images(Augmentation, Normalization),
    Volumes(VolumeAugmentation),
}

/// The labelled images of the train split.
pub(crate) struct Examples<'a> {
    dataset: &'a PreparedDataset,
    records: Vec<&'a ImageRecord>,
    /// One place per image, if all of them may stay in memory.
    cache: Option<Vec<OnceLock<Example>>>,
    way: Way,
    batch: usize,
    seed: u64,
}

impl<'a> Examples<'a> {
    pub(crate) fn new(
        dataset: &'a PreparedDataset,
        options: &TrainOptions,
        normalization: Normalization,
        input: Input,
    ) -> Result<Self, Error> {
        let records = labelled(dataset, "train");
        if records.is_empty() {
            return Err(Error::NoImages { dataset: dataset.info.name.clone(), split: "train" });
        }
        let way = match input {
            Input::Image => Way::Images(
                Augmentation {
                    scale: (options.scale[0], options.scale[1]),
                    crop: (options.crop[0], options.crop[1]),
                    category_max_ratio: options.category_max_ratio,
                    flip: options.flip,
                    jitter: options.jitter,
                },
                normalization,
            ),
            Input::Volume => Way::Volumes(VolumeAugmentation {
                window: window(dataset, &records, options)?,
                flip: options.flip,
                jitter: options.jitter,
            }),
        };
        // Three bytes of color or four of intensity, and one of label.
        let per_pixel = if input == Input::Image { 4 } else { 5 };
        let pixels = records.iter().map(|record| u64::from(record.width) * u64::from(record.height));
        let bytes = per_pixel * pixels.sum::<u64>();
        let fits = bytes <= options.cache_mib << 20;
        Ok(Self {
            dataset,
            cache: fits.then(|| records.iter().map(|_| OnceLock::new()).collect()),
            records,
            way,
            batch: options.batch,
            seed: options.seed,
        })
    }

    /// The batch of a step, counted from 0.
    pub(crate) fn batch(&self, step: u64) -> Result<Batch, Error> {
        let shape = match &self.way {
            Way::Images(augmentation, _) => {
                let (height, width) = augmentation.crop;
                vec![self.batch, 3, height as usize, width as usize]
            }
            Way::Volumes(augmentation) => [&[self.batch, 1][..], &augmentation.window].concat(),
        };
        let mut planes = vec![0.0; shape.iter().product()];
        let slots = planes.par_chunks_mut(shape[1..].iter().product()).zip(self.indices(step)).enumerate();
        let labels = slots.map(|(slot, (planes, index))| {
            let mut rng = Rng::new(self.seed, &[AUGMENT, step, slot as u64]);
            self.augment(&*self.example(index)?, &mut rng, planes)
        });
        let labels: Vec<Vec<u8>> = labels.collect::<Result<_, Error>>()?;
        let labels = labels.concat();
        let target = match shape[2..] {
            [depth, height, width] => {
                Target::volumes(labels, self.batch, Grid::volume(depth, height, width))?
            }
            _ => Target::new(labels, self.batch, shape[2], shape[3])?,
        };
        Ok(Batch { images: Tensor::from_vec(planes, shape, &Device::Cpu)?, target })
    }

    /// Writes an example's input and returns its labels.
    fn augment(
        &self,
        (scan, labels): &(Scan, LabelMap),
        rng: &mut Rng,
        out: &mut [f32],
    ) -> Result<Vec<u8>, Error> {
        match (&self.way, scan) {
            (Way::Images(augmentation, normalization), Scan::Image(image)) => {
                let (image, labels) = augmentation.apply(image, labels, rng);
                normalization.apply(&image, out);
                Ok(labels.into_vec())
            }
            (Way::Volumes(augmentation), Scan::Volume(volume)) => {
                Ok(augmentation.apply(volume, labels, rng, out))
            }
            // `example` decodes what `way` takes.
            _ => Err(Error::NoImages { dataset: self.dataset.info.name.clone(), split: "train" }),
        }
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
        let scan = match self.way {
            Way::Images(..) => Scan::Image(self.dataset.image(record)?),
            Way::Volumes(_) => Scan::Volume(self.dataset.volume(record)?),
        };
        let example = Arc::new((scan, self.dataset.labels(record)?));
        if let Some(cached) = cached {
            // Two slots may decode the same image at once; one copy is kept.
            return Ok(Arc::clone(cached.get_or_init(|| example)));
        }
        Ok(example)
    }
}

/// Depth, height and width of a training window: the crop that was asked for, and no more than the largest volume has.
fn window(
    dataset: &PreparedDataset,
    records: &[&ImageRecord],
    options: &TrainOptions,
) -> Result<[usize; 3], Error> {
    let mut largest = [0; 3];
    for record in records {
        let size = dataset.volume_size(record)?;
        largest = std::array::from_fn(|axis| largest[axis].max(size[axis]));
    }
    let [height, width] = options.crop;
    let asked = [options.crop_depth, height, width];
    Ok(std::array::from_fn(|axis| largest[axis].min(asked[axis] as usize)))
}

/// The images of a split that have labels, in the order of the manifest.
pub(crate) fn labelled<'a>(dataset: &'a PreparedDataset, split: &str) -> Vec<&'a ImageRecord> {
    dataset.records(split).into_iter().filter(|record| record.label.is_some()).collect()
}
