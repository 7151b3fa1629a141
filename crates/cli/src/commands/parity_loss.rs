//! `parity loss`: value and gradient of a loss for given logits, to compare with another implementation's.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor, Var, safetensors};
use segbench_losses::Target;
use segbench_nn::weights::write_checkpoint;
use segbench_targets::Grid;
use segbench_types::ErrorKind;
use serde_json::{Map, Value};

use crate::failure::Failure;

const CONTENTS: &str = "the input is a safetensors file with `logits` (B, C, H, W) or (B, C, D, H, W), `target` of the same size without \
                        C as i64 or u8, and `class_weights` (C) where the loss needs them";

pub(crate) fn loss(
    name: &str,
    given: &[String],
    (input, output): (&Path, &Path),
    device: &str,
) -> Result<(), Failure> {
    segbench_losses::card(name)?;
    let options = options(given)?;
    let bytes = segbench_storage::read(input)?;
    let wrong = |reason: String| {
        Failure::new(ErrorKind::InvalidData, format!("`{}`: {reason}", input.display()), CONTENTS)
    };
    let unreadable = |err: candle_core::Error| wrong(err.to_string());
    let tensors = safetensors::load_buffer(&bytes, &Device::Cpu).map_err(unreadable)?;
    let tensor = |name: &str| tensors.get(name).ok_or_else(|| wrong(format!("it has no tensor `{name}`")));
    let (logits, labels) = (tensor("logits")?, tensor("target")?);
    let expected: Vec<usize> = logits
        .dims()
        .iter()
        .copied()
        .enumerate()
        .filter(|(axis, _)| *axis != 1)
        .map(|(_, size)| size)
        .collect();
    if !(logits.rank() == 4 || logits.rank() == 5) || labels.dims() != expected {
        let reason = format!("`logits` {:?} and `target` {:?} do not fit", logits.dims(), labels.dims());
        return Err(wrong(reason));
    }
    let classes = logits.dims()[1];
    let loss = segbench_losses::build(name, options, Some(classes))?;
    let mut target = target(labels).map_err(unreadable)?.map_err(wrong)?;
    if let Some(weights) = tensors.get("class_weights") {
        let weights =
            weights.to_dtype(DType::F32).and_then(|weights| weights.to_vec1()).map_err(unreadable)?;
        if weights.len() != classes {
            return Err(wrong(format!(
                "`class_weights` has {} weights for {classes} classes",
                weights.len()
            )));
        }
        target = target.with_class_weights(&weights);
    }
    let device = segbench_nn::device::select(device)?;
    let (value, gradient) = (|| {
        let logits = Var::from_tensor(&logits.to_device(&device)?)?;
        let value = loss.forward(&logits, &target)?;
        let gradient = value.backward()?.remove(&logits);
        Ok::<_, segbench_losses::Error>((value, gradient.map_or_else(|| logits.zeros_like(), Ok)?))
    })()?;
    let outputs: BTreeMap<String, Tensor> = [("loss".into(), value), ("grad".into(), gradient)].into();
    Ok(write_checkpoint(output, &outputs, DType::F32, &BTreeMap::new())?)
}

/// `KEY=VALUE`, where the value is JSON, or a word.
fn options(given: &[String]) -> Result<Map<String, Value>, Failure> {
    let parse = |item: &String| {
        let (key, value) = item.split_once('=').ok_or_else(|| {
            Failure::usage(format!("`--option {item}` has no value"), "as in `--option form=seed`")
        })?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
        Ok((key.to_owned(), value))
    };
    given.iter().map(parse).collect()
}

/// Labels of any integer type; the inner error says what is no label.
fn target(labels: &Tensor) -> candle_core::Result<Result<Target, String>> {
    let values = labels.to_dtype(DType::I64)?.flatten_all()?.to_vec1::<i64>()?;
    let mut bytes = Vec::with_capacity(values.len());
    for value in values {
        match u8::try_from(value) {
            Ok(label) => bytes.push(label),
            Err(_) => return Ok(Err(format!("`target` has {value}, expected a class or 255"))),
        }
    }
    let target = match *labels.dims() {
        [batch, depth, height, width] => Target::volumes(bytes, batch, Grid::volume(depth, height, width)),
        [batch, height, width] => Target::new(bytes, batch, height, width),
        _ => return Ok(Err("`target` has the wrong number of dimensions".into())),
    };
    Ok(target.map_err(|err| err.to_string()))
}
