//! `parity forward`: a network's outputs for a given input, to compare with another implementation's.

use std::collections::BTreeMap;
use std::path::PathBuf;

use candle_core::{DType, Tensor, safetensors};
use segbench_nn::Context;
use segbench_nn::ops::resize_bilinear;
use segbench_nn::weights::write_checkpoint;
use segbench_types::ErrorKind;

use super::project;
use crate::arguments::Global;
use crate::failure::Failure;

pub(crate) struct Request {
    pub(crate) model: String,
    pub(crate) weights: String,
    pub(crate) input: PathBuf,
    pub(crate) output: PathBuf,
    pub(crate) trace: bool,
    pub(crate) full: bool,
    pub(crate) device: String,
}

pub(crate) fn forward(request: &Request, global: &Global) -> Result<(), Failure> {
    let project = project(global, "reports".as_ref(), &request.device)?;
    let stored = project.weights().resolve(&request.weights)?;
    let device = segbench_nn::device::select(&project.device)?;
    let tensors = stored.source().tensors(&device)?;
    let (network, ..) = segbench_models::zoo::load(&request.model, tensors, &device)?;
    let bytes = segbench_storage::read(&request.input)?;
    let wrong = |reason: String| {
        Failure::new(
            ErrorKind::InvalidData,
            format!("`{}`: {reason}", request.input.display()),
            "the input is a safetensors file with a tensor `input` (B, 3, H, W) f32, (B, 1, D, H, W) for a network of volumes",
        )
    };
    let inputs = safetensors::load_buffer(&bytes, &device).map_err(|err| wrong(err.to_string()))?;
    let input = inputs.get("input").ok_or_else(|| wrong("it has no tensor `input`".into()))?;

    let context = if request.trace { Context::eval().with_trace() } else { Context::eval() };
    // A network refuses the shape without knowing the file.
    let output = network.forward(input, &context).map_err(|err| wrong(err.to_string()))?;
    let logits = match *input.dims() {
        [_, _, height, width] if request.full => {
            resize_bilinear(&output.logits, height, width, network.align_corners())?
        }
        // A network of volumes labels them at their own size.
        _ => output.logits,
    };
    let mut outputs: BTreeMap<String, Tensor> = context.trace().into_iter().collect();
    outputs.insert("logits".into(), logits);
    Ok(write_checkpoint(&request.output, &outputs, DType::F32, &BTreeMap::new())?)
}
