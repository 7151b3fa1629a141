//! `train`.

use std::collections::BTreeMap;

use segbench_losses::{RecipeOptions, TermOptions, Weight};
use segbench_pipeline::config::TrainConfig;
use segbench_pipeline::{Stage as _, Start, TrainStage};
use segbench_types::Progress as _;

use super::project;
use crate::arguments::{Global, TrainArguments};
use crate::console::Console;
use crate::failure::Failure;

pub(crate) fn train(arguments: TrainArguments, global: &Global, console: &Console) -> Result<(), Failure> {
    let model = segbench_models::zoo::find(&arguments.model)?.name().to_owned();
    segbench_datasets::check_name(&arguments.dataset, &global.root)?;
    let config = TrainConfig {
        dataset: arguments.dataset,
        steps: arguments.steps,
        crop: arguments.crop,
        batch: arguments.batch,
        learning_rate: arguments.learning_rate,
        loss: losses(&arguments.loss)?,
        class_weights: arguments.class_weights,
        scale: arguments.scale.map(|scale| [scale[0], scale[1]]),
        seed: arguments.seed,
        validate_every: arguments.validate_every,
        note: arguments.note,
    };
    let project = project(global, "reports".as_ref(), "cpu")?;
    let start = if arguments.resume { Start::Resume } else { Start::Anew };
    let stage = TrainStage { model, config, start };
    let outcome = stage.run(&project, console)?;
    console.note(outcome.message());
    Ok(())
}

/// `NAME` or `NAME=WEIGHT`.
fn losses(arguments: &[String]) -> Result<Option<RecipeOptions>, Failure> {
    let parse = |item: &String| {
        let (name, weight) = item.split_once('=').unwrap_or((item, "1"));
        let weight = weight.parse().ok().filter(|weight: &f64| weight.is_finite() && *weight > 0.0);
        let weight = weight.ok_or_else(|| {
            Failure::usage(
                format!("`--loss {item}`: the weight is no positive number"),
                "as in `--loss cross-entropy=1.0`",
            )
        })?;
        Ok((name.to_owned(), TermOptions { weight: Weight::Constant(weight), ..TermOptions::default() }))
    };
    let terms = arguments.iter().map(parse).collect::<Result<BTreeMap<_, _>, Failure>>()?;
    Ok(Some(RecipeOptions(terms)).filter(|recipe| !recipe.0.is_empty()))
}
