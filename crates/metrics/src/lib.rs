//! The confusion matrix and everything computed from it.
//!
//! Pixels are counted once, as integers, by [`ConfusionMatrix::count`]; every score, mean and interval is a query over those counts.
//! A score that is not defined is `None` and never a made-up number. [`METRICS`] says of each metric what it means.
//!
//! # Examples
//! The textbook's image of nine pixels and three classes:
//! ```
//! use segbench_metrics::{ConfusionMatrix, Scores};
//!
//! let predicted = [0, 1, 0, 2, 1, 0, 2, 2, 1];
//! let ground_truth = [0, 2, 0, 2, 1, 0, 0, 2, 1];
//! let mut matrix = ConfusionMatrix::new(3);
//! matrix.count(&ground_truth, &predicted)?;
//! // The last column counts labelled pixels without a predicted class.
//! assert_eq!(matrix.rows(), [[3, 0, 1, 0], [0, 2, 0, 0], [0, 1, 2, 0]]);
//!
//! let scores = Scores::of(&matrix);
//! let percent = |score: Option<f64>| score.map(|value| format!("{:.2}", 100.0 * value)).unwrap_or_default();
//! assert_eq!(percent(scores.pixel_accuracy), "77.78"); // 7 of 9 pixels
//! assert_eq!(percent(scores.classes[0].iou), "75.00"); // 3 / (4 + 3 - 3)
//! assert_eq!(percent(scores.classes[1].iou), "66.67"); // 2 / (2 + 3 - 2)
//! assert_eq!(percent(scores.classes[2].iou), "50.00"); // 2 / (3 + 3 - 2)
//! assert_eq!(percent(scores.classes[1].precision), "66.67"); // 2 of 3
//! assert_eq!(percent(scores.mean_precision), "77.78"); // (1 + 2/3 + 2/3) / 3
//! assert_eq!(percent(scores.miou), "63.89"); // (3/4 + 2/3 + 1/2) / 3
//! assert_eq!(percent(scores.fw_iou), "64.81"); // 4/9 * 3/4 + 2/9 * 2/3 + 3/9 * 1/2
//! assert_eq!(percent(scores.classes[0].dice), "85.71"); // 2 * 3 / (4 + 3)
//! # Ok::<(), segbench_metrics::Error>(())
//! ```

mod binary;
mod boundary;
mod calibration;
mod compare;
mod decompose;
mod error;
mod groups;
mod image_scores;
mod interval;
mod kernels;
mod matrix;
mod objects;
mod registry;
mod resample;
mod scores;
mod tally;

pub use binary::BinaryCounts;
pub use boundary::{BOUNDARY_SHARES, BoundaryCell, BoundaryCounts};
pub use calibration::{Calibration, CalibrationBin};
pub use compare::{Difference, holm, letters, paired_bootstrap, permutation_test, permutation_tests};
pub use decompose::decompose;
pub use error::Error;
pub use groups::{CategoryScores, GroupScores};
pub use image_scores::{ImageScores, image_miou};
pub use interval::{jackknife_error, miou_interval, miou_interval_of_totals};
pub use matrix::ConfusionMatrix;
pub use objects::{ObjectCounts, SizeRecall, recall_by_size};
pub use registry::{METRICS, Metric, Unit};
pub use scores::{ClassScores, ClassTotals, Scores};
