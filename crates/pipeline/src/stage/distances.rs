//! Distance maps on disk: an array per image, for other programs and for looking at. Losses compute their own, of the crops they see.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use segbench_datasets::PreparedDataset;
use segbench_storage::ZarrArray;
use segbench_targets::{ClassDistances, DistanceCode, Grid};
use segbench_types::{ImageRecord, Progress};
use serde_json::json;

use super::{Outcome, Stage};
use crate::config::DistanceKind;
use crate::{Error, Project};

/// Writes the distance maps of one data set.
#[derive(Debug, Clone)]
pub struct DistancesStage {
    /// The data set.
    pub dataset: String,
    /// Splits; empty for all that have labels.
    pub splits: Vec<String>,
    /// Which distances.
    pub kind: DistanceKind,
}

impl DistancesStage {
    /// The folder of the array of an image.
    pub fn array(&self, folder: &Path, record: &ImageRecord) -> PathBuf {
        folder
            .join("distances")
            .join(&record.split)
            .join(self.kind.name())
            .join(format!("{}.zarr", record.id))
    }

    /// The labelled images of the splits.
    fn records<'d>(&self, dataset: &'d PreparedDataset) -> Result<Vec<&'d ImageRecord>, Error> {
        let all = || dataset.all_records().iter().filter(|record| record.label.is_some());
        for split in &self.splits {
            if !all().any(|record| record.split == *split) {
                return Err(Error::Missing {
                    message: format!("`{}` has no labelled images in its split `{split}`", self.dataset),
                    help: format!("segbench prepare {} --split {split}", self.dataset),
                });
            }
        }
        Ok(all().filter(|record| self.splits.is_empty() || self.splits.contains(&record.split)).collect())
    }

    /// The hash over everything that determines an array.
    fn key(&self, classes: usize, record: &ImageRecord) -> String {
        /// Raised by hand whenever the same labels give another array.
        const VERSION: u32 = 1;
        let parts = json!([VERSION, self.kind.name(), classes, record.label_sha256]);
        segbench_storage::sha256_bytes(parts.to_string().as_bytes())
    }

    /// Writes the array of one image, if it is not there yet; whether it had to.
    fn write(&self, dataset: &PreparedDataset, record: &ImageRecord) -> Result<bool, Error> {
        let classes = dataset.info.catalog.len();
        let (place, key) = (self.array(dataset.path(), record), self.key(classes, record));
        if ZarrArray::open(&place).is_ok_and(|array| array.attributes()["key"] == key.as_str()) {
            return Ok(false);
        }
        segbench_storage::remove_temporaries(&place)?;
        let labels = dataset.labels(record)?;
        let grid = Grid::plane(labels.height() as usize, labels.width() as usize);
        let kind = self.kind.map();
        let code = DistanceCode::of(kind);
        let attributes = json!({
            "kind": self.kind.name(),
            "scale_factor": code.step,
            "clip": code.clip,
            "largest_error": code.step / 2.0,
            "unit": "pixel",
            "classes": dataset.info.catalog.names().collect::<Vec<_>>(),
            "key": key,
        });
        let mut distances = ClassDistances::default();
        let image = distances.read(&grid, labels.as_slice());
        let mut map = vec![0.0; grid.len()];
        let [_, height, width] = grid.size();
        segbench_storage::write_array(&place, [classes, height, width], &attributes, |class, plane| {
            image.map(class as u8, kind, &mut map);
            plane.iter_mut().zip(&map).for_each(|(number, &distance)| *number = code.encode(distance));
        })?;
        Ok(true)
    }
}

impl Stage for DistancesStage {
    fn name(&self) -> String {
        format!("distances {}", self.dataset)
    }

    fn reads(&self, project: &Project) -> Vec<String> {
        vec![project.prepared(&self.dataset).join("labels").display().to_string()]
    }

    fn writes(&self, project: &Project) -> Vec<String> {
        vec![project.prepared(&self.dataset).join("distances").display().to_string()]
    }

    fn needs(&self, _: &Project) -> Vec<String> {
        Vec::new()
    }

    fn takes(&self) -> Vec<String> {
        vec![super::dataset(&self.dataset)]
    }

    fn run(&self, project: &Project, progress: &dyn Progress) -> Result<Outcome, Error> {
        let dataset = PreparedDataset::open(&project.root, &self.dataset)?;
        let records = self.records(&dataset)?;
        let place = dataset.path().join("distances");
        let bar = progress.start(&self.name(), records.len() as u64);
        // An image that fails does not keep the others from being written; the first failure in their order is reported.
        let done: Vec<Result<bool, Error>> = records
            .par_iter()
            .map(|record| {
                let written = self.write(&dataset, record);
                bar.advance(1);
                written
            })
            .collect();
        let done = done.into_iter().collect::<Result<Vec<bool>, Error>>()?;
        let place = place.display();
        if done.iter().any(|&written| written) {
            Ok(Outcome::Done(format!("{place}: {} maps of {} images", self.kind.name(), records.len())))
        } else {
            Ok(Outcome::UpToDate(format!("{place}: up to date")))
        }
    }
}
