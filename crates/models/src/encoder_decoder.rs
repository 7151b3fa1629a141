//! Networks of a backbone, a decoding head and auxiliary heads, in mmsegmentation's terms and with its tensor names.
//!
//! Such a network is a [`HeadConfig`], which knows how to build its head, and a [`Recipe`], which names it: card and presets. The
//! rest (settings, building, recognizing a checkpoint, the pass itself) is here, once.

use candle_core::Tensor;
use candle_nn::VarBuilder;
use segbench_nn::{Context, Result as LayerResult};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::architecture::{Architecture, Layout, Presets, Tensors};
use crate::features::{Backbone, Head, Stage};
use crate::heads::fcn;
use crate::{Error, InputSpec, ModelCard, Result, SegOutput, Segmentor, backbones};

/// Settings of a decoding head.
pub trait HeadConfig: Default + Serialize + DeserializeOwned + 'static {
    /// Everything that is wrong with the settings, for these maps of the backbone.
    fn problems(&self, stages: &[Stage]) -> Vec<String>;

    /// Builds the head; `align_corners` says how it resizes maps.
    ///
    /// # Errors
    ///
    /// Whatever `vb` reports for a parameter.
    fn build(
        &self,
        stages: &[Stage],
        classes: usize,
        align_corners: bool,
        vb: VarBuilder,
    ) -> LayerResult<Box<dyn Head>>;
}

/// What distinguishes a network of this kind.
pub trait Recipe: 'static {
    /// The settings of its head.
    type Head: HeadConfig;

    /// What is known of it.
    const CARD: &'static ModelCard;

    /// Named settings, sorted by name.
    const PRESETS: Presets<Config<Self::Head>>;

    /// The preset that the bare name stands for.
    const DEFAULT_PRESET: &'static str;
}

/// Settings of a network; the default is mmsegmentation's with the dilated ResNet-50.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, bound = "H: HeadConfig")]
pub struct Config<H> {
    /// The encoder.
    pub backbone: backbones::Config,
    /// The decoder.
    pub decode_head: H,
    /// A head that only training uses.
    pub auxiliary_head: Option<fcn::Config>,
    /// Whether maps are resized corner to corner. mmsegmentation: no, but for crops of 769x769.
    pub align_corners: bool,
}

impl<H: HeadConfig> Default for Config<H> {
    fn default() -> Self {
        Self {
            backbone: backbones::Config::Resnet(backbones::resnet::Config::default()),
            decode_head: H::default(),
            auxiliary_head: Some(fcn::Config::auxiliary(256)),
            align_corners: false,
        }
    }
}

impl<R: Recipe> Architecture for R {
    type Config = Config<R::Head>;

    const CARD: &'static ModelCard = R::CARD;
    const PRESETS: Presets<Self::Config> = R::PRESETS;
    const DEFAULT_PRESET: &'static str = R::DEFAULT_PRESET;

    fn problems(config: &Self::Config) -> Vec<String> {
        let mut problems = config.backbone.problems();
        if problems.is_empty() {
            let stages = config.backbone.stages();
            let named = |name: &str, problem: &String| format!("{name}: {problem}");
            let head = config.decode_head.problems(&stages);
            problems.extend(head.iter().map(|problem| named("decode_head", problem)));
            let auxiliary = config.auxiliary_head.as_ref().map(|head| head.problems(&stages));
            let auxiliary = auxiliary.unwrap_or_default();
            problems.extend(auxiliary.iter().map(|problem| named("auxiliary_head", problem)));
        }
        problems
    }

    fn build(config: &Self::Config, io: InputSpec, vb: VarBuilder) -> Result<Box<dyn Segmentor>> {
        let backbone = config.backbone.build(io.channels, vb.pp("backbone"))?;
        let (stages, align) = (backbone.stages(), config.align_corners);
        let head = config.decode_head.build(stages, io.classes, align, vb.pp("decode_head"))?;
        let auxiliary = config
            .auxiliary_head
            .as_ref()
            .map(|head| head.build(stages, io.classes, align, vb.pp("auxiliary_head")));
        let auxiliary = auxiliary.transpose()?.into_iter().collect();
        Ok(Box::new(EncoderDecoder {
            name: R::CARD.title,
            backbone,
            head,
            auxiliary,
            io,
            align_corners: align,
        }))
    }

    fn layouts() -> &'static [Layout] {
        &[]
    }

    /// Classes come from the classifier, and a checkpoint without auxiliary head is one of a network without.
    fn recognize(mut config: Self::Config, tensors: &Tensors) -> Result<(Self::Config, InputSpec), String> {
        let size = |name: &str, axis: usize| {
            let tensor = tensors.get(name).ok_or_else(|| format!("there is no tensor `{name}`"))?;
            tensor.dim(axis).map_err(|_| format!("`{name}` has the shape {:?}", tensor.dims()))
        };
        let classes = size("decode_head.conv_seg.weight", 0)?;
        let channels = size(&format!("backbone.{}", config.backbone.first_weight()), 1)?;
        if !tensors.keys().any(|name| name.starts_with("auxiliary_head.")) {
            config.auxiliary_head = None;
        }
        Ok((config, InputSpec { classes, channels }))
    }
}

/// The network.
struct EncoderDecoder {
    name: &'static str,
    backbone: Box<dyn Backbone>,
    head: Box<dyn Head>,
    auxiliary: Vec<Box<dyn Head>>,
    io: InputSpec,
    align_corners: bool,
}

impl Segmentor for EncoderDecoder {
    fn forward(&self, input: &Tensor, ctx: &Context) -> Result<SegOutput> {
        match *input.dims() {
            [batch, channels, height, width]
                if batch * height * width > 0 && channels == self.io.channels => {}
            ref dims => {
                return Err(Error::Input {
                    problem: format!("{} cannot take an input of shape {dims:?}", self.name),
                    help: format!("it takes (batch, {}, height, width)", self.io.channels),
                });
            }
        }
        let features = self.backbone.forward(input, ctx)?;
        for (index, feature) in features.iter().enumerate() {
            ctx.record(&format!("backbone.{index}"), feature);
        }
        let logits = self.head.forward(&features, ctx)?;
        ctx.record("head", &logits);
        let mut auxiliary = Vec::new();
        if ctx.is_training() {
            for (index, head) in self.auxiliary.iter().enumerate() {
                let logits = head.forward(&features, ctx)?;
                ctx.record(&format!("aux.{index}"), &logits);
                auxiliary.push(logits);
            }
        }
        Ok(SegOutput { logits, auxiliary })
    }

    fn align_corners(&self) -> bool {
        self.align_corners
    }
}
