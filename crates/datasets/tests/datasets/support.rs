//! What the tests of conversions share.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use segbench_datasets::{Conversion, ConversionOptions, Error, Findings, PreparedDataset};
use segbench_storage::TEMPORARY_MARK;
use segbench_testkit::Files;
use segbench_types::{DatasetInfo, LabelMap, Silent};
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

    /// Prepares `files` from a folder called `folder` and opens the result.
    pub(crate) fn prepared_from(&self, name: &str, folder: &str, files: &Files) -> PreparedDataset {
        let source = self.folder(folder, files);
        self.prepare(name, &[source]).expect("prepared");
        PreparedDataset::open(self.path(), name).expect("opened")
    }

    /// What the conversion noticed.
    pub(crate) fn findings(&self, name: &str) -> Findings {
        let text = fs::read(self.prepared(name).join("conversion.json")).expect("there");
        serde_json::from_slice(&text).expect("findings")
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
                !matches!(
                    file.as_str(),
                    "dataset.yaml" | "manifest.parquet" | "conversion.json" | ".segbench/prepare.json"
                ),
                "{file}"
            );
        }
    }
}

/// Split and id of every image, in the order of the manifest.
pub(crate) fn images(prepared: &PreparedDataset) -> Vec<(&str, &str)> {
    prepared.all_records().iter().map(|record| (record.split.as_str(), record.id.as_str())).collect()
}

/// The label map of an image.
pub(crate) fn labels(prepared: &PreparedDataset, id: &str) -> LabelMap {
    let record = prepared.all_records().iter().find(|record| record.id == id).expect(id);
    prepared.labels(record).expect("decoded")
}

/// A map of `width` by `height` with what `label` says of each pixel.
pub(crate) fn expected(width: u32, height: u32, label: impl Fn(u32, u32) -> u8) -> LabelMap {
    let data = (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| label(x, y)).collect();
    LabelMap::new(width, height, data).expect("sized")
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
