//! Published scores beside measured ones.

use super::columns::signed;
use crate::leaderboard::Group;
use crate::published::compare;
use crate::text::fixed;

/// A run for whose weights a score was published.
pub(crate) struct Line {
    pub(crate) label: String,
    pub(crate) place: String,
    pub(crate) published: String,
    pub(crate) published_protocol: String,
    pub(crate) measured: String,
    pub(crate) interval: String,
    pub(crate) delta: String,
    pub(crate) verdict: String,
    /// Whether the distance has no explanation.
    pub(crate) is_mismatch: bool,
}

/// All runs with a published score, and how many have none.
pub(crate) fn lines(groups: &[Group]) -> (Vec<Line>, usize) {
    let (mut lines, mut without) = (Vec::new(), 0);
    for (entry, label) in groups.iter().flat_map(|group| group.entries.iter().zip(group.labels())) {
        let row = &entry.row;
        let Some(miou) = row.miou else { continue };
        let comparison = compare(&entry.run.record, miou);
        let Some(published) = comparison.published else {
            without += 1;
            continue;
        };
        lines.push(Line {
            label,
            place: format!("{} {}, {}, {}", row.dataset, row.split, row.protocol, row.dtype),
            published: fixed(Some(published), 2),
            published_protocol: comparison.protocol.unwrap_or_default(),
            measured: fixed(Some(miou), 2),
            interval: row
                .miou_low
                .zip(row.miou_high)
                .map_or_else(String::new, |(low, high)| format!("{low:.2} – {high:.2}")),
            delta: signed(miou - published),
            is_mismatch: comparison.verdict == "mismatch",
            verdict: comparison.verdict,
        });
    }
    (lines, without)
}
