//! `prepare --in-place`.

use std::path::PathBuf;

use segbench_types::Progress as _;

use super::project;
use crate::arguments::Global;
use crate::console::Console;
use crate::failure::Failure;

/// Writes files of train ids beside the label files in `source`, in the folder that the data set's own tools use, or in `data/raw`.
pub(crate) fn in_place(
    dataset: &str,
    source: Vec<PathBuf>,
    splits: &[String],
    global: &Global,
    console: &Console,
) -> Result<(), Failure> {
    let card = segbench_datasets::find(dataset, &global.root)?;
    let mut folders = source;
    if folders.is_empty() {
        let folder = card.environment.as_ref().and_then(std::env::var_os).map(PathBuf::from);
        let raw = project(global, "reports".as_ref(), "cpu")?.raw(&card.name);
        folders.extend(folder.into_iter().chain([raw]).find(|folder| folder.is_dir()));
    }
    let done = segbench_datasets::write_train_ids(&card, &folders, splits, console)?;
    if console.is_json() {
        console.json(&done);
    } else {
        console.note(&format!("{} files of train ids written, {} were there", done.written, done.unchanged));
    }
    Ok(())
}
