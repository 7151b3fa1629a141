//! Checkpoints: translated both ways, refused when something is missing, and those inside the program.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};
use libtest_mimic::{Failed, Trial};
use segbench_models::{Shipped, Tensors, shipped, zoo};
use segbench_nn::weights::write_checkpoint;
use segbench_types::{ErrorKind, Explain};

use crate::fixture::{CLASSES, Fixture, PAIRS};
use crate::{Check, ensure, trial};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for (model, reference) in PAIRS {
        if reference == "mmseg" {
            trials.push(trial(format!("map::is_total_and_reversible::{model}"), move || reversible(model)));
        }
    }
    for reference in ["hf", "mmseg"] {
        let named = |what: &str| format!("checkpoint::{what}::segformer-tiny-{reference}");
        trials.push(trial(named("a_missing_tensor_is_named"), move || names_missing(reference)));
        trials.push(trial(named("an_extra_tensor_is_named"), move || names_extra(reference)));
        trials.push(trial(named("a_tensor_of_another_shape_is_named"), move || names_other_shape(reference)));
        trials.push(trial(named("of_another_preset_is_refused"), move || refuses_other_preset(reference)));
    }
    trials.push(trial("shipped::checkpoints_load_strictly".into(), shipped_load));
    trials.push(trial("shipped::a_checkpoint_of_another_model_is_noticed".into(), shipped_is_checked));
    trials
}

/// Every tensor of the reference is translated exactly once, and the way back restores names, shapes and values.
fn reversible(model: &str) -> Check {
    let fixture = Fixture::open(model, "mmseg")?;
    let source = fixture.tensors()?;
    for layout in fixture.model.layouts() {
        let map = (layout.map)()?;
        let there = map.apply(&source)?;
        ensure(there.dropped.is_empty(), || format!("dropped {:?}", there.dropped))?;
        let back = map.inverse()?.apply(&there.tensors)?.tensors;
        ensure(source.keys().eq(back.keys()), || "the way back has other names".into())?;
        for (name, tensor) in &source {
            let values = |tensor: &Tensor| tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>();
            let same = tensor.dims() == back[name].dims() && values(tensor)? == values(&back[name])?;
            ensure(same, || format!("`{name}` comes back changed"))?;
        }
    }
    ensure(!fixture.model.layouts().is_empty(), || "no layouts".into())
}

/// What loading these tensors says, with the help; they must be refused as invalid data.
fn refusal(tensors: Tensors) -> Result<String, Failed> {
    match zoo::load("segformer-tiny", tensors, &Device::Cpu) {
        Ok(_) => Err("the checkpoint was taken".into()),
        Err(err) if err.kind() == ErrorKind::InvalidData => {
            Ok(format!("{err}\n{}", err.help().unwrap_or_default()))
        }
        Err(err) => Err(format!("{:?}: {err}", err.kind()).into()),
    }
}

fn names_missing(reference: &str) -> Check {
    let fixture = Fixture::open("segformer-tiny", reference)?;
    let all = fixture.tensors()?;
    // Translating takes its time without optimization, so not every tensor has its turn there.
    let step = if fixture.model.layout_of(&all).is_some() { 7 } else { 1 };
    for gone in all.keys().filter(|name| !name.ends_with("num_batches_tracked")).step_by(step) {
        let mut tensors = all.clone();
        tensors.remove(gone);
        let text = refusal(tensors)?;
        // The message speaks of the translated names, of which one tensor can have several.
        let only = Tensors::from([(gone.clone(), all[gone].clone())]);
        let names = match fixture.model.layout_of(&all) {
            Some(layout) => (layout.map)()?.apply(&only)?.tensors,
            None => only,
        };
        for name in names.keys() {
            ensure(text.contains(&format!("`{name}`")), || format!("`{name}` is not named: {text}"))?;
        }
    }
    Ok(())
}

fn names_extra(reference: &str) -> Check {
    let mut tensors = Fixture::open("segformer-tiny", reference)?.tensors()?;
    tensors
        .insert("auxiliary_head.conv_seg.weight".into(), Tensor::zeros((19, 5), DType::F32, &Device::Cpu)?);
    let text = refusal(tensors)?;
    ensure(text.contains("`auxiliary_head.conv_seg.weight`"), || text)
}

fn names_other_shape(reference: &str) -> Check {
    let fixture = Fixture::open("segformer-tiny", reference)?;
    let mut tensors = fixture.tensors()?;
    let name = if reference == "hf" {
        "segformer.encoder.layer_norm.2.weight"
    } else {
        "backbone.layers.2.2.weight"
    };
    tensors.insert(name.into(), Tensor::zeros(47, DType::F32, &Device::Cpu)?);
    let text = refusal(tensors)?;
    ensure(
        text.contains("`segformer.encoder.layer_norm.2.weight` is 47 in the file, the network wants 48"),
        || text,
    )
}

fn refuses_other_preset(reference: &str) -> Check {
    let text = refusal(Fixture::open("segformer-b0", reference)?.tensors()?)?;
    ensure(text.contains("these are weights of `segformer-b0`"), || text)
}

/// Whatever travels inside the program fits its model without a tensor left over, and tells 19 classes apart.
fn shipped_load() -> Check {
    let tags: Vec<&str> = shipped().iter().map(|shipped| shipped.tag).collect();
    ensure(tags.is_sorted(), || format!("{tags:?} are not sorted"))?;
    shipped().iter().try_for_each(is_sound)
}

fn is_sound(shipped: &Shipped) -> Check {
    let prefix = format!("{}.", zoo::find(shipped.model)?.name());
    ensure(shipped.tag.starts_with(&prefix), || format!("{} does not begin with {prefix}", shipped.tag))?;
    let (_, report, classes) = shipped.load(&Device::Cpu)?;
    ensure(report.fits() && classes == CLASSES, || format!("{}: {report}", shipped.tag))?;
    ensure(shipped.bytes.len() < 8 << 20, || format!("{} is large", shipped.tag))
}

/// A checkpoint in half precision with canonical names, as it would be put inside the program, passes; the same bytes under
/// another model's name do not.
fn shipped_is_checked() -> Check {
    let fixture = Fixture::open("segformer-tiny", "mmseg")?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("weights.safetensors");
    write_checkpoint(&path, &fixture.model.adapt(fixture.tensors()?)?, DType::F16, &BTreeMap::new())?;
    let bytes: &'static [u8] = std::fs::read(&path)?.leak();
    is_sound(&Shipped { tag: "segformer-tiny.sample", model: "segformer-tiny", card: "{}", bytes })?;
    for (tag, model) in [("segformer-b0.sample", "segformer-b0"), ("segformer-b0.sample", "segformer-tiny")] {
        ensure(is_sound(&Shipped { tag, model, card: "{}", bytes }).is_err(), || {
            format!("{tag} for {model} passes")
        })?;
    }
    Ok(())
}
