//! Class frequencies and the weights made of them: a query over the manifest.

use segbench_datasets::PreparedDataset;
use segbench_tables::Table;
use segbench_targets::{Frequencies, Scheme};
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
}

impl ClassWeightsStage {
    fn schemes(&self) -> Vec<Scheme> {
        if self.schemes.is_empty() { Scheme::ALL.to_vec() } else { self.schemes.clone() }
    }

    /// The table: one row per class, one column per scheme, weights to six digits after the point.
    ///
    /// # Errors
    /// [`Error::Datasets`] if the data set is not prepared, [`Error::Missing`] without labelled training images.
    pub fn table(&self, project: &Project) -> Result<Table, Error> {
        let dataset = PreparedDataset::open(&project.root, &self.dataset)?;
        let frequencies = train_frequencies(&dataset)?;
        let names: Vec<_> = dataset.info.catalog.names().map(|name| Some(name.to_owned())).collect();
        let integers = |values: &[u64]| values.iter().copied().map(Some).collect::<Vec<_>>();
        let table = Table::new()
            .integer("index", (0..names.len() as u64).map(Some).collect())
            .text("name", names)
            .integer("pixels", integers(&frequencies.pixels))
            .integer("image_pixels", integers(&frequencies.image_pixels));
        let add =
            |table: Table, scheme: &Scheme| table.float(scheme.name(), Some(6), scheme.weights(&frequencies));
        Ok(self.schemes().iter().fold(table, add))
    }

    /// The formula of every scheme, a line each.
    pub fn formulas(&self) -> Vec<String> {
        self.schemes().iter().map(|scheme| format!("{}: {}", scheme.name(), scheme.formula())).collect()
    }
}

/// Frequencies over the labelled images of the train split.
pub(crate) fn train_frequencies(dataset: &PreparedDataset) -> Result<Frequencies, Error> {
    let records: Vec<_> =
        dataset.records("train").into_iter().filter(|record| record.label.is_some()).collect();
    if records.is_empty() {
        return Err(Error::Missing {
            message: format!("`{}` has no labelled images in its train split", dataset.info.name),
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
            (self.formulas().join("\n") + "\n").as_bytes(),
        )?;
        table.write_csv(&csv)?;
        Ok(Outcome::Done(message))
    }
}
