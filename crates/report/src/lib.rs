//! From run folders to a leaderboard: CSV, Parquet, Markdown, LaTeX and one HTML page that needs no other file.
//!
//! Every score is computed here, from the counts a run has left behind, so that a new metric or another interval needs no new
//! run. Rows are ranked only against rows that compare: same data set, split, protocol, hardware, device and number format, and
//! the same images. The same runs give the same bytes; no file holds a date.

mod base64;
mod build;
mod chart;
mod details;
mod diff;
mod error;
mod format;
mod html;
mod latex;
mod leaderboard;
mod markdown;
mod places;
mod published;
mod run;
mod summary;
mod text;

pub use build::{Report, build};
pub use diff::{ClassPart, Difference, ImagePart, Side, diff};
pub use error::Error;
pub use format::Format;
pub use run::find_run;
