//! IoU of every class in every run of a group.

use super::heat::HeatCell;
use crate::leaderboard::Group;
use crate::text::fixed;

/// The class table: a row per class, a column per run, so that it stays readable with 150 classes.
pub(crate) struct Classes {
    pub(crate) runs: Vec<String>,
    pub(crate) rows: Vec<ClassRow>,
    pub(crate) means: Vec<String>,
}

pub(crate) struct ClassRow {
    pub(crate) name: String,
    pub(crate) color: String,
    /// Share of the labelled pixels, in percent.
    pub(crate) share: String,
    pub(crate) share_value: f64,
    pub(crate) cells: Vec<HeatCell>,
}

impl Classes {
    /// The table of a group; nothing without a score, or if its runs do not agree on the classes.
    pub(crate) fn of(group: &Group, labels: &[String]) -> Option<Self> {
        let scored: Vec<_> = group
            .entries
            .iter()
            .zip(labels)
            .filter_map(|(entry, label)| Some((entry, entry.run.result.as_ref()?, label)))
            .collect();
        let (first, first_result, _) = scored.first()?;
        let classes = &first.run.record.dataset.catalog.classes;
        if scored.iter().any(|(entry, ..)| &entry.run.record.dataset.catalog.classes != classes) {
            return None;
        }
        let labelled: u64 = first_result.scores.classes.iter().map(|class| class.pixels).sum();
        let rows = classes.iter().enumerate().map(|(index, class)| {
            let ious: Vec<_> = scored
                .iter()
                .map(|(_, result, _)| result.scores.classes.get(index).and_then(|class| class.iou))
                .collect();
            let best = ious.iter().flatten().copied().fold(f64::NEG_INFINITY, f64::max);
            let cell = |iou: &Option<f64>| {
                let cell = HeatCell::new(*iou, fixed(iou.map(|iou| iou * 100.0), 1));
                let is_best = scored.len() > 1 && best > 0.0 && *iou == Some(best);
                let class = match cell.class {
                    "v mid hi" if is_best => "v mid hi top",
                    "v mid" if is_best => "v mid top",
                    "v" if is_best => "v top",
                    other => other,
                };
                HeatCell { class, ..cell }
            };
            let pixels = first_result.scores.classes.get(index).map_or(0, |class| class.pixels);
            let share = pixels as f64 * 100.0 / labelled.max(1) as f64;
            ClassRow {
                name: class.name.clone(),
                color: color(class.color),
                share: if share > 0.0 && share < 0.01 { "<0.01".into() } else { fixed(Some(share), 2) },
                share_value: share,
                cells: ious.iter().map(cell).collect(),
            }
        });
        Some(Self {
            rows: rows.collect(),
            means: scored.iter().map(|(entry, ..)| fixed(entry.row.miou, 1)).collect(),
            runs: scored.into_iter().map(|(.., label)| label.clone()).collect(),
        })
    }
}

/// A color as CSS writes it.
pub(crate) fn color([red, green, blue]: [u8; 3]) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}
