//! The file that describes a data set: where its files are, what their values mean, which splits it has.
//!
//! The built-in data sets are written in it (`data/cards/*.yaml`), and so is a user's own: images and masks in folders need no program,
//! just such a file. `docs/datasets.md` explains it by example.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::download::Download;

/// A data set in words. Keys that are not listed here are refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// Name on the command line and of the prepared folder: lowercase letters, digits, `-` and `_`.
    pub name: String,
    /// Name as its authors write it, with what it shows.
    pub title: String,
    /// Licence of images and labels.
    pub licence: String,
    /// What to cite.
    #[serde(default)]
    pub citation: String,
    /// Where to get it.
    #[serde(default)]
    pub address: String,
    /// Whether its site wants a login.
    #[serde(default)]
    pub login: bool,
    /// The files to download with their sizes.
    #[serde(default)]
    pub download_size: String,
    /// Files or folders that `--source` takes.
    #[serde(default)]
    pub sources: Vec<String>,
    /// What `prepare` fetches where nothing is there.
    #[serde(default)]
    pub download: Option<Download>,
    /// An environment variable that the data set's own tools read its folder from. `prepare` reads it where no source is named and
    /// `data/raw` has none.
    #[serde(default)]
    pub environment: Option<String>,
    /// What to do when nothing is there.
    #[serde(default)]
    pub how_to_get: String,
    /// Raised when the labels change; default 1.
    #[serde(default = "one")]
    pub version: u32,
    /// The splits in their usual order.
    pub splits: Vec<SplitDescription>,
    /// Where the images are. The first pattern that an image matches counts.
    pub images: Vec<ImagePattern>,
    /// Where the label files are. Where an image has several, that of the first pattern counts.
    pub labels: Vec<LabelPattern>,
    /// Where files of instance ids are; they are kept as they are.
    #[serde(default)]
    pub instances: Vec<PathPattern>,
    /// Text files (or MATLAB files) that say which images a split has.
    #[serde(default)]
    pub lists: Vec<ListPattern>,
    /// A text file of lines `file row0 row1 column0 column1` for the images with `crop: true`.
    #[serde(default)]
    pub crop_table: Option<CropTable>,
    /// Files of train ids that other programs look for beside the label files; `prepare --in-place` writes them.
    #[serde(default)]
    pub in_place: Option<InPlaceNames>,
    /// The classes.
    pub classes: Classes,
    /// What happens to values that `classes` does not list. Default: `refuse`.
    #[serde(default)]
    pub unknown_values: UnknownValues,
    /// Broken or unpaired images that are left out, and named, before the conversion gives up. Default 0.
    #[serde(default)]
    pub tolerate: u64,
    /// Whether images may be absent although their label files or lists are there; they are counted. Default: no.
    #[serde(default)]
    pub optional_images: bool,
    /// Images that are known to be special.
    #[serde(default)]
    pub known: Vec<KnownImage>,
}

fn one() -> u32 {
    1
}

/// A split.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitDescription {
    /// `train`, `val`, `test` or another name.
    pub name: String,
    /// Images in the complete data set.
    #[serde(default)]
    pub images: Option<u64>,
    /// Whether label maps belong to it. Default: yes.
    #[serde(default = "yes")]
    pub labelled: bool,
    /// Other names of the split in paths, such as `training`.
    #[serde(default)]
    pub folders: Vec<String>,
    /// Where neither paths nor lists say the split: this share of the images, in proportion to the other splits' shares.
    #[serde(default)]
    pub share: u32,
    /// Where neither paths nor lists say the split: the ids in this file, one per line; it lies beside the description.
    #[serde(default)]
    pub members: Option<String>,
}

fn yes() -> bool {
    true
}

/// Where images are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImagePattern {
    /// End of the path, such as `images/{split}/{id}.jpg`.
    pub pattern: String,
    /// Cut out by the crop table and resize.
    #[serde(default)]
    pub crop: bool,
    /// Scale down so that the shorter side has this many pixels; the label map, too.
    #[serde(default)]
    pub short_side: Option<u32>,
}

/// Where label files are, and how they are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelPattern {
    /// End of the path, such as `masks/{split}/{id}.png`.
    pub pattern: String,
    /// How the file says a pixel's class. Default: `ids`.
    #[serde(default)]
    pub coding: Coding,
    /// Values to replace before `classes` is asked, as `255: 0`.
    #[serde(default)]
    pub map: BTreeMap<u16, u16>,
    /// A file of `from,to` lines with more of them; it lies beside the description.
    #[serde(default)]
    pub map_table: Option<String>,
    /// What becomes of all values that the two do not replace; default: they stay.
    #[serde(default)]
    pub otherwise: Option<u16>,
}

/// How a label file says a pixel's class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Coding {
    /// The numbers in a PNG of one channel: grey, or the indices of a palette.
    #[default]
    Ids,
    /// The first channel of a PNG with any number of channels, 8 or 16 bits.
    FirstChannel,
    /// The colors of a PNG, as `classes` lists them.
    Colors,
    /// A PNG whose red holds the tens of a high byte and whose green holds the low byte: `red / 10 * 256 + green`.
    TenthsOfRed,
    /// Foreground and background in PNG, JPEG or a MATLAB file: 0 and 1, or darker and brighter than the middle.
    Mask,
    /// A text file with a number per pixel and a line per row; -1 reads as 65535.
    TextMatrix,
    /// A number per voxel in an npy file of (depth, height, width), for images that are such volumes.
    Volume,
    /// The outlines of Cityscapes' `polygons.json`, drawn as Cityscapes draws them.
    Polygons,
}

/// A pattern and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PathPattern {
    /// End of the path.
    pub pattern: String,
}

/// Where lists are. The pattern or the variable says the split.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListPattern {
    /// End of the path, with `{split}` unless `variable` is given.
    pub pattern: String,
    /// The variable of a MATLAB file that is the list, with `{split}`: one file then lists all splits.
    #[serde(default)]
    pub variable: Option<String>,
    /// Numbers in the list are ids with leading zeros up to this length.
    #[serde(default)]
    pub digits: usize,
}

/// Where the crop table is and what it makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CropTable {
    /// End of the path.
    pub pattern: String,
    /// Width of the result in pixels.
    pub width: u32,
    /// Height of the result in pixels.
    pub height: u32,
}

/// What files of train ids beside label files are called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InPlaceNames {
    /// Ends of the names of label files, such as `_labelIds.png`.
    pub endings: Vec<String>,
    /// What takes their place, such as `_labelTrainIds.png`.
    pub train_ids: String,
}

/// The classes, in a list or in a table, and the values that mean "no class".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Classes {
    /// Short name, such as `cityscapes-19`.
    pub name: String,
    /// A CSV file with the columns `id,name,train_id,has_instances,red,green,blue` (train id 255 means "no class"); it lies beside the
    /// description.
    #[serde(default)]
    pub table: Option<String>,
    /// The classes in the order of their train ids, instead of a table.
    #[serde(default)]
    pub list: Vec<ClassDescription>,
    /// Values that mean "no class", besides those of the table.
    #[serde(default)]
    pub ignored: Vec<IgnoredValue>,
}

/// A class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassDescription {
    /// The value in label files.
    pub id: u16,
    /// The data set's own name.
    pub name: String,
    /// Red, green, blue.
    pub color: [u8; 3],
    /// Whether single objects carry instance ids.
    #[serde(default)]
    pub has_instances: bool,
}

/// A value that means "no class".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IgnoredValue {
    /// The value in label files.
    pub id: u16,
    /// The data set's own name.
    #[serde(default)]
    pub name: String,
    /// Its color, for label files in colors.
    #[serde(default)]
    pub color: Option<[u8; 3]>,
}

/// What happens to values that no table knows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnknownValues {
    /// The conversion fails and names them.
    #[default]
    Refuse,
    /// They become "no class" and are counted.
    Ignore,
}

/// An image that is known to be special.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownImage {
    /// Its id.
    pub id: String,
    /// What is special about it.
    pub remark: String,
    /// Whether it is left out. Default: it is kept, and the remark is told.
    #[serde(default)]
    pub skip: bool,
}
