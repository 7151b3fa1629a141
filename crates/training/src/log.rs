//! The log of a training, as JSON lines and as a table.
//!
//! `log.jsonl` has one object per line and `log.csv` the same without the scores of single classes. Both are appended to while the
//! training runs; a resumed training first drops the lines after its checkpoint, and with them a half-written one.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use segbench_storage::Error as StorageError;
use segbench_tables::CurveRow;
use serde::{Deserialize, Serialize};

use crate::Error;

/// A line of the log: some steps of training, or a validation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogRecord {
    /// Steps done.
    pub step: u64,
    /// Learning rate of the last of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lr: Option<f64>,
    /// Mean loss since the line before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
    /// Labelled pixels of the last batch that the network got right, as a fraction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acc_seg: Option<f64>,
    /// Norm of the last gradient, before clipping.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grad_norm: Option<f64>,
    /// Mean IoU on the validation split, as a fraction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub miou: Option<f64>,
    /// Pixel accuracy on the validation split, as a fraction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pixel_accuracy: Option<f64>,
    /// Mean recall on the validation split, as a fraction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_recall: Option<f64>,
    /// IoU of each class on the validation split, as a fraction.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub iou: BTreeMap<String, Option<f64>>,
    /// Training images per second since the line before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images_per_second: Option<f64>,
    /// Seconds per step since the line before, or seconds of the validation.
    pub time: f64,
}

const CSV_HEADER: &str =
    "step,lr,loss,acc_seg,grad_norm,miou,pixel_accuracy,mean_recall,images_per_second,time\n";

impl LogRecord {
    fn csv(&self) -> String {
        let optional = [
            self.lr,
            self.loss,
            self.acc_seg,
            self.grad_norm,
            self.miou,
            self.pixel_accuracy,
            self.mean_recall,
            self.images_per_second,
        ];
        let cells = optional.map(|value| value.map(|value| value.to_string()).unwrap_or_default());
        format!("{},{},{}\n", self.step, cells.join(","), self.time)
    }
}

/// The two files, open for appending.
pub(crate) struct Log {
    json: (PathBuf, File),
    csv: (PathBuf, File),
}

impl Log {
    /// Opens the log in `folder` and keeps the lines up to `step`, the steps already done.
    pub(crate) fn open(folder: &Path, step: u64) -> Result<Self, Error> {
        let (json, csv) = (folder.join("log.jsonl"), folder.join("log.csv"));
        let kept = if step == 0 { Vec::new() } else { read(&json, step)? };
        let lines = kept.iter().map(|record| line(&json, record)).collect::<Result<String, Error>>()?;
        segbench_storage::write(&json, lines.as_bytes())?;
        let rows: String = kept.iter().map(LogRecord::csv).collect();
        segbench_storage::write(&csv, format!("{CSV_HEADER}{rows}").as_bytes())?;
        let append = |path: PathBuf| match OpenOptions::new().append(true).open(&path) {
            Ok(file) => Ok((path, file)),
            Err(err) => Err(StorageError::writing(&path, err)),
        };
        Ok(Self { json: append(json)?, csv: append(csv)? })
    }

    /// Appends a record to both files.
    pub(crate) fn write(&mut self, record: &LogRecord) -> Result<(), Error> {
        let text = line(&self.json.0, record)?;
        for ((path, file), text) in [(&mut self.json, text), (&mut self.csv, record.csv())] {
            file.write_all(text.as_bytes()).map_err(|err| StorageError::writing(path, err))?;
        }
        Ok(())
    }
}

/// The course of the training in `folder`, from its log.
///
/// # Errors
/// [`Error::Storage`] if the log cannot be read.
pub fn curve(folder: &Path) -> Result<Vec<CurveRow>, Error> {
    let records = read(&folder.join("log.jsonl"), u64::MAX)?;
    let row = |record: &LogRecord| CurveRow { step: record.step, loss: record.loss, miou: record.miou };
    Ok(records.iter().map(row).collect())
}

fn line(path: &Path, record: &LogRecord) -> Result<String, Error> {
    let text = serde_json::to_string(record)
        .map_err(|source| StorageError::Json { path: path.to_owned(), source })?;
    Ok(text + "\n")
}

/// The records up to `step`; what is no record, such as the rest of a line that was being written, ends the log.
fn read(path: &Path, step: u64) -> Result<Vec<LogRecord>, Error> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = String::from_utf8_lossy(&segbench_storage::read(path)?).into_owned();
    let records = text.lines().map_while(|line| serde_json::from_str::<LogRecord>(line).ok());
    Ok(records.take_while(|record| record.step <= step).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reopening_drops_later_and_half_written_lines() {
        let folder = tempfile::tempdir().expect("a folder");
        let record = |step| LogRecord { step, loss: Some(0.1 + 0.2), time: 0.25, ..LogRecord::default() };
        let mut log = Log::open(folder.path(), 0).expect("opened");
        for step in [10, 20, 30] {
            log.write(&record(step)).expect("written");
        }
        drop(log);
        let json = folder.path().join("log.jsonl");
        let mut text = std::fs::read_to_string(&json).expect("there");
        text.truncate(text.len() - 5);
        std::fs::write(&json, text).expect("written");
        let mut log = Log::open(folder.path(), 20).expect("opened");
        log.write(&record(25)).expect("written");
        let text = std::fs::read_to_string(&json).expect("there");
        let steps: Vec<&str> = text.lines().map(|line| line.split(',').next().expect("a field")).collect();
        assert_eq!(steps, [r#"{"step":10"#, r#"{"step":20"#, r#"{"step":25"#]);
        let table = std::fs::read_to_string(folder.path().join("log.csv")).expect("there");
        assert_eq!(table.lines().last(), Some("25,,0.30000000000000004,,,,,,,0.25"));
        assert_eq!(table.lines().count(), 4);
        let curve = curve(folder.path()).expect("read");
        assert_eq!(
            curve.iter().map(|row| (row.step, row.miou)).collect::<Vec<_>>(),
            [(10, None), (20, None), (25, None)]
        );
        assert_eq!(curve[0].loss, Some(0.1 + 0.2));
        assert_eq!(Log::open(folder.path(), 0).map(|_| ()).ok(), Some(()));
        assert_eq!(std::fs::read_to_string(&json).expect("there"), "");
    }
}
