//! Data sets: where they come from, what their labels mean, and how they become the common label format.
//!
//! A [`DatasetCard`] describes a data set, a [`Conversion`] turns its archives into a tree of original images and palette label
//! maps with a manifest, and a [`PreparedDataset`] is that tree, ready to be read. The built-in [`sample`] draws streets and writes
//! them in the Cityscapes layout, so it passes through the same converter as the real thing.

mod cards;
mod catalog;
mod conversion;
mod error;
pub mod label_png;
mod labels;
mod photo;
mod polygon;
mod prepared;
pub mod sample;

pub use cards::{DatasetCard, SplitCard, card, cards};
pub use conversion::{
    Conversion, ConversionOptions, ConversionPlan, IMAGES_PER_TASK, draw_sample, is_up_to_date,
};
pub use error::{DecodeError, Error, UnknownLabel};
pub use labels::{CountedLabels, LabelTable};
pub use photo::{decode_image, read_image};
pub use prepared::PreparedDataset;
