//! `manifest.parquet`: one row per image of a prepared data set.

use std::path::Path;

use polars::prelude::{
    Column, DataType, IntoColumn, ListBuilderTrait, ListPrimitiveChunkedBuilder, UInt32Type, UInt64Type,
};
use segbench_types::ImageRecord;

use crate::Error;
use crate::parquet::{self, Frame};

const COLUMNS: [&str; 10] = [
    "id",
    "split",
    "image",
    "label",
    "width",
    "height",
    "image_sha256",
    "label_sha256",
    "class_pixels",
    "ignored_pixels",
];

/// Writes the manifest in the order given.
///
/// # Errors
/// [`Error::Storage`] if the file cannot be written.
pub fn write_manifest(path: &Path, records: &[ImageRecord]) -> Result<(), Error> {
    let texts = |name: &str, get: fn(&ImageRecord) -> Option<&str>| {
        Column::new(name.into(), records.iter().map(get).collect::<Vec<_>>())
    };
    let numbers = |name: &str, get: fn(&ImageRecord) -> u32| {
        Column::new(name.into(), records.iter().map(get).collect::<Vec<_>>())
    };
    let cells = records.iter().map(|record| record.class_pixels.len()).sum();
    let mut class_pixels = ListPrimitiveChunkedBuilder::<UInt64Type>::new(
        "class_pixels".into(),
        records.len(),
        cells,
        DataType::UInt64,
    );
    for record in records {
        class_pixels.append_slice(&record.class_pixels);
    }
    let ignored: Vec<u64> = records.iter().map(|record| record.ignored_pixels).collect();
    parquet::write(
        path,
        vec![
            texts("id", |record| Some(&record.id)),
            texts("split", |record| Some(&record.split)),
            texts("image", |record| Some(&record.image)),
            texts("label", |record| record.label.as_deref()),
            numbers("width", |record| record.width),
            numbers("height", |record| record.height),
            texts("image_sha256", |record| Some(&record.image_sha256)),
            texts("label_sha256", |record| record.label_sha256.as_deref()),
            class_pixels.finish().into_column(),
            Column::new("ignored_pixels".into(), ignored),
        ],
    )
}

/// Reads a manifest.
///
/// # Errors
/// [`Error::Storage`] if the file is not there, and the other variants if it is no manifest.
pub fn read_manifest(path: &Path) -> Result<Vec<ImageRecord>, Error> {
    let frame = Frame::read(path, &COLUMNS)?;
    let mut split = frame.texts("split")?.into_iter();
    let mut image = frame.texts("image")?.into_iter();
    let mut label = frame.optional_texts("label")?.into_iter();
    let mut width = frame.numbers::<UInt32Type>("width")?.into_iter();
    let mut height = frame.numbers::<UInt32Type>("height")?.into_iter();
    let mut image_sha256 = frame.texts("image_sha256")?.into_iter();
    let mut label_sha256 = frame.optional_texts("label_sha256")?.into_iter();
    let mut class_pixels = frame.lists::<UInt64Type>("class_pixels")?.into_iter();
    let mut ignored_pixels = frame.numbers::<UInt64Type>("ignored_pixels")?.into_iter();
    // Columns of a frame are equally long, so no default is ever taken.
    Ok(frame
        .texts("id")?
        .into_iter()
        .map(|id| ImageRecord {
            id,
            split: split.next().unwrap_or_default(),
            image: image.next().unwrap_or_default(),
            label: label.next().unwrap_or_default(),
            width: width.next().unwrap_or_default(),
            height: height.next().unwrap_or_default(),
            image_sha256: image_sha256.next().unwrap_or_default(),
            label_sha256: label_sha256.next().unwrap_or_default(),
            class_pixels: class_pixels.next().unwrap_or_default(),
            ignored_pixels: ignored_pixels.next().unwrap_or_default(),
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records() -> Vec<ImageRecord> {
        let labelled = ImageRecord {
            id: "frankfurt_000000_000294".into(),
            split: "val".into(),
            image: "images/val/frankfurt_000000_000294.png".into(),
            label: Some("labels/val/frankfurt_000000_000294.png".into()),
            width: 53,
            height: 37,
            image_sha256: "ab".repeat(32),
            label_sha256: Some("cd".repeat(32)),
            class_pixels: vec![1000, 0, u64::MAX],
            ignored_pixels: 961,
        };
        let unlabelled = ImageRecord {
            id: "berlin, \"Mitte\"".into(),
            split: "test".into(),
            label: None,
            label_sha256: None,
            class_pixels: Vec::new(),
            ignored_pixels: 0,
            ..labelled.clone()
        };
        vec![labelled, unlabelled]
    }

    #[test]
    fn a_manifest_reads_back_as_it_was_written_also_without_label_maps() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("prepared/sample/manifest.parquet");
        write_manifest(&path, &records()).expect("written");
        assert_eq!(read_manifest(&path).expect("read"), records());
    }

    #[test]
    fn an_empty_manifest_reads_back_empty() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("manifest.parquet");
        write_manifest(&path, &[]).expect("written");
        assert_eq!(read_manifest(&path).expect("read"), []);
    }
}
