//! `curve.parquet`: how loss and scores of a training went.

use std::path::Path;

use polars::prelude::{Column, Float64Type, UInt64Type};

use crate::Error;
use crate::parquet::{self, Frame};

/// One point of a training's course: some steps of training, a validation, or both.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct CurveRow {
    /// Optimizer steps done.
    pub step: u64,
    /// Mean loss since the point before.
    pub loss: Option<f64>,
    /// Mean IoU on the validation split, as a fraction.
    pub miou: Option<f64>,
}

/// Writes points in the order given.
///
/// # Errors
/// [`Error::Storage`] if the file cannot be written.
pub fn write_curve(path: &Path, rows: &[CurveRow]) -> Result<(), Error> {
    let scores = |name: &str, get: fn(&CurveRow) -> Option<f64>| {
        Column::new(name.into(), rows.iter().map(get).collect::<Vec<Option<f64>>>())
    };
    parquet::write(
        path,
        vec![
            Column::new("step".into(), rows.iter().map(|row| row.step).collect::<Vec<_>>()),
            scores("loss", |row| row.loss),
            scores("miou", |row| row.miou),
        ],
    )
}

/// Reads points.
///
/// # Errors
/// [`Error::Storage`] if the file is not there, and the other variants if it holds no curve.
pub fn read_curve(path: &Path) -> Result<Vec<CurveRow>, Error> {
    let frame = Frame::read(path, &["step", "loss", "miou"])?;
    let scores = frame
        .optional_numbers::<Float64Type>("loss")?
        .into_iter()
        .zip(frame.optional_numbers::<Float64Type>("miou")?);
    let rows = frame.numbers::<UInt64Type>("step")?.into_iter().zip(scores);
    Ok(rows.map(|(step, (loss, miou))| CurveRow { step, loss, miou }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_read_back_with_their_gaps() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("curve.parquet");
        let rows = [
            CurveRow { step: 50, loss: Some(1.0 / 3.0), miou: None },
            CurveRow { step: 50, loss: None, miou: Some(0.125) },
            CurveRow { step: 100, loss: Some(0.1), miou: Some(0.25) },
        ];
        write_curve(&path, &rows).expect("written");
        assert_eq!(read_curve(&path).expect("read"), rows);
    }
}
