//! A file from one of its addresses, with as many requests as it takes.

use std::path::{Path, PathBuf};

use segbench_types::{ErrorKind, Explain as _, Progress};

use super::answer::{Failure, Passing, shown};
use super::checksum::Checksums;
use super::client::{Door, Settings};
use super::exchange::{Meter, exchange};
use super::part::{self, Part};
use super::patience::Patience;
use crate::{Error, SourceRecord, space};

/// What to fetch, and how to know that it is right.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Download {
    /// Addresses of the same file, tried in this order.
    pub urls: Vec<String>,
    /// Exact number of bytes, where the publisher gives it.
    pub size: Option<u64>,
    /// The checksums that the publisher gives.
    pub checksums: Checksums,
    /// Where the file belongs. Beside it lie `.part` and `.part.json` until it is complete.
    pub destination: PathBuf,
    /// The licence for the note `<file>.source.json`, which is there before the file is. Default: there is no note.
    pub licence: Option<String>,
}

/// A file that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Where.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Its hash, if it was fetched just now; what was there before is not read again.
    pub sha256: Option<String>,
}

/// Logins in a row that bring nothing, after which there is no point in another one.
const MAX_LOGINS: usize = 3;

/// As [`crate::Client::fetch`], for any kind of site.
pub(crate) fn fetch(
    door: &dyn Door,
    settings: &Settings,
    download: &Download,
    progress: &dyn Progress,
) -> Result<Fetched, Error> {
    let destination = &download.destination;
    if let Some(there) = find(download)? {
        return Ok(there);
    }
    if settings.is_offline {
        let url = download.urls.first().map(|url| shown(url)).unwrap_or_default();
        return Err(Error::Offline { file: destination.clone(), url });
    }
    let folder = destination.parent().unwrap_or(Path::new(""));
    segbench_storage::create_dir(folder)?;
    if let Some(size) = download.size {
        space::require(folder, size.saturating_sub(part::bytes_there(destination)))?;
    }
    let mut part = Part::open(destination, &download.checksums)?;
    // Another process may have finished between the first look and the lock.
    if let Some(there) = find(download)? {
        part::remove_empty(destination);
        return Ok(there);
    }
    let mut meter = Meter::new(progress, destination);
    let mut failures = Vec::new();
    let mut last = None;
    for url in &download.urls {
        let url = settings.address(url);
        match from_one(door, settings, download, &url, &mut part, &mut meter, progress) {
            Ok(fetched) => return Ok(fetched),
            // Another address cures neither this disk nor a login.
            Err(err) if err.kind() != ErrorKind::Download => {
                part::remove_empty(destination);
                return Err(err);
            }
            Err(err) => {
                failures.push(err.to_string());
                last = Some(err);
            }
        }
    }
    part::remove_empty(destination);
    Err(match last {
        Some(err) if failures.len() == 1 => err,
        Some(err) => Error::NoMirror { file: destination.clone(), last: Box::new(err), failures },
        None => Error::Setup { reason: format!("`{}` has no address", destination.display()) },
    })
}

/// The file, if it is there.
fn find(download: &Download) -> Result<Option<Fetched>, Error> {
    let path = &download.destination;
    let Ok(metadata) = path.metadata() else {
        return Ok(None);
    };
    let got = metadata.len();
    if let Some(expected) = download.size.filter(|expected| *expected != got) {
        return Err(Error::WrongSize { file: path.clone(), got, expected });
    }
    part::remove_leftovers(path);
    Ok(Some(Fetched { path: path.clone(), bytes: got, sha256: None }))
}

/// Fetches from one address, with as many requests as it takes.
fn from_one(
    door: &dyn Door,
    settings: &Settings,
    download: &Download,
    url: &str,
    part: &mut Part,
    meter: &mut Meter<'_>,
    progress: &dyn Progress,
) -> Result<Fetched, Error> {
    let folder = download.destination.parent().unwrap_or(Path::new(""));
    let mut patience = Patience::new(&settings.retry);
    let mut furthest = part.bytes();
    let mut logins = 0;
    loop {
        let outcome = exchange(door, url, download.size, folder, part, meter);
        // A server that begins anew every time must not look as if it got further.
        if part.bytes() >= furthest.saturating_add(settings.retry.progress_bytes) {
            patience.renew();
            logins = 0;
        }
        furthest = furthest.max(part.bytes());
        let passing = match outcome {
            Ok(()) => match conclude(download, part, progress)? {
                Some(fetched) => return Ok(fetched),
                None => Passing::new("what was there did not fit the rest"),
            },
            Err(Failure::Final(err)) => return Err(err),
            Err(Failure::Lost) if logins < MAX_LOGINS => {
                logins += 1;
                door.renew(progress)?;
                continue;
            }
            Err(Failure::Lost) => {
                let (got, expected) = ("the login page again and again".into(), "a file".into());
                return Err(Error::NotTheFile { url: shown(url), got, expected });
            }
            Err(Failure::Restarted) => Passing::new("the file has changed since the last attempt"),
            Err(Failure::Passing(passing)) => passing,
        };
        patience.wait(&shown(url), passing, progress)?;
    }
}

/// Compares the checksums of a complete file and puts it under its name; `None` if it was put together from several answers that do
/// not belong together, and was thrown away.
fn conclude(download: &Download, part: &mut Part, progress: &dyn Progress) -> Result<Option<Fetched>, Error> {
    match part.verify() {
        Ok(sha256) => {
            if let (Some(licence), Some(url)) = (&download.licence, download.urls.first()) {
                let record = SourceRecord {
                    url: shown(url),
                    licence: Some(licence.clone()),
                    bytes: part.bytes(),
                    sha256: sha256.clone(),
                    is_pinned: !download.checksums.is_empty(),
                };
                segbench_storage::write_json(&SourceRecord::path_of(&download.destination), &record)?;
            }
            part.finish()?;
            let path = download.destination.clone();
            Ok(Some(Fetched { path, bytes: part.bytes(), sha256: Some(sha256) }))
        }
        Err(mismatch) if part.is_joined() => {
            progress.note(&mismatch.of(&download.destination, None).to_string());
            part.restart()?;
            Ok(None)
        }
        Err(mismatch) => {
            let kept = part.set_aside()?;
            Err(mismatch.of(&download.destination, Some(&kept)))
        }
    }
}
