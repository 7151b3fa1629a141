//! `leaderboard.html`: one page that explains itself, works offline, prints, and follows the reader's light or dark colors.
//!
//! Everything a reader sees is prepared here as text; the template only lays it out and escapes it. The page loads nothing:
//! styles, the few lines of script, charts and pictures are inside it.

mod board;
mod classes;
mod columns;
mod confusion;
mod gallery;
mod heat;
mod images;
mod provenance;
mod published;
mod runs;
mod speed;
mod training;

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
    /// Scores of single images, for the script.
    images: String,
    /// For each board, whether it has scores of single images.
    has_images: Vec<bool>,
    confusions: Vec<confusion::Confusion>,
    trainings: Vec<training::Training>,
    published: Vec<published::Line>,
    unpublished: String,
    speed: Option<speed::Speed>,
    gallery: Vec<gallery::Example>,
    protocols: Vec<provenance::Sheet>,
    runs: Vec<provenance::RunSheet>,
}

/// The whole page. Adds a note for each picture that cannot be shown.
///
/// # Errors
/// [`Error::Page`] or [`Error::Data`] if the template or the data for the script fail, which would be a bug.
pub(crate) fn page(groups: &[Group], notes: &mut Vec<String>) -> Result<String, Error> {
    let numbered = runs::number(groups);
    let gallery = gallery::examples(groups, &numbered, notes);
    let images = images::images(groups, &numbered, &gallery);
    let (published, without) = published::lines(groups);
    let page = Page {
        css: include_str!("../../templates/report.css"),
        script: include_str!("../../templates/report.js"),
        version: env!("CARGO_PKG_VERSION"),
        facts: facts(groups),
        notes: notes.clone(),
        boards: groups.iter().map(board::Board::of).collect(),
        has_images: images.iter().map(|images| !images.is_empty()).collect(),
        images: images::json(&images)?,
        confusions: confusion::confusions(groups, &numbered),
        trainings: training::trainings(groups),
        published,
        unpublished: counted(without, "run"),
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
