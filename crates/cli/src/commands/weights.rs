//! `weights list`, `weights inspect` and `weights convert`.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::DType;
use segbench_models::zoo;
use segbench_nn::weights::write_checkpoint;
use segbench_tables::Table;
use segbench_types::Progress as _;

use super::{list, project};
use crate::arguments::{Global, Listing, WeightsAction};
use crate::console::Console;
use crate::failure::Failure;

pub(crate) fn weights(action: WeightsAction, global: &Global, console: &Console) -> Result<(), Failure> {
    match action {
        WeightsAction::List => list::list(Listing::Weights, None, global, console),
        WeightsAction::Inspect { weights } => inspect(&weights, global, console),
        WeightsAction::Convert { weights, model, output, dtype } => {
            convert(&weights, model, &output, &dtype, global, console)
        }
    }
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
