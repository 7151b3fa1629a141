//! Weight files.

mod pytorch;
mod safetensors;

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};

use crate::{Error, Result};

pub use safetensors::write_checkpoint;

/// Why a file cannot be read and what to do, before the name of the file is added.
struct Problem {
    problem: String,
    help: String,
}

impl Problem {
    fn new(problem: impl Into<String>, help: impl Into<String>) -> Self {
        Self { problem: problem.into(), help: help.into() }
    }

    fn broken(problem: impl Into<String>) -> Self {
        Self::new(
            problem,
            "the file is damaged or was not downloaded completely: remove it and fetch it again",
        )
    }

    fn at(self, path: &Path) -> Error {
        Error::BadCheckpoint { path: path.to_owned(), problem: self.problem, help: self.help }
    }
}

impl From<candle_core::Error> for Problem {
    fn from(err: candle_core::Error) -> Self {
        Self::broken(format!("cannot be turned into tensors: {err}"))
    }
}

/// Reads the tensors of a weight file, all as f32: safetensors, or what `torch.save` writes (`.pth`, `.pt`, `.bin`), of today
/// and of before PyTorch 1.6.
///
/// The contents decide, not the file's extension. Of a training checkpoint the entry `state_dict`, `model_state_dict` or
/// `model` is taken; a `module.` in front of every name, as `DataParallel` adds it, is removed.
///
/// # Errors
/// [`Error::Storage`] if the file cannot be read, [`Error::BadCheckpoint`] if it is not a weight file or a broken one.
pub fn read_checkpoint(path: &Path, device: &Device) -> Result<BTreeMap<String, Tensor>> {
    decode_checkpoint(path, &segbench_storage::read(path)?, device)
}

/// As [`read_checkpoint`] for a file in memory; `name` is what an error calls it.
///
/// # Errors
/// [`Error::BadCheckpoint`] if the bytes are not those of a weight file.
pub fn decode_checkpoint(name: &Path, bytes: &[u8], device: &Device) -> Result<BTreeMap<String, Tensor>> {
    decode(bytes, device).map_err(|problem| problem.at(name))
}

/// The notes in a safetensors file, such as what the weights were trained on; none in any other file.
///
/// # Errors
/// [`Error::Storage`] if the file cannot be read, [`Error::BadCheckpoint`] if it is a broken safetensors file.
pub fn read_metadata(path: &Path) -> Result<BTreeMap<String, String>> {
    let bytes = segbench_storage::read(path)?;
    match Format::of(&bytes) {
        Format::Safetensors => safetensors::metadata(&bytes).map_err(|problem| problem.at(path)),
        _ => Ok(BTreeMap::new()),
    }
}

fn decode(bytes: &[u8], device: &Device) -> Result<BTreeMap<String, Tensor>, Problem> {
    let tensors = match Format::of(bytes) {
        Format::Safetensors => safetensors::read(bytes)?,
        Format::Zip => pytorch::read_zip(bytes)?,
        Format::LegacyPytorch => pytorch::read_legacy(bytes)?,
        Format::Foreign(problem) => return Err(problem),
    };
    if tensors.is_empty() {
        return Err(Problem::new(
            "holds no tensors",
            "save the weights themselves in Python: `torch.save(model.state_dict(), \"weights.pth\")`",
        ));
    }
    tensors
        .into_iter()
        .map(|(name, tensor)| Ok((name, tensor.to_dtype(DType::F32)?.to_device(device)?)))
        .collect()
}

enum Format {
    Safetensors,
    Zip,
    LegacyPytorch,
    Foreign(Problem),
}

impl Format {
    fn of(bytes: &[u8]) -> Self {
        let again = "download the file itself, not the page or the pointer that stands for it";
        if bytes.starts_with(b"PK\x03\x04") {
            Self::Zip
        } else if bytes.starts_with(pytorch::LEGACY_MAGIC) {
            Self::LegacyPytorch
        } else if bytes.is_empty() {
            Self::Foreign(Problem::broken("is empty"))
        } else if bytes.starts_with(b"version https://git-lfs") {
            Self::Foreign(Problem::new("is a Git LFS pointer and not the weights", again))
        } else if bytes.trim_ascii_start().starts_with(b"<") {
            Self::Foreign(Problem::new("is a web page and not the weights", again))
        } else if bytes.get(8) == Some(&b'{') {
            Self::Safetensors
        } else {
            Self::Foreign(Problem::new(
                "is neither a safetensors file nor one that `torch.save` wrote",
                "convert it in Python: `safetensors.torch.save_file(model.state_dict(), \"weights.safetensors\")`",
            ))
        }
    }
}
