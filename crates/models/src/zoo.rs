//! The registry of networks.
//!
//! Adding a network is one file in `zoo/`, its `mod` line and its line in [`ZOO`].

pub mod apcnet;
pub mod bisenet;
pub mod bisenetv2;
pub mod deeplabv1;
pub mod deeplabv2;
pub mod deeplabv3;
pub mod deeplabv3plus;
pub mod dmnet;
pub mod encnet;
pub mod fcn;
pub mod fcn8s;
pub mod fpn;
pub mod ocrnet;
pub mod pointrend;
pub mod psanet;
pub mod pspnet;
pub mod segformer;
pub mod segnet;
pub mod unet;
pub mod upernet;
pub mod vnet;

use candle_core::Device;
use candle_nn::VarBuilder;
use segbench_losses::RecipeOptions;
use segbench_nn::weights::{Allowed, BATCH_COUNTERS, Inventory, LoadReport, Tracked, is_buffer};
use segbench_types::nearest;

use crate::architecture::{Entry, Layout, Tensors, entry};
use crate::backbones::swin;
use crate::{Error, Input, InputSpec, ModelCard, Result, Segmentor};

/// All architectures, sorted by name.
pub static ZOO: &[Entry] = &[
    entry::<apcnet::ApcNet>(),
    entry::<bisenet::BiSeNet>(),
    entry::<bisenetv2::BiSeNetV2>(),
    entry::<deeplabv1::DeepLabV1>(),
    entry::<deeplabv2::DeepLabV2>(),
    entry::<deeplabv3::DeepLabV3>(),
    entry::<deeplabv3plus::DeepLabV3Plus>(),
    entry::<dmnet::DmNet>(),
    entry::<encnet::EncNet>(),
    entry::<fcn::Fcn>(),
    entry::<fcn8s::FcnVgg<16>>(),
    entry::<fcn8s::FcnVgg<32>>(),
    entry::<fcn8s::FcnVgg<8>>(),
    entry::<fpn::SemanticFpn>(),
    entry::<ocrnet::OcrNet>(),
    entry::<pointrend::PointRend>(),
    entry::<psanet::PsaNet>(),
    entry::<pspnet::PspNet>(),
    entry::<segformer::SegFormer>(),
    entry::<segnet::SegNet>(),
    entry::<unet::UNet>(),
    entry::<upernet::UperNet>(),
    entry::<vnet::VNet>(),
];

/// Tensors of references that networks here do without.
const ALLOWED: [Allowed; 2] = [BATCH_COUNTERS, swin::WINDOW_PLACES];

/// An architecture with one of its presets.
#[derive(Debug, Clone, Copy)]
pub struct Model {
    entry: &'static Entry,
    preset: &'static str,
}

/// A network with weights from a checkpoint.
pub type Loaded = (Box<dyn Segmentor>, LoadReport, usize);

impl Model {
    /// Architecture and preset, such as `segformer-b0`.
    pub fn name(&self) -> String {
        format!("{}-{}", self.entry.card.name, self.preset)
    }

    /// What is known of the architecture.
    pub fn card(&self) -> &'static ModelCard {
        self.entry.card
    }

    /// The preset, such as `b0`.
    pub fn preset(&self) -> &'static str {
        self.preset
    }

    /// The layouts other than this project's own in which weights are read.
    pub fn layouts(&self) -> &'static [Layout] {
        (self.entry.layouts)()
    }

    /// What the network looks at.
    pub fn input(&self) -> Input {
        self.entry.input
    }

    /// What the network is built for, where nothing but the number of classes is known.
    pub fn spec(&self, classes: usize) -> InputSpec {
        InputSpec { classes, channels: self.entry.input.channels() }
    }

    /// What a training minimizes that is not asked for another loss.
    pub fn loss(&self) -> RecipeOptions {
        (self.entry.loss)()
    }

    /// Whether the architecture's bare name stands for this model.
    pub fn is_default(&self) -> bool {
        self.preset == self.entry.default_preset
    }

    /// The preset's settings. Changed ones can be given to [`Model::build_with`].
    pub fn config(&self) -> serde_json::Value {
        (self.entry.config)(self.preset)
    }

    /// Builds the network with parameters from `vb`.
    ///
    /// # Errors
    ///
    /// Whatever `vb` reports for a parameter.
    pub fn build(&self, io: InputSpec, vb: VarBuilder) -> Result<Box<dyn Segmentor>> {
        self.build_with(&self.config(), io, vb)
    }

    /// Builds the network with other settings than the preset's.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for settings that are unknown or contradict each other.
    pub fn build_with(
        &self,
        config: &serde_json::Value,
        io: InputSpec,
        vb: VarBuilder,
    ) -> Result<Box<dyn Segmentor>> {
        (self.entry.build)(&self.name(), config, io, vb)
    }

    /// Name and shape of every tensor, without computing one.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for zero classes or channels.
    pub fn inventory(&self, io: InputSpec) -> Result<Inventory> {
        let inventory = Inventory::new();
        self.build(io, inventory.var_builder(&Device::Cpu))?;
        Ok(inventory)
    }

    /// Trainable values that predicting needs: all but those of auxiliary heads.
    ///
    /// # Errors
    ///
    /// Those of [`Model::inventory`].
    pub fn parameters(&self, io: InputSpec) -> Result<u64> {
        let predicts = |name: &str| !is_buffer(name) && !name.starts_with("auxiliary_head.");
        let tensors = self.inventory(io)?.shapes();
        let counts = tensors.iter().filter(|(name, _)| predicts(name));
        Ok(counts.map(|(_, shape)| shape.iter().map(|&size| size as u64).product::<u64>()).sum())
    }

    /// The tensors under the names this project uses. Known layouts of other projects are translated, everything else stays.
    ///
    /// # Errors
    ///
    /// [`Error::Layer`] if a tensor of a known layout cannot be translated.
    pub fn adapt(&self, tensors: Tensors) -> Result<Tensors> {
        match self.layout_of(&tensors) {
            None => Ok(tensors),
            Some(layout) => Ok((layout.map)()?.apply(&tensors)?.tensors),
        }
    }

    /// The layout of another project that the tensors have, if they do not have this project's.
    pub fn layout_of(&self, tensors: &Tensors) -> Option<&'static Layout> {
        self.layouts().iter().find(|layout| tensors.keys().any(|name| name.starts_with(layout.prefix)))
    }

    /// The number of classes that a checkpoint predicts.
    ///
    /// # Errors
    ///
    /// [`Error::Checkpoint`] if the tensors that tell it are absent.
    pub fn num_classes_of(&self, tensors: &Tensors) -> Result<usize> {
        let tensors = self.adapt(tensors.clone())?;
        Ok(self.recognize(&self.config(), &tensors)?.1.classes)
    }

    /// Builds the network with the weights of a checkpoint in any known layout. Classes, channels and the variant of the head
    /// come from the checkpoint; sizes come from the preset.
    ///
    /// # Errors
    ///
    /// [`Error::Checkpoint`] if tensors are missing, left over or of another shape; all of them are named.
    pub fn load(&self, tensors: Tensors, device: &Device) -> Result<Loaded> {
        self.load_with(&self.config(), tensors, device)
    }

    /// [`Model::load`] with other settings than the preset's.
    ///
    /// # Errors
    ///
    /// As [`Model::load`], and [`Error::Config`] for settings that are unknown or contradict each other.
    pub fn load_with(&self, config: &serde_json::Value, tensors: Tensors, device: &Device) -> Result<Loaded> {
        let layout = self.layout_of(&tensors);
        let tensors = self.adapt(tensors)?;
        let (config, io) = self.recognize(config, &tensors)?;
        let tracked = Tracked::new(tensors.clone());
        let network = self.build_with(&config, io, tracked.var_builder(device))?;
        let report = tracked.report().allow(&ALLOWED)?;
        if report.fits() {
            return Ok((network, report, io.classes));
        }
        let wrong = report.missing.len() + report.unused.len() + report.mismatched.len();
        let names = layout.map(|layout| format!(" (names translated from those of {})", layout.name));
        Err(Error::Checkpoint {
            model: self.name(),
            problem: format!("{report}{}", names.unwrap_or_default()),
            fitting: if wrong > 8 { self.other_preset_for(&tensors).map(|model| model.name()) } else { None },
        })
    }

    fn recognize(
        &self,
        config: &serde_json::Value,
        tensors: &Tensors,
    ) -> Result<(serde_json::Value, InputSpec)> {
        (self.entry.recognize)(&self.name(), config, tensors)
    }

    /// Another preset of the architecture that the tensors, with canonical names, fit. It is asked for only where many tensors
    /// are wrong: presets differ in whole blocks.
    fn other_preset_for(&self, tensors: &Tensors) -> Option<Self> {
        let fits = |model: &Self| -> Result<bool> {
            let (config, io) = model.recognize(&model.config(), tensors)?;
            let tracked = Tracked::new(tensors.clone());
            model.build_with(&config, io, tracked.var_builder(&Device::Cpu))?;
            Ok(tracked.report().allow(&ALLOWED)?.fits())
        };
        let presets = (self.entry.presets)().into_iter().filter(|preset| *preset != self.preset);
        presets.map(|preset| Self { preset, ..*self }).find(|model| fits(model).unwrap_or(false))
    }
}

/// All models, sorted by name.
pub fn models() -> Vec<Model> {
    let presets =
        |entry: &'static Entry| (entry.presets)().into_iter().map(move |preset| Model { entry, preset });
    let mut models: Vec<Model> = ZOO.iter().flat_map(presets).collect();
    models.sort_by_key(Model::name);
    models
}

/// The names of all models, sorted.
pub fn names() -> Vec<String> {
    models().iter().map(Model::name).collect()
}

/// The model of this name; an architecture's bare name stands for its default preset.
///
/// # Errors
///
/// [`Error::UnknownModel`] with the most similar name.
///
/// # Examples
///
/// ```
/// use segbench_models::zoo;
///
/// assert_eq!(zoo::find("segformer")?.name(), "segformer-b0");
/// assert!(zoo::find("segformr").is_err());
/// # Ok::<(), segbench_models::Error>(())
/// ```
pub fn find(name: &str) -> Result<Model> {
    let models = models();
    let found =
        models.iter().find(|model| model.name() == name || model.is_default() && model.card().name == name);
    found.copied().ok_or_else(|| {
        let names = names();
        Error::UnknownModel {
            name: name.to_owned(),
            suggestion: nearest(name, names.iter().map(String::as_str)).map(str::to_owned),
        }
    })
}

/// Builds the model `name` with parameters from `vb`.
///
/// # Errors
///
/// [`Error::UnknownModel`], or whatever `vb` reports for a parameter.
pub fn build(name: &str, io: InputSpec, vb: VarBuilder) -> Result<Box<dyn Segmentor>> {
    find(name)?.build(io, vb)
}

/// Builds the model `name` with the weights of a checkpoint; see [`Model::load`].
///
/// # Errors
///
/// [`Error::UnknownModel`], or those of [`Model::load`].
pub fn load(name: &str, tensors: Tensors, device: &Device) -> Result<Loaded> {
    find(name)?.load(tensors, device)
}

/// A checkpoint's tensors under the names this project uses; see [`Model::adapt`].
///
/// # Errors
///
/// [`Error::UnknownModel`], or those of [`Model::adapt`].
pub fn adapt(name: &str, tensors: Tensors) -> Result<Tensors> {
    find(name)?.adapt(tensors)
}

/// The number of classes that a checkpoint of model `name` predicts.
///
/// # Errors
///
/// [`Error::UnknownModel`], or those of [`Model::num_classes_of`].
pub fn num_classes_of(name: &str, tensors: &Tensors) -> Result<usize> {
    find(name)?.num_classes_of(tensors)
}
