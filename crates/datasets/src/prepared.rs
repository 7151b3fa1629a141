//! A prepared data set, ready to be read.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use image::RgbImage;
use segbench_types::{DatasetInfo, IGNORE, ImageRecord, LabelMap, Volume};

use crate::cards::find;
use crate::label_png::Samples;
use crate::{DecodeError, Error, label_png, npy, read_image, read_volume};

/// Bytes in which the header of a volume is complete.
const HEADER: u64 = 1 << 16;

/// The tree that a conversion wrote.
#[derive(Debug)]
pub struct PreparedDataset {
    /// What the data set is.
    pub info: DatasetInfo,
    path: PathBuf,
    records: Vec<ImageRecord>,
    manifest_sha256: String,
}

impl PreparedDataset {
    /// Opens the data set `name` below the data folder `root`.
    ///
    /// # Errors
    /// [`Error::NotPrepared`], or [`Error::UnknownDataset`] if there is no such data set either; [`Error::Description`],
    /// [`Error::Table`] and [`Error::Storage`] for files that are damaged.
    pub fn open(root: &Path, name: &str) -> Result<Self, Error> {
        let path = folder(root, name);
        let description = path.join("dataset.yaml");
        if !description.is_file() {
            find(name, root)?;
            return Err(Error::NotPrepared { name: name.to_owned(), path: description });
        }
        let info = read_info(&path)?;
        let manifest = path.join("manifest.parquet");
        let records = segbench_tables::read_manifest(&manifest)?;
        let manifest_sha256 = segbench_storage::sha256_file(&manifest)?;
        Ok(Self { info, path, records, manifest_sha256 })
    }

    /// The folder of the data set.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// SHA-256 of the manifest, in lowercase hex.
    pub fn manifest_sha256(&self) -> &str {
        &self.manifest_sha256
    }

    /// The images of a split, sorted by id; none for a split that is not there.
    pub fn records(&self, split: &str) -> Vec<&ImageRecord> {
        self.records.iter().filter(|record| record.split == split).collect()
    }

    /// The images of all splits, in the order of the manifest.
    pub fn all_records(&self) -> &[ImageRecord] {
        &self.records
    }

    /// The pixels of an image.
    ///
    /// # Errors
    /// [`Error::Storage`], [`Error::Decode`], and [`Error::SizeMismatch`] if the file is not the one that the manifest knows.
    pub fn image(&self, record: &ImageRecord) -> Result<RgbImage, Error> {
        let path = self.path.join(&record.image);
        let image = read_image(&path)?;
        self.check_size(record, &path, (image.width(), image.height()))?;
        Ok(image)
    }

    /// The intensities of a volume; [`Self::image`] is a picture of its slices below each other, and so is its label map.
    ///
    /// # Errors
    /// As [`Self::image`], and [`Error::Decode`] for a record that is no volume.
    pub fn volume(&self, record: &ImageRecord) -> Result<Volume, Error> {
        let path = self.path.join(&record.image);
        let volume = read_volume(&path)?;
        self.check_size(record, &path, npy::stacked(volume.size()))?;
        Ok(volume)
    }

    /// Depth, height and width of a volume, read from the beginning of its file.
    ///
    /// # Errors
    /// As [`Self::volume`].
    pub fn volume_size(&self, record: &ImageRecord) -> Result<[usize; 3], Error> {
        let path = self.path.join(&record.image);
        let reading = |source| segbench_storage::Error::reading(&path, source);
        let mut beginning = Vec::new();
        File::open(&path).map_err(reading)?.take(HEADER).read_to_end(&mut beginning).map_err(reading)?;
        let size = npy::size(&beginning)
            .map_err(|source| Error::Decode { file: path.display().to_string(), source })?;
        self.check_size(record, &path, npy::stacked(size))?;
        Ok(size)
    }

    /// The label map of an image.
    ///
    /// # Errors
    /// [`Error::Unlabelled`] for an image without one, [`Error::Decode`] also for labels that are no train ids, and as [`Self::image`].
    pub fn labels(&self, record: &ImageRecord) -> Result<LabelMap, Error> {
        let label = record.label.as_ref().ok_or_else(|| Error::Unlabelled {
            dataset: self.info.name.clone(),
            id: record.id.clone(),
            split: record.split.clone(),
        })?;
        let path = self.path.join(label);
        let labels = label_png::read(&path)?;
        self.check_size(record, &path, (labels.width(), labels.height()))?;
        let classes = self.info.catalog.len();
        if let Some(&label) =
            labels.as_slice().iter().find(|label| usize::from(**label) >= classes && **label != IGNORE)
        {
            let source = DecodeError::NoTrainId { label, classes };
            return Err(Error::Decode { file: path.display().to_string(), source });
        }
        Ok(labels)
    }

    /// The instance ids of an image's pixels, row after row; `None` for a data set without instance maps.
    ///
    /// # Errors
    /// As [`Self::image`].
    pub fn instances(&self, record: &ImageRecord) -> Result<Option<Vec<u16>>, Error> {
        let path = self.path.join(format!("instances/{}/{}.png", record.split, record.id));
        if !path.is_file() {
            return Ok(None);
        }
        let bytes = segbench_storage::read(&path)?;
        let raw = label_png::decode(&bytes)
            .map_err(|source| Error::Decode { file: path.display().to_string(), source })?;
        self.check_size(record, &path, (raw.width, raw.height))?;
        Ok(Some(match raw.samples {
            Samples::Words(words) => words,
            Samples::Bytes(bytes) => bytes.into_iter().map(u16::from).collect(),
        }))
    }

    fn check_size(&self, record: &ImageRecord, path: &Path, size: (u32, u32)) -> Result<(), Error> {
        if size == (record.width, record.height) {
            return Ok(());
        }
        Err(Error::ManifestMismatch {
            file: path.to_owned(),
            size,
            expected: (record.width, record.height),
            dataset: self.info.name.clone(),
        })
    }
}

/// Where the data set `name` lies below the data folder `root`.
pub(crate) fn folder(root: &Path, name: &str) -> PathBuf {
    root.join("prepared").join(name)
}

pub(crate) fn read_info(folder: &Path) -> Result<DatasetInfo, Error> {
    let path = folder.join("dataset.yaml");
    let text = segbench_storage::read_to_string(&path)?;
    serde_yaml::from_str(&text).map_err(|source| Error::Description { path, source })
}

pub(crate) fn write_info(folder: &Path, info: &DatasetInfo) -> Result<(), Error> {
    let path = folder.join("dataset.yaml");
    let text =
        serde_yaml::to_string(info).map_err(|source| Error::Description { path: path.clone(), source })?;
    Ok(segbench_storage::write(&path, text.as_bytes())?)
}
