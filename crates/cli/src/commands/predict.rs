//! `predict`.

use std::path::{Path, PathBuf};

use segbench_benchmark::Predictor;
use segbench_datasets::{label_png, read_image, read_volume, write_label_volume};
use segbench_models::Input;
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
    let predictor = Predictor::new(network, normalization, classes, model.input(), device);
    let bar = console.start("predict", inputs.len() as u64);
    for input in inputs {
        let file = output.join(input.file_stem().unwrap_or_default());
        match model.input() {
            Input::Image => {
                let map = predictor.label_map(&read_image(input)?)?;
                label_png::write(&file.with_extension("png"), &map, &catalog)?;
            }
            Input::Volume => {
                let volume = read_volume(input)?;
                let map = predictor.label_volume(&volume)?;
                write_label_volume(&file.with_extension("npy"), &map, volume.size()[0])?;
            }
        }
        bar.advance(1);
    }
    Ok(())
}

/// The colors to write: those of the data set the weights were trained on, shades of grey where that is not known.
fn catalog(classes: usize, dataset: Option<&str>) -> ClassCatalog {
    let known = dataset.and_then(|name| segbench_datasets::card(name).ok()).map(|card| card.catalog());
    known.filter(|catalog| catalog.len() == classes).unwrap_or_else(|| ClassCatalog::numbered(classes))
}
