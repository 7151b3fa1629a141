//! `bench`.

use std::path::Path;
use std::time::Duration;

use segbench_datasets::PreparedDataset;
use segbench_models::WeightSource;
use segbench_pipeline::config::{BenchConfig, SpeedConfig};
use segbench_pipeline::{BenchStage, PrepareStage, Project, ReportStage, Stage, StoredWeights};
use segbench_tables::{LeaderboardRow, leaderboard_table};
use segbench_types::Progress as _;

use super::{list, project, weights};
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
    fetch_published(&arguments, &project, console)?;
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
        return print_report(outcome.message(), &project, console);
    }
    let mut done = String::new();
    let finished = project.run(&stages, console, |name, outcome| match outcome {
        Ok(outcome) => {
            done.push_str(outcome.message());
            console.note(&format!("{name}: {}", outcome.message()));
        }
        Err(err) => console.failure(&Failure::stage(name, err)),
    });
    if !done.is_empty() {
        print_report(&done, &project, console)?;
    }
    Ok(finished?)
}

/// The report; in front of it how far the runs that `done` names are from what is published.
fn print_report(done: &str, project: &Project, console: &Console) -> Result<(), Failure> {
    let report = ReportStage { formats: project.config.report.formats.clone() }.build(project)?;
    if !console.is_json() {
        for row in report.rows.iter().filter(|row| done.contains(&row.run_id)) {
            if let Some(line) = distance(row) {
                console.data(&line);
            }
        }
    }
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

/// How far a run is from the published score of its weights, if they have one.
fn distance(row: &LeaderboardRow) -> Option<String> {
    let place = format!("{} on {} {}", row.weights, row.dataset, row.split);
    match (row.miou, row.published_miou, row.delta) {
        (Some(miou), Some(published), Some(delta)) => Some(format!(
            "{place}: mIoU {miou:.2}, published {published:.2}, distance {delta:+.2} ({})",
            row.verdict.as_deref().unwrap_or("no verdict")
        )),
        (Some(miou), ..) => published_of(&row.weights).and_then(|source| source.published).map(|published| {
            format!(
                "{place}: mIoU {miou:.2}; the published {:.2} was not measured by {}, so the two are not compared",
                published.miou, row.protocol
            )
        }),
        _ => None,
    }
}

/// The published checkpoint of a tag.
fn published_of(tag: &str) -> Option<WeightSource> {
    list::published().into_iter().map(|(_, source)| source).find(|source| source.tag == tag)
}

/// Fetches the published checkpoints that the flags ask for and the store lacks: the one named by its tag, or one for a data set that
/// no stored weights are for.
fn fetch_published(arguments: &BenchArguments, project: &Project, console: &Console) -> Result<(), Failure> {
    if let Some(tag) = &arguments.weights {
        let is_there =
            Path::new(tag).exists() || project.weights().list()?.iter().any(|card| card.tag == *tag);
        let published = list::published().into_iter().find(|(_, source)| source.tag == tag);
        return match published.filter(|_| !is_there) {
            Some((model, source)) => weights::obtain(model, &source, project, console),
            None => Ok(()),
        };
    }
    let Some(dataset) = &arguments.dataset else { return Ok(()) };
    for name in &arguments.models {
        let preset = segbench_models::zoo::find(name)?.name();
        let is_of = |card: &StoredWeights| card.model == preset && trained_on(card).as_ref() == Some(dataset);
        if project.weights().list()?.iter().any(is_of) {
            continue;
        }
        let mut fitting: Vec<_> = list::published()
            .into_iter()
            .filter(|(model, source)| model.name() == preset && source.dataset == dataset)
            .collect();
        // Those with a score to compare with come first.
        fitting.sort_by_key(|(_, source)| source.published.is_none());
        if let Some((model, source)) = fitting.into_iter().next() {
            // Nothing is fetched for a data set that is not there.
            PreparedDataset::open(&project.root, dataset)?;
            weights::obtain(model, &source, project, console)?;
        }
    }
    Ok(())
}

/// The data set that weights were trained on here or, if they are published, by their publisher.
fn trained_on(card: &StoredWeights) -> Option<String> {
    let published = || published_of(&card.tag).map(|source| source.dataset.to_owned());
    card.training.as_ref().map(|training| training.dataset.clone()).or_else(published)
}

/// Which weights on which data set: what was asked for, or all that fit.
fn pairs(
    model: &str,
    arguments: &BenchArguments,
    project: &Project,
) -> Result<Vec<(String, String)>, Failure> {
    let preset = segbench_models::zoo::find(model)?.name().to_owned();
    if let Some(weights) = &arguments.weights {
        let stored = project.weights().resolve(weights)?;
        let dataset = arguments.dataset.clone().or(trained_on(&stored)).unwrap_or("sample".into());
        return Ok(vec![(weights.clone(), dataset)]);
    }
    let stored = project.weights().list()?;
    let own = stored.iter().filter(|card| card.model == preset);
    let mut pairs: Vec<(String, String)> = own
        .filter_map(|card| Some((card.tag.clone(), trained_on(card)?)))
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
    let mut protocols = arguments.protocol.clone();
    if protocols.is_empty() {
        let publishers = project.weights().resolve(&weights)?.source().protocol(&dataset);
        protocols.push(publishers.unwrap_or("mmseg-whole@1").to_owned());
    }
    let speed = SpeedConfig { sizes: arguments.size.clone(), batches: arguments.batch.clone(), seconds };
    Ok(BenchStage {
        model: segbench_models::zoo::find(model)?.name().to_owned(),
        weights,
        config: BenchConfig {
            dataset,
            split: arguments.split.clone(),
            protocols,
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
