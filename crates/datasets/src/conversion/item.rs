//! The conversion of one image.

use std::collections::BTreeMap;
use std::path::Path;

use segbench_storage::sha256_bytes;
use segbench_types::{ClassCatalog, ImageRecord};

use super::pairing::Item;
use super::sources::{Place, Source};
use crate::cards::DatasetCard;
use crate::labels::{CountedLabels, LabelTable};
use crate::photo::{Inspection, inspect};
use crate::{DecodeError, Error, label_png};

/// What all images of a conversion share.
pub(super) struct Context<'a> {
    pub(super) sources: &'a [Source],
    pub(super) table: &'a LabelTable,
    pub(super) catalog: &'a ClassCatalog,
    pub(super) card: &'a DatasetCard,
    /// The prepared data set's folder.
    pub(super) folder: &'a Path,
}

/// An image that is done, or whose label values are unknown and which was therefore not written.
pub(super) enum Converted {
    Done(ImageRecord),
    Unknown { file: String, pixels: BTreeMap<u16, u64> },
}

/// Checks everything first, then writes; the same files every time.
pub(super) fn convert(item: &Item, context: &Context<'_>) -> Result<Converted, Error> {
    let image_bytes = context.read(&item.image)?;
    let inspection = context.inspect(&item.image, &image_bytes)?;
    let size = (inspection.width, inspection.height);

    let mut labels = None;
    if let Some(place) = &item.label {
        match context.labels(place)? {
            Ok(counted) => {
                context.check_size(item, place, (counted.labels.width(), counted.labels.height()), size)?;
                // The label maps of a test server are dummies without any class.
                if counted.class_pixels.iter().any(|pixels| *pixels > 0) || context.is_labelled(item.split) {
                    labels = Some(counted);
                }
            }
            Err(pixels) => return Ok(Converted::Unknown { file: context.describe(place), pixels }),
        }
    }
    let mut instances = None;
    if let (Some(place), Some(_)) = (&item.instances, &labels) {
        let bytes = context.read(place)?;
        let found = context.inspect(place, &bytes)?;
        context.check_size(item, place, (found.width, found.height), size)?;
        instances = Some((place, bytes));
    }

    let image = format!("images/{}/{}.{}", item.split, item.id, inspection.extension);
    context.place_original(&item.image, &image_bytes, &image)?;
    if let Some((place, bytes)) = instances {
        context.place_original(place, &bytes, &format!("instances/{}/{}.png", item.split, item.id))?;
    }
    let mut record = ImageRecord {
        id: item.id.clone(),
        split: item.split.to_owned(),
        image,
        label: None,
        width: size.0,
        height: size.1,
        image_sha256: sha256_bytes(&image_bytes),
        label_sha256: None,
        class_pixels: Vec::new(),
        ignored_pixels: 0,
    };
    if let Some(counted) = labels {
        let label = format!("labels/{}/{}.png", item.split, item.id);
        let encoded = label_png::encode(&counted.labels, context.catalog);
        segbench_storage::write(&context.folder.join(&label), &encoded)?;
        record.label = Some(label);
        record.label_sha256 = Some(sha256_bytes(&encoded));
        record.class_pixels = counted.class_pixels;
        record.ignored_pixels = counted.ignored_pixels;
    }
    Ok(Converted::Done(record))
}

impl Context<'_> {
    fn is_labelled(&self, split: &str) -> bool {
        self.card.splits.iter().any(|card| card.name == split && card.labelled)
    }

    fn describe(&self, place: &Place) -> String {
        self.sources[place.source].archive.describe(&place.member)
    }

    fn read(&self, place: &Place) -> Result<Vec<u8>, Error> {
        Ok(self.sources[place.source].archive.read(&place.member)?)
    }

    fn wrap(&self, place: &Place) -> impl FnOnce(DecodeError) -> Error {
        let file = self.describe(place);
        move |source| Error::Decode { file, source }
    }

    fn inspect(&self, place: &Place, bytes: &[u8]) -> Result<Inspection, Error> {
        inspect(bytes).map_err(self.wrap(place))
    }

    fn labels(&self, place: &Place) -> Result<Result<CountedLabels, BTreeMap<u16, u64>>, Error> {
        let raw = label_png::decode(&self.read(place)?).map_err(self.wrap(place))?;
        Ok(self.table.map(raw))
    }

    fn check_size(
        &self,
        item: &Item,
        label: &Place,
        label_size: (u32, u32),
        image_size: (u32, u32),
    ) -> Result<(), Error> {
        if label_size == image_size {
            return Ok(());
        }
        Err(Error::SizeMismatch {
            label: self.describe(label),
            label_size,
            image: self.describe(&item.image),
            image_size,
        })
    }

    /// The original bytes under a new name: a link to a file, a copy of a zip's member.
    fn place_original(&self, place: &Place, bytes: &[u8], target: &str) -> Result<(), Error> {
        let target = self.folder.join(target);
        match self.sources[place.source].archive.file(&place.member)? {
            Some(file) => segbench_storage::link_or_copy(&file, &target)?,
            None => segbench_storage::write(&target, bytes)?,
        }
        Ok(())
    }
}
