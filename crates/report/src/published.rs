//! Scores that others published for checkpoints, and what our distance from them means.
//!
//! `data/published.csv` holds the tables of mmsegmentation 1.2.2: a row per checkpoint, with the data set it was trained and evaluated
//! on, the protocol of its configuration, and its mIoU in percent. A run belongs to the row of its checkpoint's file name on the row's
//! data set and split. Only under the row's protocol and on all images is the distance a verdict; everything else explains it.

use segbench_types::RunRecord;

const TABLE: &str = include_str!("../data/published.csv");
/// Distance from the published mIoU, in points, within which it counts as reproduced: image decoders and the order of
/// floating-point sums move a score by a few hundredths.
pub(crate) const MATCHES_WITHIN: f64 = 0.1;
/// The protocol of `miou_tta`.
const TTA: &str = "mmseg-tta@1";

/// One published score.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Published<'a> {
    weights: &'a str,
    dataset: &'a str,
    split: &'a str,
    protocol: &'a str,
    miou: f64,
    miou_tta: Option<f64>,
}

/// A measured score beside the published one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Comparison {
    /// The published mIoU in percent.
    pub(crate) published: Option<f64>,
    /// The protocol it was published under.
    pub(crate) protocol: Option<String>,
    /// `match`, `mismatch`, `explained: <why>` or `no match`.
    pub(crate) verdict: String,
}

/// Compares the mIoU of a run, in percent, with what was published for its weights.
pub(crate) fn compare(record: &RunRecord, miou: f64) -> Comparison {
    let name = record.weights.rsplit('/').next().unwrap_or_default();
    let stem = name.strip_suffix(".pth").unwrap_or(name);
    let is_row = |row: &Published| {
        row.weights == stem && row.dataset == record.dataset.name && row.split == record.split
    };
    let here = record.protocol.name.as_str();
    let (published, protocol) = match (record.published_miou, rows().find(is_row)) {
        (Some(published), _) => (published, here),
        (None, Some(row)) => match row.miou_tta {
            Some(miou) if here == TTA => (miou, TTA),
            _ => (row.miou, row.protocol),
        },
        (None, None) => {
            return Comparison { published: None, protocol: None, verdict: "no match".into() };
        }
    };
    let images = record.accuracy.as_ref().filter(|accuracy| accuracy.images < accuracy.available);
    let verdict = if protocol != here {
        match protocol {
            "other" => "explained: published under a protocol that has no name here".to_owned(),
            protocol => format!("explained: published under {protocol}"),
        }
    } else if let Some(accuracy) = images {
        format!("explained: {} of {} images", accuracy.images, accuracy.available)
    } else if (miou - published).abs() <= MATCHES_WITHIN {
        "match".to_owned()
    } else if record.dtype != "f32" {
        format!("explained: computed in {}", record.dtype)
    } else {
        "mismatch".to_owned()
    };
    Comparison { published: Some(published), protocol: Some(protocol.to_owned()), verdict }
}

fn rows() -> impl Iterator<Item = Published<'static>> {
    TABLE.lines().skip(1).filter_map(|line| {
        let mut fields = line.split(',');
        let mut field = || fields.next();
        let (weights, dataset, split, protocol) = (field()?, field()?, field()?, field()?);
        let (_window, _stride) = (field()?, field()?);
        let (miou, miou_tta) = (field()?.parse().ok()?, field()?.parse().ok());
        Some(Published { weights, dataset, split, protocol, miou, miou_tta })
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_row_is_whole_and_names_its_checkpoint_once() {
        let rows: Vec<_> = rows().collect();
        assert_eq!(rows.len(), TABLE.lines().count() - 1);
        assert!(rows.iter().all(|row| (1.0..100.0).contains(&row.miou)));
        assert!(rows.iter().filter_map(|row| row.miou_tta).all(|miou| (1.0..100.0).contains(&miou)));
        let names: BTreeSet<_> = rows.iter().map(|row| row.weights).collect();
        assert_eq!(names.len(), rows.len());
        let protocols: BTreeSet<_> = rows.iter().map(|row| row.protocol).collect();
        assert_eq!(protocols, BTreeSet::from(["mmseg-slide@1", "mmseg-whole@1", "other"]));
        // The README of SegFormer in mmsegmentation 1.2.2.
        let stem = "segformer_mit-b0_512x512_160k_ade20k_20210726_101530-8ffa8fda";
        let row = rows.iter().find(|row| row.weights == stem).expect("SegFormer-B0");
        assert_eq!(
            (row.dataset, row.split, row.protocol, row.miou, row.miou_tta),
            ("ade20k", "val", "mmseg-whole@1", 37.41, Some(38.34))
        );
        // Its README says why this one is slow: it is evaluated by windows.
        let stem = "segformer_mit-b0_8x1_1024x1024_160k_cityscapes_20211208_101857-e7f88502";
        let row = rows.iter().find(|row| row.weights == stem).expect("SegFormer-B0 on Cityscapes");
        assert_eq!((row.protocol, row.miou), ("mmseg-slide@1", 76.54));
    }
}
