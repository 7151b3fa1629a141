//! The registry of data sets: one file per data set and one line here.

mod camvid;
mod cityscapes;
mod sample;

use segbench_types::ClassCatalog;
use serde::Serialize;

use crate::Error;

/// All data sets, sorted by name.
static CARDS: [DatasetCard; 3] = [camvid::CARD, cityscapes::CARD, sample::CARD];

/// What is known of a data set before anything of it is on disk.
#[derive(Debug, Serialize)]
pub struct DatasetCard {
    /// Name on the command line and in the tree of prepared data sets.
    pub name: &'static str,
    /// Name as its authors write it, with what it shows.
    pub title: &'static str,
    /// Licence of images and labels.
    pub licence: &'static str,
    /// Whether its site wants a login.
    pub login: bool,
    /// The files to download with their sizes.
    pub download_size: &'static str,
    /// Where to get it.
    pub address: &'static str,
    /// When the address was last seen to work; `never` if nobody tried from this program.
    pub last_checked: &'static str,
    /// Its splits in their usual order.
    pub splits: &'static [SplitCard],
    /// Files or folders that `--source` takes.
    pub sources: &'static [&'static str],
    /// Raised when the converter's output changes.
    pub converter_version: u32,
    #[serde(skip)]
    pub(crate) layout: Layout,
}

/// A split as its authors describe it.
#[derive(Debug, Serialize)]
pub struct SplitCard {
    /// `train`, `val` or `test`.
    pub name: &'static str,
    /// Images in the complete data set; `None` where there is no fixed number.
    pub images: Option<u64>,
    /// Whether label maps belong to it. Those of a test server are kept back.
    pub labelled: bool,
}

/// How the files of a data set are told apart, and what their labels mean.
#[derive(Debug)]
pub(crate) struct Layout {
    /// What a file is, by its path alone; `None` for files that no conversion needs.
    pub(crate) recognize: fn(path: &str) -> Option<Recognized<'_>>,
    /// The path that the other file of a pair should have.
    pub(crate) expected_path: fn(role: Role, split: &str, id: &str) -> String,
    /// The classes.
    pub(crate) catalog: fn() -> ClassCatalog,
    /// What to do when nothing is there.
    pub(crate) how_to_get: &'static str,
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Recognized<'a> {
    pub(crate) role: Role,
    pub(crate) split: &'a str,
    /// The image it belongs to; empty for a list.
    pub(crate) id: &'a str,
}

/// What a file is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Image,
    Label,
    Instances,
    /// A text file that lists the images of a split, one per line.
    List,
}

/// All data sets, sorted by name.
pub fn cards() -> &'static [DatasetCard] {
    &CARDS
}

/// The data set of this name.
///
/// # Errors
/// [`Error::UnknownDataset`] with the name most like it.
pub fn card(name: &str) -> Result<&'static DatasetCard, Error> {
    CARDS.iter().find(|card| card.name == name).ok_or_else(|| Error::UnknownDataset {
        name: name.to_owned(),
        suggestion: segbench_types::nearest(name, CARDS.iter().map(|card| card.name)).map(str::to_owned),
        known: CARDS.iter().map(|card| card.name.to_owned()).collect(),
    })
}

impl DatasetCard {
    /// The classes in train-id order.
    pub fn catalog(&self) -> ClassCatalog {
        (self.layout.catalog)()
    }

    /// Position of a split in the usual order.
    pub(crate) fn split_order(&self, split: &str) -> Option<usize> {
        self.splits.iter().position(|card| card.name == split)
    }

    pub(crate) fn known_splits(&self) -> Vec<String> {
        self.splits.iter().map(|split| split.name.to_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use segbench_types::Explain as _;

    use super::*;

    #[test]
    fn cards_are_sorted_and_complete() {
        let names: Vec<_> = cards().iter().map(|card| card.name).collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        assert_eq!(names, sorted);
        for card in cards() {
            assert!(
                !card.licence.is_empty() && !card.address.is_empty() && card.converter_version > 0,
                "{}",
                card.name
            );
        }
    }

    #[test]
    fn a_misspelled_name_is_suggested() {
        let err = card("cityscape").expect_err("no such data set");
        assert_eq!(err.help().as_deref(), Some("did you mean `cityscapes`?"));
    }

    #[test]
    fn cityscapes_has_its_19_classes_and_15_ignored_ids() {
        let catalog = card("cityscapes").expect("known").catalog();
        // The ids of `labels.py` in cityscapesScripts whose `ignoreInEval` is false, in the order of their train ids.
        let ids: Vec<u16> = catalog.classes.iter().map(|class| class.source_id).collect();
        assert_eq!(ids, [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]);
        assert_eq!(catalog.ignored_source_ids.len(), 15);
        assert_eq!(catalog.classes.iter().filter(|class| class.has_instances).count(), 8);
        assert_eq!((catalog.classes[18].name.as_str(), catalog.color(18)), ("bicycle", [119, 11, 32]));
    }

    #[test]
    fn camvid_has_its_11_classes_and_ignores_11() {
        let catalog = card("camvid").expect("known").catalog();
        assert_eq!(catalog.len(), 11);
        assert_eq!(catalog.ignored_source_ids, [11]);
        assert_eq!((catalog.classes[4].name.as_str(), catalog.color(4)), ("Pavement", [60, 40, 222]));
    }
}
