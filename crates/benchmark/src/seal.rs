//! `SHA256SUMS`: what every file of a run was when the run was finished.
//!
//! The format is that of coreutils, so `sha256sum -c SHA256SUMS` in the run's folder checks it, too. Label maps are not listed: their
//! hashes stand in `images.parquet`, which is.

use std::path::Path;

use segbench_storage::{Sha256, TEMPORARY_MARK, sha256_bytes, sha256_file};
use segbench_types::RunRecord;

use crate::Error;

/// The file's name.
pub(crate) const SUMS: &str = "SHA256SUMS";
const RECORD: &str = "record.json";

/// Writes the hashes and then the record, with which the run is finished.
pub(crate) fn write(dir: &Path, record: &RunRecord) -> Result<(), Error> {
    let path = dir.join(RECORD);
    let mut json = serde_json::to_vec_pretty(record)
        .map_err(|source| segbench_storage::Error::Json { path: path.clone(), source })?;
    json.push(b'\n');
    let mut sums = vec![(RECORD.to_owned(), sha256_bytes(&json))];
    for folder in ["", "examples"] {
        let path = dir.join(folder);
        if !path.is_dir() {
            continue;
        }
        for file in segbench_storage::list_dir(&path)? {
            let name = file.strip_prefix(dir).unwrap_or(&file).to_string_lossy().replace('\\', "/");
            if file.is_file() && ![SUMS, RECORD].contains(&name.as_str()) && !name.contains(TEMPORARY_MARK) {
                sums.push((name, sha256_file(&file)?));
            }
        }
    }
    sums.sort();
    let lines: String = sums.into_iter().map(|(name, sha256)| format!("{sha256}  {name}\n")).collect();
    segbench_storage::write(&dir.join(SUMS), lines.as_bytes())?;
    Ok(segbench_storage::write(&path, &json)?)
}

/// The files of a run by name with their hashes; `None` for a run of a version that wrote none.
pub(crate) fn read(dir: &Path) -> Result<Option<Vec<(String, String)>>, Error> {
    let path = dir.join(SUMS);
    if !path.is_file() {
        return Ok(None);
    }
    let text = segbench_storage::read_to_string(&path)?;
    let line = |line: &str| {
        let (sha256, name) = line.split_once("  ")?;
        let is_hash = sha256.len() == Sha256::default().hex().len();
        let is_below = !name.starts_with('/') && !name.split('/').any(|part| part == "..");
        (is_hash && is_below).then(|| (name.to_owned(), sha256.to_owned()))
    };
    let lines: Option<Vec<_>> = text.lines().map(line).collect();
    let malformed = || Error::BadResults { reason: format!("`{}` is no list of hashes", path.display()) };
    lines.map(Some).ok_or_else(malformed)
}
