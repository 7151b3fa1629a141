//! `run`, `check`, `report` and `task`.

use std::path::{Path, PathBuf};

use segbench_pipeline::task::Plan;
use segbench_pipeline::{Project, ReportStage, Stage};
use segbench_tables::leaderboard_table;
use segbench_types::{ErrorKind, Progress as _};

use super::project;
use crate::arguments::{Global, TaskAction};
use crate::console::Console;
use crate::failure::Failure;

pub(crate) fn run(
    file: Option<PathBuf>,
    only: &[String],
    output: PathBuf,
    global: &Global,
    console: &Console,
) -> Result<(), Failure> {
    let project = configured(file, &output, global)?;
    let mut stages = project.stages()?;
    if !only.is_empty() {
        let names: Vec<String> = stages.iter().map(|stage| stage.name()).collect();
        stages.retain(|stage| only.iter().any(|name| stage.name().starts_with(name)));
        if stages.is_empty() {
            return Err(Failure::usage(
                format!("no stage begins with `{}`", only.join("`, `")),
                format!("stages: {}", names.join(", ")),
            ));
        }
    }
    let mut is_reported = false;
    let finished = project.run(&stages, console, |name, outcome| match outcome {
        Ok(outcome) => {
            is_reported |= name == "report";
            console.note(&format!("{name}: {}", outcome.message()));
        }
        Err(err) => console.failure(&Failure::stage(name, err)),
    });
    if is_reported {
        print_leaderboard(&project, console)?;
    }
    Ok(finished?)
}

pub(crate) fn check(file: Option<PathBuf>, global: &Global, console: &Console) -> Result<(), Failure> {
    let project = configured(file, Path::new("reports"), global)?;
    let stages = project.stages()?;
    if console.is_json() {
        let plan: Vec<_> = stages.iter().map(|stage| describe(stage.as_ref(), &project)).collect();
        console.json(&plan);
        return Ok(());
    }
    for (index, stage) in stages.iter().enumerate() {
        console.data(&format!("{}. {}", index + 1, stage.name()));
        let lines = [
            ("reads", stage.reads(&project)),
            ("writes", stage.writes(&project)),
            ("needs", stage.needs(&project)),
        ];
        for (what, items) in lines.into_iter().filter(|(_, items)| !items.is_empty()) {
            console.data(&format!("   {what:<7}{}", items.join("\n          ")));
        }
    }
    Ok(())
}

pub(crate) fn report(
    formats: Vec<String>,
    output: PathBuf,
    global: &Global,
    console: &Console,
) -> Result<(), Failure> {
    let project = project(global, &output, "cpu")?;
    let outcome = ReportStage { formats }.run(&project, console)?;
    console.note(outcome.message());
    print_leaderboard(&project, console)
}

pub(crate) fn task(action: TaskAction, console: &Console) -> Result<(), Failure> {
    let TaskAction::Run { plan, index } = action;
    let plan = Plan::open(&plan)?;
    let bar = console.start(&format!("task {index}"), 0);
    plan.run_task(index, bar.as_ref())?;
    Ok(())
}

fn print_leaderboard(project: &Project, console: &Console) -> Result<(), Failure> {
    let report = ReportStage { formats: Vec::new() }.build(project)?;
    if console.is_json() {
        console.json(&leaderboard_table(&report.rows));
    } else {
        console.data(&report.markdown);
    }
    Ok(())
}

fn describe(stage: &dyn Stage, project: &Project) -> serde_json::Value {
    serde_json::json!({
        "stage": stage.name(),
        "reads": stage.reads(project),
        "writes": stage.writes(project),
        "needs": stage.needs(project),
    })
}

/// A project whose configuration file has to be there.
fn configured(file: Option<PathBuf>, output: &Path, global: &Global) -> Result<Project, Failure> {
    let mut global = global.clone();
    let path = file.or(global.config).unwrap_or_else(|| "pipeline.yaml".into());
    if !path.is_file() {
        let help = "name a configuration file, as in `segbench run my-pipeline.yaml`";
        return Err(Failure::new(
            ErrorKind::MissingInput,
            format!("`{}` does not exist", path.display()),
            help,
        ));
    }
    global.config = Some(path);
    project(&global, output, "auto")
}
