//! Scores that others published for checkpoints, to compare ours with.
//!
//! `data/published.csv` holds the tables of mmsegmentation 1.2.2: a row per checkpoint, with the data set it was trained and evaluated
//! on, the protocol of its `test_cfg`, and its mIoU in percent. A run is compared with the row of its checkpoint's file name only if
//! data set, split and protocol are the row's; anything else would be a comparison of two different things.

use segbench_types::RunRecord;

const TABLE: &str = include_str!("../data/published.csv");

/// One published score.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Published<'a> {
    weights: &'a str,
    dataset: &'a str,
    split: &'a str,
    protocol: &'a str,
    miou: f64,
}

/// The published mIoU, in percent, of the weights of a run on its data set under its protocol.
pub(crate) fn miou(record: &RunRecord) -> Option<f64> {
    let name = record.weights.rsplit('/').next()?;
    let stem = name.strip_suffix(".pth").unwrap_or(name);
    let matches = |row: &Published| {
        row.weights == stem
            && row.dataset == record.dataset.name
            && row.split == record.split
            && row.protocol == record.protocol.name
    };
    rows().find(matches).map(|row| row.miou)
}

fn rows() -> impl Iterator<Item = Published<'static>> {
    TABLE.lines().skip(1).filter_map(|line| {
        let mut fields = line.split(',');
        let mut field = || fields.next();
        Some(Published {
            weights: field()?,
            dataset: field()?,
            split: field()?,
            protocol: field()?,
            miou: field()?.parse().ok()?,
        })
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
        let names: BTreeSet<_> = rows.iter().map(|row| row.weights).collect();
        assert_eq!(names.len(), rows.len());
        // The README of SegFormer in mmsegmentation 1.2.2.
        let stem = "segformer_mit-b0_512x512_160k_ade20k_20210726_101530-8ffa8fda";
        let row = rows.iter().find(|row| row.weights == stem).expect("SegFormer-B0");
        assert_eq!(
            (row.dataset, row.split, row.protocol, row.miou),
            ("ade20k", "val", "mmseg-whole@1", 37.41)
        );
    }
}
