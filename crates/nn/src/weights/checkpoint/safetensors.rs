//! The safetensors format: a JSON header with names, types, shapes and places, then the values.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use candle_core::safetensors::Load as _;
use candle_core::{DType, Tensor};
use half::f16;
use safetensors::SafeTensors;
use serde::Serialize;

use super::Problem;
use crate::weights::is_buffer;
use crate::{Error, Result};

/// The header is padded with spaces to a multiple of this, so that the values are aligned.
const ALIGNMENT: usize = 8;

pub(super) fn read(bytes: &[u8]) -> Result<BTreeMap<String, Tensor>, Problem> {
    let file = SafeTensors::deserialize(bytes).map_err(invalid)?;
    file.iter().map(|(name, view)| Ok((name.to_owned(), view.load(&candle_core::Device::Cpu)?))).collect()
}

pub(super) fn metadata(bytes: &[u8]) -> Result<BTreeMap<String, String>, Problem> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(invalid)?;
    Ok(header.metadata().iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect())
}

fn invalid(err: safetensors::SafeTensorError) -> Problem {
    Problem::broken(format!("is no complete safetensors file: {err}"))
}

#[derive(Serialize)]
struct Entry {
    dtype: &'static str,
    shape: Vec<usize>,
    data_offsets: (usize, usize),
}

/// Writes a safetensors file with sorted names, as f32 or f16. The same tensors and notes give the same bytes.
///
/// Running statistics stay f32 in an f16 file: they are few, and a variance near zero would become zero.
///
/// # Errors
/// [`Error::Shape`] for another `dtype` or a value that f16 cannot hold, [`Error::Storage`] if the file cannot be written,
/// [`Error::Candle`] if a tensor cannot be read from its device.
pub fn write_checkpoint(
    path: &Path,
    tensors: &BTreeMap<String, Tensor>,
    dtype: DType,
    metadata: &BTreeMap<String, String>,
) -> Result<()> {
    let refuse = |problem: String| Err(Error::shape("write_checkpoint", problem));
    let mut header: BTreeMap<&str, Entry> = BTreeMap::new();
    let mut values = Vec::new();
    for (name, tensor) in tensors {
        let start = values.len();
        let flat = tensor.flatten_all()?.to_dtype(DType::F32)?.to_vec1::<f32>()?;
        let written = match dtype {
            DType::F32 => "F32",
            DType::F16 if is_buffer(name) => "F32",
            DType::F16 => "F16",
            other => {
                return refuse(format!("weights are written as f32 or f16 and not as {}", other.as_str()));
            }
        };
        if written == "F32" {
            values.extend(flat.iter().flat_map(|value| value.to_le_bytes()));
        } else {
            for &value in &flat {
                let short = f16::from_f32(value);
                if value.is_finite() && !short.is_finite() {
                    return refuse(format!("`{name}` holds {value}, which f16 cannot hold: write f32"));
                }
                values.extend(short.to_le_bytes());
            }
        }
        let entry =
            Entry { dtype: written, shape: tensor.dims().to_vec(), data_offsets: (start, values.len()) };
        header.insert(name, entry);
    }
    let header = header_bytes(path, &header, metadata)?;
    segbench_storage::write_with(path, |file| {
        file.write_all(&(header.len() as u64).to_le_bytes())?;
        file.write_all(&header)?;
        file.write_all(&values)
    })?;
    Ok(())
}

/// Notes first, then the tensors in the order of their values.
fn header_bytes(
    path: &Path,
    tensors: &BTreeMap<&str, Entry>,
    metadata: &BTreeMap<String, String>,
) -> Result<Vec<u8>> {
    #[derive(Serialize)]
    struct Header<'a> {
        #[serde(rename = "__metadata__", skip_serializing_if = "BTreeMap::is_empty")]
        metadata: &'a BTreeMap<String, String>,
        #[serde(flatten)]
        tensors: &'a BTreeMap<&'a str, Entry>,
    }
    let mut header = serde_json::to_vec(&Header { metadata, tensors })
        .map_err(|source| segbench_storage::Error::Json { path: path.to_owned(), source })?;
    header.resize(header.len().next_multiple_of(ALIGNMENT), b' ');
    Ok(header)
}
