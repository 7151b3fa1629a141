//! Class frequencies and the weights made of them: a query over the manifest.

use segbench_datasets::PreparedDataset;
use segbench_tables::Table;
use segbench_targets::{Adjustment, Frequencies, Scheme};
use segbench_types::Progress;

use super::{Outcome, Stage};
use crate::{Error, Project};

/// Writes `class_weights.{csv,parquet}` of one data set.
#[derive(Debug, Clone)]
pub struct ClassWeightsStage {
    /// The data set.
    pub dataset: String,
    /// Schemes; empty for all.
    pub schemes: Vec<Scheme>,
    /// The split whose labels are counted.
    pub split: String,
    /// Scaling and bounds.
    pub adjustment: Adjustment,
}

impl ClassWeightsStage {
    /// The schemes for a data set: those asked for, or all that fit its classes.
    fn schemes(&self, dataset: &PreparedDataset) -> Result<Vec<Scheme>, Error> {
        let fits = |scheme: &Scheme| scheme.fits(dataset.info.catalog.names());
        match self.schemes.iter().find(|scheme| !fits(scheme)) {
            Some(scheme) => Err(segbench_targets::Error::OtherClasses { scheme: scheme.name() }.into()),
            None if self.schemes.is_empty() => Ok(Scheme::ALL.iter().copied().filter(fits).collect()),
            None => Ok(self.schemes.clone()),
        }
    }

    /// The table: one row per class, one column per scheme, weights to six digits after the point.
    ///
    /// # Errors
    /// [`Error::Datasets`] if the data set is not prepared, [`Error::Missing`] without labelled images in the split,
    /// [`Error::Targets`] for constants of other classes and for bounds that cannot be met.
    pub fn table(&self, project: &Project) -> Result<Table, Error> {
        let dataset = PreparedDataset::open(&project.root, &self.dataset)?;
        self.adjustment.validate()?;
        let frequencies = frequencies(&dataset, &self.split)?;
        let names: Vec<_> = dataset.info.catalog.names().map(|name| Some(name.to_owned())).collect();
        let integers = |values: &[u64]| values.iter().copied().map(Some).collect::<Vec<_>>();
        let table = Table::new()
            .integer("index", (0..names.len() as u64).map(Some).collect())
            .text("name", names)
            .integer("pixels", integers(&frequencies.pixels))
            .integer("image_pixels", integers(&frequencies.image_pixels));
        let add = |table: Table, scheme: &Scheme| {
            let weights = self.adjustment.apply(scheme.weights(&frequencies), &frequencies);
            table.float(scheme.name(), Some(6), weights)
        };
        Ok(self.schemes(&dataset)?.iter().fold(table, add))
    }

    /// The formula of every scheme, a line each, and what differs from the usual after them.
    ///
    /// # Errors
    /// As [`Self::table`].
    pub fn formulas(&self, project: &Project) -> Result<Vec<String>, Error> {
        let dataset = PreparedDataset::open(&project.root, &self.dataset)?;
        let schemes = self.schemes(&dataset)?;
        let formulas = schemes.iter().map(|scheme| format!("{}: {}", scheme.name(), scheme.formula()));
        let split = (self.split != TRAIN).then(|| format!("counted in the split `{}`", self.split));
        Ok(formulas.chain(split).chain(self.adjustment.describe()).collect())
    }
}

/// The split whose labels weights are made of.
pub(crate) const TRAIN: &str = "train";

/// Frequencies over the labelled images of a split.
pub(crate) fn frequencies(dataset: &PreparedDataset, split: &str) -> Result<Frequencies, Error> {
    let records: Vec<_> =
        dataset.records(split).into_iter().filter(|record| record.label.is_some()).collect();
    if records.is_empty() {
        return Err(Error::Missing {
            message: format!("`{}` has no labelled images in its {split} split", dataset.info.name),
            help: format!("segbench prepare {} --split train --split val", dataset.info.name),
        });
    }
    Ok(Frequencies::of(records, dataset.info.catalog.len())?)
}

impl Stage for ClassWeightsStage {
    fn name(&self) -> String {
        format!("class-weights {}", self.dataset)
    }

    fn reads(&self, project: &Project) -> Vec<String> {
        vec![project.prepared(&self.dataset).join("manifest.parquet").display().to_string()]
    }

    fn writes(&self, project: &Project) -> Vec<String> {
        let file = |name| project.prepared(&self.dataset).join(name).display().to_string();
        vec![file("class_weights.csv"), file("class_weights.parquet"), file("class_weights.txt")]
    }

    fn needs(&self, _: &Project) -> Vec<String> {
        Vec::new()
    }

    fn takes(&self) -> Vec<String> {
        vec![super::dataset(&self.dataset)]
    }

    fn run(&self, project: &Project, _: &dyn Progress) -> Result<Outcome, Error> {
        let dir = project.prepared(&self.dataset);
        let table = self.table(project)?;
        let csv = dir.join("class_weights.csv");
        let message = csv.display().to_string();
        segbench_storage::remove_abandoned(&dir)?;
        if segbench_storage::read(&csv).is_ok_and(|old| old == table.to_csv().as_bytes()) {
            return Ok(Outcome::UpToDate(format!("{message}: up to date")));
        }
        table.write_parquet(&dir.join("class_weights.parquet"))?;
        segbench_storage::write(
            &dir.join("class_weights.txt"),
            (self.formulas(project)?.join("\n") + "\n").as_bytes(),
        )?;
        table.write_csv(&csv)?;
        Ok(Outcome::Done(message))
    }
}
