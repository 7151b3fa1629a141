//! `latency.parquet`: every single timing of a run, so that any percentile can be asked for later.

use std::path::Path;

use polars::prelude::{Column, Float64Type, UInt32Type};

use crate::Error;
use crate::parquet::{self, Frame};

const COLUMNS: [&str; 6] = ["stage", "height", "width", "batch", "query", "milliseconds"];

/// The time of one query.
#[derive(Debug, Clone, PartialEq)]
pub struct LatencyRow {
    /// What was timed, such as `network` or `end-to-end`.
    pub stage: String,
    /// Height of the network's input.
    pub height: u32,
    /// Width of the network's input.
    pub width: u32,
    /// Images per query.
    pub batch: u32,
    /// Number of the query after warm-up, from 0.
    pub query: u32,
    /// Wall time in milliseconds.
    pub milliseconds: f64,
}

/// Writes latencies in the order given.
///
/// # Errors
/// [`Error::Storage`] if the file cannot be written.
pub fn write_latency(path: &Path, rows: &[LatencyRow]) -> Result<(), Error> {
    let numbers = |name: &str, get: fn(&LatencyRow) -> u32| {
        Column::new(name.into(), rows.iter().map(get).collect::<Vec<_>>())
    };
    parquet::write(
        path,
        vec![
            Column::new("stage".into(), rows.iter().map(|row| row.stage.as_str()).collect::<Vec<_>>()),
            numbers("height", |row| row.height),
            numbers("width", |row| row.width),
            numbers("batch", |row| row.batch),
            numbers("query", |row| row.query),
            Column::new("milliseconds".into(), rows.iter().map(|row| row.milliseconds).collect::<Vec<_>>()),
        ],
    )
}

/// Reads latencies.
///
/// # Errors
/// [`Error::Storage`] if the file is not there, and the other variants if it holds no latencies.
pub fn read_latency(path: &Path) -> Result<Vec<LatencyRow>, Error> {
    let frame = Frame::read(path, &COLUMNS)?;
    let sizes = frame.numbers::<UInt32Type>("height")?.into_iter().zip(frame.numbers::<UInt32Type>("width")?);
    let queries =
        frame.numbers::<UInt32Type>("batch")?.into_iter().zip(frame.numbers::<UInt32Type>("query")?);
    let times = sizes.zip(queries).zip(frame.numbers::<Float64Type>("milliseconds")?);
    let rows = frame.texts("stage")?.into_iter().zip(times);
    Ok(rows
        .map(|(stage, (((height, width), (batch, query)), milliseconds))| LatencyRow {
            stage,
            height,
            width,
            batch,
            query,
            milliseconds,
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_read_back_bit_for_bit() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("latency.parquet");
        let rows: Vec<LatencyRow> = (0..7)
            .map(|query| LatencyRow {
                stage: if query % 2 == 0 { "network" } else { "end-to-end" }.into(),
                height: 37,
                width: 53,
                batch: 2,
                query,
                milliseconds: 1.0 / f64::from(query + 3),
            })
            .collect();
        write_latency(&path, &rows).expect("written");
        assert_eq!(read_latency(&path).expect("read"), rows);
    }
}
