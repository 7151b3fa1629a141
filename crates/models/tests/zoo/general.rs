//! What holds for every model in the registry.

use std::collections::BTreeSet;

use candle_core::{Device, Tensor};
use libtest_mimic::{Failed, Trial};
use segbench_models::encoder_decoder::Config;
use segbench_models::zoo::segformer::SegformerConfig;
use segbench_models::zoo::{self, Model};
use segbench_models::{Input, InputSpec, Segmentor};
use segbench_nn::weights::{Parameters, is_buffer, seeded};
use segbench_nn::{Context, ops};
use segbench_types::{ErrorKind, Explain};

use crate::{Check, ensure, trial};

/// Largest deviation between a batch and its images alone, as a share of the range: f32 sums in another order.
const BATCH_TOLERANCE: f32 = 1e-5;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial("registry::names_are_sorted_and_unique".into(), names_are_sorted),
        trial("registry::cards_are_complete".into(), cards_are_complete),
        trial("registry::a_misspelled_name_gets_a_suggestion".into(), suggestion),
        trial("registry::every_architecture_has_a_tiny_preset".into(), tiny_is_tiny),
        trial("config::unknown_fields_and_contradictions_are_refused".into(), refuses_wrong_settings),
    ];
    // Networks of volumes have their own checks.
    let of_images = zoo::models().into_iter().filter(|model| model.input() == Input::Image);
    for model in of_images.filter(|model| model.preset() == "tiny") {
        for (variant, config) in variants(&model) {
            let name = |what: &str| format!("{what}::{}{variant}", model.name());
            let [first, second, third, fourth, fifth] = [(); 5].map(|()| config.clone());
            trials.push(trial(name("batch_equals_single_images"), move || batch(&model, &first)));
            trials.push(trial(name("every_parameter_gets_a_gradient"), move || gradients(&model, &second)));
            trials.push(trial(name("dropout_acts_in_training_only"), move || dropout(&model, &third)));
            trials.push(trial(name("a_wrong_input_is_explained"), move || wrong_input(&model, &fourth)));
            trials.push(trial(name("bits_do_not_depend_on_threads"), move || threads(&model, &fifth)));
        }
    }
    trials
}

/// A model's settings, and those of its variants.
fn variants(model: &Model) -> Vec<(&'static str, serde_json::Value)> {
    let mut variants = vec![("", model.config())];
    if model.card().name == "segformer"
        && let Ok(config) = serde_json::from_value::<Config<SegformerConfig>>(model.config())
        && let Ok(config) = serde_json::to_value(config.with_conv_head())
    {
        variants.push(("-conv", config));
    }
    variants
}

fn names_are_sorted() -> Check {
    let names = zoo::names();
    ensure(names.is_sorted() && names.iter().collect::<BTreeSet<_>>().len() == names.len(), || {
        format!("{names:?}")
    })?;
    let architectures: Vec<&str> = zoo::ZOO.iter().map(|entry| entry.card.name).collect();
    ensure(architectures.is_sorted(), || format!("{architectures:?}"))?;
    for architecture in architectures {
        ensure(zoo::find(architecture)?.is_default(), || format!("`{architecture}` has no default preset"))?;
    }
    names
        .iter()
        .try_for_each(|name| ensure(&zoo::find(name)?.name() == name, || format!("`{name}` finds another")))
}

fn cards_are_complete() -> Check {
    for entry in zoo::ZOO {
        let card = entry.card;
        let complete = card.paper_url.starts_with("https://") && !card.title.is_empty() && card.year > 1990;
        ensure(complete && !card.references.is_empty(), || format!("{card:?}"))?;
        let tags: Vec<&str> = card.weights.iter().map(|source| source.tag).collect();
        ensure(tags.is_sorted() && tags.iter().collect::<BTreeSet<_>>().len() == tags.len(), || {
            format!("{tags:?}")
        })?;
        for source in card.weights {
            let model = zoo::find(&format!("{}-{}", card.name, source.preset))?;
            let tag = format!("{}.{}.", model.name(), source.dataset);
            ensure(source.tag.starts_with(&tag) && source.url.starts_with("https://"), || {
                format!("{source:?}")
            })?;
        }
    }
    Ok(())
}

fn suggestion() -> Check {
    let Err(err) = zoo::find("segformr-b0") else { return Err("found".into()) };
    let help = err.help().unwrap_or_default();
    ensure(err.kind() == ErrorKind::Usage && help.contains("`segformer-b0`"), || format!("{err}: {help}"))
}

fn tiny_is_tiny() -> Check {
    for entry in zoo::ZOO {
        let model = zoo::find(&format!("{}-tiny", entry.card.name))?;
        let inventory = model.inventory(model.spec(19))?;
        // Kernels between classes are as large as the classes make them, in every preset.
        let counted = inventory
            .shapes()
            .into_iter()
            .filter(|(name, _)| !is_buffer(name) && !name.starts_with("upscore"));
        let count: usize = counted.map(|(_, shape)| shape.iter().product::<usize>()).sum();
        ensure(count <= 200_000, || format!("{} has {count} parameters", entry.card.name))?;
    }
    Ok(())
}

fn refuses_wrong_settings() -> Check {
    let model = zoo::find("segformer-tiny")?;
    let refused = |change: fn(&mut serde_json::Value)| -> Result<String, Failed> {
        let mut config = model.config();
        change(&mut config);
        match model.build_with(&config, InputSpec::rgb(19), Parameters::new(0).var_builder(&Device::Cpu)) {
            Ok(_) => Err("it was taken".into()),
            Err(err) if err.kind() == ErrorKind::Configuration => Ok(err.to_string()),
            Err(err) => Err(err.to_string().into()),
        }
    };
    let text = refused(|config| config["decode_heads"] = 32.into())?;
    ensure(text.contains("decode_heads"), || text)?;
    let text = refused(|config| {
        config["backbone"]["mit"]["num_heads"][2] = 5.into();
        config["auxiliary_weight"] = (-1.0).into();
    })?;
    ensure(
        text.contains("5 heads do not divide 48 channels") && text.contains("auxiliary_weight -1"),
        || text,
    )?;
    let text = refused(|config| {
        config["decode_head"]["batch_norm_eps"] = 0.0.into();
        config["decode_head"]["drop_rate"] = 1.5.into();
    })?;
    ensure(text.contains("batch_norm_eps 0") && text.contains("drop_rate 1.5"), || text)
}

/// Two images that differ, with odd sides; large enough for more than one key after every spatial reduction.
fn images() -> Result<Tensor, Failed> {
    let values = seeded("images", &[2 * 3 * 69 * 53]).into_iter().map(|value| 20.0 * value);
    Ok(Tensor::from_vec(values.collect(), (2, 3, 69, 53), &Device::Cpu)?)
}

fn trainable(model: &Model, config: &serde_json::Value) -> Result<(Parameters, Box<dyn Segmentor>), Failed> {
    let parameters = Parameters::new(3);
    let network = model.build_with(config, InputSpec::rgb(19), parameters.var_builder(&Device::Cpu))?;
    Ok((parameters, network))
}

fn batch(model: &Model, config: &serde_json::Value) -> Check {
    let (_, network) = trainable(model, config)?;
    let run = |x: &Tensor| -> Result<Vec<f32>, Failed> {
        Ok(network.forward(x, &Context::eval())?.logits.flatten_all()?.to_vec1()?)
    };
    let (images, mut single) = (images()?, Vec::new());
    for index in 0..2 {
        single.extend(run(&images.narrow(0, index, 1)?)?);
    }
    let together = run(&images)?;
    let range = together.iter().fold(0.0_f32, |range, value| range.max(value.abs()));
    let apart = together.iter().zip(&single).fold(0.0_f32, |apart, (a, b)| apart.max((a - b).abs()));
    ensure(together.len() == single.len() && range > 0.0 && apart <= BATCH_TOLERANCE * range, || {
        format!("apart by {apart} of {range}")
    })
}

/// Gradients as in training, but for a constant mask of dropout: an unlucky one would leave a parameter without any.
fn gradients(model: &Model, config: &serde_json::Value) -> Check {
    let (parameters, network) = trainable(model, &without_dropout(config))?;
    let out = network.forward(&images()?, &Context::train(1, 0))?;
    let mut loss = Tensor::zeros((), candle_core::DType::F32, &Device::Cpu)?;
    for logits in out.auxiliary.iter().chain([&out.logits]) {
        let (_, _, h, w) = logits.dims4()?;
        let weights = Tensor::from_vec(seeded("loss", &[19 * h * w]), (1, 19, h, w), &Device::Cpu)?;
        loss = (loss + ops::softmax(logits, 1)?.broadcast_mul(&weights)?.sum_all()?)?;
    }
    for (name, values) in &out.extra {
        let weights = Tensor::from_vec(seeded(name, &[values.elem_count()]), values.dims(), &Device::Cpu)?;
        loss = (loss + (values * weights)?.sum_all()?)?;
    }
    let gradients = loss.backward()?;
    for (name, var) in parameters.trainable() {
        let gradient = gradients.get(&var).ok_or_else(|| format!("`{name}` gets no gradient"))?;
        let largest = gradient.abs()?.flatten_all()?.max(0)?.to_scalar::<f32>()?;
        // The bias of the keys adds the same to all scores of a query: its gradient is zero but for rounding.
        let expected = if name.ends_with("key.bias") { largest < 1e-4 } else { largest > 0.0 };
        ensure(largest.is_finite() && expected, || format!("the gradient of `{name}` reaches {largest}"))?;
    }
    Ok(())
}

/// The settings with every probability of dropping something set to 0.
pub(crate) fn without_dropout(config: &serde_json::Value) -> serde_json::Value {
    let mut config = config.clone();
    if let Some(items) = config.as_array_mut() {
        items.iter_mut().for_each(|item| *item = without_dropout(item));
    }
    if let Some(fields) = config.as_object_mut() {
        for (name, value) in fields {
            *value = match value.is_number() && name.ends_with("_rate") {
                true => 0.0.into(),
                false => without_dropout(value),
            };
        }
    }
    config
}

/// A pass that predicts repeats itself; training passes repeat themselves for the same seed and step and not for another.
fn dropout(model: &Model, config: &serde_json::Value) -> Check {
    let images = images()?;
    let run = |ctx: Context| -> Result<Vec<f32>, Failed> {
        let (_, network) = trainable(model, config)?;
        let out = network.forward(&images, &ctx)?;
        ensure(ctx.is_training() || out.auxiliary.is_empty(), || "auxiliary heads predict".into())?;
        Ok(out.logits.flatten_all()?.to_vec1()?)
    };
    ensure(run(Context::eval())? == run(Context::eval())?, || "predicting does not repeat itself".into())?;
    ensure(run(Context::train(1, 5))? == run(Context::train(1, 5))?, || {
        "training does not repeat itself".into()
    })?;
    let drops = without_dropout(config) != *config;
    let repeats = run(Context::train(1, 5))? == run(Context::train(1, 6))?;
    ensure(
        repeats != drops,
        || if drops { "nothing is dropped".into() } else { "something is dropped".into() },
    )
}

/// Logits and gradients have the same bits whatever the number of threads, and in every run.
fn threads(model: &Model, config: &serde_json::Value) -> Check {
    let images = images()?;
    let run = |threads: usize| -> Result<Vec<Vec<f32>>, Failed> {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build()?.install(|| {
            let (parameters, network) = trainable(model, config)?;
            let predicted = network.forward(&images, &Context::eval())?.logits;
            let trained = network.forward(&images, &Context::train(2, 9))?.logits;
            let gradients = trained.sqr()?.sum_all()?.backward()?;
            let trainable = parameters.trainable();
            let gradients = trainable.iter().filter_map(|(_, var)| gradients.get(var));
            let tensors = [&predicted, &trained].into_iter().chain(gradients);
            tensors.map(|tensor| Ok(tensor.flatten_all()?.to_vec1()?)).collect()
        })
    };
    let alone = run(1)?;
    ensure(alone.len() > 2 && alone == run(3)? && alone == run(3)?, || "the bits differ".into())
}

fn wrong_input(model: &Model, config: &serde_json::Value) -> Check {
    let (_, network) = trainable(model, config)?;
    for shape in [&[1, 4, 64, 64][..], &[3, 64, 64], &[0, 3, 64, 64], &[1, 3, 0, 64]] {
        let help = refused(network.as_ref(), shape)?;
        ensure(help.contains("(batch, 3, height, width)"), || help)?;
    }
    if model.card().name == "segformer" {
        for shape in [[1, 3, 31, 64], [1, 3, 64, 31]] {
            let help = refused(network.as_ref(), &shape)?;
            ensure(help.contains("at least 32 pixels"), || help)?;
        }
    }
    let smallest = Tensor::zeros((1, 3, 32, 33), candle_core::DType::F32, &Device::Cpu)?;
    let logits = network.forward(&smallest, &Context::eval())?.logits;
    let (batch, classes, height, width) = logits.dims4()?;
    ensure(batch == 1 && classes == 19 && height * width > 0, || format!("{:?}", logits.dims()))
}

/// The help of the error that an input of this shape gets.
fn refused(network: &dyn Segmentor, shape: &[usize]) -> Result<String, Failed> {
    let input = Tensor::zeros(shape, candle_core::DType::F32, &Device::Cpu)?;
    match network.forward(&input, &Context::eval()) {
        Ok(_) => Err(format!("{shape:?} is taken").into()),
        Err(err) if err.kind() == ErrorKind::InvalidData => Ok(err.help().unwrap_or_default()),
        Err(err) => Err(format!("{:?}: {err}", err.kind()).into()),
    }
}
