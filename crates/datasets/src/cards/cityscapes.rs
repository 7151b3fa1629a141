//! Cityscapes with fine annotations.
//!
//! Layout and label ids: <https://github.com/mcordts/cityscapesScripts>.

use segbench_types::ClassCatalog;

use super::{DatasetCard, Layout, Recognized, Role, SplitCard};

const HOW_TO_GET: &str = "Cityscapes is free for research after registration at https://www.cityscapes-dataset.com/register/
Download gtFine_trainvaltest.zip (241 MB) and leftImg8bit_trainvaltest.zip (11 GB) with your browser, put both into data/raw/cityscapes/, or name them:
  just prepare cityscapes --source gtFine_trainvaltest.zip --source leftImg8bit_trainvaltest.zip
segbench does not log in for you yet; CITYSCAPES_USERNAME and CITYSCAPES_PASSWORD are the variables that its download will read.
This works now, without any download, in the same layout and through the same converter:
  just prepare sample";

pub(super) const CARD: DatasetCard = DatasetCard {
    name: "cityscapes",
    title: "Cityscapes, fine annotations: street scenes of 50 cities",
    licence: "Cityscapes licence: non-commercial research and teaching, no redistribution (https://www.cityscapes-dataset.com/license/)",
    login: true,
    download_size: "241 MB + 11 GB",
    address: "https://www.cityscapes-dataset.com/downloads/",
    last_checked: "never",
    splits: &[
        SplitCard { name: "train", images: Some(2975), labelled: true },
        SplitCard { name: "val", images: Some(500), labelled: true },
        SplitCard { name: "test", images: Some(1525), labelled: false },
    ],
    sources: &["gtFine_trainvaltest.zip", "leftImg8bit_trainvaltest.zip"],
    converter_version: 1,
    layout: LAYOUT,
};

/// Also the layout of the sample.
pub(super) const LAYOUT: Layout = Layout { recognize, expected_path, catalog, how_to_get: HOW_TO_GET };

/// `{type}/{split}/{city}/{city}_{sequence}_{frame}_{type}{suffix}`, below any folder.
fn recognize(path: &str) -> Option<Recognized<'_>> {
    let mut parts = path.rsplit('/');
    let (file, _city, split, kind) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    // Archives made on a Mac carry a `._name` beside every file.
    if file.starts_with('.') || !matches!(split, "train" | "val" | "test") {
        return None;
    }
    let (role, id) = match kind {
        "leftImg8bit" => (Role::Image, file.strip_suffix("_leftImg8bit.png")?),
        "gtFine" => file
            .strip_suffix("_gtFine_labelIds.png")
            .map(|id| (Role::Label, id))
            .or_else(|| Some((Role::Instances, file.strip_suffix("_gtFine_instanceIds.png")?)))?,
        _ => return None,
    };
    Some(Recognized { role, split, id })
}

fn expected_path(role: Role, split: &str, id: &str) -> String {
    let city = id.split('_').next().unwrap_or_default();
    match role {
        Role::Image => format!("leftImg8bit/{split}/{city}/{id}_leftImg8bit.png"),
        Role::Label => format!("gtFine/{split}/{city}/{id}_gtFine_labelIds.png"),
        Role::Instances => format!("gtFine/{split}/{city}/{id}_gtFine_instanceIds.png"),
        Role::List => format!("{split}.txt"),
    }
}

fn catalog() -> ClassCatalog {
    crate::catalog::catalog("cityscapes-19", include_str!("../../data/cityscapes_labels.csv"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_recognized_below_any_folder_and_others_are_not() {
        let image = recognize("x/leftImg8bit/val/lindau/lindau_000001_000019_leftImg8bit.png");
        assert_eq!(image, Some(Recognized { role: Role::Image, split: "val", id: "lindau_000001_000019" }));
        let label = recognize("gtFine/train/ulm/ulm_000001_000019_gtFine_labelIds.png");
        assert_eq!(label.map(|label| (label.role, label.id)), Some((Role::Label, "ulm_000001_000019")));
        for other in [
            "README",
            "license.txt",
            "gtFine/train/ulm/ulm_000001_000019_gtFine_color.png",
            "gtFine/train/ulm/ulm_000001_000019_gtFine_polygons.json",
            "gtCoarse/train/ulm/ulm_000001_000019_gtCoarse_labelIds.png",
            "leftImg8bit/train_extra/troisdorf/troisdorf_000000_000073_leftImg8bit.png",
            "__MACOSX/leftImg8bit/val/lindau/._lindau_000001_000019_leftImg8bit.png",
        ] {
            assert_eq!(recognize(other), None, "{other}");
        }
    }

    #[test]
    fn the_expected_path_of_a_file_is_recognized_as_that_file() {
        for role in [Role::Image, Role::Label, Role::Instances] {
            let path = expected_path(role, "val", "lindau_000001_000019");
            assert_eq!(recognize(&path), Some(Recognized { role, split: "val", id: "lindau_000001_000019" }));
        }
    }
}
