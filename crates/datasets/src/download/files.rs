//! The files of a data set: which of them are absent, and how each is fetched.

use std::path::Path;

use segbench_fetch::{
    CITYSCAPES_PACKAGES, CITYSCAPES_SITE, Cityscapes, Client, Credentials, Fetched, Settings,
};
use segbench_types::Progress;

use super::photos;
use crate::Error;
use crate::cards::{DatasetCard, Download, LoginSite, RemoteFile};
use crate::conversion::{UNPACKED, is_archive};

/// Finds the login for a site. It is asked when a file behind that login is absent.
pub type Login<'a> = &'a dyn Fn(LoginSite) -> Result<Option<Credentials>, segbench_fetch::Error>;

/// Fetches what `card` needs for `splits` (all if empty) into `<root>/raw/<name>`, unless it is there. Archives and folders of the
/// user's own in that folder are taken for the data set, and then nothing is fetched.
///
/// # Errors
/// [`Error::MissingSource`] for files behind a login that nobody gave, and [`Error::Archive`] for a file that cannot be fetched or,
/// by [`Settings::is_offline`], must not be.
pub fn download(
    card: &DatasetCard,
    splits: &[String],
    root: &Path,
    settings: &Settings,
    login: Login<'_>,
    progress: &dyn Progress,
) -> Result<(), Error> {
    let Some(download) = &card.download else { return Ok(()) };
    let raw = root.join("raw").join(card.raw_name());
    if has_own_files(download, &raw)? {
        return Ok(());
    }
    let mut absent: Vec<&RemoteFile> = Vec::new();
    for file in &download.files {
        let is_wanted = splits.is_empty()
            || file.splits.is_empty()
            || file.splits.iter().any(|split| splits.contains(split));
        if is_wanted && !raw.join(&file.file).exists() && !link(file, root, &raw)? {
            absent.push(file);
        }
    }
    if !absent.is_empty() {
        let door = Door::open(card, download, settings, login)?;
        tell(card, &absent, &raw, progress);
        for files in absent.chunks(download.at_once.max(1)) {
            fetch(card, &door, files, &raw, progress)?;
        }
    }
    match &download.photos {
        Some(list) => photos::fetch(card, list, &raw, settings, progress),
        None => Ok(()),
    }
}

/// Whether the folder has archives or folders that no download puts there.
fn has_own_files(download: &Download, raw: &Path) -> Result<bool, Error> {
    if !raw.is_dir() {
        return Ok(false);
    }
    let photos = download.photos.as_ref().map(|photos| photos.folder.as_str());
    let is_own = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_listed = download.files.iter().any(|file| file.file == name);
        let is_data =
            if path.is_dir() { name != UNPACKED && Some(&*name) != photos } else { is_archive(&name) };
        is_data && !is_listed && !name.starts_with('.')
    };
    Ok(segbench_storage::list_dir(raw)?.iter().any(|path| is_own(path)))
}

/// Takes the same file from the folder of another data set.
fn link(file: &RemoteFile, root: &Path, raw: &Path) -> Result<bool, Error> {
    let there = file.also_in.iter().map(|other| root.join("raw").join(other).join(&file.file));
    let Some(there) = there.into_iter().find(|there| there.is_file()) else { return Ok(false) };
    segbench_storage::create_dir(raw)?;
    segbench_storage::link_or_copy(&there, &raw.join(&file.file))?;
    Ok(true)
}

/// Says what comes from where, and under which licence.
fn tell(card: &DatasetCard, files: &[&RemoteFile], raw: &Path, progress: &dyn Progress) {
    let line = |file: &&RemoteFile| {
        let from = file.urls.first().map_or(CITYSCAPES_SITE, String::as_str);
        let about = if file.about.is_empty() { String::new() } else { format!(", {}", file.about) };
        format!("\n  {}{about}, from {from}", file.file)
    };
    let lines: String = files.iter().map(line).collect();
    progress.note(&format!(
        "{}\nlicence: {}\nfetching into {}:{lines}",
        card.title,
        card.licence,
        raw.display()
    ));
}

/// The way to the files.
enum Door {
    Open(Client),
    Login(Cityscapes),
}

impl Door {
    fn open(
        card: &DatasetCard,
        download: &Download,
        settings: &Settings,
        login: Login<'_>,
    ) -> Result<Self, Error> {
        let Some(site) = download.login else { return Ok(Self::Open(Client::new(settings.clone())?)) };
        let missing = |why: &str| Error::MissingSource {
            what: format!("the files of `{}` are not there, {why}", card.name),
            help: card.layout.how_to_get.clone(),
        };
        if settings.is_offline {
            return Err(missing("and `--offline` forbids to fetch them"));
        }
        let credentials =
            login(site)?.ok_or_else(|| missing("and their site asks for a login that nobody gave"))?;
        Ok(Self::Login(Cityscapes::new(CITYSCAPES_SITE, credentials, settings.clone())?))
    }
}

/// Fetches several files at the same time; the first error counts, after all have ended.
fn fetch(
    card: &DatasetCard,
    door: &Door,
    files: &[&RemoteFile],
    raw: &Path,
    progress: &dyn Progress,
) -> Result<(), Error> {
    let outcomes: Vec<Result<Fetched, segbench_fetch::Error>> = match door {
        Door::Open(client) => {
            let download = |file: &&RemoteFile| segbench_fetch::Download {
                urls: file.urls.clone(),
                size: file.size,
                checksums: file.checksums(),
                destination: raw.join(&file.file),
                licence: Some(card.licence.clone()),
            };
            let downloads: Vec<_> = files.iter().map(download).collect();
            client.fetch_all(&downloads, downloads.len(), progress)
        }
        Door::Login(session) => {
            let package = |file: &&RemoteFile| {
                CITYSCAPES_PACKAGES.iter().find(|package| Some(package.id) == file.package)
            };
            // One after another, as the site's own program does.
            files.iter().filter_map(package).map(|package| session.fetch(package, raw, progress)).collect()
        }
    };
    let mut first = None;
    for (file, outcome) in files.iter().zip(outcomes) {
        match outcome {
            Ok(_) => {}
            Err(err) if file.optional => progress.note(&format!("going on without {}: {err}", file.file)),
            Err(err) => first = first.or(Some(err)),
        }
    }
    first.map_or(Ok(()), |err| Err(err.into()))
}
