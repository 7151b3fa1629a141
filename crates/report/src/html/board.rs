//! The leaderboard of one group of comparable runs, with its plot and its class scores.

use segbench_tables::LeaderboardRow;

use super::classes::Classes;
use super::columns::{Cell, Column, Family, is_invalid};
use super::provenance::warnings;
use crate::chart::{Point, scatter};
use crate::leaderboard::Group;
use crate::text::{fixed, grouped};

/// One section of the page.
pub(crate) struct Board {
    pub(crate) title: String,
    pub(crate) protocol: String,
    pub(crate) description: String,
    pub(crate) conditions: String,
    pub(crate) finding: String,
    pub(crate) has_scores: bool,
    /// Whether runs have letters that say which of them cannot be told apart.
    pub(crate) has_letters: bool,
    pub(crate) columns: Vec<Column>,
    /// The families of these columns.
    pub(crate) families: Vec<Family>,
    pub(crate) rows: Vec<Row>,
    pub(crate) footnotes: Vec<String>,
    pub(crate) plot: Option<String>,
    pub(crate) plot_caption: String,
    pub(crate) classes: Option<Classes>,
}

/// A line of the leaderboard.
pub(crate) struct Row {
    pub(crate) rank: String,
    pub(crate) run_id: String,
    pub(crate) letters: String,
    pub(crate) label: String,
    pub(crate) weights: String,
    pub(crate) miou: Option<Score>,
    pub(crate) cells: Vec<Cell>,
    /// What to bear in mind with its numbers.
    pub(crate) warnings: String,
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

/// Runs that a sentence names; more are counted.
const MOST_NAMED: usize = 4;

impl Board {
    /// The section of a group.
    pub(crate) fn of(group: &Group) -> Self {
        let rows: Vec<&LeaderboardRow> = group.entries.iter().map(|entry| &entry.row).collect();
        let labels = group.labels();
        let columns = Column::used(&rows);
        let mut families: Vec<Family> = columns.iter().map(|column| column.family).collect();
        families.dedup();
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
            has_letters: rows.iter().any(|row| row.group.is_some()),
            rows: rows
                .iter()
                .zip(&labels)
                .zip(&group.entries)
                .map(|((row, label), entry)| Row {
                    warnings: warnings(entry).join("; "),
                    rank: row.rank.map_or_else(String::new, |rank| rank.to_string()),
                    run_id: row.run_id.clone(),
                    letters: row.group.clone().unwrap_or_default(),
                    label: label.clone(),
                    weights: if label.contains(&row.weights) { String::new() } else { row.weights.clone() },
                    miou: row.miou.map(|miou| score(row, miou, &scale)),
                    cells: columns.iter().map(|column| column.cell(row)).collect(),
                })
                .collect(),
            footnotes: footnotes(&rows),
            plot: plot(&rows, &labels),
            plot_caption: plot_caption(&rows),
            classes: Classes::of(group, &labels),
            columns,
            families,
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

/// The first thing to know about a group, with how far it can be trusted.
fn finding(rows: &[&LeaderboardRow], labels: &[String]) -> String {
    let ranked: Vec<_> = rows.iter().zip(labels).filter(|(row, _)| row.rank.is_some()).collect();
    let [(best, best_label), rest @ ..] = &ranked[..] else { return String::new() };
    let mut text = format!("{best_label} has the highest mIoU, {} %.", fixed(best.miou, 2));
    let overlaps = |row: &LeaderboardRow| matches!((row.miou_high, best.miou_low), (Some(high), Some(low)) if high >= low);
    // A paired test sees more than two intervals side by side, so its letters decide where there are any.
    if let (Some(letters), Some(images), false) = (&best.group, best.images, rest.is_empty()) {
        let is_near = |row: &LeaderboardRow| {
            row.group.as_ref().is_some_and(|other| other.chars().any(|letter| letters.contains(letter)))
        };
        let near: Vec<_> =
            rest.iter().filter(|(row, _)| is_near(row)).map(|(_, label)| label.as_str()).collect();
        text.push_str(&match near[..] {
            [] => format!(" A paired test over {} images tells it from every other run.", grouped(images)),
            _ if near.len() > MOST_NAMED => format!(
                " A paired test over {} images does not tell it from {} others.",
                grouped(images),
                near.len()
            ),
            _ => format!(
                " A paired test over {} images does not tell it from {}.",
                grouped(images),
                listed(&near)
            ),
        });
    } else if let (false, Some(images)) = (rest.is_empty(), best.images) {
        let near: Vec<_> =
            rest.iter().filter(|(row, _)| overlaps(row)).map(|(_, label)| label.as_str()).collect();
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

fn footnotes(rows: &[&LeaderboardRow]) -> Vec<String> {
    let mut notes = Vec::new();
    if rows.iter().any(|row| is_invalid(row)) {
        notes.push(
            "† Latency that the run itself calls invalid; the reason stands in the table of speeds."
                .to_owned(),
        );
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
                memory_mib: row.peak_memory_mib,
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
    let memory = match rows.iter().any(|row| row.peak_memory_mib.is_some() && row.latency_p50_ms.is_some()) {
        true => {
            " The area of a point is its peak memory; a ringed point is off the front but beaten by no run in all three."
        }
        false => "",
    };
    format!(
        "{inputs} Bars are 95 % intervals of the mIoU. The dashed line is the Pareto front: filled points on it are beaten by no \
         other run in both accuracy and speed.{memory}"
    )
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
}
