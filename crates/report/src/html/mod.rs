//! `leaderboard.html`: one page that explains itself, works offline, prints, and follows the reader's light or dark colors.
//!
//! Everything a reader sees is prepared here as text; the template only lays it out and escapes it. The page loads nothing:
//! styles, the few lines of script, charts and pictures are inside it.

mod board;
mod classes;
mod confusion;
mod gallery;
mod heat;
mod provenance;
mod speed;

use std::collections::BTreeSet;

use askama::Template;

use crate::Error;
use crate::leaderboard::Group;
use crate::text::counted;

#[derive(Template)]
#[template(path = "report.html")]
struct Page {
    css: &'static str,
    script: &'static str,
    version: &'static str,
    facts: String,
    notes: Vec<String>,
    boards: Vec<board::Board>,
    confusions: Vec<confusion::Confusion>,
    speed: Option<speed::Speed>,
    gallery: Vec<gallery::Example>,
    protocols: Vec<provenance::Sheet>,
    runs: Vec<provenance::RunSheet>,
}

/// The whole page. Adds a note for each picture that cannot be shown.
///
/// # Errors
/// [`Error::Page`] if the template fails, which would be a bug.
pub(crate) fn page(groups: &[Group], notes: &mut Vec<String>) -> Result<String, Error> {
    let gallery = gallery::examples(groups, notes);
    let page = Page {
        css: include_str!("../../templates/report.css"),
        script: include_str!("../../templates/report.js"),
        version: env!("CARGO_PKG_VERSION"),
        facts: facts(groups),
        notes: notes.clone(),
        boards: groups.iter().map(board::Board::of).collect(),
        confusions: confusion::confusions(groups),
        speed: speed::Speed::of(groups),
        gallery,
        protocols: provenance::protocols(groups),
        runs: provenance::runs(groups),
    };
    Ok(page.render()?)
}

/// What the page covers, in one line.
fn facts(groups: &[Group]) -> String {
    let entries = || groups.iter().flat_map(|group| &group.entries);
    let models: BTreeSet<_> = entries().map(|entry| entry.row.model.as_str()).collect();
    let datasets: BTreeSet<_> =
        entries().map(|entry| (entry.row.dataset.as_str(), entry.row.split.as_str())).collect();
    let datasets: Vec<_> =
        datasets.into_iter().map(|(dataset, split)| format!("{dataset} ({split})")).collect();
    format!(
        "{} of {} on {}",
        counted(entries().count(), "run"),
        counted(models.len(), "network"),
        datasets.join(", ")
    )
}
