//! `predict`.

use std::path::{Path, PathBuf};

use segbench_benchmark::Predictor;
use segbench_datasets::{label_png, read_image};
use segbench_transforms::Normalization;
use segbench_types::{ClassCatalog, Progress as _};

use super::project;
use crate::arguments::Global;
use crate::console::Console;
use crate::failure::Failure;

pub(crate) fn predict(
    model: &str,
    weights: &str,
    inputs: &[PathBuf],
    output: &Path,
    device: &str,
    global: &Global,
    console: &Console,
) -> Result<(), Failure> {
    let model = segbench_models::zoo::find(model)?;
    let card = model.card();
    let project = project(global, "reports".as_ref(), device)?;
    let stored = project.weights().resolve(weights)?;
    let device = segbench_nn::device::select(&project.device)?;
    let (network, _, classes) = model.load(stored.source().tensors(&device)?, &device)?;
    let normalization = Normalization { mean: card.preprocessing.mean, std: card.preprocessing.std };
    let catalog = catalog(classes, stored.training.as_ref().map(|training| training.dataset.as_str()));
    let predictor = Predictor::new(network, normalization, classes, device);
    let bar = console.start("predict", inputs.len() as u64);
    for input in inputs {
        let image = read_image(input)?;
        let map = predictor.label_map(&image)?;
        let stem = input.file_stem().unwrap_or_default();
        label_png::write(&output.join(stem).with_extension("png"), &map, &catalog)?;
        bar.advance(1);
    }
    Ok(())
}

/// The colors to write: those of the data set the weights were trained on, shades of grey where that is not known.
fn catalog(classes: usize, dataset: Option<&str>) -> ClassCatalog {
    let known = dataset.and_then(|name| segbench_datasets::card(name).ok()).map(|card| card.catalog());
    known.filter(|catalog| catalog.len() == classes).unwrap_or_else(|| ClassCatalog::numbered(classes))
}
