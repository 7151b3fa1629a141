//! Reads runs, writes reports.

use std::path::{Path, PathBuf};

use segbench_tables::{LeaderboardRow, leaderboard_table};

use crate::leaderboard::rank;
use crate::run::read_runs;
use crate::{Error, Format, details, html, latex, markdown};

/// What was reported.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The leaderboard, in the order of the files.
    pub rows: Vec<LeaderboardRow>,
    /// The same for people, in Markdown.
    pub markdown: String,
    /// The files written.
    pub files: Vec<PathBuf>,
    /// What the reader should know: runs that were skipped or could not be ranked, and why.
    pub notes: Vec<String>,
}

/// Reports on all runs in `runs_dir` in the given formats, into `output_dir`.
///
/// A run that cannot be read is left out and named in the notes.
///
/// # Errors
/// [`Error::NoRuns`] or [`Error::AllBroken`] if there is nothing to report on, [`Error::Storage`] or [`Error::Tables`] if a file
/// cannot be written.
pub fn build(runs_dir: &Path, output_dir: &Path, formats: &[Format]) -> Result<Report, Error> {
    let (runs, mut notes) = read_runs(runs_dir)?;
    let groups = rank(&runs, &mut notes);
    let rows: Vec<_> =
        groups.iter().flat_map(|group| &group.entries).map(|entry| entry.row.clone()).collect();

    let mut formats = formats.to_vec();
    formats.sort_unstable();
    formats.dedup();
    let mut files = Vec::new();
    for format in formats {
        let mut file = |name: &str| {
            files.push(output_dir.join(name));
            output_dir.join(name)
        };
        match format {
            Format::Csv => {
                leaderboard_table(&rows).write_csv(&file("leaderboard.csv"))?;
                details::classes_table(&groups).write_csv(&file("classes.csv"))?;
                details::confusion_table(&groups).write_csv(&file("confusion.csv"))?;
                details::speed_table(&groups).write_csv(&file("speed.csv"))?;
            }
            Format::Html => {
                let page = html::page(&groups, &mut notes)?;
                segbench_storage::write(&file("leaderboard.html"), page.as_bytes())?;
            }
            Format::Json => {
                segbench_storage::write_json(&file("leaderboard.json"), &leaderboard_table(&rows))?;
            }
            Format::Latex => {
                segbench_storage::write(&file("leaderboard.tex"), latex::latex(&groups).as_bytes())?;
            }
            Format::Markdown => {
                segbench_storage::write(&file("leaderboard.md"), markdown::markdown(&groups).as_bytes())?;
            }
            Format::Parquet => leaderboard_table(&rows).write_parquet(&file("leaderboard.parquet"))?,
        }
    }
    Ok(Report { rows, markdown: markdown::markdown(&groups), files, notes })
}
