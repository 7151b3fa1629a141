//! The conversion of one image.

use std::collections::BTreeMap;
use std::path::Path;

use segbench_storage::sha256_bytes;
use segbench_types::{ClassCatalog, ImageRecord};

use super::lists::Crop;
use super::pairing::Item;
use super::sources::{Place, Source};
use crate::cards::{DatasetCard, LabelRule, UnknownValues};
use crate::geometry::{Geometry, nearest, scaled};
use crate::label_png::LabelForm;
use crate::labels::CountedLabels;
use crate::photo::{Inspection, inspect};
use crate::reading::{self, Reading};
use crate::{DecodeError, Error, RawValue, UnknownLabel, label_png};

/// What all images of a conversion share.
pub(super) struct Context<'a> {
    pub(super) sources: &'a [Source],
    pub(super) crops: &'a BTreeMap<String, Crop>,
    pub(super) catalog: &'a ClassCatalog,
    pub(super) card: &'a DatasetCard,
    /// What label maps are written as.
    pub(super) form: LabelForm,
    /// The prepared data set's folder.
    pub(super) folder: &'a Path,
}

/// An image that is done, or whose label values are unknown and which was therefore not written.
pub(super) enum Converted {
    /// With the values that became "ignore" although nobody knows them.
    Done(Box<ImageRecord>, Vec<UnknownLabel>),
    Unknown(Vec<UnknownLabel>),
}

/// Labels and instance ids of an image.
struct Labels {
    counted: CountedLabels,
    /// Bytes of the file of instance ids.
    instances: Option<Instances>,
    unknown: Vec<UnknownLabel>,
}

enum Instances {
    Original(Place, Vec<u8>),
    Drawn(Vec<u8>),
}

/// Checks everything first, then writes; the same files every time.
pub(super) fn convert(item: &Item, context: &Context<'_>) -> Result<Converted, Error> {
    let image_bytes = context.read(&item.image)?;
    let inspection = context.inspect(&item.image, &image_bytes)?;
    let original = (inspection.width, inspection.height);
    let geometry = context.geometry(item, original)?;
    let changed = match geometry {
        Some(geometry) => Some(geometry.image(&image_bytes).map_err(context.wrap(&item.image))?),
        None => None,
    };
    let size = geometry.map_or(original, Geometry::size);

    let labels = match &item.label {
        Some(place) => context.labels(item, place, &inspection, geometry)?,
        None => None,
    };
    if let Some(labels) = &labels
        && !labels.unknown.is_empty()
        && context.card.layout.unknown_values == UnknownValues::Refuse
    {
        return Ok(Converted::Unknown(labels.unknown.clone()));
    }

    let split = &context.card.splits[item.split].name;
    let extension = if changed.is_some() { "png" } else { inspection.extension };
    let image = format!("images/{split}/{}.{extension}", item.id);
    match &changed {
        Some(bytes) => segbench_storage::write(&context.folder.join(&image), bytes)?,
        None => context.place_original(&item.image, &image_bytes, &image)?,
    }
    let mut record = ImageRecord {
        id: item.id.clone(),
        split: split.clone(),
        image,
        label: None,
        width: size.0,
        height: size.1,
        image_sha256: sha256_bytes(changed.as_ref().unwrap_or(&image_bytes)),
        label_sha256: None,
        class_pixels: Vec::new(),
        ignored_pixels: 0,
    };
    let mut unknown = Vec::new();
    if let Some(labels) = labels {
        let instances = format!("instances/{split}/{}.png", item.id);
        match labels.instances {
            Some(Instances::Original(place, bytes)) => context.place_original(&place, &bytes, &instances)?,
            Some(Instances::Drawn(bytes)) => {
                segbench_storage::write(&context.folder.join(instances), &bytes)?
            }
            None => {}
        }
        let label = format!("labels/{split}/{}.png", item.id);
        let encoded = match context.form {
            LabelForm::Palette => label_png::encode(&labels.counted.labels, context.catalog),
            LabelForm::Grey => label_png::encode_train_ids(&labels.counted.labels),
        };
        segbench_storage::write(&context.folder.join(&label), &encoded)?;
        record.label = Some(label);
        record.label_sha256 = Some(sha256_bytes(&encoded));
        record.class_pixels = labels.counted.class_pixels;
        record.ignored_pixels = labels.counted.ignored_pixels;
        unknown = labels.unknown;
    }
    Ok(Converted::Done(Box::new(record), unknown))
}

impl Context<'_> {
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

    /// What is done to an image of this size.
    fn geometry(&self, item: &Item, (width, height): (u32, u32)) -> Result<Option<Geometry>, Error> {
        let layout = &self.card.layout;
        let Some(rule) = layout.images.get(item.image.rule) else { return Ok(None) };
        match (&layout.crop_table, rule.crop) {
            (Some(table), true) => {
                let wrong = |reason: &str| Error::Crop { id: item.id.clone(), reason: reason.to_owned() };
                let crop =
                    self.crops.get(&item.id).ok_or_else(|| wrong("the crop table has no line for it"))?;
                let [row0, row1, column0, column1] = *crop;
                let (rows, columns) = ([row0, row1], [column0, column1]);
                Ok(Some(Geometry::Crop { rows, columns, width: table.width, height: table.height }))
            }
            _ => Ok(rule.short_side.and_then(|short_side| scaled(width, height, short_side))),
        }
    }

    /// The labels of an image that looked so; none for the dummies of a test server.
    fn labels(
        &self,
        item: &Item,
        place: &Place,
        inspection: &Inspection,
        geometry: Option<Geometry>,
    ) -> Result<Option<Labels>, Error> {
        let original = (inspection.width, inspection.height);
        let layout = &self.card.layout;
        let rule: Option<&LabelRule> = layout.labels.get(place.rule);
        let Some(rule) = rule else { return Ok(None) };
        let bytes = self.read(place)?;
        let Reading { mut raw, unknown_colors, depth, instances } =
            reading::read(&bytes, rule.coding, layout).map_err(self.wrap(place))?;
        // A mask belongs to the crop, a map to the photo.
        let expected = match geometry {
            Some(Geometry::Crop { width, height, .. }) => (width, height),
            _ => original,
        };
        self.check_size(item, place, (raw.width, raw.height), expected)?;
        if depth != inspection.depth {
            let reason = format!("it has {depth} slices, its image {}", inspection.depth);
            return Err(self.wrap(place)(DecodeError::NotAVolume(reason)));
        }
        if let Some(Geometry::Scale { width, height }) = geometry {
            raw = nearest(&raw, width, height);
        }
        let (width, height) = (raw.width, raw.height);
        let (counted, values) = rule.table.map_leniently(raw);
        let file = self.describe(place);
        let unknown = |value: RawValue, pixels: u64| UnknownLabel { value, pixels, file: file.clone() };
        let mut all: Vec<UnknownLabel> =
            values.into_iter().map(|(id, pixels)| unknown(RawValue::Id(id), pixels)).collect();
        all.extend(unknown_colors.into_iter().map(|(color, pixels)| unknown(RawValue::Color(color), pixels)));
        let is_labelled = self.card.splits[item.split].labelled;
        if all.is_empty() && !is_labelled && counted.class_pixels.iter().all(|pixels| *pixels == 0) {
            return Ok(None);
        }
        let instances = match (&item.instances, instances) {
            _ if geometry.is_some() => None,
            (Some(place), _) => {
                let bytes = self.read(place)?;
                let found = self.inspect(place, &bytes)?;
                self.check_size(item, place, (found.width, found.height), original)?;
                Some(Instances::Original(place.clone(), bytes))
            }
            (None, Some(ids)) => Some(Instances::Drawn(label_png::encode_words(width, height, &ids))),
            (None, None) => None,
        };
        Ok(Some(Labels { counted, instances, unknown: all }))
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
