//! BiSeNet V2: Bilateral Network with Guided Aggregation (Yu et al., IJCV 2021), <https://arxiv.org/abs/2004.02147>.
//!
//! Reference: mmsegmentation 1.2.2 `FCNHead` on `BiSeNetV2` with four auxiliary heads (the paper's boosters), whose tensor names it
//! has. Differences from the reference: none.

use crate::architecture::Presets;
use crate::backbones::{self, bisenetv2};
use crate::card::{ModelCard, Reference};
use crate::encoder_decoder::{Config, Recipe};
use crate::heads::fcn;

static CARD: ModelCard = ModelCard {
    name: "bisenetv2",
    title: "BiSeNet V2",
    year: 2021,
    paper_url: "https://arxiv.org/abs/2004.02147",
    references: &[
        Reference::mmsegmentation("models/backbones/bisenetv2.py BiSeNetV2"),
        Reference::mmsegmentation("models/decode_heads/fcn_head.py FCNHead"),
    ],
    ..ModelCard::MMSEGMENTATION
};

/// The architecture's place in the registry.
pub(super) struct BiSeNetV2;

impl Recipe for BiSeNetV2 {
    type Head = fcn::Config;

    const CARD: &'static ModelCard = &CARD;
    const DEFAULT_PRESET: &'static str = "base";
    const PRESETS: Presets<Config<fcn::Config>> = &[
        ("base", || sized(bisenetv2::Config::default(), 1024, [16, 64, 256, 1024])),
        ("tiny", || sized(bisenetv2::Config::tiny(), 12, [3, 4, 5, 6])),
    ];
}

fn sized(backbone: bisenetv2::Config, channels: usize, auxiliary: [usize; 4]) -> Config<fcn::Config> {
    let boosters = auxiliary.into_iter().zip(1..);
    let boosters = boosters
        .map(|(channels, stage)| fcn::Config { num_convs: 2, ..fcn::Config::simple(stage, channels) });
    Config {
        auxiliary_weight: 1.0,
        ..Config::on(
            backbones::Config::Bisenetv2(backbone),
            fcn::Config::simple(0, channels),
            boosters.collect(),
        )
    }
}
