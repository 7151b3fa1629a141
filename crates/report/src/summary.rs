//! The readable subset of the leaderboard's columns that Markdown and LaTeX show.

use segbench_tables::LeaderboardRow;

use crate::leaderboard::{Entry, Group};
use crate::text::{counted, fixed};

/// One row, with the name a reader calls it by.
#[derive(Debug)]
pub(crate) struct Summary<'a> {
    pub(crate) rank: Option<u64>,
    pub(crate) label: String,
    row: &'a LeaderboardRow,
}

/// A column of the summary.
pub(crate) struct Column {
    /// Name with unit.
    pub(crate) title: &'static str,
    value: fn(&LeaderboardRow) -> String,
}

/// All columns; one without any value is left out.
const COLUMNS: [Column; 10] = [
    Column { title: "mIoU (%)", value: |row| fixed(row.miou, 2) },
    Column {
        title: "95 % interval",
        value: |row| match (row.miou_low, row.miou_high) {
            (Some(low), Some(high)) => format!("{low:.2}–{high:.2}"),
            _ => String::new(),
        },
    },
    Column { title: "pixel accuracy (%)", value: |row| fixed(row.pixel_accuracy, 2) },
    Column { title: "mean recall (%)", value: |row| fixed(row.mean_recall, 2) },
    Column { title: "parameters (M)", value: |row| fixed(row.parameters.map(|count| count as f64 / 1e6), 2) },
    Column { title: "GMACs", value: |row| fixed(row.gmacs, 2) },
    Column { title: "input", value: |row| row.input_size.clone().unwrap_or_default() },
    Column { title: "p50 (ms)", value: |row| fixed(row.latency_p50_ms, 2) },
    Column { title: "images/s", value: |row| fixed(row.images_per_second, 2) },
    Column {
        title: "published (%)",
        value: |row| match (row.published_miou, &row.verdict) {
            (Some(published), Some(verdict)) => format!("{published:.2} ({verdict})"),
            (published, _) => fixed(published, 2),
        },
    },
];

impl<'a> Summary<'a> {
    /// The rows of a group.
    pub(crate) fn of(group: &'a Group) -> Vec<Self> {
        let labels = group.labels();
        group
            .entries
            .iter()
            .zip(labels)
            .map(|(Entry { row, .. }, label)| Self { rank: row.rank, label, row })
            .collect()
    }

    /// The columns in which any of `rows` has a value.
    pub(crate) fn columns(rows: &[Self]) -> Vec<&'static Column> {
        COLUMNS.iter().filter(|column| rows.iter().any(|row| row.value(column).is_some())).collect()
    }

    /// The text of a cell, unless it is empty.
    pub(crate) fn value(&self, column: &Column) -> Option<String> {
        Some((column.value)(self.row)).filter(|text| !text.is_empty())
    }
}

/// What a table shows and under which protocol.
pub(crate) fn caption(group: &Group) -> String {
    let Some(Entry { row, run }) = group.entries.first() else { return String::new() };
    let images = group.entries.iter().filter_map(|entry| entry.row.images).max();
    let images = images.map_or_else(String::new, |images| format!(", {}", counted(images as usize, "image")));
    format!(
        "{} {}{images}; protocol {} ({}); {}. Intervals: 95 % bootstrap over images.",
        row.dataset,
        row.split,
        row.protocol,
        run.record.protocol.description,
        group.conditions()
    )
}
