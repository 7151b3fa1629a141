//! `bench`.

use std::time::Duration;

use segbench_pipeline::config::{BenchConfig, SpeedConfig};
use segbench_pipeline::{BenchStage, PrepareStage, Project, ReportStage, Stage};
use segbench_tables::leaderboard_table;
use segbench_types::Progress as _;

use super::project;
use crate::arguments::{BenchArguments, Global};
use crate::console::Console;
use crate::failure::Failure;

/// Longest time for speed without `--full`: accuracy is always complete.
const BUDGET_SECONDS: f64 = 30.0;

pub(crate) fn bench(arguments: BenchArguments, global: &Global, console: &Console) -> Result<(), Failure> {
    // Names are checked before anything takes time.
    for model in &arguments.models {
        segbench_models::zoo::find(model)?;
    }
    if let Some(dataset) = &arguments.dataset {
        segbench_datasets::check_name(dataset, &global.root)?;
    }
    if arguments.dtype != "f32" {
        let help = "only f32 is measured so far: leave `--dtype` out";
        return Err(Failure::usage(format!("`--dtype {}` is not supported", arguments.dtype), help));
    }
    let project = project(global, &arguments.output, &arguments.device)?;
    if project.device == "cpu" && arguments.device == "auto" {
        console.note(&format!("no CUDA device: using the CPU ({} threads)", rayon::current_num_threads()));
    }
    // All weights are found before the first run begins.
    let mut stages: Vec<Box<dyn Stage>> = Vec::new();
    for model in &arguments.models {
        for (weights, dataset) in pairs(model, &arguments, &project)? {
            prepare_sample(&dataset, &project, console)?;
            stages.push(Box::new(stage(model, weights, dataset, &arguments, &project)?));
        }
    }
    if let [stage] = &stages[..] {
        let outcome = stage.run(&project, console)?;
        console.note(&format!("{}: {}", stage.name(), outcome.message()));
        return print_report(&project, console);
    }
    let mut is_any_done = false;
    let finished = project.run(&stages, console, |name, outcome| match outcome {
        Ok(outcome) => {
            is_any_done = true;
            console.note(&format!("{name}: {}", outcome.message()));
        }
        Err(err) => console.failure(&Failure::stage(name, err)),
    });
    if is_any_done {
        print_report(&project, console)?;
    }
    Ok(finished?)
}

fn print_report(project: &Project, console: &Console) -> Result<(), Failure> {
    let report = ReportStage { formats: project.config.report.formats.clone() }.build(project)?;
    if console.is_json() {
        console.json(&leaderboard_table(&report.rows));
    } else {
        console.data(&report.markdown);
        for file in &report.files {
            console.note(&file.display().to_string());
        }
    }
    Ok(())
}

/// Which weights on which data set: what was asked for, or all that fit.
fn pairs(
    model: &str,
    arguments: &BenchArguments,
    project: &Project,
) -> Result<Vec<(String, String)>, Failure> {
    let preset = segbench_models::zoo::find(model)?.name().to_owned();
    if let Some(weights) = &arguments.weights {
        let trained_on = project.weights().resolve(weights)?.training.map(|training| training.dataset);
        let dataset = arguments.dataset.clone().or(trained_on).unwrap_or("sample".into());
        return Ok(vec![(weights.clone(), dataset)]);
    }
    let stored = project.weights().list()?;
    let own = stored.iter().filter(|card| card.model == preset);
    let mut pairs: Vec<(String, String)> = own
        .filter_map(|card| Some((card.tag.clone(), card.training.as_ref()?.dataset.clone())))
        .filter(|(_, dataset)| match &arguments.dataset {
            Some(named) => named == dataset,
            None => dataset == "sample" || project.prepared(dataset).join("dataset.yaml").is_file(),
        })
        .collect();
    if pairs.iter().any(|(_, dataset)| dataset != "sample") && arguments.dataset.is_none() {
        pairs.retain(|(_, dataset)| dataset != "sample");
    }
    if pairs.is_empty() {
        let dataset = arguments.dataset.as_deref().unwrap_or("sample");
        return Err(Failure::new(
            segbench_types::ErrorKind::MissingInput,
            format!("there are no weights of `{preset}` for `{dataset}`"),
            format!(
                "train them (`just train {preset} {dataset}`) or give a checkpoint with `--weights FILE`"
            ),
        ));
    }
    Ok(pairs)
}

fn stage(
    model: &str,
    weights: String,
    dataset: String,
    arguments: &BenchArguments,
    project: &Project,
) -> Result<BenchStage, Failure> {
    let seconds = if arguments.full { Duration::MAX.as_secs_f64().min(86_400.0) } else { BUDGET_SECONDS };
    let speed = SpeedConfig { sizes: arguments.size.clone(), batches: arguments.batch.clone(), seconds };
    Ok(BenchStage {
        model: segbench_models::zoo::find(model)?.name().to_owned(),
        weights,
        config: BenchConfig {
            dataset,
            split: arguments.split.clone(),
            protocols: arguments.protocol.clone(),
            limit: arguments.limit,
            speed: (!arguments.accuracy).then_some(speed),
        },
        accuracy: !arguments.speed,
        device: project.device.clone(),
    })
}

/// The sample needs no download, so a benchmark on it makes it.
fn prepare_sample(dataset: &str, project: &Project, console: &Console) -> Result<(), Failure> {
    if dataset == "sample" && !project.prepared("sample").join("dataset.yaml").is_file() {
        let prepare = PrepareStage { dataset: "sample".into(), config: project.dataset_config("sample") };
        console.note(prepare.run(project, console)?.message());
    }
    Ok(())
}
