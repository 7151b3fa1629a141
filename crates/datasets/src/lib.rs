//! Data sets: where they come from, what their labels mean, and how they become the common label format.
//!
//! A [`DatasetCard`] describes a data set (it is read from a [`Description`] in YAML, the user's own or one of the program's), a [`Conversion`] turns its archives into a tree of original images and palette label
//! maps with a manifest, and a [`PreparedDataset`] is that tree, ready to be read. The built-in [`sample`] draws streets and writes
//! them in the Cityscapes layout, so it passes through the same converter as the real thing.

mod audit;
mod cards;
mod catalog;
mod conversion;
mod download;
mod error;
#[cfg(test)]
mod fuzzing;
mod geometry;
pub mod label_png;
mod labels;
pub mod mat;
mod npy;
mod npy_header;
mod phantom;
mod photo;
mod polygon;
mod prepared;
mod reading;
pub mod sample;
mod submission;
mod taxonomy;

pub use audit::{Audit, Depth, Issue, IssueKind, SplitAudit, audit, audit_table, issue_table};
pub use cards::{
    ClassDescription, Classes, Coding, CropTable, DatasetCard, Description, Download, IgnoredValue,
    ImagePattern, InPlaceNames, KnownImage, LabelPattern, ListPattern, LoginSite, Moved, PathPattern,
    PhotoList, RemoteFile, SplitCard, SplitDescription, UnknownValues, card, cards, check_name, find,
    raw_name,
};
pub use conversion::{
    Conversion, ConversionOptions, ConversionPlan, Findings, IMAGES_PER_TASK, InPlace, Skipped, TaskRecords,
    draw, is_drawn, is_up_to_date, write_train_ids,
};
pub use download::{Login, download};
pub use error::{DecodeError, Error, RawValue, UnknownLabel};
pub use labels::{CountedLabels, LabelTable};
pub use npy::{read_volume, write_label_volume};
pub use npy_header::NpyHeader;
pub use photo::{decode_image, read_image};
pub use prepared::PreparedDataset;
pub use submission::{CityscapesSubmission, write_submission};
pub use taxonomy::{Fate, Remapped, Taxonomy, remapped_table, taxonomies, taxonomy};
