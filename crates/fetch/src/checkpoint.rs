//! Published checkpoints: fetched once, and known by their hash from then on.

use std::path::{Path, PathBuf};

use segbench_types::Progress;

use crate::download::shown;
use crate::{Checksums, Client, Download, Error, SourceRecord};

/// A checkpoint that somebody has published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckpointSource<'a> {
    /// Where it is.
    pub url: &'a str,
    /// Further addresses of the same file.
    pub mirrors: &'a [&'a str],
    /// Licence of the weights, if the publisher states one.
    pub licence: Option<&'a str>,
    /// Hash of the file, where it is pinned. A hash within a file's name is often that of another file and pins nothing.
    pub sha256: Option<&'a str>,
    /// Exact size of the file, where it is known.
    pub bytes: Option<u64>,
}

/// A checkpoint that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Where it lies.
    pub path: PathBuf,
    /// What is noted beside it.
    pub record: SourceRecord,
}

/// Fetches a checkpoint into `folder` under the last part of its address, unless it is there, and compares its hash with the one
/// pinned, or else with the one noted at the first fetch in `<file>.source.json`. The note outlives the file, so that a file fetched
/// again has to be the same.
///
/// # Errors
/// [`Error::ChangedCheckpoint`] if the hash differs from the note, and as [`Client::fetch`].
pub fn fetch_checkpoint(
    client: &Client,
    source: &CheckpointSource<'_>,
    folder: &Path,
    progress: &dyn Progress,
) -> Result<Checkpoint, Error> {
    let path = folder.join(file_name(source.url)?);
    let record_path = SourceRecord::path_of(&path);
    let noted: Option<SourceRecord> =
        if record_path.exists() { Some(segbench_storage::read_json(&record_path)?) } else { None };
    let expected = match (source.sha256, &noted) {
        (Some(pinned), _) => Some(pinned.to_ascii_lowercase()),
        (None, Some(noted)) => Some(noted.sha256.clone()),
        (None, None) => None,
    };
    let download = Download {
        urls: std::iter::once(&source.url).chain(source.mirrors).map(|url| (*url).to_owned()).collect(),
        size: source.bytes,
        // Without a pin the hash is compared below, where the message can name the note.
        checksums: source.sha256.map(Checksums::sha256).unwrap_or_default(),
        destination: path.clone(),
        // Written below, where it is compared with an earlier one.
        licence: None,
    };
    let fetched = client.fetch(&download, progress)?;
    let is_new = fetched.sha256.is_some();
    let sha256 = match fetched.sha256 {
        Some(sha256) => sha256,
        None => segbench_storage::sha256_file(&path)?,
    };
    if let Some(expected) = expected.filter(|expected| *expected != sha256) {
        if is_new {
            // Nobody may take it for the one that is noted.
            let aside = path.with_file_name(format!("{}.wrong", file_name(source.url)?));
            segbench_storage::rename(&path, &aside)?;
            return Err(Error::ChangedCheckpoint { file: aside, got: sha256, expected, record: record_path });
        }
        return Err(Error::ChangedCheckpoint { file: path, got: sha256, expected, record: record_path });
    }
    let record = SourceRecord {
        url: shown(source.url),
        licence: source.licence.map(str::to_owned),
        bytes: fetched.bytes,
        sha256,
        is_pinned: source.sha256.is_some(),
    };
    if noted.as_ref() != Some(&record) {
        segbench_storage::write_json(&record_path, &record)?;
    }
    Ok(Checkpoint { path, record })
}

/// The last part of an address. Hugging Face calls every checkpoint the same, so there the name of the repository comes in front.
fn file_name(url: &str) -> Result<String, Error> {
    let none = || Error::NotTheFile {
        url: shown(url),
        got: "an address that names no file".into(),
        expected: "the address of a checkpoint".into(),
    };
    let parsed = reqwest::Url::parse(url).map_err(|_| none())?;
    let parts: Vec<&str> = parsed.path_segments().ok_or_else(none)?.filter(|part| !part.is_empty()).collect();
    let name = parts.last().ok_or_else(none)?;
    let name = match parts.iter().position(|part| *part == "resolve") {
        Some(at) if at > 0 => format!("{}.{name}", parts[..at].join(".")),
        _ => (*name).to_owned(),
    };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if name.starts_with('.') || !name.chars().all(is_plain) {
        return Err(none());
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_after_their_address() {
        let name = |url| file_name(url).ok();
        assert_eq!(
            name("https://host/a/b0_20211208-e7f88502.pth?x=1").as_deref(),
            Some("b0_20211208-e7f88502.pth")
        );
        assert_eq!(
            name("https://huggingface.co/nvidia/segformer-b0/resolve/main/model.safetensors").as_deref(),
            Some("nvidia.segformer-b0.model.safetensors")
        );
        for wrong in ["https://host/", "nothing", "https://host/..%2f..%2fetc", "https://host/.ssh"] {
            assert_eq!(name(wrong), None, "{wrong}");
        }
    }
}
