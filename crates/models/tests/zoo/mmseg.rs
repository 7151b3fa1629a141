//! Networks with one reference each, mmsegmentation or a repository of its own: what they predict, how they train, what they count.

use std::collections::{BTreeMap, BTreeSet};

use candle_core::{Device, Tensor};
use libtest_mimic::{Failed, Trial};
use segbench_models::zoo;
use segbench_models::{InputSpec, Labels};
use segbench_nn::Context;
use segbench_nn::weights::{Parameters, seeded};
use serde_json::json;

use crate::fixture::{CLASSES, Fixture, PAIRS, path};
use crate::general::without_dropout;
use crate::{Check, ensure, trial};

/// Presets beside the tiny ones that have a fixture.
const LARGE: [&str; 17] = [
    "apcnet-r50-d8",
    "bisenet-r18-d32",
    "bisenetv2-base",
    "deeplabv3-r50-d16",
    "deeplabv3-r50-d8",
    "deeplabv3plus-r50-d8",
    "dmnet-r50-d8",
    "encnet-r50-d8",
    "fcn-hr18s",
    "fcn-r50-d8",
    "fpn-r50",
    "ocrnet-hr18s",
    "pointrend-r50",
    "psanet-r50-d8",
    "pspnet-r50-d8",
    "unet-s5-d16",
    "upernet-r50",
];

/// Networks whose reference is not mmsegmentation, and what their fixtures are called after.
const OTHERS: [(&str, &str); 6] = [
    ("deeplabv1", "wangleihitcs"),
    ("deeplabv2", "kazuto"),
    ("fcn16s", "wkentaro"),
    ("fcn32s", "wkentaro"),
    ("fcn8s", "wkentaro"),
    ("segnet", "semseg"),
];

/// Networks with checks of their own.
const ELSEWHERE: [&str; 2] = ["segformer", "vnet"];

/// A model, the reference's case, and settings in place of the preset's.
type Case = (String, &'static str, serde_json::Value);

fn reference_of(network: &str) -> &'static str {
    OTHERS.iter().find(|(name, _)| *name == network).map_or("mmseg", |(_, reference)| reference)
}

fn cases() -> Vec<Case> {
    let networks = zoo::ZOO.iter().map(|entry| entry.card.name).filter(|name| !ELSEWHERE.contains(name));
    let tiny = networks.map(|name| {
        // The reference has a norm behind the scores, which the paper has not.
        let changes = if name == "segnet" { json!({ "norm_scores": true }) } else { json!({}) };
        (format!("{name}-tiny"), reference_of(name), changes)
    });
    let mut cases: Vec<Case> = tiny.collect();
    cases.extend(LARGE.map(|model| (model.to_owned(), "mmseg", json!({}))));
    let resnet = |config| json!({ "backbone": { "resnet": config } });
    let v1 = json!({ "depth": 18, "variant": "v1", "output_stride": 32, "base_channels": 8, "contract_dilation": false });
    let v1d = json!({ "depth": 50, "variant": "v1d", "output_stride": 16, "base_channels": 4 });
    let swin = json!({ "embed_dim": 8, "depths": [2, 2, 2, 2], "num_heads": [1, 2, 2, 4], "window": 7, "drop_path_rate": 0.3 });
    cases.push(("upernet-tiny".into(), "swin", json!({ "backbone": { "swin": swin } })));
    cases.push(("fcn-tiny".into(), "v1", resnet(v1)));
    cases.push(("fcn-tiny".into(), "v1d", resnet(v1d)));
    cases
}

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for (model, reference, changes) in cases() {
        let name = |what: &str| format!("{what}::{model}-{reference}");
        let [first, second] = [(); 2].map(|()| (model.clone(), changes.clone()));
        trials.push(trial(name("parity"), move || predicts(&first.0, reference, &first.1)));
        let trained = model.contains("-tiny") || ["fcn-r50-d8", "pspnet-r50-d8"].contains(&model.as_str());
        if trained {
            trials.push(trial(name("training"), move || trains(&second.0, reference, &second.1)));
        }
    }
    trials.push(trial("counts::parameters_of_all_presets".into(), counts));
    trials.push(trial("own_loss::equals_the_formula::encnet-tiny".into(), presence_loss));
    trials.push(trial("own_loss::equals_the_formula::pointrend-tiny".into(), point_loss));
    trials.push(trial("errors::table".into(), write_errors).with_ignored_flag(true));
    // One head, and several.
    for model in ["fcn-tiny", "bisenet-tiny"] {
        let name = format!("checkpoint::without_auxiliary_heads_is_taken::{model}");
        trials.push(trial(name, || without_auxiliary(model)));
    }
    trials
}

fn settings(fixture: &Fixture, changes: &serde_json::Value) -> serde_json::Value {
    let mut config = fixture.model.config();
    for (name, value) in changes.as_object().into_iter().flatten() {
        config[name] = value.clone();
    }
    config
}

/// Every tensor of the reference is used, and every stage is equal.
pub(crate) fn predicts(model: &str, reference: &str, changes: &serde_json::Value) -> Check {
    let fixture = Fixture::open(model, reference)?;
    let config = settings(&fixture, changes);
    let (network, report, classes) = fixture.model.load_with(&config, fixture.tensors()?, &Device::Cpu)?;
    ensure(classes == CLASSES && report.fits(), || format!("{classes} classes, {report}"))?;
    fixture.compare(network.as_ref())
}

/// Heads and gradients of a training pass are equal: statistics of the batch, auxiliary head, backward pass.
pub(crate) fn trains(model: &str, reference: &str, changes: &serde_json::Value) -> Check {
    let fixture = Fixture::open(model, reference)?;
    let config = without_dropout(&settings(&fixture, changes));
    let parameters = Parameters::new(0);
    let network = fixture.model.build_with(
        &config,
        fixture.model.spec(CLASSES),
        parameters.var_builder(&Device::Cpu),
    )?;
    let mut tensors = fixture.tensors()?;
    tensors.retain(|name, _| {
        !["num_batches_tracked", "relative_position_index"].iter().any(|end| name.ends_with(end))
    });
    parameters.load(&tensors)?;
    let ctx = Context::train(0, 0).with_trace();
    let output = network.forward(&fixture.input()?, &ctx)?;
    let mut stages = BTreeMap::from([("train.head".to_owned(), output.logits)]);
    let auxiliary = output.auxiliary.into_iter().enumerate();
    stages.extend(auxiliary.map(|(index, logits)| (format!("train.aux.{index}"), logits)));
    stages.extend(output.extra.into_iter().map(|(name, tensor)| (format!("train.extra.{name}"), tensor)));
    ensure(stages.keys().eq(&fixture.stages("train.")), || format!("the outputs are {:?}", stages.keys()))?;
    let mut loss = Tensor::zeros((), candle_core::DType::F32, &Device::Cpu)?;
    for (stage, logits) in &stages {
        fixture.compare_stage(stage, logits)?;
        loss = (loss + weighted_sum(&format!("loss.{stage}"), logits)?)?;
    }
    let gradients = loss.backward()?;
    let mut compared = 0;
    for (name, var) in parameters.trainable() {
        let gradient = gradients.get(&var).ok_or_else(|| format!("`{name}` gets no gradient"))?;
        let stage = format!("grad.{name}");
        if fixture.has(&stage) {
            fixture.compare_stage(&stage, gradient)?;
            compared += 1;
        }
    }
    // In the deep networks rounding leaves only those near the output comparable.
    let expected = if ["mmseg", "monai"].contains(&reference) && model.ends_with("tiny") { 3 } else { 1 };
    ensure(compared >= expected, || format!("{compared} gradients compared"))
}

/// Labels of two images of 21x33, some without a label, and what they are to a network's own loss.
fn labelled(model: &str, seed: u64) -> Result<(Vec<u8>, segbench_models::SegOutput, f64), Failed> {
    let network =
        zoo::find(model)?.build(InputSpec::rgb(CLASSES), Parameters::new(seed).var_builder(&Device::Cpu))?;
    let values: Vec<u8> =
        (0..2 * 21 * 33_u32).map(|index| if index % 7 == 3 { 255 } else { (index / 97) as u8 }).collect();
    let images = seeded("images", &[2 * 3 * 65 * 97]).into_iter().map(|value| 20.0 * value).collect();
    let images = Tensor::from_vec(images, (2, 3, 65, 97), &Device::Cpu)?;
    let output = network.forward(&images, &Context::train(seed, 0))?;
    let own = network.own_loss(&output, &Labels { values: &values, height: 21, width: 33 })?;
    let own = own.ok_or("the network has no loss of its own")?.to_scalar::<f32>()?;
    let predicted = network.forward(&images, &Context::eval())?;
    let none = network.own_loss(&predicted, &Labels { values: &values, height: 21, width: 33 })?.is_none();
    ensure(none, || "a prediction has a loss".into())?;
    Ok((values, output, f64::from(own)))
}

fn presence_loss() -> Check {
    let (labels, output, own) = labelled("encnet-tiny", 4)?;
    let mut sum = 0.0;
    for (image, scores) in output.extra["se_logits"].to_vec2::<f32>()?.iter().enumerate() {
        for (class, &score) in scores.iter().enumerate() {
            let present = labels[image * 21 * 33..][..21 * 33].contains(&(class as u8));
            let probability = 1.0 / (1.0 + (-f64::from(score)).exp());
            sum -= if present { probability.ln() } else { (1.0 - probability).ln() };
        }
    }
    let expected = 0.2 * sum / (2 * CLASSES) as f64;
    ensure((own - expected).abs() < 1e-5 * expected, || format!("{own} and not {expected}"))
}

fn point_loss() -> Check {
    let (labels, output, own) = labelled("pointrend-tiny", 4)?;
    let scores = output.extra["point_logits"].to_vec3::<f32>()?;
    let points = output.extra["points"].to_vec3::<f32>()?;
    let (mut sum, mut count) = (0.0, 0);
    for (image, points) in points.iter().enumerate() {
        for (index, point) in points.iter().enumerate() {
            count += 1;
            let pixel = (point[1] * 21.0) as usize * 33 + (point[0] * 33.0) as usize;
            let label = labels[image * 21 * 33 + pixel];
            if label == 255 {
                continue;
            }
            let score = |class: usize| f64::from(scores[image][class][index]);
            let total: f64 = (0..CLASSES).map(|class| score(class).exp()).sum();
            sum += total.ln() - score(usize::from(label));
        }
    }
    let expected = sum / f64::from(count);
    ensure(own > 0.0 && (own - expected).abs() < 1e-5 * expected, || format!("{own} and not {expected}"))
}

/// Not a check: writes what docs/models.md says of the deviations.
fn write_errors() -> Check {
    let mut lines = Vec::new();
    for (model, reference, changes) in cases() {
        let fixture = Fixture::open(&model, reference)?;
        let config = settings(&fixture, &changes);
        let (network, _, _) = fixture.model.load_with(&config, fixture.tensors()?, &Device::Cpu)?;
        lines.push(format!("{model} {reference} {:.1e}\n", fixture.largest_error(network.as_ref())?));
    }
    for (model, reference) in PAIRS {
        let fixture = Fixture::open(model, reference)?;
        let (network, _, _) = fixture.model.load(fixture.tensors()?, &Device::Cpu)?;
        lines.push(format!("{model} {reference} {:.1e}\n", fixture.largest_error(network.as_ref())?));
    }
    lines.sort();
    Ok(std::fs::write(path("errors.txt"), lines.concat())?)
}

fn weighted_sum(name: &str, logits: &Tensor) -> Result<Tensor, Failed> {
    let weights = seeded(name, &[logits.elem_count()]);
    let weights = Tensor::from_vec(weights, logits.dims(), &Device::Cpu)?;
    Ok((logits * weights)?.sum_all()?)
}

/// The parameters of every preset, without auxiliary heads, are as many as in the reference.
fn counts() -> Check {
    let mut counted = BTreeSet::new();
    let tables = ["mmseg_counts.txt", "vgg_counts.txt"].map(|file| std::fs::read_to_string(path(file)));
    let [mmseg, vgg] = tables;
    for line in format!("{}{}", mmseg?, vgg?).lines() {
        let (name, expected) = line.split_once(' ').ok_or("two columns expected")?;
        let count = zoo::find(name)?.parameters(InputSpec::rgb(CLASSES))?;
        ensure(count == expected.parse::<u64>()?, || format!("{line}: counted {count}"))?;
        counted.insert(name.to_owned());
    }
    // The small forms of networks of other references are counted by their lists of tensors.
    let elsewhere = |name: &str| OTHERS.iter().any(|(other, _)| name == format!("{other}-tiny"));
    let models = zoo::models().into_iter().filter(|model| !ELSEWHERE.contains(&model.card().name));
    let missing: Vec<String> =
        models.map(|model| model.name()).filter(|name| !counted.contains(name) && !elsewhere(name)).collect();
    ensure(missing.is_empty(), || format!("no count of {missing:?}"))
}

/// Checkpoints for inference come without the heads that only training uses.
fn without_auxiliary(model: &str) -> Check {
    let fixture = Fixture::open(model, "mmseg")?;
    let mut tensors = fixture.tensors()?;
    let all = tensors.len();
    tensors.retain(|name, _| !name.starts_with("auxiliary_head."));
    ensure(tensors.len() < all, || "there is none".into())?;
    let (network, report, _) = fixture.model.load(tensors, &Device::Cpu)?;
    ensure(report.fits(), || report.to_string())?;
    fixture.compare(network.as_ref())
}
