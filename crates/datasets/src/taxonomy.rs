//! Taxonomies: from the classes of one data set to the classes of another, by name.
//!
//! A taxonomy is a table of class names (`data/taxonomies`). It applies to train ids: while a data set is converted
//! (`synthia@cityscapes-19`), to label maps, and to counts, so that results of a fine catalog can be scored in a coarse one without
//! looking at a pixel again.

use std::sync::{Arc, LazyLock};

use segbench_tables::Table;
use segbench_types::{ClassCatalog, IGNORE, LabelMap};
use serde::Serialize;

use crate::Error;
use crate::catalog::ClassTable;

/// Source catalog, target catalog, target classes, `from,to` names (no `to`: dropped).
type Entry = (&'static str, &'static str, &'static str, &'static str);

macro_rules! entry {
    ($from:literal, $to:literal) => {
        (
            $from,
            $to,
            include_str!(concat!("../data/classes/", $to, ".csv")),
            include_str!(concat!("../data/taxonomies/", $from, ".", $to, ".csv")),
        )
    };
}

const ENTRIES: [Entry; 11] = [
    entry!("camvid-32", "camvid-11"),
    entry!("cityscapes-19", "cityscapes-7"),
    entry!("synthia-22", "cityscapes-13"),
    entry!("synthia-22", "cityscapes-16"),
    entry!("synthia-22", "cityscapes-19"),
    entry!("synthia-22", "synthia-11"),
    entry!("synthia-cvpr16-12", "synthia-11"),
    entry!("synthia-seqs-13", "cityscapes-19"),
    entry!("synthia-seqs-13", "synthia-11"),
    entry!("cityscapes-19", "cityscapes-13"),
    entry!("cityscapes-19", "cityscapes-16"),
];

static TAXONOMIES: LazyLock<Vec<Arc<Taxonomy>>> = LazyLock::new(|| {
    // The tables are part of the program and a test counts them, so one that does not parse cannot go unnoticed.
    ENTRIES.iter().filter_map(|entry| Taxonomy::parse(entry).ok().map(Arc::new)).collect()
});

/// A map from the classes of one catalog to those of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taxonomy {
    from: String,
    catalog: ClassCatalog,
    rows: Vec<(String, Option<u8>)>,
    train_ids: Vec<u8>,
}

/// What became of one class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Remapped {
    /// The class that was.
    pub from: String,
    /// The class it became; `None` if it was dropped.
    pub to: Option<String>,
    /// Its pixels.
    pub pixels: u64,
    /// What happened to it.
    pub fate: Fate,
}

/// What a taxonomy does to a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// It is a class of its own.
    Kept,
    /// It shares its class with others.
    Merged,
    /// Its pixels have no class any more.
    Dropped,
}

impl Fate {
    fn name(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Merged => "merged",
            Self::Dropped => "dropped",
        }
    }
}

/// All taxonomies.
pub fn taxonomies() -> impl Iterator<Item = &'static Taxonomy> {
    TAXONOMIES.iter().map(Arc::as_ref)
}

/// The taxonomy from the classes called `from` to those called `to`.
///
/// # Errors
/// [`Error::UnknownTaxonomy`] with those that there are.
pub fn taxonomy(from: &str, to: &str) -> Result<&'static Taxonomy, Error> {
    lookup(from, to).map(Arc::as_ref)
}

pub(crate) fn find(from: &str, to: &str) -> Result<Arc<Taxonomy>, Error> {
    lookup(from, to).cloned()
}

fn lookup(from: &str, to: &str) -> Result<&'static Arc<Taxonomy>, Error> {
    let from_here = || TAXONOMIES.iter().filter(|taxonomy| taxonomy.from == from);
    from_here().find(|taxonomy| taxonomy.catalog.name == to).ok_or_else(|| Error::UnknownTaxonomy {
        from: from.to_owned(),
        to: to.to_owned(),
        known: from_here().map(|taxonomy| taxonomy.catalog.name.clone()).collect(),
    })
}

impl Taxonomy {
    fn parse((from, to, classes, rows): &Entry) -> Result<Self, String> {
        let catalog = ClassTable::parse(to, classes)?.catalog;
        let row = |line: &str| {
            let (from, to) = line.split_once(',').ok_or_else(|| format!("no comma in `{line}`"))?;
            let train_id = (0..).zip(catalog.names()).find(|(_, name)| *name == to).map(|(id, _)| id);
            match (to, train_id) {
                ("", _) => Ok((from.to_owned(), None)),
                (_, None) => Err(format!("`{to}` is no class")),
                (_, known) => Ok((from.to_owned(), known)),
            }
        };
        let rows: Vec<(String, Option<u8>)> = rows.lines().skip(1).map(row).collect::<Result<_, _>>()?;
        let train_ids = rows.iter().map(|(_, train_id)| train_id.unwrap_or(IGNORE)).collect();
        Ok(Self { from: (*from).to_owned(), catalog, rows, train_ids })
    }

    /// Name of the catalog it starts from.
    pub fn from(&self) -> &str {
        &self.from
    }

    /// The classes it leads to.
    pub fn catalog(&self) -> &ClassCatalog {
        &self.catalog
    }

    /// What becomes of each train id; 255 means that it is dropped.
    pub fn train_ids(&self) -> &[u8] {
        &self.train_ids
    }

    /// Converts a label map; labels that are no class stay "no class".
    pub fn apply(&self, labels: &mut LabelMap) {
        let mut table = [IGNORE; 256];
        for (slot, train_id) in table.iter_mut().zip(&self.train_ids) {
            *slot = *train_id;
        }
        for label in labels.as_mut_slice() {
            *label = table[usize::from(*label)];
        }
    }

    /// Converts pixels per class: those of the new classes, and how many pixels were dropped.
    pub fn count(&self, class_pixels: &[u64]) -> (Vec<u64>, u64) {
        let mut pixels = vec![0; self.catalog.len()];
        let mut dropped = 0;
        for (train_id, count) in self.train_ids.iter().zip(class_pixels) {
            *pixels.get_mut(usize::from(*train_id)).unwrap_or(&mut dropped) += count;
        }
        (pixels, dropped)
    }

    /// What becomes of each class, with its pixels.
    pub fn report(&self, class_pixels: &[u64]) -> Vec<Remapped> {
        let pixels = class_pixels.iter().copied().chain(std::iter::repeat(0));
        let rows = self.rows.iter().zip(pixels).map(|((from, train_id), pixels)| {
            let sharing = self.train_ids.iter().filter(|other| Some(**other) == *train_id).count();
            let fate = match (train_id, sharing) {
                (None, _) => Fate::Dropped,
                (Some(_), 0 | 1) => Fate::Kept,
                (Some(_), _) => Fate::Merged,
            };
            let class = train_id.and_then(|id| self.catalog.classes.get(usize::from(id)));
            Remapped { from: from.clone(), to: class.map(|class| class.name.clone()), pixels, fate }
        });
        rows.collect()
    }
}

/// The report as a table: from, to, fate, pixels, and their share in percent.
pub fn remapped_table(report: &[Remapped]) -> Table {
    let total: u64 = report.iter().map(|row| row.pixels).sum();
    let share = |row: &Remapped| (total > 0).then(|| 100.0 * row.pixels as f64 / total as f64);
    Table::new()
        .text("from", report.iter().map(|row| Some(row.from.clone())).collect())
        .text("to", report.iter().map(|row| row.to.clone()).collect())
        .text("fate", report.iter().map(|row| Some(row.fate.name().to_owned())).collect())
        .integer("pixels", report.iter().map(|row| Some(row.pixels)).collect())
        .float("share", Some(3), report.iter().map(share).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cards::cards;

    #[test]
    fn every_table_parses_and_lists_every_class_of_its_source_in_order() {
        assert_eq!(TAXONOMIES.len(), ENTRIES.len());
        for taxonomy in taxonomies() {
            let source =
                cards().iter().map(|card| card.catalog()).find(|catalog| catalog.name == taxonomy.from);
            let source = source.expect(&taxonomy.from);
            let names: Vec<&str> = taxonomy.rows.iter().map(|(from, _)| from.as_str()).collect();
            assert_eq!(
                names,
                source.names().collect::<Vec<_>>(),
                "{} to {}",
                taxonomy.from,
                taxonomy.catalog.name
            );
        }
    }

    #[test]
    fn synthia_has_the_16_and_13_classes_of_the_protocols() {
        let taxonomy = |to| taxonomy("synthia-22", to).expect("known");
        assert_eq!(taxonomy("cityscapes-16").catalog().len(), 16);
        // Positions of the 16 classes among the 19, as every paper on SYNTHIA to Cityscapes has them.
        let nineteen: Vec<&str> = taxonomy("cityscapes-19").catalog().names().collect();
        let sixteen = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 15, 17, 18].map(|id| nineteen[id]);
        assert_eq!(taxonomy("cityscapes-16").catalog().names().collect::<Vec<_>>(), sixteen);
        let thirteen = [0, 1, 2, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15].map(|id| sixteen[id]);
        assert_eq!(taxonomy("cityscapes-13").catalog().names().collect::<Vec<_>>(), thirteen);
    }

    #[test]
    fn pixels_are_kept_merged_or_dropped() {
        let taxonomy = taxonomy("synthia-22", "synthia-11").expect("known");
        let mut pixels = vec![0; 22];
        // Sky, road, lane markings, train, by their ids less one.
        (pixels[0], pixels[2], pixels[21], pixels[19]) = (5, 7, 11, 13);
        let (counts, dropped) = taxonomy.count(&pixels);
        assert_eq!((counts[0], counts[2], dropped), (5, 18, 13));
        let report = taxonomy.report(&pixels);
        let fate = |index: usize| (report[index].fate, report[index].to.as_deref(), report[index].pixels);
        assert_eq!(fate(0), (Fate::Kept, Some("sky"), 5));
        assert_eq!(fate(21), (Fate::Merged, Some("road"), 11));
        assert_eq!(fate(19), (Fate::Dropped, None, 13));
        assert!(remapped_table(&report).to_markdown().contains("merged"));
    }

    #[test]
    fn label_maps_are_converted_and_what_is_no_class_stays_so() {
        let taxonomy = taxonomy("cityscapes-19", "cityscapes-7").expect("known");
        let mut labels = LabelMap::new(5, 1, vec![0, 1, 18, 255, 77]).expect("five labels");
        taxonomy.apply(&mut labels);
        assert_eq!(labels.as_slice(), [0, 0, 6, 255, 255]);
    }

    #[test]
    fn an_unknown_taxonomy_is_refused_with_those_that_there_are() {
        let err = taxonomy("camvid-32", "camvid-12").expect_err("unknown");
        assert!(err.to_string().contains("camvid-12") && err.to_string().contains("camvid-11"), "{err}");
    }
}
