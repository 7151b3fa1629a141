//! Networks of a backbone, perhaps a neck, a decoding head and auxiliary heads, in mmsegmentation's terms and with its tensor names.
//!
//! Such a network is a [`HeadConfig`], which knows how to build its head, and a [`Recipe`], which names it: card and presets. The
//! rest (settings, building, recognizing a checkpoint, the pass itself) is here, once.

use candle_core::Tensor;
use candle_nn::VarBuilder;
use segbench_nn::{Context, Result as LayerResult};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::architecture::{Architecture, Layout, Presets, Tensors, size_of};
use crate::backbones::{self, resnet};
use crate::features::{Backbone, Head, Neck, Stage};
use crate::heads::fcn;
use crate::segmentor::AUXILIARY_WEIGHT;
use crate::{InputSpec, Labels, ModelCard, Result, SegOutput, Segmentor, necks};

/// Settings of a decoding head.
pub trait HeadConfig: Default + Serialize + DeserializeOwned + 'static {
    /// The parameter of the head whose first dimension is the number of classes.
    const CLASSIFIER: &'static str = "conv_seg.weight";

    /// Everything that is wrong with the settings, for these maps of the backbone or the neck.
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

    /// What the names of the backbone's parameters begin with.
    const BACKBONE: &'static str = "backbone";

    /// The layouts other than the canonical one in which weights exist.
    fn layouts() -> &'static [Layout] {
        &[]
    }

    /// What canonical weights show of the settings beside classes, channels and auxiliary heads.
    ///
    /// # Errors
    ///
    /// A sentence that names a tensor which would show it and is absent.
    fn recognize(config: Config<Self::Head>, _: &Tensors) -> Result<Config<Self::Head>, String> {
        Ok(config)
    }
}

/// Settings of a network; the default is mmsegmentation's with the dilated ResNet-50.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, bound = "H: HeadConfig")]
pub struct Config<H> {
    /// The encoder.
    pub backbone: backbones::Config,
    /// What stands between the encoder and the heads.
    pub neck: Option<necks::Config>,
    /// The decoder.
    pub decode_head: H,
    /// Heads that only training uses. The parameters of a single one have no number in their names.
    pub auxiliary_heads: Vec<fcn::Config>,
    /// Weight of the loss of each of these heads, and of the earlier heads of a cascade. mmsegmentation: 0.4; BiSeNet: 1.
    pub auxiliary_weight: f64,
    /// Whether maps are resized corner to corner. mmsegmentation: no, but for crops of 769x769.
    pub align_corners: bool,
}

impl<H: HeadConfig> Default for Config<H> {
    fn default() -> Self {
        Self::on_resnet(resnet::Config::default(), H::default(), 256)
    }
}

impl<H> Config<H> {
    /// A network on a ResNet, with an auxiliary head of this many channels on the third map.
    pub fn on_resnet(backbone: resnet::Config, decode_head: H, auxiliary: usize) -> Self {
        let auxiliary = vec![fcn::Config::auxiliary(auxiliary)];
        Self::on(backbones::Config::Resnet(backbone), decode_head, auxiliary)
    }

    /// A network without a neck.
    pub fn on(backbone: backbones::Config, decode_head: H, auxiliary_heads: Vec<fcn::Config>) -> Self {
        let auxiliary_weight = AUXILIARY_WEIGHT;
        Self { backbone, neck: None, decode_head, auxiliary_heads, auxiliary_weight, align_corners: false }
    }

    /// The maps that the heads get.
    fn stages(&self) -> Vec<Stage> {
        let stages = self.backbone.stages();
        match &self.neck {
            Some(neck) => neck.stages(&stages),
            None => stages,
        }
    }

    /// What the names of an auxiliary head's parameters begin with.
    fn auxiliary_name(&self, index: usize) -> String {
        match self.auxiliary_heads.len() {
            1 => "auxiliary_head".to_owned(),
            _ => format!("auxiliary_head.{index}"),
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
        problems.extend(config.neck.iter().flat_map(necks::Config::problems));
        if !(config.auxiliary_weight.is_finite() && config.auxiliary_weight >= 0.0) {
            problems.push(format!("auxiliary_weight {} is not a positive number", config.auxiliary_weight));
        }
        if !problems.is_empty() {
            return problems;
        }
        let stages = config.stages();
        let mut add = |name: &str, found: Vec<String>| {
            problems.extend(found.iter().map(|problem| format!("{name}: {problem}")));
        };
        add("decode_head", config.decode_head.problems(&stages));
        for (index, head) in config.auxiliary_heads.iter().enumerate() {
            add(&config.auxiliary_name(index), head.problems(&stages));
        }
        problems
    }

    fn build(config: &Self::Config, io: InputSpec, vb: VarBuilder) -> Result<Box<dyn Segmentor>> {
        let backbone = config.backbone.build(io.channels, vb.pp(R::BACKBONE))?;
        let neck = config.neck.as_ref().map(|neck| neck.build(backbone.stages(), vb.pp("neck")));
        let (stages, align) = (config.stages(), config.align_corners);
        let head = config.decode_head.build(&stages, io.classes, align, vb.pp("decode_head"))?;
        let auxiliary =
            config.auxiliary_heads.iter().enumerate().map(|(index, head)| {
                head.build(&stages, io.classes, align, vb.pp(config.auxiliary_name(index)))
            });
        Ok(Box::new(EncoderDecoder {
            name: R::CARD.title,
            backbone,
            neck: neck.transpose()?,
            head,
            auxiliary: auxiliary.collect::<LayerResult<_>>()?,
            io,
            auxiliary_weight: config.auxiliary_weight,
            align_corners: align,
        }))
    }

    fn layouts() -> &'static [Layout] {
        R::layouts()
    }

    /// Classes come from the classifier, and a checkpoint without auxiliary head is one of a network without.
    fn recognize(mut config: Self::Config, tensors: &Tensors) -> Result<(Self::Config, InputSpec), String> {
        let classes = size_of(tensors, &format!("decode_head.{}", R::Head::CLASSIFIER), 0)?;
        let channels = size_of(tensors, &format!("{}.{}", R::BACKBONE, config.backbone.first_weight()), 1)?;
        if !tensors.keys().any(|name| name.starts_with("auxiliary_head.")) {
            config.auxiliary_heads.clear();
        }
        Ok((R::recognize(config, tensors)?, InputSpec { classes, channels }))
    }
}

/// The network.
struct EncoderDecoder {
    name: &'static str,
    backbone: Box<dyn Backbone>,
    neck: Option<Box<dyn Neck>>,
    head: Box<dyn Head>,
    auxiliary: Vec<Box<dyn Head>>,
    io: InputSpec,
    auxiliary_weight: f64,
    align_corners: bool,
}

impl Segmentor for EncoderDecoder {
    fn forward(&self, input: &Tensor, ctx: &Context) -> Result<SegOutput> {
        self.io.check(self.name, self.backbone.smallest_input(), input)?;
        let record = |part: &str, maps: &[Tensor]| {
            maps.iter().enumerate().for_each(|(index, map)| ctx.record(&format!("{part}.{index}"), map));
        };
        let mut features = self.backbone.forward(input, ctx)?;
        record("backbone", &features);
        if let Some(neck) = &self.neck {
            features = neck.forward(&features, ctx)?;
            record("neck", &features);
        }
        let mut output = self.head.forward(&features, ctx)?;
        ctx.record("head", &output.logits);
        if ctx.is_training() {
            for head in &self.auxiliary {
                output.auxiliary.push(head.forward(&features, ctx)?.logits);
            }
        }
        Ok(output)
    }

    fn align_corners(&self) -> bool {
        self.align_corners
    }

    fn auxiliary_weight(&self) -> f64 {
        self.auxiliary_weight
    }

    fn own_loss(&self, output: &SegOutput, labels: &Labels) -> Result<Option<Tensor>> {
        Ok(self.head.own_loss(output, labels)?)
    }
}
