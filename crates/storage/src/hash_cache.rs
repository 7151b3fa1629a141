//! Hashes of large files that are asked for again and again, kept in a file.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::{Error, read_json, sha256_file, write_json};

/// Files changed less than this ago are hashed again: a second change could leave size and time as they are.
const SETTLED: Duration = Duration::from_secs(2);

/// What a file was when it was hashed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    bytes: u64,
    /// Nanoseconds since 1970.
    modified: u64,
    sha256: String,
}

/// The hash of a file as [`sha256_file`] gives it, which is read only if its path, size and time of the last change are not those of
/// an entry in the file `cache`. Where that file cannot be read or written, the hash is computed every time.
///
/// # Errors
/// As [`sha256_file`].
pub fn cached_sha256_file(path: &Path, cache: &Path) -> Result<String, Error> {
    let wrap = |source| Error::reading(path, source);
    let metadata = path.metadata().map_err(wrap)?;
    let changed = metadata.modified().map_err(wrap)?;
    let since = changed.duration_since(UNIX_EPOCH).unwrap_or_default();
    let modified = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
    let key = path.canonicalize().map_err(wrap)?.to_string_lossy().into_owned();
    let mut entries: BTreeMap<String, Entry> = read_json(cache).unwrap_or_default();
    let known = entries.get(&key).filter(|entry| entry.bytes == metadata.len() && entry.modified == modified);
    if let Some(entry) = known {
        return Ok(entry.sha256.clone());
    }
    let sha256 = sha256_file(path)?;
    let is_settled = SystemTime::now().duration_since(changed).is_ok_and(|age| age >= SETTLED);
    // Whoever cannot write here pays with time alone. Entries of files that are gone go with them.
    if is_settled {
        entries.retain(|path, _| fs::metadata(path).is_ok());
        entries.insert(key, Entry { bytes: metadata.len(), modified, sha256: sha256.clone() });
        let _ = write_json(cache, &entries);
    }
    Ok(sha256)
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;
    use crate::sha256_bytes;

    #[test]
    fn a_file_is_read_again_only_when_its_size_or_time_changes() {
        let dir = tempfile::tempdir().expect("a folder");
        let (path, cache) = (dir.path().join("weights.pth"), dir.path().join("hashes"));
        let put = |text: &str, seconds: u64| {
            fs::write(&path, text).expect("written");
            let time = UNIX_EPOCH + Duration::from_secs(seconds);
            File::options().write(true).open(&path).expect("there").set_modified(time).expect("set");
            cached_sha256_file(&path, &cache).expect("hashed")
        };
        let first = sha256_bytes(b"one");
        assert_eq!(put("one", 1_000), first);
        // Only a cache can miss a change that leaves size and time.
        assert_eq!(put("two", 1_000), first);
        assert_eq!(put("two", 1_001), sha256_bytes(b"two"));
        assert_eq!(put("three", 1_001), sha256_bytes(b"three"));
    }

    #[test]
    fn a_file_that_has_just_changed_is_not_trusted_and_a_broken_cache_is_none() {
        let dir = tempfile::tempdir().expect("a folder");
        let (path, cache) = (dir.path().join("weights.pth"), dir.path().join("hashes"));
        fs::write(&path, "one").expect("written");
        cached_sha256_file(&path, &cache).expect("hashed");
        assert!(!cache.exists());
        fs::write(&cache, "no JSON").expect("written");
        assert_eq!(cached_sha256_file(&path, &cache).expect("hashed"), sha256_bytes(b"one"));
    }
}
