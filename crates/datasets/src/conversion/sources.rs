//! The archives of a conversion: those named by the user, or those in `data/raw`.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use segbench_fetch::{Archive, Member};
use segbench_types::Silent;

use super::drawn::draw_sample;
use crate::Error;
use crate::cards::{DatasetCard, Recognized};
use crate::sample::SampleOptions;

/// Settings of a conversion that only some data sets have.
#[derive(Debug, Clone, Default)]
pub struct ConversionOptions {
    /// What the sample is drawn with, where no source is named.
    pub sample: SampleOptions,
}

/// An open archive.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) archive: Archive,
    /// Which of the user's paths it belongs to. A folder and the zips in it share theirs.
    pub(super) group: usize,
    /// Name of the folder itself, so that `leftImg8bit/` is recognized when it is named alone.
    prefix: Option<String>,
}

/// A file in one of the sources.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) source: usize,
    pub(super) member: Member,
    /// Which of the patterns of its role it matches.
    pub(super) rule: usize,
}

impl Source {
    /// What a member is, by the rules of the data set.
    pub(super) fn recognize(&self, card: &DatasetCard, member: &Member) -> Option<Recognized> {
        card.layout.recognize(&self.full_name(member), &card.splits)
    }

    /// The member's name below the folder itself.
    pub(super) fn full_name<'a>(&self, member: &'a Member) -> Cow<'a, str> {
        match &self.prefix {
            Some(prefix) => Cow::Owned(format!("{prefix}/{}", member.name)),
            None => Cow::Borrowed(&member.name),
        }
    }
}

/// The paths to read: those named, or the folder in `data/raw`, where the sample is drawn if it is not there yet.
pub(super) fn locate(
    card: &DatasetCard,
    options: &ConversionOptions,
    named: &[PathBuf],
    root: &Path,
) -> Result<Vec<PathBuf>, Error> {
    let raw = root.join("raw").join(card.raw_name());
    if named.is_empty() {
        if card.raw_name() == "sample" {
            draw_sample(root, &options.sample, &Silent)?;
        } else if !raw.is_dir() {
            return Err(Error::MissingSource {
                what: format!(
                    "the files of `{}` are not there: `{}` does not exist",
                    card.name,
                    raw.display()
                ),
                help: card.layout.how_to_get.clone(),
            });
        }
        return Ok(vec![raw]);
    }
    named
        .iter()
        .map(|path| {
            let beside_raw = raw.join(path);
            if path.exists() {
                Ok(path.clone())
            } else if beside_raw.exists() {
                Ok(beside_raw)
            } else {
                Err(Error::MissingSource {
                    what: format!("the source `{}` does not exist", path.display()),
                    help: card.layout.how_to_get.clone(),
                })
            }
        })
        .collect()
}

/// Opens every path, and the zips that lie directly in a folder.
pub(super) fn open(paths: &[PathBuf]) -> Result<Vec<Source>, Error> {
    let mut sources = Vec::new();
    let mut seen = BTreeSet::new();
    for (group, path) in paths.iter().enumerate() {
        let resolved =
            path.canonicalize().map_err(|source| segbench_storage::Error::reading(path, source))?;
        if !seen.insert(resolved.clone()) {
            continue;
        }
        let archive = Archive::open(path)?;
        let mut inner = Vec::new();
        let mut prefix = None;
        if path.is_dir() {
            prefix = resolved.file_name().map(|name| name.to_string_lossy().into_owned());
            let is_zip = |name: &str| !name.contains('/') && name.to_ascii_lowercase().ends_with(".zip");
            inner.extend(
                archive
                    .members()
                    .iter()
                    .filter(|member| is_zip(&member.name))
                    .map(|member| path.join(&member.name)),
            );
        }
        sources.push(Source { archive, group, prefix });
        for zip in inner {
            let resolved =
                zip.canonicalize().map_err(|source| segbench_storage::Error::reading(&zip, source))?;
            if seen.insert(resolved) {
                sources.push(Source { archive: Archive::open(&zip)?, group, prefix: None });
            }
        }
    }
    Ok(sources)
}
