//! The sample: streets drawn by this program in the layout of Cityscapes.

use super::cityscapes::LAYOUT;
use super::{DatasetCard, SplitCard};

pub(super) const CARD: DatasetCard = DatasetCard {
    name: "sample",
    title: "Street scenes drawn by segbench, in the Cityscapes layout",
    licence: "CC0-1.0",
    login: false,
    download_size: "none, it is drawn here",
    address: "built in",
    last_checked: "no address to check",
    splits: &[
        SplitCard { name: "train", images: None, labelled: true },
        SplitCard { name: "val", images: None, labelled: true },
        SplitCard { name: "test", images: None, labelled: false },
    ],
    sources: &[],
    converter_version: 1,
    layout: LAYOUT,
};
