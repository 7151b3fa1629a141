//! U-Net: Convolutional Networks for Biomedical Image Segmentation (Ronneberger et al., MICCAI 2015),
//! <https://arxiv.org/abs/1505.04597>.
//!
//! Reference: mmsegmentation 1.2.2 `FCNHead` on `UNet`; [`crate::backbones::unet`] says what differs.

use crate::architecture::Presets;
use crate::backbones::{self, unet};
use crate::card::{ModelCard, Preprocessing, Reference};
use crate::encoder_decoder::{Config, Recipe};
use crate::heads::fcn;

static CARD: ModelCard = ModelCard {
    name: "unet",
    title: "U-Net",
    year: 2015,
    paper_url: "https://arxiv.org/abs/1505.04597",
    references: &[
        Reference::mmsegmentation("models/backbones/unet.py UNet"),
        Reference::mmsegmentation("models/decode_heads/fcn_head.py FCNHead"),
    ],
    preprocessing: Preprocessing { divisor: 16, ..Preprocessing::IMAGENET },
    ..ModelCard::MMSEGMENTATION
};

/// The architecture's place in the registry.
pub(super) struct UNet;

impl Recipe for UNet {
    type Head = fcn::Config;

    const CARD: &'static ModelCard = &CARD;
    const DEFAULT_PRESET: &'static str = "s5-d16";
    const PRESETS: Presets<Config<fcn::Config>> = &[
        ("s5-d16", || sized(unet::Config::default(), 64)),
        ("tiny", || sized(unet::Config { base_channels: 4, ..Default::default() }, 6)),
    ];
}

fn sized(backbone: unet::Config, channels: usize) -> Config<fcn::Config> {
    let [head, auxiliary] = [0, 1].map(|stage| fcn::Config::simple(stage, channels));
    Config::on(backbones::Config::Unet(backbone), head, vec![auxiliary])
}
