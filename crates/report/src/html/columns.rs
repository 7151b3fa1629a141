//! The leaderboard's columns, in families that a reader can show and hide.

use segbench_tables::LeaderboardRow;

use crate::text::{fixed, grouped};

/// A column that is shown only where a row has something in it.
pub(crate) struct Column {
    pub(crate) family: Family,
    pub(crate) title: &'static str,
    pub(crate) unit: &'static str,
    /// The direction of the first click: the better end first.
    pub(crate) first: &'static str,
    /// Whether cells are numbers, which stand right.
    pub(crate) is_number: bool,
    cell: fn(&LeaderboardRow) -> Cell,
}

/// Columns that are shown or hidden together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Family {
    Accuracy,
    Cost,
    Speed,
    Training,
    Published,
}

/// What stands in a cell.
#[derive(Debug, Default)]
pub(crate) struct Cell {
    pub(crate) text: String,
    /// What stands below it in small print.
    pub(crate) note: String,
    /// What the column is sorted by, for numbers.
    pub(crate) value: Option<f64>,
}

impl Family {
    /// Its name on the page.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Accuracy => "Accuracy",
            Self::Cost => "Cost",
            Self::Speed => "Speed",
            Self::Training => "Training",
            Self::Published => "Published",
        }
    }

    /// The class of its cells in the style sheet.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Accuracy => "f-accuracy",
            Self::Cost => "f-cost",
            Self::Speed => "f-speed",
            Self::Training => "f-training",
            Self::Published => "f-published",
        }
    }
}

impl Column {
    const fn number(
        family: Family,
        title: &'static str,
        unit: &'static str,
        first: &'static str,
        cell: fn(&LeaderboardRow) -> Cell,
    ) -> Self {
        Self { family, title, unit, first, is_number: true, cell }
    }

    const fn text(title: &'static str, unit: &'static str, cell: fn(&LeaderboardRow) -> Cell) -> Self {
        Self { family: Family::Training, title, unit, first: LOWER, is_number: false, cell }
    }

    /// The columns in which any of `rows` has something.
    pub(crate) fn used(rows: &[&LeaderboardRow]) -> Vec<Self> {
        let is_used = |column: &Self| rows.iter().any(|row| !column.cell(row).text.is_empty());
        COLUMNS.into_iter().filter(is_used).collect()
    }

    /// The cell of a row.
    pub(crate) fn cell(&self, row: &LeaderboardRow) -> Cell {
        (self.cell)(row)
    }
}

const HIGHER: &str = "descending";
const LOWER: &str = "ascending";

const COLUMNS: [Column; 15] = [
    Column::number(Family::Accuracy, "Pixel acc.", "%", HIGHER, |row| plain(row.pixel_accuracy, 2)),
    Column::number(Family::Accuracy, "Mean recall", "%", HIGHER, |row| plain(row.mean_recall, 2)),
    Column::number(Family::Accuracy, "Boundary IoU", "%", HIGHER, |row| plain(row.boundary_iou, 2)),
    Column::number(Family::Cost, "Parameters", "million", LOWER, |row| Cell {
        text: fixed(row.parameters.map(|count| count as f64 / 1e6), 2),
        value: row.parameters.map(|count| count as f64),
        ..Cell::default()
    }),
    Column::number(Family::Cost, "GMACs", "per image", LOWER, |row| {
        plain(row.gmacs, if row.gmacs.is_some_and(|gmacs| gmacs < 10.0) { 2 } else { 1 })
    }),
    Column::number(Family::Speed, "Latency", "p50, ms", LOWER, |row| {
        let cell = plain(row.latency_p50_ms, 2);
        let mark = if is_invalid(row) && cell.value.is_some() { "\u{2009}†" } else { "" };
        Cell { text: format!("{}{mark}", cell.text), ..cell }
    }),
    Column::number(Family::Speed, "Throughput", "images/s", HIGHER, |row| plain(row.images_per_second, 2)),
    Column::number(Family::Speed, "Memory", "peak, MiB", LOWER, |row| Cell {
        text: row.peak_memory_mib.map_or_else(String::new, |mib| grouped(mib.round().max(0.0) as u64)),
        value: row.peak_memory_mib,
        ..Cell::default()
    }),
    Column::text("Trained on", "data set", |row| words(row.train_dataset.as_deref())),
    Column::text("Loss", "with weights", |row| words(row.loss.as_deref())),
    Column::text("Class weights", "scheme", |row| words(row.class_weights.as_deref())),
    Column::number(Family::Training, "Steps", "optimizer", HIGHER, |row| count(row.train_steps)),
    Column::number(Family::Training, "Seed", "", LOWER, |row| count(row.seed)),
    Column::number(Family::Published, "Published", "mIoU, %", HIGHER, |row| plain(row.published_miou, 2)),
    Column::number(Family::Published, "Delta", "points", HIGHER, |row| Cell {
        text: row.delta.map_or_else(String::new, signed),
        note: row.delta.and(row.verdict.clone()).unwrap_or_default(),
        value: row.delta,
    }),
];

fn plain(value: Option<f64>, digits: usize) -> Cell {
    Cell { text: fixed(value, digits), value, ..Cell::default() }
}

fn count(value: Option<u64>) -> Cell {
    Cell {
        text: value.map_or_else(String::new, grouped),
        value: value.map(|value| value as f64),
        ..Cell::default()
    }
}

fn words(text: Option<&str>) -> Cell {
    Cell { text: text.unwrap_or_default().to_owned(), ..Cell::default() }
}

/// Whether the speed pass itself says that its times are not to be trusted.
pub(crate) fn is_invalid(row: &LeaderboardRow) -> bool {
    row.validity.as_ref().is_some_and(|validity| validity != "VALID")
}

/// A difference, always with a sign.
pub(crate) fn signed(value: f64) -> String {
    let text = fixed(Some(value), 2);
    match text.strip_prefix('-') {
        Some(rest) => format!("−{rest}"),
        None => format!("+{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_always_have_a_sign() {
        assert_eq!([0.0, 0.25, -1.5].map(signed), ["+0.00", "+0.25", "−1.50"]);
    }

    #[test]
    fn columns_without_anything_in_them_are_left_out_and_families_stay_together() {
        let row = LeaderboardRow {
            loss: Some("dice=1".into()),
            parameters: Some(3_719_027),
            ..LeaderboardRow::default()
        };
        let titles: Vec<_> = Column::used(&[&row]).iter().map(|column| column.title).collect();
        assert_eq!(titles, ["Parameters", "Loss"]);
        assert!(COLUMNS.is_sorted_by_key(|column| column.family));
    }
}
