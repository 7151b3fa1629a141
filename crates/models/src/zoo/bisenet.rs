//! BiSeNet: Bilateral Segmentation Network for Real-time Semantic Segmentation (Yu et al., ECCV 2018),
//! <https://arxiv.org/abs/1808.00897>.
//!
//! Reference: mmsegmentation 1.2.2 `FCNHead` on `BiSeNetV1` with two auxiliary heads, whose tensor names it has. Differences from
//! the paper: the context path is a ResNet and never Xception. Differences from the reference: none.

use crate::architecture::Presets;
use crate::backbones::{self, bisenet, resnet};
use crate::card::{ModelCard, Reference};
use crate::encoder_decoder::{Config, Recipe};
use crate::heads::fcn;

static CARD: ModelCard = ModelCard {
    name: "bisenet",
    title: "BiSeNet",
    year: 2018,
    paper_url: "https://arxiv.org/abs/1808.00897",
    references: &[
        Reference::mmsegmentation("models/backbones/bisenetv1.py BiSeNetV1"),
        Reference::mmsegmentation("models/decode_heads/fcn_head.py FCNHead"),
    ],
    ..ModelCard::MMSEGMENTATION
};

/// The architecture's place in the registry.
pub(super) struct BiSeNet;

impl Recipe for BiSeNet {
    type Head = fcn::Config;

    const CARD: &'static ModelCard = &CARD;
    const DEFAULT_PRESET: &'static str = "r18-d32";
    const PRESETS: Presets<Config<fcn::Config>> = &[
        ("r18-d32", || sized(18, 64, 64)),
        ("r50-d32", || sized(50, 64, 256)),
        ("tiny", || sized(18, 4, 5)),
    ];
}

fn sized(depth: usize, base_channels: usize, auxiliary: usize) -> Config<fcn::Config> {
    let variant = resnet::Variant::V1;
    let context = resnet::Config { depth, variant, base_channels, ..Default::default() }.output_stride(32);
    let channels = bisenet::stages(&context)[0].channels;
    Config {
        auxiliary_weight: 1.0,
        ..Config::on(
            backbones::Config::Bisenet(context),
            fcn::Config::simple(0, channels),
            [1, 2].map(|stage| fcn::Config::simple(stage, auxiliary)).into(),
        )
    }
}
