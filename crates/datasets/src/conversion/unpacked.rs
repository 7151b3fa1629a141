//! Archives that can only be read from the front: what a conversion needs of them is unpacked to disk first.
//!
//! Images are converted in parallel and in the order of their names, for which a tar.gz or a rar would be unpacked again and again. So
//! their images, label files and lists go to `data/raw/<name>/segbench-unpacked/<archive>/`; a note beside that folder says of which
//! archive they are, and whether they are all. The prepared images are then hard links to them, where the file system allows.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use segbench_fetch::Archive;
use segbench_storage::Error as StorageError;
use segbench_types::Progress;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::cards::DatasetCard;

/// Folder in `data/raw/<name>` with a folder for every archive.
pub(crate) const UNPACKED: &str = "segbench-unpacked";

/// Which archive was unpacked, and for which converter.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    archive: PathBuf,
    bytes: u64,
    /// Nanoseconds since 1970.
    modified: u64,
    converter_version: u32,
    description: String,
    /// Whether everything is there.
    is_whole: bool,
}

/// The archive itself if any of its members can be read at once, else the folder with what `card` needs of it.
pub(super) fn readable(
    card: &DatasetCard,
    path: &Path,
    raw: &Path,
    progress: &dyn Progress,
) -> Result<PathBuf, Error> {
    if !Archive::is_stream_file(path)? {
        return Ok(path.to_owned());
    }
    let mut note = note(card, path)?;
    let name = path.file_name().unwrap_or_default();
    let folder = raw.join(UNPACKED).join(name);
    let mut note_path = folder.clone().into_os_string();
    note_path.push(".json");
    let note_path = PathBuf::from(note_path);
    // A note of another form is as good as none.
    let noted: Option<Note> = segbench_storage::read_json(&note_path).ok();
    if noted.as_ref() == Some(&note) && folder.is_dir() {
        return Ok(folder);
    }
    let archive = Archive::open(path)?;
    segbench_storage::create_dir(&raw.join(UNPACKED))?;
    segbench_storage::remove_abandoned(&raw.join(UNPACKED))?;
    note.is_whole = false;
    if noted.as_ref() == Some(&note) {
        // A process was killed here; what it finished stays.
        segbench_storage::remove_temporaries(&folder)?;
    } else {
        segbench_storage::remove_dir(&folder)?;
        segbench_storage::write_json(&note_path, &note)?;
    }
    let wants = |name: &str| card.layout.recognize(name, &card.splits).is_some();
    archive.unpack_some(&folder, |member| wants(&member.name), progress)?;
    note.is_whole = true;
    segbench_storage::write_json(&note_path, &note)?;
    Ok(folder)
}

fn note(card: &DatasetCard, path: &Path) -> Result<Note, Error> {
    let wrap = |source| StorageError::reading(path, source);
    let metadata = path.metadata().map_err(wrap)?;
    let modified = metadata.modified().map_err(wrap)?.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(Note {
        archive: path.canonicalize().map_err(wrap)?,
        bytes: metadata.len(),
        modified: u64::try_from(modified.as_nanos()).unwrap_or(u64::MAX),
        converter_version: card.converter_version,
        description: card.layout.identity.clone(),
        is_whole: true,
    })
}
