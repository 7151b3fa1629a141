//! Names to cards: the built-in data sets, the user's descriptions, and taxonomies behind an `@`.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use super::{DatasetCard, build, builtin};
use crate::Error;
use crate::taxonomy;

/// All built-in data sets, sorted by name.
///
/// The descriptions are part of the program and a test counts the cards, so one that does not parse cannot go unnoticed.
static CARDS: LazyLock<Vec<DatasetCard>> = LazyLock::new(|| {
    let parse = |text: &&str| build::parse(text, true, &builtin::read_table).ok();
    let mut cards: Vec<DatasetCard> = builtin::DESCRIPTIONS.iter().filter_map(parse).collect();
    cards.sort_by(|a, b| a.name.cmp(&b.name));
    cards
});

/// All built-in data sets, sorted by name.
pub fn cards() -> &'static [DatasetCard] {
    &CARDS
}

/// The built-in data set of this name.
///
/// # Errors
/// [`Error::UnknownDataset`] with the name most like it.
pub fn card(name: &str) -> Result<&'static DatasetCard, Error> {
    CARDS.iter().find(|card| card.name == name).ok_or_else(|| unknown(name))
}

fn unknown(name: &str) -> Error {
    Error::UnknownDataset {
        name: name.to_owned(),
        suggestion: segbench_types::nearest(name, CARDS.iter().map(|card| card.name.as_str()))
            .map(str::to_owned),
        known: CARDS.iter().map(|card| card.name.clone()).collect(),
    }
}

/// The data set that `name` stands for: the path of a description ending in `.yaml` or `.yml`, a built-in data set, or a description in
/// `<root>/datasets/<name>.yaml`. Each may be followed by `@` and a taxonomy, as `synthia@cityscapes-19`: its labels are then
/// converted to those classes, and its tree goes by the whole name.
///
/// # Errors
/// [`Error::UnknownDataset`], [`Error::UnknownTaxonomy`], [`Error::DescriptionProblems`], and [`Error::Storage`] for a description that
/// cannot be read.
pub fn find(name: &str, root: &Path) -> Result<Arc<DatasetCard>, Error> {
    let (dataset, taxonomy) = match name.split_once('@') {
        Some((dataset, taxonomy)) => (dataset, Some(taxonomy)),
        None => (name, None),
    };
    let file = root.join("datasets").join(format!("{dataset}.yaml"));
    let mut card = if is_description(dataset) {
        read(Path::new(dataset))?
    } else if let Ok(card) = card(dataset) {
        card.clone()
    } else if file.is_file() {
        read(&file)?
    } else {
        return Err(unknown(dataset));
    };
    if let Some(taxonomy) = taxonomy {
        let taxonomy = taxonomy::find(&card.layout.catalog.name, taxonomy)?;
        card.name = format!("{}@{}", card.name, taxonomy.catalog().name);
        for rule in &mut card.layout.labels {
            rule.table = rule.table.clone().composed(taxonomy.train_ids(), taxonomy.catalog().len());
        }
        card.layout.taxonomy = Some(taxonomy);
    }
    Ok(Arc::new(card))
}

/// Whether `name` can be meant: a prepared data set of any origin, or one that [`find`] finds.
///
/// # Errors
/// As [`find`].
pub fn check_name(name: &str, root: &Path) -> Result<(), Error> {
    if crate::prepared::folder(root, name).join("dataset.yaml").is_file() {
        return Ok(());
    }
    find(name, root).map(|_| ())
}

fn is_description(name: &str) -> bool {
    name.ends_with(".yaml") || name.ends_with(".yml")
}

fn read(file: &Path) -> Result<DatasetCard, Error> {
    let text = segbench_storage::read_to_string(file)?;
    let beside = |name: &str| {
        let path = file.parent().unwrap_or(Path::new("")).join(name);
        let built_in = builtin::read_table(name);
        match segbench_storage::read_to_string(&path) {
            Ok(text) => Ok(text),
            // The program's own tables serve data sets that label as another one does.
            Err(_) if built_in.is_ok() => built_in,
            Err(err) => Err(err.to_string()),
        }
    };
    build::parse(&text, false, &beside)
        .map_err(|problems| Error::DescriptionProblems { path: file.to_owned(), problems })
}
