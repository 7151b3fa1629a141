//! What is known of a prepared data set: `dataset.yaml` and the rows of `manifest.parquet`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ClassCatalog;

/// The contents of `dataset.yaml`, which stands beside every prepared data set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetInfo {
    /// Name of the data set, such as `cityscapes`.
    pub name: String,
    /// Version of the converter that wrote the tree; it is raised when the converter's output changes.
    pub converter_version: u32,
    /// Where the originals came from, in words a person can follow.
    pub source: String,
    /// Licence of images and labels.
    pub licence: String,
    /// The label that means "no class".
    pub ignore_value: u8,
    /// Whether the images are the original bytes (`original`) or what the converter did to them.
    pub images: String,
    /// Counts per split.
    pub splits: BTreeMap<String, SplitInfo>,
    /// The classes.
    pub catalog: ClassCatalog,
}

/// What one split holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitInfo {
    /// Images in the split.
    pub images: u64,
    /// Images with a label map.
    pub labelled: u64,
}

/// One row of the manifest: everything that is known of one image without opening it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageRecord {
    /// The data set's own name of the image, unique within the data set.
    pub id: String,
    /// Split: `train`, `val` or `test`.
    pub split: String,
    /// Path of the image below the prepared data set, with forward slashes.
    pub image: String,
    /// Path of the label map below the prepared data set, where there is one.
    pub label: Option<String>,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// SHA-256 of the image file, in lowercase hex.
    pub image_sha256: String,
    /// SHA-256 of the label file, in lowercase hex.
    pub label_sha256: Option<String>,
    /// Pixels per train id; empty without a label map.
    pub class_pixels: Vec<u64>,
    /// Pixels labelled "ignore".
    pub ignored_pixels: u64,
}
