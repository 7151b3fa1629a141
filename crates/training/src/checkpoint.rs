//! Stopping and going on: one file with everything the next step needs.
//!
//! The file holds the parameters, the buffers and AdamW's moments, and in its notes the step and the settings. It is written under
//! a temporary name and renamed, so that a process killed at any moment leaves a whole checkpoint, the new one or the old.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device};
use segbench_nn::weights::{Parameters, read_checkpoint, read_metadata, write_checkpoint};
use serde::{Deserialize, Serialize};

use crate::optimizer::AdamW;
use crate::validation::Validation;
use crate::{Error, TrainOptions};

const NETWORK: &str = "network/";
const STATE: &str = "state";

/// What belongs to a training beside tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    pub(crate) model: String,
    pub(crate) dataset: String,
    pub(crate) manifest_sha256: String,
    pub(crate) options: TrainOptions,
    /// Steps done.
    pub(crate) step: u64,
    /// Sum of the losses since the last line of the log.
    pub(crate) loss_sum: f64,
    /// The latest validation.
    pub(crate) last: Option<Validation>,
    /// The validation with the highest mIoU.
    pub(crate) best: Option<Validation>,
}

pub(crate) fn path(folder: &Path) -> PathBuf {
    folder.join("checkpoint.safetensors")
}

pub(crate) fn write(
    folder: &Path,
    parameters: &Parameters,
    optimizer: &AdamW,
    state: &State,
) -> Result<(), Error> {
    let path = path(folder);
    let mut tensors = optimizer.state()?;
    tensors
        .extend(parameters.tensors().into_iter().map(|(name, tensor)| (format!("{NETWORK}{name}"), tensor)));
    let text = serde_json::to_string(state)
        .map_err(|source| segbench_storage::Error::Json { path: path.clone(), source })?;
    Ok(write_checkpoint(&path, &tensors, DType::F32, &BTreeMap::from([(STATE.to_owned(), text)]))?)
}

/// Reads the checkpoint in `folder` into the network and the optimizer; `start` is the training that wants to go on. None
/// without a checkpoint.
pub(crate) fn resume(
    folder: &Path,
    parameters: &Parameters,
    optimizer: &mut AdamW,
    start: &State,
) -> Result<Option<State>, Error> {
    let path = path(folder);
    if !path.exists() {
        return Ok(None);
    }
    let other = |difference: String| Error::OtherTraining { path: path.clone(), difference };
    let notes = read_metadata(&path)?;
    let text = notes.get(STATE).ok_or_else(|| other("it holds weights only".into()))?;
    let state: State = serde_json::from_str(text).map_err(|err| other(err.to_string()))?;
    if let Some(difference) = difference(&state, start) {
        return Err(other(difference));
    }
    let mut tensors = read_checkpoint(&path, &Device::Cpu)?;
    optimizer
        .take_state(&mut tensors)
        .map_err(|name| other(format!("`{name}` is absent or of another size")))?;
    let network = tensors
        .into_iter()
        .filter_map(|(name, tensor)| Some((name.strip_prefix(NETWORK)?.to_owned(), tensor)));
    parameters.load(&network.collect())?;
    Ok(Some(state))
}

/// The first thing in which the trainings differ that would change weights.
fn difference(found: &State, wanted: &State) -> Option<String> {
    let texts = [
        ("model", &found.model, &wanted.model),
        ("data set", &found.dataset, &wanted.dataset),
        ("manifest", &found.manifest_sha256, &wanted.manifest_sha256),
    ];
    for (what, found, wanted) in texts {
        if found != wanted {
            return Some(format!("its {what} is `{found}`, this one's is `{wanted}`"));
        }
    }
    let fields = |state: &State| serde_json::to_value(state.options.of_the_weights()).unwrap_or_default();
    let (found, wanted) = (fields(found), fields(wanted));
    let names = wanted.as_object()?.keys();
    let differs = |name: &&String| found.get(name.as_str()) != wanted.get(name.as_str());
    names
        .clone()
        .find(differs)
        .map(|name| format!("its `{name}` is {}, this one's is {}", found[name], wanted[name]))
}
