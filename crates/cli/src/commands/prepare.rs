//! `prepare`, `class-weights` and `distances`.

use std::path::PathBuf;

use segbench_datasets::{Audit, Depth, IssueKind, audit, audit_table, issue_table};
use segbench_pipeline::config::LabelPng;
use segbench_pipeline::{ClassWeightsStage, DistancesStage, PrepareStage, Stage as _};
use segbench_targets::{Adjustment, Scheme};
use segbench_types::Progress as _;

use super::project;
use crate::arguments::{Global, LabelKind};
use crate::console::Console;
use crate::failure::Failure;

pub(crate) fn prepare(
    dataset: &str,
    source: Vec<PathBuf>,
    splits: Vec<String>,
    label_png: Option<LabelKind>,
    depth: Depth,
    global: &Global,
    console: &Console,
) -> Result<(), Failure> {
    let project = project(global, "reports".as_ref(), "cpu")?;
    let mut config = project.dataset_config(dataset);
    let mut name = dataset.to_owned();
    let mut variable = None;
    if config.describe.is_none() {
        let card = segbench_datasets::find(dataset, &global.root)?;
        (name, variable) = (card.name.clone(), card.environment.clone());
    }
    // A description by its path.
    if config.describe.is_none() && segbench_datasets::raw_name(dataset) != segbench_datasets::raw_name(&name)
    {
        config.describe = Some(segbench_datasets::raw_name(dataset).into());
    }
    if !source.is_empty() {
        config.source = source;
    }
    if config.source.is_empty() && !project.raw(&name).exists() {
        // The folder that the data set's own tools use.
        let folder = variable.and_then(std::env::var_os).map(PathBuf::from);
        config.source.extend(folder.filter(|folder| folder.is_dir()));
    }
    if !splits.is_empty() {
        config.splits = splits;
    }
    if let Some(kind) = label_png {
        config.label_png = match kind {
            LabelKind::Palette => LabelPng::Palette,
            LabelKind::Grey => LabelPng::Grey,
        };
    }
    let stage = PrepareStage { dataset: name.clone(), config };
    let outcome = stage.run(&project, console)?;
    console.note(outcome.message());
    show(&audit(&global.root, &name, depth, console)?, depth, console)
}

/// A summary in any case; the tables if every file was looked at.
fn show(audit: &Audit, depth: Depth, console: &Console) -> Result<(), Failure> {
    if depth == Depth::Files {
        if console.is_json() {
            console.json(audit);
        } else {
            console.data(&audit_table(audit).to_markdown());
            let issues = issue_table(audit);
            if issues.height() > 0 {
                console.data(&issues.to_markdown());
            }
        }
    }
    let count = |kind: IssueKind| audit.issues.iter().filter(|issue| issue.kind == kind).count();
    for (number, text) in [
        (audit.skipped.len(), "left out"),
        (audit.unknown.len(), "values or colors without a class"),
        (count(IssueKind::Duplicate), "the same as another one of their split"),
        (count(IssueKind::Leak), "the same as one of another split"),
    ] {
        if number > 0 {
            console.note(&format!(
                "{}: {number} {text} (`prepare {} --verify` names them)",
                audit.dataset, audit.dataset
            ));
        }
    }
    Ok(audit.check()?)
}

/// Which weights.
pub(crate) struct Weights {
    pub(crate) schemes: Vec<String>,
    pub(crate) split: String,
    pub(crate) adjustment: Adjustment,
}

pub(crate) fn class_weights(
    dataset: &str,
    weights: Weights,
    global: &Global,
    console: &Console,
) -> Result<(), Failure> {
    let Weights { schemes, split, adjustment } = weights;
    let schemes = schemes.iter().map(|name| Scheme::parse(name)).collect::<Result<_, _>>()?;
    let project = project(global, "reports".as_ref(), "cpu")?;
    let stage = ClassWeightsStage { dataset: dataset.into(), schemes, split, adjustment };
    let outcome = stage.run(&project, console)?;
    let table = stage.table(&project)?;
    if console.is_json() {
        console.json(&table);
    } else {
        console.data(&table.to_markdown());
        console.note(&stage.formulas(&project)?.join("\n"));
    }
    console.note(outcome.message());
    Ok(())
}

pub(crate) fn distances(
    dataset: &str,
    splits: Vec<String>,
    kind: &str,
    global: &Global,
    console: &Console,
) -> Result<(), Failure> {
    let project = project(global, "reports".as_ref(), "cpu")?;
    let stage = DistancesStage { dataset: dataset.into(), splits, kind: kind.parse()? };
    console.note(stage.run(&project, console)?.message());
    Ok(())
}
