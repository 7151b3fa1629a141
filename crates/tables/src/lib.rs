//! The tables segbench keeps and publishes, and their schemas.
//!
//! Some tables have a fixed schema and are read again: the manifest of a prepared data set, and of a run its confusion counts,
//! boundary counts, objects, images, latencies and the course of its training. Everything else is a [`Table`], which is only written. All go to disk complete or not at all; the same
//! rows give the same bytes on every machine and with any number of threads, and every file opens in polars, pandas and DuckDB.

mod counts;
mod curve;
mod error;
mod images;
mod json;
mod latency;
mod leaderboard;
mod manifest;
mod parquet;
mod table;

pub use counts::{CountRow, read_counts, write_counts};
pub use curve::{CurveRow, read_curve, write_curve};
pub use error::Error;
pub use images::{
    BOUNDARY_COLUMNS, BoundaryRow, ImageRow, ObjectRow, read_boundary, read_images, read_objects,
    write_boundary, write_images, write_objects,
};
pub use latency::{LatencyRow, read_latency, write_latency};
pub use leaderboard::{LeaderboardRow, leaderboard_table};
pub use manifest::{read_manifest, write_manifest};
pub use table::{Column, Table, Values};
