//! One file per command.

mod bench;
mod doctor;
mod evaluate;
mod in_place;
mod list;
mod parity;
mod parity_loss;
mod pipeline;
mod predict;
mod prepare;
mod runs;
mod train;
mod weights;

use std::path::{Path, PathBuf};

use segbench_datasets::Depth;
use segbench_pipeline::{Config, Project};
use segbench_targets::{Adjustment, Normalization};

use crate::arguments::{Arguments, Command, Global, ParityAction};
use crate::console::{self, Console};
use crate::failure::Failure;

/// Runs a command.
pub(crate) fn run(arguments: Arguments, console: &Console) -> Result<(), Failure> {
    let global = arguments.global;
    if let Some(threads) = global.threads {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.into()).build_global();
        pool.map_err(|err| Failure::usage(format!("cannot start {threads} threads: {err}"), "try fewer"))?;
    }
    match arguments.command {
        Command::List { what, pattern } => list::list(what, pattern.as_deref(), &global, console),
        Command::Show { model } => list::show(&model, console),
        Command::Prepare { dataset, source, split, in_place: true, .. } => {
            in_place::in_place(&dataset, source, &split, &global, console)
        }
        Command::Prepare { dataset, source, split, verify, label_png, in_place: false } => {
            let depth = if verify { Depth::Files } else { Depth::Manifest };
            prepare::prepare(&dataset, source, split, label_png, depth, &global, console)
        }
        Command::ClassWeights { dataset, scheme, split, normalize, clip } => {
            let normalize = normalize.as_deref().map(Normalization::parse).transpose()?;
            let clip = clip.and_then(|bounds| bounds.try_into().ok());
            let request =
                prepare::Weights { split, schemes: scheme, adjustment: Adjustment { normalize, clip } };
            prepare::class_weights(&dataset, request, &global, console)
        }
        Command::Distances { dataset, split, kind } => {
            prepare::distances(&dataset, split, &kind, &global, console)
        }
        Command::Train(options) => train::train(options, &global, console),
        Command::Bench(options) => bench::bench(options, &global, console),
        Command::Predict { model, weights, input, output, device } => {
            predict::predict(&model, &weights, &input, &output, &device, &global, console)
        }
        Command::Weights { action } => weights::weights(action, &global, console),
        Command::Evaluate(options) => evaluate::evaluate(options, &global, console),
        Command::Report { format, output } => pipeline::report(format, output, &global, console),
        Command::Diff { first, second, images, output } => {
            runs::diff(&first, &second, images, &output, console)
        }
        Command::Verify { run, output } => runs::verify(&run, &output, &global, console),
        Command::Run { file, stage, output } => pipeline::run(file, &stage, output, &global, console),
        Command::Check { file } => pipeline::check(file, &global, console),
        Command::Doctor { sources } => doctor::doctor(sources, &global, console),
        Command::Task { action } => pipeline::task(action, console),
        Command::Parity {
            action: ParityAction::Forward { model, weights, input, output, trace, full, device },
        } => {
            let request = parity::Request { model, weights, input, output, trace, full, device };
            parity::forward(&request, &global)
        }
        Command::Parity { action: ParityAction::Loss { name, input, output, options, device } } => {
            parity_loss::loss(&name, &options, (&input, &output), &device)
        }
    }
}

/// The project the flags describe. The configuration file is optional unless one was named.
fn project(global: &Global, reports: &Path, device: &str) -> Result<Project, Failure> {
    let default = Path::new("pipeline.yaml");
    let (config, file) = match &global.config {
        Some(file) => (Config::read(file, &global.overrides)?, file.clone()),
        None if default.is_file() => (Config::read(default, &global.overrides)?, default.into()),
        None => (Config::parse("version: 1", "--set", &global.overrides)?, PathBuf::new()),
    };
    Ok(Project {
        root: global.root.clone(),
        reports: reports.into(),
        config,
        config_dir: file.parent().unwrap_or(Path::new("")).into(),
        device: device_name(device)?,
        is_offline: global.offline,
        ask_login: console::can_ask().then_some(console::ask_login),
    })
}

/// The device that a name stands for on this machine.
fn device_name(name: &str) -> Result<String, Failure> {
    let device = segbench_nn::device::select(name)?;
    Ok(match name {
        "auto" if device.is_cpu() => "cpu".into(),
        "auto" if device.is_metal() => "metal".into(),
        "auto" => "cuda".into(),
        named => named.into(),
    })
}
