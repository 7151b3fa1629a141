//! The leaderboard of one group of comparable runs, with its plot and its class scores.

use segbench_tables::LeaderboardRow;

use super::classes::Classes;
use crate::chart::{Point, scatter};
use crate::leaderboard::{Entry, Group};
use crate::text::{fixed, grouped};

/// One section of the page.
pub(crate) struct Board {
    pub(crate) title: String,
    pub(crate) protocol: String,
    pub(crate) description: String,
    pub(crate) conditions: String,
    pub(crate) finding: String,
    pub(crate) has_scores: bool,
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Row>,
    pub(crate) footnotes: Vec<String>,
    pub(crate) plot: Option<String>,
    pub(crate) plot_caption: String,
    pub(crate) classes: Option<Classes>,
}

/// A column that is shown only where a row has a value for it.
pub(crate) struct Column {
    pub(crate) title: &'static str,
    pub(crate) unit: &'static str,
    /// The direction of the first click: the better end first.
    pub(crate) first: &'static str,
    value: fn(&LeaderboardRow) -> Option<f64>,
    text: fn(&LeaderboardRow) -> String,
    /// What stands below the value in small print.
    note: fn(&LeaderboardRow) -> String,
}

/// A line of the leaderboard.
pub(crate) struct Row {
    pub(crate) rank: String,
    pub(crate) label: String,
    pub(crate) weights: String,
    pub(crate) miou: Option<Score>,
    pub(crate) cells: Vec<Cell>,
}

/// A mIoU with its interval as a bar; the positions are shares of the scale that all rows of the group have in common.
pub(crate) struct Score {
    pub(crate) text: String,
    pub(crate) value: f64,
    pub(crate) interval: Option<Interval>,
}

pub(crate) struct Interval {
    pub(crate) text: String,
    pub(crate) low: String,
    pub(crate) mid: String,
    pub(crate) high: String,
}

pub(crate) struct Cell {
    pub(crate) text: String,
    pub(crate) note: String,
    pub(crate) value: Option<f64>,
}

const HIGHER: &str = "descending";
const LOWER: &str = "ascending";

const COLUMNS: [Column; 8] = [
    Column {
        title: "Pixel accuracy",
        unit: "%",
        first: HIGHER,
        value: |row| row.pixel_accuracy,
        text: |row| fixed(row.pixel_accuracy, 2),
        note: |_| String::new(),
    },
    Column {
        title: "Mean recall",
        unit: "%",
        first: HIGHER,
        value: |row| row.mean_recall,
        text: |row| fixed(row.mean_recall, 2),
        note: |_| String::new(),
    },
    Column {
        title: "Parameters",
        unit: "million",
        first: LOWER,
        value: |row| row.parameters.map(|count| count as f64),
        text: |row| fixed(row.parameters.map(|count| count as f64 / 1e6), 2),
        note: |_| String::new(),
    },
    Column {
        title: "GMACs",
        unit: "per image",
        first: LOWER,
        value: |row| row.gmacs,
        text: |row| fixed(row.gmacs, if row.gmacs.is_some_and(|gmacs| gmacs < 10.0) { 2 } else { 1 }),
        note: |_| String::new(),
    },
    Column {
        title: "Latency",
        unit: "p50, ms",
        first: LOWER,
        value: |row| row.latency_p50_ms,
        text: |row| {
            format!("{}{}", fixed(row.latency_p50_ms, 2), if is_invalid(row) { "\u{2009}†" } else { "" })
        },
        note: |_| String::new(),
    },
    Column {
        title: "Throughput",
        unit: "images/s",
        first: HIGHER,
        value: |row| row.images_per_second,
        text: |row| fixed(row.images_per_second, 2),
        note: |_| String::new(),
    },
    Column {
        title: "Memory",
        unit: "peak, MiB",
        first: LOWER,
        value: |row| row.peak_memory_mib,
        text: |row| row.peak_memory_mib.map_or_else(String::new, |mib| grouped(mib.round().max(0.0) as u64)),
        note: |_| String::new(),
    },
    Column {
        title: "Published",
        unit: "mIoU, %",
        first: HIGHER,
        value: |row| row.published_miou,
        text: |row| fixed(row.published_miou, 2),
        note: |row| match (row.delta, &row.verdict) {
            (Some(delta), Some(verdict)) => format!("{}, {verdict}", signed(delta)),
            _ => String::new(),
        },
    },
];

impl Board {
    /// The section of a group.
    pub(crate) fn of(group: &Group) -> Self {
        let rows: Vec<&LeaderboardRow> = group.entries.iter().map(|entry| &entry.row).collect();
        let labels = group.labels();
        let columns: Vec<Column> = COLUMNS
            .into_iter()
            .filter(|column| rows.iter().any(|row| (column.value)(row).is_some()))
            .collect();
        let scale = Scale::of(&rows);
        let first = rows.first();
        let text =
            |get: fn(&LeaderboardRow) -> &str| first.map_or_else(String::new, |row| get(row).to_owned());
        Self {
            title: format!("{} · {}", text(|row| &row.dataset), text(|row| &row.split)),
            protocol: text(|row| &row.protocol),
            description: group
                .entries
                .first()
                .map_or_else(String::new, |entry| entry.run.record.protocol.description.clone()),
            conditions: group.conditions(),
            finding: finding(&rows, &labels),
            has_scores: rows.iter().any(|row| row.miou.is_some()),
            rows: rows
                .iter()
                .zip(&labels)
                .map(|(row, label)| Row {
                    rank: row.rank.map_or_else(String::new, |rank| rank.to_string()),
                    label: label.clone(),
                    weights: if label.contains(&row.weights) { String::new() } else { row.weights.clone() },
                    miou: row.miou.map(|miou| score(row, miou, &scale)),
                    cells: columns.iter().map(|column| cell(column, row)).collect(),
                })
                .collect(),
            footnotes: footnotes(group, &rows),
            plot: plot(&rows, &labels),
            plot_caption: plot_caption(&rows),
            classes: Classes::of(group, &labels),
            columns,
        }
    }
}

/// The part of 0..100 that a group's intervals cover.
struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    fn of(rows: &[&LeaderboardRow]) -> Self {
        let ends = rows.iter().flat_map(|row| [row.miou, row.miou_low, row.miou_high]).flatten();
        let (low, high) = ends.fold((100.0_f64, 0.0_f64), |(low, high), end| (low.min(end), high.max(end)));
        let margin = ((high - low) * 0.04).max(0.1);
        Self { low: low - margin, high: high + margin }
    }

    fn share(&self, value: f64) -> String {
        fixed(Some((value - self.low) / (self.high - self.low)), 4)
    }
}

fn score(row: &LeaderboardRow, miou: f64, scale: &Scale) -> Score {
    let interval = row.miou_low.zip(row.miou_high).map(|(low, high)| Interval {
        text: format!("{low:.2} – {high:.2}"),
        low: scale.share(low),
        mid: scale.share(miou),
        high: scale.share(high),
    });
    Score { text: fixed(Some(miou), 2), value: miou, interval }
}

fn cell(column: &Column, row: &LeaderboardRow) -> Cell {
    let value = (column.value)(row);
    let shown = |text: fn(&LeaderboardRow) -> String| value.map_or_else(String::new, |_| text(row));
    Cell { text: shown(column.text), note: shown(column.note), value }
}

/// The first thing to know about a group, with how far it can be trusted.
fn finding(rows: &[&LeaderboardRow], labels: &[String]) -> String {
    let ranked: Vec<_> = rows.iter().zip(labels).filter(|(row, _)| row.rank.is_some()).collect();
    let [(best, best_label), rest @ ..] = &ranked[..] else { return String::new() };
    let mut text = format!("{best_label} has the highest mIoU, {} %.", fixed(best.miou, 2));
    let overlaps = |row: &LeaderboardRow| matches!((row.miou_high, best.miou_low), (Some(high), Some(low)) if high >= low);
    let near: Vec<_> =
        rest.iter().filter(|(row, _)| overlaps(row)).map(|(_, label)| label.as_str()).collect();
    if let (false, Some(images)) = (rest.is_empty(), best.images) {
        text.push_str(&match near[..] {
            [] => " Its interval lies above that of every other run.".to_owned(),
            [one] => format!(
                " Its interval overlaps that of {one}, so {} images do not settle their order.",
                grouped(images)
            ),
            _ => format!(
                " Its interval overlaps those of {}, so {} images do not settle their order.",
                listed(&near),
                grouped(images)
            ),
        });
    }
    let fastest = ranked
        .iter()
        .filter_map(|(row, label)| row.latency_p50_ms.map(|latency| (latency, label)))
        .min_by(|a, b| a.0.total_cmp(&b.0));
    if let (true, Some((latency, label))) = (ranked.len() > 1, fastest) {
        text.push_str(&format!(" {label} is the fastest, at a median of {latency:.1} ms."));
    }
    text
}

fn footnotes(group: &Group, rows: &[&LeaderboardRow]) -> Vec<String> {
    let mut notes = Vec::new();
    if rows.iter().any(|row| is_invalid(row)) {
        notes.push(
            "† Latency that the run itself calls invalid; the reason stands in the table of speeds."
                .to_owned(),
        );
    }
    for Entry { row, run } in &group.entries {
        if let (true, Some(accuracy)) = (run.is_partial(), &run.record.accuracy) {
            notes.push(format!(
                "{} was evaluated on {} of {} images of the split.",
                row.model,
                grouped(accuracy.images),
                grouped(accuracy.available)
            ));
        }
        if run.result.is_some() && row.rank.is_none() {
            notes.push(format!("{} has no rank, because the others saw other images or labels.", row.model));
        }
    }
    notes
}

fn plot(rows: &[&LeaderboardRow], labels: &[String]) -> Option<String> {
    let points: Vec<Point> = rows
        .iter()
        .zip(labels)
        // A run over other images has no place beside these.
        .filter(|(row, _)| row.rank.is_some())
        .filter_map(|(row, label)| {
            Some(Point {
                label: label.clone(),
                latency_ms: row.latency_p50_ms.filter(|latency| *latency > 0.0)?,
                miou: row.miou?,
                interval: row.miou_low.zip(row.miou_high),
            })
        })
        .collect();
    let named: Vec<_> = points
        .iter()
        .map(|point| format!("{} {:.2} % at {:.2} ms", point.label, point.miou, point.latency_ms))
        .collect();
    scatter(&points, &format!("mIoU against median latency: {}", named.join(", ")))
}

fn plot_caption(rows: &[&LeaderboardRow]) -> String {
    let mut inputs: Vec<_> = rows
        .iter()
        .filter_map(|row| Some(format!("{}, batch {}", row.input_size.as_ref()?, row.batch?)))
        .collect();
    inputs.sort();
    inputs.dedup();
    let inputs = match &inputs[..] {
        [one] => format!("Latency at {one}."),
        _ => format!("Latency at different inputs ({}), so compare with care.", inputs.join("; ")),
    };
    format!(
        "{inputs} Bars are 95 % intervals of the mIoU. The dashed line is the Pareto front: filled points on it are beaten by no \
         other run in both accuracy and speed."
    )
}

fn is_invalid(row: &LeaderboardRow) -> bool {
    row.validity.as_ref().is_some_and(|validity| validity != "VALID")
}

fn signed(value: f64) -> String {
    let text = fixed(Some(value), 2);
    match text.strip_prefix('-') {
        Some(rest) => format!("−{rest}"),
        None => format!("+{text}"),
    }
}

fn listed(names: &[&str]) -> String {
    match names {
        [init @ .., last] if !init.is_empty() => format!("{} and {last}", init.join(", ")),
        _ => names.join(""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(model: &str, rank: u64, miou: f64, half: f64) -> LeaderboardRow {
        LeaderboardRow {
            model: model.into(),
            rank: Some(rank),
            miou: Some(miou),
            miou_low: Some(miou - half),
            miou_high: Some(miou + half),
            images: Some(500),
            ..LeaderboardRow::default()
        }
    }

    #[test]
    fn the_finding_says_when_the_order_is_not_settled() {
        let rows = [row("a", 1, 80.0, 1.0), row("b", 2, 78.5, 1.0), row("c", 3, 70.0, 1.0)];
        let labels = ["a", "b", "c"].map(String::from);
        let text = finding(&rows.iter().collect::<Vec<_>>(), &labels);
        assert_eq!(
            text,
            "a has the highest mIoU, 80.00 %. Its interval overlaps that of b, so 500 images do not settle their order."
        );
        let text = finding(&[&rows[0], &rows[2]], &labels);
        assert!(text.ends_with("above that of every other run."), "{text}");
    }

    #[test]
    fn differences_always_have_a_sign() {
        assert_eq!([0.0, 0.25, -1.5].map(signed), ["+0.00", "+0.25", "−1.50"]);
    }
}
