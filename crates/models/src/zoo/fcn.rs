//! FCN: Fully Convolutional Networks (Long et al., CVPR 2015), <https://arxiv.org/abs/1411.4038>, on a dilated ResNet.
//!
//! Reference: mmsegmentation 1.2.2 `FCNHead` on `ResNetV1c`. Differences from the paper: the encoder is a dilated ResNet and not
//! VGG, and there is one map and no skip connection, as everybody's FCN is today. Differences from the reference: none.

use crate::architecture::Presets;
use crate::backbones::{self, resnet};
use crate::card::{ModelCard, Preprocessing, Reference, Status};
use crate::encoder_decoder::{Config, Recipe};
use crate::heads::fcn;

static CARD: ModelCard = ModelCard {
    name: "fcn",
    title: "FCN",
    year: 2015,
    paper_url: "https://arxiv.org/abs/1411.4038",
    references: &[
        Reference { project: "mmsegmentation 1.2.2", path: "models/backbones/resnet.py ResNetV1c" },
        Reference { project: "mmsegmentation 1.2.2", path: "models/decode_heads/fcn_head.py FCNHead" },
    ],
    status: Status::Parity,
    preprocessing: Preprocessing::IMAGENET,
    weights: &[],
};

/// The architecture's place in the registry.
pub(super) struct Fcn;

impl Recipe for Fcn {
    type Head = fcn::Config;

    const CARD: &'static ModelCard = &CARD;
    const DEFAULT_PRESET: &'static str = "r50-d8";
    const PRESETS: Presets<Config<fcn::Config>> = &[
        ("r101-d8", || sized(101, 512, 256)),
        ("r18-d8", || sized(18, 128, 64)),
        ("r50-d8", Config::default),
        ("tiny", || Config {
            backbone: backbones::Config::Resnet(resnet::Config::tiny()),
            decode_head: fcn::Config { channels: 12, ..Default::default() },
            auxiliary_head: Some(fcn::Config::auxiliary(4)),
            ..Default::default()
        }),
    ];
}

fn sized(depth: usize, channels: usize, auxiliary: usize) -> Config<fcn::Config> {
    Config {
        backbone: backbones::Config::Resnet(resnet::Config::default().depth(depth)),
        decode_head: fcn::Config { channels, ..Default::default() },
        auxiliary_head: Some(fcn::Config::auxiliary(auxiliary)),
        ..Default::default()
    }
}
