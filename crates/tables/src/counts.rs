//! `counts.parquet`: the confusion matrix of every image of a run, without its zeros.

use std::path::Path;

use polars::prelude::{Column, UInt8Type, UInt64Type};

use crate::Error;
use crate::parquet::{self, Frame};

const COLUMNS: [&str; 4] = ["image_id", "ground_truth", "predicted", "count"];

/// How many pixels of one class were predicted as another, in one image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountRow {
    /// The image, by the id of the manifest.
    pub image_id: String,
    /// Class in the label map; 255 = ignored.
    pub ground_truth: u8,
    /// Class predicted; 255 = no class.
    pub predicted: u8,
    /// Pixels.
    pub count: u64,
}

/// Writes counts in the order given.
///
/// # Errors
/// [`Error::Storage`] if the file cannot be written.
pub fn write_counts(path: &Path, rows: &[CountRow]) -> Result<(), Error> {
    let [image_id, ground_truth, predicted, count] = COLUMNS;
    parquet::write(
        path,
        vec![
            Column::new(image_id.into(), rows.iter().map(|row| row.image_id.as_str()).collect::<Vec<_>>()),
            Column::new(ground_truth.into(), rows.iter().map(|row| row.ground_truth).collect::<Vec<_>>()),
            Column::new(predicted.into(), rows.iter().map(|row| row.predicted).collect::<Vec<_>>()),
            Column::new(count.into(), rows.iter().map(|row| row.count).collect::<Vec<_>>()),
        ],
    )
}

/// Reads counts.
///
/// # Errors
/// [`Error::Storage`] if the file is not there, and the other variants if it holds no counts.
pub fn read_counts(path: &Path) -> Result<Vec<CountRow>, Error> {
    let frame = Frame::read(path, &COLUMNS)?;
    let [image_id, ground_truth, predicted, count] = COLUMNS;
    let classes =
        frame.numbers::<UInt8Type>(ground_truth)?.into_iter().zip(frame.numbers::<UInt8Type>(predicted)?);
    let pixels = classes.zip(frame.numbers::<UInt64Type>(count)?);
    let rows = frame.texts(image_id)?.into_iter().zip(pixels);
    Ok(rows
        .map(|(image_id, ((ground_truth, predicted), count))| CountRow {
            image_id,
            ground_truth,
            predicted,
            count,
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20))]

        #[test]
        fn counts_read_back_as_they_were_written(cells in prop::collection::vec((0..9_usize, any::<u8>(), any::<u8>(), any::<u64>()), 0..300)) {
            let rows: Vec<CountRow> = cells
                .into_iter()
                .map(|(image, ground_truth, predicted, count)| CountRow { image_id: format!("image {image}"), ground_truth, predicted, count })
                .collect();
            let dir = tempfile::tempdir().expect("a folder");
            let path = dir.path().join("counts.parquet");
            write_counts(&path, &rows).expect("written");
            prop_assert_eq!(read_counts(&path).expect("read"), rows);
        }
    }
}
