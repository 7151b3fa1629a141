//! Checkpoints by tag: those trained here, those that are part of the program, and any file.

use std::path::{Path, PathBuf};

use segbench_benchmark::WeightsSource;
use segbench_types::{TrainingSummary, nearest};
use serde::{Deserialize, Serialize};

use crate::Error;

/// Hashes of files outside the store, so that a large one is read once; no card, so its name does not end in `.json`.
const HASHES: &str = "hashes";

/// `data/weights`: a checkpoint per content hash, with a card beside it.
#[derive(Debug, Clone)]
pub struct WeightsStore {
    dir: PathBuf,
}

/// What is known of a checkpoint: the card `<sha256>.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredWeights {
    /// Name for people, such as `segformer-b0.sample`.
    pub tag: String,
    /// Architecture with preset.
    pub model: String,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Number of classes.
    pub classes: usize,
    /// Validation mIoU in percent at the end of the training, where it was measured.
    pub val_miou: Option<f64>,
    /// How it was trained.
    pub training: Option<TrainingSummary>,
    /// Where the file is; nothing if it is part of the program.
    #[serde(skip)]
    pub path: Option<PathBuf>,
}

impl StoredWeights {
    /// The same for a benchmark.
    pub fn source(&self) -> WeightsSource {
        WeightsSource {
            tag: self.tag.clone(),
            sha256: self.sha256.clone(),
            path: self.path.clone(),
            training: self.training.clone(),
        }
    }
}

impl WeightsStore {
    /// The store in a folder, which need not exist.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.into() }
    }

    /// All checkpoints with a tag, sorted by it; a tag trained here hides the program's own of the same name.
    ///
    /// # Errors
    /// [`Error::Storage`] if a card cannot be read.
    pub fn list(&self) -> Result<Vec<StoredWeights>, Error> {
        let mut all = Vec::new();
        if self.dir.is_dir() {
            for path in segbench_storage::list_dir(&self.dir)? {
                if path.extension().is_some_and(|extension| extension == "json") {
                    let mut card: StoredWeights = segbench_storage::read_json(&path)?;
                    card.path = Some(path.with_extension("safetensors"));
                    all.push(card);
                }
            }
        }
        for shipped in segbench_models::shipped() {
            if !all.iter().any(|card| card.tag == shipped.tag) {
                let card = serde_json::from_str(shipped.card);
                all.push(
                    card.map_err(|err| Error::NotJson {
                        reason: format!("card of `{}`: {err}", shipped.tag),
                    })?,
                );
            }
        }
        all.sort_by(|a, b| a.tag.cmp(&b.tag));
        Ok(all)
    }

    /// Finds weights by file name or tag.
    ///
    /// # Errors
    /// [`Error::Missing`] with a suggestion if there is neither.
    pub fn resolve(&self, name: &str) -> Result<StoredWeights, Error> {
        let path = Path::new(name);
        if path.is_file() {
            return Ok(StoredWeights {
                tag: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                model: String::new(),
                sha256: segbench_storage::cached_sha256_file(path, &self.dir.join(HASHES))?,
                classes: 0,
                val_miou: None,
                training: None,
                path: Some(path.into()),
            });
        }
        let all = self.list()?;
        let tags: Vec<&str> = all.iter().map(|card| card.tag.as_str()).collect();
        let help = match nearest(name, tags) {
            Some(near) => format!("did you mean `{near}`? All tags: segbench list weights"),
            None => "give a checkpoint file, or a tag of `segbench list weights`".into(),
        };
        let found = all.into_iter().find(|card| card.tag == name);
        found.ok_or_else(|| Error::Missing { message: format!("there is no file and no tag `{name}`"), help })
    }

    /// Takes a checkpoint file in under its hash; a tag points at the newest.
    ///
    /// # Errors
    /// [`Error::Storage`] if it cannot be copied.
    pub fn add(&self, file: &Path, mut card: StoredWeights) -> Result<StoredWeights, Error> {
        segbench_storage::remove_abandoned(&self.dir)?;
        card.sha256 = segbench_storage::sha256_file(file)?;
        let path = self.dir.join(format!("{}.safetensors", card.sha256));
        let older = self.list()?.into_iter().filter(|old| old.tag == card.tag && old.sha256 != card.sha256);
        let older: Vec<PathBuf> = older.filter_map(|old| old.path).collect();
        segbench_storage::link_or_copy(file, &path)?;
        segbench_storage::write_json(&path.with_extension("json"), &card)?;
        for old in older {
            let card = old.with_extension("json");
            std::fs::remove_file(&card).map_err(|source| segbench_storage::Error::writing(&card, source))?;
        }
        card.path = Some(path);
        Ok(card)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(tag: &str) -> StoredWeights {
        StoredWeights {
            tag: tag.into(),
            model: "segformer-tiny".into(),
            sha256: String::new(),
            classes: 19,
            val_miou: None,
            training: None,
            path: None,
        }
    }

    #[test]
    fn a_tag_points_at_the_newest_file() {
        let dir = tempfile::tempdir().expect("a folder");
        let store = WeightsStore::new(&dir.path().join("weights"));
        let file = dir.path().join("last.safetensors");
        for bytes in [b"one", b"two"] {
            std::fs::write(&file, bytes).expect("written");
            // The store links; a new training replaces the file instead of changing it.
            let stored = store.add(&file, card("segformer-tiny.x")).expect("added");
            assert_eq!(store.resolve("segformer-tiny.x").expect("found"), stored);
            std::fs::remove_file(&file).expect("removed");
        }
    }

    #[test]
    fn an_unknown_tag_is_missing_with_a_suggestion() {
        let dir = tempfile::tempdir().expect("a folder");
        let store = WeightsStore::new(dir.path());
        let file = dir.path().join("last.bin");
        std::fs::write(&file, b"x").expect("written");
        store.add(&file, card("segformer-tiny.camvid")).expect("added");
        let err = store.resolve("segformer-tiny.camvd").expect_err("unknown");
        assert!(segbench_types::Explain::help(&err).expect("help").contains("segformer-tiny.camvid"));
    }
}
