//! `train`.

use segbench_losses::RecipeOptions;
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
        loss: Some(RecipeOptions::parse(&arguments.loss)?).filter(|recipe| !recipe.0.is_empty()),
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
