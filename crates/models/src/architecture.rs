//! An architecture with typed settings, and the same with its type erased, as the registry holds it.

use std::collections::BTreeMap;

use candle_core::Tensor;
use candle_nn::VarBuilder;
use segbench_losses::RecipeOptions;
use segbench_nn::weights::WeightMap;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, Input, InputSpec, ModelCard, Result, Segmentor};

/// Tensors by name, as a weight file holds them.
pub type Tensors = BTreeMap<String, Tensor>;

/// Names of presets with the settings they stand for.
pub type Presets<Config> = &'static [(&'static str, fn() -> Config)];

/// A network and its settings.
pub trait Architecture {
    /// Settings; unknown fields are refused, and the default is the paper's.
    type Config: Default + Serialize + DeserializeOwned + 'static;

    /// What is known of it.
    const CARD: &'static ModelCard;

    /// Named settings, sorted by name, and the one that the bare name of the architecture stands for.
    const PRESETS: Presets<Self::Config>;

    /// The preset that the bare name of the architecture stands for.
    const DEFAULT_PRESET: &'static str;

    /// What it looks at.
    const INPUT: Input = Input::Image;

    /// What a training minimizes that is not asked for another loss: the paper's loss, where this project has it.
    fn loss() -> RecipeOptions {
        RecipeOptions::of("cross-entropy")
    }

    /// Everything that is wrong with the settings.
    fn problems(config: &Self::Config) -> Vec<String>;

    /// Builds the network with parameters from `vb`.
    ///
    /// # Errors
    ///
    /// Whatever `vb` reports for a parameter.
    fn build(config: &Self::Config, io: InputSpec, vb: VarBuilder) -> Result<Box<dyn Segmentor>>;

    /// The layouts other than the canonical one in which weights exist.
    fn layouts() -> &'static [Layout];

    /// Settings and sizes that canonical weights show by their names and shapes, such as the number of classes or the variant
    /// of a head; everything else stays as it is in `config`.
    ///
    /// # Errors
    ///
    /// A sentence that names a tensor which would show it and is absent.
    fn recognize(config: Self::Config, tensors: &Tensors) -> Result<(Self::Config, InputSpec), String>;
}

/// The size of a tensor along an axis, or a sentence that says why there is none.
pub(crate) fn size_of(tensors: &Tensors, name: &str, axis: usize) -> Result<usize, String> {
    let tensor = tensors.get(name).ok_or_else(|| format!("there is no tensor `{name}`"))?;
    tensor.dim(axis).map_err(|_| format!("`{name}` has the shape {:?}", tensor.dims()))
}

/// Another project's names for the same tensors.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// The project.
    pub name: &'static str,
    /// How some of its names begin and no canonical name does.
    pub prefix: &'static str,
    /// From its names to the canonical ones.
    pub map: fn() -> segbench_nn::Result<WeightMap>,
}

/// Model name, settings, sizes, parameters.
type Build = fn(&str, &serde_json::Value, InputSpec, VarBuilder) -> Result<Box<dyn Segmentor>>;

/// An [`Architecture`] without its type.
#[derive(Debug)]
pub struct Entry {
    /// What is known of it.
    pub card: &'static ModelCard,
    /// The preset that the bare name stands for.
    pub default_preset: &'static str,
    pub(crate) input: Input,
    pub(crate) loss: fn() -> RecipeOptions,
    pub(crate) presets: fn() -> Vec<&'static str>,
    pub(crate) config: fn(&str) -> serde_json::Value,
    pub(crate) build: Build,
    pub(crate) layouts: fn() -> &'static [Layout],
    pub(crate) recognize: fn(&str, &serde_json::Value, &Tensors) -> Result<(serde_json::Value, InputSpec)>,
}

/// Erases the type of an architecture.
pub(crate) const fn entry<A: Architecture>() -> Entry {
    Entry {
        card: A::CARD,
        default_preset: A::DEFAULT_PRESET,
        input: A::INPUT,
        loss: A::loss,
        presets: || A::PRESETS.iter().map(|(name, _)| *name).collect(),
        config: config::<A>,
        build: build::<A>,
        layouts: A::layouts,
        recognize: recognize::<A>,
    }
}

/// The settings of a preset; null for a name that is none, which `build` then refuses.
fn config<A: Architecture>(preset: &str) -> serde_json::Value {
    let found = A::PRESETS.iter().find(|(name, _)| *name == preset);
    found.and_then(|(_, config)| serde_json::to_value(config()).ok()).unwrap_or_default()
}

fn build<A: Architecture>(
    model: &str,
    config: &serde_json::Value,
    io: InputSpec,
    vb: VarBuilder,
) -> Result<Box<dyn Segmentor>> {
    let config = parse::<A>(model, config)?;
    let mut problems = A::problems(&config);
    if io.classes == 0 || io.channels == 0 {
        problems.push(format!("{} classes and {} channels", io.classes, io.channels));
    }
    if !problems.is_empty() {
        return Err(Error::Config { model: model.to_owned(), problems });
    }
    A::build(&config, io, vb)
}

fn recognize<A: Architecture>(
    model: &str,
    config: &serde_json::Value,
    tensors: &Tensors,
) -> Result<(serde_json::Value, InputSpec)> {
    let config = parse::<A>(model, config)?;
    let (config, io) =
        A::recognize(config, tensors).map_err(|problem| Error::does_not_fit(model, problem))?;
    Ok((serde_json::to_value(config).map_err(|err| wrong(model, &err))?, io))
}

fn parse<A: Architecture>(model: &str, config: &serde_json::Value) -> Result<A::Config> {
    serde_json::from_value(config.clone()).map_err(|err| wrong(model, &err))
}

fn wrong(model: &str, err: &serde_json::Error) -> Error {
    Error::Config { model: model.to_owned(), problems: vec![err.to_string()] }
}
