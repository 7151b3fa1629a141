//! Semantic FPN: Panoptic Feature Pyramid Networks (Kirillov et al., CVPR 2019), <https://arxiv.org/abs/1901.02446>, its semantic
//! branch.
//!
//! Reference: mmsegmentation 1.2.2 `FPNHead` on `FPN` on `ResNetV1c`, whose tensor names it has. Differences from the paper:
//! BatchNorm in place of GroupNorm. Differences from the reference: none.

use crate::architecture::Presets;
use crate::backbones::resnet;
use crate::card::{ModelCard, Reference};
use crate::encoder_decoder::{Config, Recipe};
use crate::heads;
use crate::necks::{self, fpn};

static CARD: ModelCard = ModelCard {
    name: "fpn",
    title: "Semantic FPN",
    year: 2019,
    paper_url: "https://arxiv.org/abs/1901.02446",
    references: &[
        resnet::REFERENCE,
        Reference::mmsegmentation("models/necks/fpn.py FPN"),
        Reference::mmsegmentation("models/decode_heads/fpn_head.py FPNHead"),
    ],
    ..ModelCard::MMSEGMENTATION
};

/// The architecture's place in the registry.
pub(super) struct SemanticFpn;

impl Recipe for SemanticFpn {
    type Head = heads::fpn::Config;

    const CARD: &'static ModelCard = &CARD;
    const DEFAULT_PRESET: &'static str = "r50";
    const PRESETS: Presets<Config<heads::fpn::Config>> = &[
        ("r101", || sized(resnet::Config::default().depth(101), 256, 128)),
        ("r50", || sized(resnet::Config::default(), 256, 128)),
        ("tiny", || sized(resnet::Config::tiny(), 8, 6)),
    ];
}

fn sized(backbone: resnet::Config, neck: usize, channels: usize) -> Config<heads::fpn::Config> {
    Config {
        neck: Some(necks::Config::Fpn(fpn::Config { channels: neck })),
        auxiliary_heads: Vec::new(),
        ..Config::on_resnet(
            backbone.output_stride(32),
            heads::fpn::Config { channels, ..Default::default() },
            0,
        )
    }
}
