//! `prepare` and `class-weights`.

use std::path::PathBuf;

use segbench_pipeline::{ClassWeightsStage, PrepareStage, Stage as _};
use segbench_targets::Scheme;
use segbench_types::Progress as _;

use super::project;
use crate::arguments::Global;
use crate::console::Console;
use crate::failure::Failure;

pub(crate) fn prepare(
    dataset: &str,
    source: Vec<PathBuf>,
    splits: Vec<String>,
    global: &Global,
    console: &Console,
) -> Result<(), Failure> {
    let project = project(global, "reports".as_ref(), "cpu")?;
    let mut config = project.dataset_config(dataset);
    let name = match &config.describe {
        Some(_) => dataset.to_owned(),
        None => segbench_datasets::find(dataset, &global.root)?.name.clone(),
    };
    // A description by its path.
    if config.describe.is_none() && segbench_datasets::raw_name(dataset) != segbench_datasets::raw_name(&name) {
        config.describe = Some(segbench_datasets::raw_name(dataset).into());
    }
    if !source.is_empty() {
        config.source = source;
    }
    if !splits.is_empty() {
        config.splits = splits;
    }
    let stage = PrepareStage { dataset: name, config };
    let outcome = stage.run(&project, console)?;
    console.note(outcome.message());
    Ok(())
}

pub(crate) fn class_weights(
    dataset: &str,
    schemes: &[String],
    global: &Global,
    console: &Console,
) -> Result<(), Failure> {
    let schemes = schemes.iter().map(|name| Scheme::parse(name)).collect::<Result<_, _>>()?;
    let project = project(global, "reports".as_ref(), "cpu")?;
    let stage = ClassWeightsStage { dataset: dataset.into(), schemes };
    let outcome = stage.run(&project, console)?;
    let table = stage.table(&project)?;
    if console.is_json() {
        console.json(&table);
    } else {
        console.data(&table.to_markdown());
        console.note(&stage.formulas().join("\n"));
    }
    console.note(outcome.message());
    Ok(())
}
