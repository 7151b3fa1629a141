//! `images.parquet`, `boundary.parquet` and `objects.parquet`: what a run counted per image beside the confusion matrix.

use std::path::Path;

use polars::prelude::{Column, UInt8Type, UInt32Type, UInt64Type};

use crate::Error;
use crate::parquet::{self, Frame};

/// One evaluated image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageRow {
    /// The image, by the id of the manifest.
    pub image_id: String,
    /// Width of the label map in pixels.
    pub width: u32,
    /// Height of the label map in pixels.
    pub height: u32,
    /// Pixels that the ground truth ignores.
    pub ignored_pixels: u64,
    /// SHA-256 of the predicted label map's file, in lowercase hex.
    pub prediction_sha256: String,
}

/// Boundary counts of one class at one width in one image, in pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundaryRow {
    /// The image, by the id of the manifest.
    pub image_id: String,
    /// Number of the width, from 0: 0.5 %, 1 % and 2 % of the diagonal.
    pub level: u8,
    /// Train id.
    pub class: u8,
    /// The counts, in the order of [`BOUNDARY_COLUMNS`].
    pub counts: [u64; BOUNDARY_COLUMNS.len()],
}

/// The columns of `boundary.parquet` that hold counts.
pub const BOUNDARY_COLUMNS: [&str; 7] = [
    "intersection",
    "ground_truth",
    "predicted",
    "truth_outline",
    "truth_matched",
    "predicted_outline",
    "predicted_matched",
];

/// How many pixels of one object were predicted as one class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRow {
    /// The image, by the id of the manifest.
    pub image_id: String,
    /// The object, by its id in the instance map.
    pub instance: u32,
    /// Its class.
    pub class: u8,
    /// Class predicted; 255 = no class.
    pub predicted: u8,
    /// Pixels.
    pub count: u64,
}

/// Writes images in the order given.
///
/// # Errors
/// [`Error::Storage`] if the file cannot be written.
pub fn write_images(path: &Path, rows: &[ImageRow]) -> Result<(), Error> {
    let texts = |name: &str, get: fn(&ImageRow) -> &str| {
        Column::new(name.into(), rows.iter().map(get).collect::<Vec<_>>())
    };
    parquet::write(
        path,
        vec![
            texts("image_id", |row| &row.image_id),
            Column::new("width".into(), rows.iter().map(|row| row.width).collect::<Vec<_>>()),
            Column::new("height".into(), rows.iter().map(|row| row.height).collect::<Vec<_>>()),
            Column::new(
                "ignored_pixels".into(),
                rows.iter().map(|row| row.ignored_pixels).collect::<Vec<_>>(),
            ),
            texts("prediction_sha256", |row| &row.prediction_sha256),
        ],
    )
}

/// Reads images.
///
/// # Errors
/// [`Error::Storage`] if the file is not there, and the other variants if it holds no images.
pub fn read_images(path: &Path) -> Result<Vec<ImageRow>, Error> {
    let frame = Frame::read(path, &["image_id", "width", "height", "ignored_pixels", "prediction_sha256"])?;
    let sizes = frame.numbers::<UInt32Type>("width")?.into_iter().zip(frame.numbers::<UInt32Type>("height")?);
    let ignored = frame.numbers::<UInt64Type>("ignored_pixels")?;
    let rest = sizes.zip(ignored).zip(frame.texts("prediction_sha256")?);
    let row = |(image_id, (((width, height), ignored_pixels), prediction_sha256))| ImageRow {
        image_id,
        width,
        height,
        ignored_pixels,
        prediction_sha256,
    };
    Ok(frame.texts("image_id")?.into_iter().zip(rest).map(row).collect())
}

/// Writes boundary counts in the order given.
///
/// # Errors
/// [`Error::Storage`] if the file cannot be written.
pub fn write_boundary(path: &Path, rows: &[BoundaryRow]) -> Result<(), Error> {
    let mut columns = vec![
        Column::new("image_id".into(), rows.iter().map(|row| row.image_id.as_str()).collect::<Vec<_>>()),
        Column::new("level".into(), rows.iter().map(|row| row.level).collect::<Vec<_>>()),
        Column::new("class".into(), rows.iter().map(|row| row.class).collect::<Vec<_>>()),
    ];
    for (index, name) in BOUNDARY_COLUMNS.into_iter().enumerate() {
        let counts: Vec<u64> = rows.iter().map(|row| row.counts[index]).collect();
        columns.push(Column::new(name.into(), counts));
    }
    parquet::write(path, columns)
}

/// Reads boundary counts.
///
/// # Errors
/// [`Error::Storage`] if the file is not there, and the other variants if it holds no boundary counts.
pub fn read_boundary(path: &Path) -> Result<Vec<BoundaryRow>, Error> {
    let names = [&["image_id", "level", "class"][..], &BOUNDARY_COLUMNS].concat();
    let frame = Frame::read(path, &names)?;
    let levels = frame.numbers::<UInt8Type>("level")?.into_iter().zip(frame.numbers::<UInt8Type>("class")?);
    let mut rows: Vec<BoundaryRow> = frame
        .texts("image_id")?
        .into_iter()
        .zip(levels)
        .map(|(image_id, (level, class))| BoundaryRow { image_id, level, class, counts: [0; 7] })
        .collect();
    for (index, name) in BOUNDARY_COLUMNS.into_iter().enumerate() {
        for (row, count) in rows.iter_mut().zip(frame.numbers::<UInt64Type>(name)?) {
            row.counts[index] = count;
        }
    }
    Ok(rows)
}

/// Writes the objects' counts in the order given.
///
/// # Errors
/// [`Error::Storage`] if the file cannot be written.
pub fn write_objects(path: &Path, rows: &[ObjectRow]) -> Result<(), Error> {
    let labels = |name: &str, get: fn(&ObjectRow) -> u8| {
        Column::new(name.into(), rows.iter().map(get).collect::<Vec<_>>())
    };
    parquet::write(
        path,
        vec![
            Column::new("image_id".into(), rows.iter().map(|row| row.image_id.as_str()).collect::<Vec<_>>()),
            Column::new("instance".into(), rows.iter().map(|row| row.instance).collect::<Vec<_>>()),
            labels("class", |row| row.class),
            labels("predicted", |row| row.predicted),
            Column::new("count".into(), rows.iter().map(|row| row.count).collect::<Vec<_>>()),
        ],
    )
}

/// Reads the objects' counts.
///
/// # Errors
/// [`Error::Storage`] if the file is not there, and the other variants if it holds no objects.
pub fn read_objects(path: &Path) -> Result<Vec<ObjectRow>, Error> {
    let frame = Frame::read(path, &["image_id", "instance", "class", "predicted", "count"])?;
    let labels =
        frame.numbers::<UInt8Type>("class")?.into_iter().zip(frame.numbers::<UInt8Type>("predicted")?);
    let rest = frame.numbers::<UInt32Type>("instance")?.into_iter().zip(labels);
    let rest = rest.zip(frame.numbers::<UInt64Type>("count")?);
    let row = |(image_id, ((instance, (class, predicted)), count))| ObjectRow {
        image_id,
        instance,
        class,
        predicted,
        count,
    };
    Ok(frame.texts("image_id")?.into_iter().zip(rest).map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_reads_back_as_it_was_written() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("table.parquet");
        let images: Vec<ImageRow> = (0..5)
            .map(|index| ImageRow {
                image_id: format!("image {index}"),
                width: 53 + index,
                height: 37,
                ignored_pixels: u64::MAX - u64::from(index),
                prediction_sha256: "ab".repeat(32),
            })
            .collect();
        write_images(&path, &images).expect("written");
        assert_eq!(read_images(&path).expect("read"), images);
        let boundary: Vec<BoundaryRow> = (0..9)
            .map(|index| BoundaryRow {
                image_id: "a".into(),
                level: index % 3,
                class: index,
                counts: std::array::from_fn(|column| u64::from(index) * 10 + column as u64),
            })
            .collect();
        write_boundary(&path, &boundary).expect("written");
        assert_eq!(read_boundary(&path).expect("read"), boundary);
        let objects: Vec<ObjectRow> = (0..9)
            .map(|index| ObjectRow {
                image_id: "a".into(),
                instance: 26_000 + u32::from(index),
                class: 13,
                predicted: if index == 0 { 255 } else { index },
                count: u64::from(index) + 1,
            })
            .collect();
        write_objects(&path, &objects).expect("written");
        assert_eq!(read_objects(&path).expect("read"), objects);
    }
}
