//! What the tests of conversions share.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use segbench_datasets::{Conversion, ConversionOptions, Error};
use segbench_storage::TEMPORARY_MARK;
use segbench_testkit::Files;
use segbench_types::{DatasetInfo, Silent};
use tempfile::TempDir;

/// A data folder that vanishes with the test.
pub(crate) struct Root(TempDir);

impl Root {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn prepared(&self, name: &str) -> PathBuf {
        self.path().join("prepared").join(name)
    }

    /// Writes the two archives of Cityscapes.
    pub(crate) fn zips(&self, files: &Files) -> [PathBuf; 2] {
        let zip = |kind: &str| {
            let path = self.path().join(format!("{kind}_trainvaltest.zip"));
            let mut members = files.below(kind);
            members.insert("README", "About this package");
            members.insert("license.txt", "Terms");
            members.write_zip(&path);
            path
        };
        [zip("gtFine"), zip("leftImg8bit")]
    }

    pub(crate) fn folder(&self, name: &str, files: &Files) -> PathBuf {
        let path = self.path().join(name);
        files.write_folder(&path);
        path
    }

    pub(crate) fn plan(&self, name: &str, sources: &[PathBuf], splits: &[&str]) -> Result<Conversion, Error> {
        let splits: Vec<String> = splits.iter().map(|split| (*split).to_owned()).collect();
        Conversion::plan(name, &ConversionOptions::default(), sources, &splits, self.path())
    }

    pub(crate) fn prepare(&self, name: &str, sources: &[PathBuf]) -> Result<DatasetInfo, Error> {
        self.plan(name, sources, &[])?.run(&Silent)
    }

    /// All files of a prepared data set with their bytes.
    pub(crate) fn tree(&self, name: &str) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        collect(&self.prepared(name), "", &mut files);
        files
    }

    /// Nothing claims to be complete, and no file is half written.
    pub(crate) fn assert_nothing_half_written(&self, name: &str) {
        for file in self.tree(name).keys() {
            assert!(!file.contains(TEMPORARY_MARK), "{file} is a leftover");
            assert!(
                !matches!(file.as_str(), "dataset.yaml" | "manifest.parquet" | ".segbench/prepare.json"),
                "{file}"
            );
        }
    }
}

fn collect(folder: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.expect("listed").path();
        let name = format!("{prefix}{}", path.file_name().expect("a name").to_string_lossy());
        if path.is_dir() {
            collect(&path, &format!("{name}/"), files);
        } else {
            files.insert(name, fs::read(&path).expect("read"));
        }
    }
}
