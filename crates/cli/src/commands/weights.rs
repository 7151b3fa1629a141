//! `weights list`, `weights fetch`, `weights inspect` and `weights convert`.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::DType;
use segbench_fetch::{CheckpointSource, Client, fetch_checkpoint};
use segbench_models::{WeightSource, zoo};
use segbench_nn::weights::write_checkpoint;
use segbench_pipeline::{Project, StoredWeights};
use segbench_tables::Table;
use segbench_types::{Progress as _, nearest};

use super::{list, project};
use crate::arguments::{Global, Listing, WeightsAction};
use crate::console::Console;
use crate::failure::Failure;

pub(crate) fn weights(action: WeightsAction, global: &Global, console: &Console) -> Result<(), Failure> {
    match action {
        WeightsAction::List => list::list(Listing::Weights, None, global, console),
        WeightsAction::Fetch { tag } => fetch(&tag, global, console),
        WeightsAction::Inspect { weights } => inspect(&weights, global, console),
        WeightsAction::Convert { weights, model, output, dtype } => {
            convert(&weights, model, &output, &dtype, global, console)
        }
    }
}

/// The published checkpoint of this tag, and the model that it fits.
fn published(tag: &str) -> Result<(zoo::Model, WeightSource), Failure> {
    let mut all = list::published();
    if let Some(at) = all.iter().position(|(_, source)| source.tag == tag) {
        return Ok(all.swap_remove(at));
    }
    let tags: Vec<&str> = all.iter().map(|(_, source)| source.tag).collect();
    let help = match nearest(tag, tags) {
        Some(near) => format!("did you mean `{near}`? All tags: segbench list weights"),
        None => "name a tag of `segbench list weights`".into(),
    };
    Err(Failure::usage(format!("no published checkpoint has the tag `{tag}`"), help))
}

fn fetch(tag: &str, global: &Global, console: &Console) -> Result<(), Failure> {
    let (model, published) = published(tag)?;
    obtain(model, &published, &project(global, "reports".as_ref(), "cpu")?, console)
}

/// Fetches the publisher's file unless the store has it, proves that it fits, and takes it into the store as safetensors.
pub(super) fn obtain(
    model: zoo::Model,
    published: &WeightSource,
    project: &Project,
    console: &Console,
) -> Result<(), Failure> {
    let (tag, store) = (published.tag, project.weights());
    if let Some(there) = store.list()?.into_iter().find(|card| card.tag == tag) {
        let place = there.path.map_or("part of segbench".to_owned(), |path| path.display().to_string());
        console.note(&format!("{tag} is there already: {place}"));
        return Ok(());
    }
    let licence = published.licence.unwrap_or("not stated beside the file; see the publisher's page");
    console.note(&format!("{tag}: {}\nlicence: {licence}", published.url));
    let client = Client::new(project.fetch_settings())?;
    let source = CheckpointSource {
        url: published.url,
        mirrors: &[],
        licence: published.licence,
        sha256: None,
        bytes: None,
    };
    // A folder of its own, because every JSON file of the store itself is a card.
    let downloads = project.root.join("weights").join("downloads");
    let fetched = fetch_checkpoint(&client, &source, &downloads, console)?;
    let mut card = StoredWeights {
        tag: tag.to_owned(),
        model: model.name(),
        sha256: fetched.record.sha256,
        classes: 0,
        val_miou: None,
        training: None,
        path: Some(fetched.path),
    };
    let device = segbench_nn::device::select("cpu")?;
    let tensors = card.source().tensors(&device)?;
    // Loading proves that the weights fit before anything is written.
    let (_, report, classes) = model.load(tensors.clone(), &device)?;
    card.classes = classes;
    let converted = downloads.join(format!("{tag}.safetensors"));
    write_checkpoint(&converted, &model.adapt(tensors)?, DType::F32, &BTreeMap::new())?;
    let stored = store.add(&converted, card)?;
    // The store holds the same bytes under their hash.
    std::fs::remove_file(&converted)
        .map_err(|source| segbench_storage::Error::writing(&converted, source))?;
    let place = stored.path.map_or_else(String::new, |path| path.display().to_string());
    console.note(&format!("{place}: {} tensors, {classes} classes", report.loaded.len()));
    Ok(())
}

fn inspect(name: &str, global: &Global, console: &Console) -> Result<(), Failure> {
    let stored = project(global, "reports".as_ref(), "cpu")?.weights().resolve(name)?;
    let device = segbench_nn::device::select("cpu")?;
    let tensors = stored.source().tensors(&device)?;
    let shape = |tensor: &candle_core::Tensor| {
        tensor.dims().iter().map(ToString::to_string).collect::<Vec<_>>().join("x")
    };
    let table = Table::new()
        .text("name", tensors.keys().cloned().map(Some).collect())
        .text("shape", tensors.values().map(|tensor| Some(shape(tensor))).collect())
        .integer("elements", tensors.values().map(|tensor| Some(tensor.elem_count() as u64)).collect());
    if console.is_json() {
        console.json(&table)
    } else {
        console.data(&table.to_markdown())
    }
    Ok(())
}

fn convert(
    name: &str,
    model: Option<String>,
    output: &Path,
    dtype: &str,
    global: &Global,
    console: &Console,
) -> Result<(), Failure> {
    let mut stored = project(global, "reports".as_ref(), "cpu")?.weights().resolve(name)?;
    stored.model = model.unwrap_or(stored.model);
    if stored.model.is_empty() {
        return Err(Failure::usage(
            format!("nothing says which model `{name}` belongs to"),
            "name it with `--model`, as in `--model segformer-b0`",
        ));
    }
    let device = segbench_nn::device::select("cpu")?;
    let model = zoo::find(&stored.model)?;
    let tensors = stored.source().tensors(&device)?;
    // Loading proves that the weights fit before anything is written.
    let (_, report, classes) = model.load(tensors.clone(), &device)?;
    let dtype = if dtype == "f16" { DType::F16 } else { DType::F32 };
    write_checkpoint(output, &model.adapt(tensors)?, dtype, &BTreeMap::new())?;
    stored.model = model.name();
    stored.classes = classes;
    stored.sha256 = segbench_storage::sha256_file(output)?;
    segbench_storage::write_json(&output.with_extension("json"), &stored)?;
    console.note(&format!("{}: {} tensors", output.display(), report.loaded.len()));
    Ok(())
}
