//! Where a plan and the statuses of its tasks lie while they are needed.

use std::path::{Path, PathBuf};

use crate::Error;

/// Digits of the key in a folder's name.
const DIGITS: usize = 12;

/// `<jobs>/<stage>-<name>-<key>`.
#[derive(Debug, Clone)]
pub struct JobPlace {
    jobs: PathBuf,
    prefix: String,
    key: String,
}

impl JobPlace {
    pub(crate) fn new(jobs: &Path, name: &str, key: &str) -> Self {
        let key = key.get(..DIGITS).unwrap_or(key).to_owned();
        Self { jobs: jobs.into(), prefix: format!("{name}-"), key }
    }

    /// The folder.
    pub fn dir(&self) -> PathBuf {
        self.jobs.join(format!("{}{}", self.prefix, self.key))
    }

    /// Removes plan and statuses, if they are there: the merged result is on disk.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn remove(&self) -> Result<(), Error> {
        Ok(segbench_storage::remove_dir(&self.dir())?)
    }

    /// Removes the unfinished jobs of the same stage and name with other keys, whose results this one overwrites.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn remove_others(&self) -> Result<(), Error> {
        if !self.jobs.is_dir() {
            return Ok(());
        }
        for dir in segbench_storage::list_dir(&self.jobs)? {
            let name = dir.file_name().unwrap_or_default().to_string_lossy();
            let is_other = name.strip_prefix(&self.prefix).is_some_and(|key| {
                key != self.key && key.len() == DIGITS && key.bytes().all(|digit| digit.is_ascii_hexdigit())
            });
            if is_other {
                segbench_storage::remove_dir(&dir)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_jobs_of_the_same_stage_and_name_are_removed() {
        let dir = tempfile::tempdir().expect("a folder");
        let (own, other) = ("0123456789abcdef", "fedcba9876543210");
        let place = |name, key| JobPlace::new(dir.path(), name, key);
        let kept = [
            place("train-unet.sample", own),
            place("train-unet.sample-2", other),
            place("prepare-sample", other),
        ];
        let stale = place("train-unet.sample", other);
        for place in kept.iter().chain([&stale]) {
            std::fs::create_dir_all(place.dir().join("status")).expect("a folder");
        }
        kept[0].remove_others().expect("removed");
        assert!(!stale.dir().exists());
        assert!(kept.iter().all(|place| place.dir().is_dir()));
        kept[0].remove().expect("removed");
        kept[0].remove().expect("nothing to remove");
        assert!(!kept[0].dir().exists());
    }
}
