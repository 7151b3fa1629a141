//! The archives of a conversion: those named by the user, or those in `data/raw`.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use segbench_fetch::{Archive, Member};
use segbench_types::{Progress, Silent};

use super::drawn::{draw, is_drawn};
use super::unpacked::{UNPACKED, readable};
use crate::Error;
use crate::cards::{DatasetCard, Recognized};
use crate::label_png::LabelForm;
use crate::sample::SampleOptions;

/// Settings of a conversion.
#[derive(Debug, Clone, Default)]
pub struct ConversionOptions {
    /// What the sample is drawn with, where no source is named.
    pub sample: SampleOptions,
    /// What label maps are written as.
    pub labels: LabelForm,
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
        // What was unpacked is a source of its own.
        if self.prefix.is_some() && member.name.split('/').next() == Some(UNPACKED) {
            return None;
        }
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

/// The paths to read: those named, or the folder in `data/raw`, where what the program draws is drawn if it is not there yet.
pub(super) fn locate(
    card: &DatasetCard,
    options: &ConversionOptions,
    named: &[PathBuf],
    root: &Path,
) -> Result<Vec<PathBuf>, Error> {
    let raw = root.join("raw").join(card.raw_name());
    if named.is_empty() {
        if is_drawn(card.raw_name()) {
            draw(card.raw_name(), root, &options.sample, &Silent)?;
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

/// Endings of the archives that are looked for in a folder.
const ARCHIVES: [&str; 5] = [".zip", ".tar", ".tar.gz", ".tgz", ".rar"];

/// Whether a file of this name is an archive.
pub(crate) fn is_archive(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ARCHIVES.iter().any(|ending| name.ends_with(ending))
}

/// Unpacks what [`open`] would unpack, and opens nothing.
pub(super) fn unpack(
    card: &DatasetCard,
    paths: &[PathBuf],
    raw: &Path,
    progress: &dyn Progress,
) -> Result<(), Error> {
    for path in paths {
        let mut files = vec![path.clone()];
        if path.is_dir() {
            files = segbench_storage::list_dir(path)?;
            files.retain(|file| file.file_name().is_some_and(|name| is_archive(&name.to_string_lossy())));
        }
        for file in files {
            readable(card, &file, raw, progress)?;
        }
    }
    Ok(())
}

/// Opens every path, and the archives that lie directly in a folder; those that can only be read from the front are unpacked below
/// `raw` first.
pub(super) fn open(
    card: &DatasetCard,
    paths: &[PathBuf],
    raw: &Path,
    progress: &dyn Progress,
) -> Result<Vec<Source>, Error> {
    let mut sources = Vec::new();
    let mut seen = BTreeSet::new();
    for (group, path) in paths.iter().enumerate() {
        let resolved =
            path.canonicalize().map_err(|source| segbench_storage::Error::reading(path, source))?;
        if !seen.insert(resolved.clone()) {
            continue;
        }
        if !path.is_dir() {
            let archive = Archive::open(&readable(card, path, raw, progress)?)?;
            sources.push(Source { archive, group, prefix: None });
            continue;
        }
        let folder = open_folder(group, path)?;
        let is_inner = |name: &str| !name.contains('/') && is_archive(name);
        let members = folder.archive.members().iter().filter(|member| is_inner(&member.name));
        let inner: Vec<PathBuf> = members.map(|member| path.join(&member.name)).collect();
        sources.push(folder);
        for file in inner {
            let resolved =
                file.canonicalize().map_err(|source| segbench_storage::Error::reading(&file, source))?;
            if seen.insert(resolved) {
                let archive = Archive::open(&readable(card, &file, raw, progress)?)?;
                sources.push(Source { archive, group, prefix: None });
            }
        }
    }
    Ok(sources)
}

/// Opens a folder without what is packed in it.
pub(super) fn open_folder(group: usize, path: &Path) -> Result<Source, Error> {
    let resolved = path.canonicalize().map_err(|source| segbench_storage::Error::reading(path, source))?;
    let prefix = resolved.file_name().map(|name| name.to_string_lossy().into_owned());
    Ok(Source { archive: Archive::open(path)?, group, prefix })
}
