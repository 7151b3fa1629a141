//! Photos that a data set knows the addresses of, and nobody distributes.
//!
//! Every photo is fetched under a name that no conversion reads, looked at, and then renamed: hosts answer for a photo that is gone
//! with a page, with a picture that says so, or not at all. Those are noted in `gone.csv`, so that they are not asked for again.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use segbench_fetch::{
    Archive, Checksums, Client, Download, Error as FetchError, Retry, Settings, in_parallel,
};
use segbench_types::{Progress, Silent};

use crate::Error;
use crate::cards::{DatasetCard, PhotoList};

/// Photos fetched at the same time.
const AT_ONCE: usize = 8;
/// Photos in a row without any answer after which the network counts as gone.
const UNANSWERED: usize = 5;
/// Ending of a photo that nobody has looked at yet.
const UNSEEN: &str = "unseen";
/// The list of photos that are gone, beside the others.
const GONE: &str = "gone.csv";

/// A photo to fetch.
struct Photo<'a> {
    file: &'a str,
    urls: Vec<String>,
}

/// What became of a photo.
enum Fate {
    Here,
    /// The host has none, for this reason.
    Gone(String),
    /// Nobody knows yet.
    Failed(FetchError),
}

/// Fetches the photos that are neither there nor gone.
///
/// # Errors
/// [`Error::MissingSource`] without a list, and [`Error::Archive`] if nobody answers, or if all are absent and none may be fetched.
pub(super) fn fetch(
    card: &DatasetCard,
    list: &PhotoList,
    raw: &Path,
    settings: &Settings,
    progress: &dyn Progress,
) -> Result<(), Error> {
    let text = read_list(card, list, raw)?;
    let folder = raw.join(&list.folder);
    segbench_storage::create_dir(&folder)?;
    let mut gone = read_gone(&folder)?;
    let (mut wanted, mut without_address) = (Vec::new(), 0);
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let (Some(file), Some(url)) = (words.next(), words.next()) else { continue };
        let is_plain = !file.starts_with('.') && !file.contains(['/', '\\']);
        if !url.starts_with("http") || !is_plain {
            without_address += 1;
        } else if !gone.contains_key(file) && !folder.join(file).exists() {
            let moved = list.moved.iter().find_map(|moved| moved.apply(url));
            wanted.push(Photo { file, urls: moved.into_iter().chain([url.to_owned()]).collect() });
        }
    }
    if wanted.is_empty() {
        return Ok(());
    }
    if settings.is_offline {
        progress
            .note(&format!("{} photos are not there, and `--offline` forbids to fetch them", wanted.len()));
        return Ok(());
    }
    progress.note(&format!(
        "{}: {} photos from their photographers' pages; {without_address} have no address",
        card.name,
        wanted.len()
    ));
    let failed = fetch_all(&wanted, list, &folder, settings, &mut gone, progress)?;
    if failed > 0 {
        progress.note(&format!("{failed} photos could not be fetched; the next run tries them again"));
    }
    progress.note(&format!("{} photos are gone ({})", gone.len(), folder.join(GONE).display()));
    Ok(())
}

/// The list, from a file or an archive in the folder.
fn read_list(card: &DatasetCard, list: &PhotoList, raw: &Path) -> Result<String, Error> {
    let names = card.download.iter().flat_map(|download| &download.files).map(|file| raw.join(&file.file));
    for path in names.filter(|path| path.is_file()) {
        let archive = Archive::open(&path)?;
        let is_list = |name: &str| name == list.list || name.ends_with(&format!("/{}", list.list));
        if let Some(member) = archive.members().iter().find(|member| is_list(&member.name)) {
            return Ok(String::from_utf8_lossy(&archive.read(member)?).into_owned());
        }
    }
    Err(Error::MissingSource {
        what: format!("no file in `{}` has the list of photos `{}`", raw.display(), list.list),
        help: card.layout.how_to_get.clone(),
    })
}

/// Fetches and sorts out; returns how many failed for a reason that may pass.
fn fetch_all(
    wanted: &[Photo<'_>],
    list: &PhotoList,
    folder: &Path,
    settings: &Settings,
    gone: &mut BTreeMap<String, String>,
    progress: &dyn Progress,
) -> Result<usize, Error> {
    // A host that has lost a photo will not find it within minutes.
    let retry = Retry { attempts: settings.retry.attempts.min(3), ..settings.retry.clone() };
    let client = Client::new(Settings { retry, ..settings.clone() })?;
    let task = progress.start("photos", wanted.len() as u64);
    let unanswered = AtomicUsize::new(0);
    let fates = in_parallel(wanted, AT_ONCE, |photo| {
        if unanswered.load(Ordering::Relaxed) >= UNANSWERED {
            return None;
        }
        let fate = fetch_one(&client, photo, list, folder);
        match &fate {
            Fate::Failed(FetchError::Unreachable { .. }) => {
                unanswered.fetch_add(1, Ordering::Relaxed);
            }
            _ => unanswered.store(0, Ordering::Relaxed),
        }
        task.advance(1);
        Some(fate)
    });
    let mut failed = Vec::new();
    for (photo, fate) in wanted.iter().zip(fates) {
        match fate {
            Some(Fate::Gone(reason)) => {
                gone.insert(photo.file.to_owned(), reason);
            }
            Some(Fate::Failed(err)) => failed.push(err),
            Some(Fate::Here) | None => {}
        }
    }
    write_gone(folder, gone)?;
    let count = failed.len();
    match failed.into_iter().next() {
        Some(err) if unanswered.into_inner() >= UNANSWERED => Err(err.into()),
        _ => Ok(count),
    }
}

/// One photo, from the first of its addresses that has it.
fn fetch_one(client: &Client, photo: &Photo<'_>, list: &PhotoList, folder: &Path) -> Fate {
    let path = folder.join(photo.file);
    let unseen = path.with_extension(UNSEEN);
    let mut last = Fate::Gone("it has no address".into());
    for url in &photo.urls {
        let download = Download {
            urls: vec![url.clone()],
            size: None,
            checksums: Checksums::default(),
            destination: unseen.clone(),
            licence: None,
        };
        last = match client.fetch(&download, &Silent) {
            Ok(_) => match look(&unseen, list.placeholder_bytes) {
                Ok(None) => match segbench_storage::rename(&unseen, &path) {
                    Ok(()) => return Fate::Here,
                    Err(err) => return Fate::Failed(err.into()),
                },
                Ok(Some(reason)) => {
                    // What cannot be removed is looked at again by the next run.
                    let _ = fs::remove_file(&unseen);
                    Fate::Gone(reason)
                }
                Err(err) => return Fate::Failed(err.into()),
            },
            Err(err @ (FetchError::Refused { .. } | FetchError::NotTheFile { .. })) => {
                Fate::Gone(err.to_string())
            }
            Err(err) => Fate::Failed(err),
        };
    }
    last
}

/// Why a file is no photo; nothing if it is one.
fn look(path: &Path, placeholder_bytes: u64) -> Result<Option<String>, segbench_storage::Error> {
    let bytes = segbench_storage::read(path)?;
    Ok(if !bytes.starts_with(&[0xff, 0xd8, 0xff]) {
        Some("it is no JPEG".into())
    } else if bytes.len() as u64 <= placeholder_bytes {
        Some(format!("it has {} bytes only, so it says that the photo is gone", bytes.len()))
    } else {
        None
    })
}

fn read_gone(folder: &Path) -> Result<BTreeMap<String, String>, Error> {
    let path = folder.join(GONE);
    if !path.exists() {
        return Ok(BTreeMap::new());
    }
    let text = segbench_storage::read_to_string(&path)?;
    let line = |line: &str| line.split_once(',').map(|(file, reason)| (file.to_owned(), reason.to_owned()));
    Ok(text.lines().skip(1).filter_map(line).collect())
}

fn write_gone(folder: &Path, gone: &BTreeMap<String, String>) -> Result<(), Error> {
    let mut text = String::from("file,reason\n");
    for (file, reason) in gone {
        text.push_str(&format!("{file},{}\n", reason.replace(['\n', '\r'], " ")));
    }
    Ok(segbench_storage::write(&folder.join(GONE), text.as_bytes())?)
}
