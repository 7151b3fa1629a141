//! FCN: Fully Convolutional Networks (Long et al., CVPR 2015), <https://arxiv.org/abs/1411.4038>, on a dilated ResNet or on
//! HRNet.
//!
//! Reference: mmsegmentation 1.2.2 `FCNHead` on `ResNetV1c` and `HRNet`. Differences from the paper: the encoder is not VGG and there is one map and no skip connection, as everybody's FCN is today. Differences from the reference: none.

use crate::architecture::Presets;
use crate::backbones::{self, hrnet, resnet};
use crate::card::{ModelCard, Reference};
use crate::encoder_decoder::{Config, Recipe};
use crate::heads::fcn;

static CARD: ModelCard = ModelCard {
    name: "fcn",
    title: "FCN",
    year: 2015,
    paper_url: "https://arxiv.org/abs/1411.4038",
    references: &[
        hrnet::REFERENCE,
        resnet::REFERENCE,
        Reference::mmsegmentation("models/decode_heads/fcn_head.py FCNHead"),
    ],
    ..ModelCard::MMSEGMENTATION
};

/// The architecture's place in the registry.
pub(super) struct Fcn;

impl Recipe for Fcn {
    type Head = fcn::Config;

    const CARD: &'static ModelCard = &CARD;
    const DEFAULT_PRESET: &'static str = "r50-d8";
    const PRESETS: Presets<Config<fcn::Config>> = &[
        ("hr18", || on_hrnet(hrnet::Config::default())),
        ("hr18s", || on_hrnet(hrnet::Config::small())),
        ("hr48", || on_hrnet(hrnet::Config::wide())),
        ("r101-d8", || Config::on_resnet(resnet::Config::default().depth(101), fcn::Config::default(), 256)),
        ("r18-d8", || Config::on_resnet(resnet::Config::default().depth(18), with_channels(128), 64)),
        ("r50-d8", Config::default),
        ("tiny", || Config::on_resnet(resnet::Config::tiny(), with_channels(12), 4)),
    ];
}

fn on_hrnet(backbone: hrnet::Config) -> Config<fcn::Config> {
    let head = fcn::Config::pointwise(backbone.total_channels());
    Config::on(backbones::Config::Hrnet(backbone), head, Vec::new())
}

fn with_channels(channels: usize) -> fcn::Config {
    fcn::Config { channels, ..Default::default() }
}
