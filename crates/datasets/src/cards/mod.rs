//! The registry of data sets: one description per data set in `data/cards`, and the user's own.

mod build;
mod builtin;
mod description;
mod download;
#[cfg(test)]
mod fuzzing;
mod layout;
mod pattern;
mod registry;

use std::collections::BTreeSet;

use segbench_types::ClassCatalog;
use serde::Serialize;

pub use description::{
    ClassDescription, Classes, Coding, CropTable, Description, IgnoredValue, ImagePattern, InPlaceNames,
    KnownImage, LabelPattern, ListPattern, PathPattern, SplitDescription, UnknownValues,
};
pub use download::{Download, LoginSite, Moved, PhotoList, RemoteFile};
pub(crate) use layout::{LabelRule, Layout, Recognized, Role};
pub use registry::{card, cards, check_name, find};

/// What is known of a data set before anything of it is on disk.
#[derive(Debug, Clone, Serialize)]
pub struct DatasetCard {
    /// Name on the command line and in the tree of prepared data sets.
    pub name: String,
    /// Name as its authors write it, with what it shows.
    pub title: String,
    /// Licence of images and labels.
    pub licence: String,
    /// What to cite; empty where nothing is asked for.
    pub citation: String,
    /// Whether its site wants a login.
    pub login: bool,
    /// The files to download with their sizes.
    pub download_size: String,
    /// Where to get it.
    pub address: String,
    /// When the address was last seen to work; `never` if nobody tried from this program.
    pub last_checked: String,
    /// Its splits in their usual order.
    pub splits: Vec<SplitCard>,
    /// Files or folders that `--source` takes.
    pub sources: Vec<String>,
    /// What can be fetched; `None` where files have to be got by hand.
    pub download: Option<Download>,
    /// An environment variable that its own tools read its folder from.
    pub environment: Option<String>,
    /// Raised when the converter's output changes.
    pub converter_version: u32,
    #[serde(skip)]
    pub(crate) layout: Layout,
}

/// A split as its authors describe it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SplitCard {
    /// `train`, `val`, `test` or another name.
    pub name: String,
    /// Images in the complete data set; `None` where there is no fixed number.
    pub images: Option<u64>,
    /// Whether label maps belong to it. Those of a test server are kept back.
    pub labelled: bool,
    /// Other names in paths.
    #[serde(skip)]
    pub(crate) folders: Vec<String>,
    /// Share of the images where nothing else says the split.
    #[serde(skip)]
    pub(crate) share: u32,
    /// The ids of the split where nothing in the sources says them.
    #[serde(skip)]
    pub(crate) members: BTreeSet<String>,
}

impl SplitCard {
    /// Every name that a path may write.
    pub(crate) fn spellings(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.name.as_str()).chain(self.folders.iter().map(String::as_str))
    }
}

impl DatasetCard {
    /// The classes in train-id order.
    pub fn catalog(&self) -> ClassCatalog {
        match &self.layout.taxonomy {
            Some(taxonomy) => taxonomy.catalog().clone(),
            None => self.layout.catalog.clone(),
        }
    }

    /// Name of the folder in `data/raw`: the name without a taxonomy.
    pub fn raw_name(&self) -> &str {
        raw_name(&self.name)
    }

    /// Position of a split in the usual order.
    pub(crate) fn split_order(&self, split: &str) -> Option<usize> {
        self.splits.iter().position(|card| card.name == split)
    }

    pub(crate) fn known_splits(&self) -> Vec<String> {
        self.splits.iter().map(|split| split.name.to_owned()).collect()
    }
}

/// The data set's own name in `synthia@cityscapes-19`.
pub fn raw_name(name: &str) -> &str {
    name.split_once('@').map_or(name, |(dataset, _)| dataset)
}
