//! Confusion matrices: where each class's pixels went.

use segbench_metrics::ConfusionMatrix;
use segbench_types::{Class, IGNORE};

use super::classes::color;
use super::heat::HeatCell;
use super::runs::Numbered;
use crate::leaderboard::Group;
use crate::run::Evaluation;
use crate::text::grouped;

/// More classes than this make a table that nobody reads; the file confusion.csv has it all.
const MOST_CLASSES: usize = 40;
/// Confusions named in words.
const NAMED: usize = 10;

/// The confusions of one run.
pub(crate) struct Confusion {
    pub(crate) title: String,
    pub(crate) subtitle: String,
    /// Number of the leaderboard that knows its images by number, if it is ranked there.
    pub(crate) board: Option<usize>,
    /// Number of the run.
    pub(crate) run: usize,
    pub(crate) named: Vec<Named>,
    pub(crate) matrix: Option<Matrix>,
}

/// A frequent confusion, in words.
pub(crate) struct Named {
    pub(crate) share: String,
    pub(crate) truth: String,
    pub(crate) predicted: String,
}

pub(crate) struct Matrix {
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<MatrixRow>,
}

pub(crate) struct MatrixRow {
    pub(crate) name: String,
    pub(crate) color: String,
    pub(crate) cells: Vec<MatrixCell>,
}

pub(crate) struct MatrixCell {
    pub(crate) heat: HeatCell,
    pub(crate) is_own: bool,
    pub(crate) title: String,
    /// The images in which it happened most, as `<number of the image>:<pixels>` with spaces between.
    pub(crate) places: String,
}

/// The confusions of every run that has counts.
pub(crate) fn confusions(groups: &[Group], numbered: &[Vec<Numbered>]) -> Vec<Confusion> {
    let mut confusions = Vec::new();
    for (board, (group, runs)) in groups.iter().zip(numbered).enumerate() {
        for (entry, run) in group.entries.iter().zip(runs) {
            let Some(result) = &entry.run.result else { continue };
            let classes = &entry.run.record.dataset.catalog.classes;
            confusions.push(Confusion {
                title: run.label.clone(),
                board: entry.row.rank.map(|_| board),
                run: run.number,
                subtitle: format!(
                    "{} {}, {}, {}",
                    entry.row.dataset, entry.row.split, entry.row.protocol, entry.row.dtype
                ),
                named: named(&result.confusion, classes),
                matrix: (classes.len() <= MOST_CLASSES).then(|| matrix(result, classes)),
            });
        }
    }
    confusions
}

/// The largest shares of a class that were predicted as something else.
fn named(counts: &ConfusionMatrix, classes: &[Class]) -> Vec<Named> {
    let totals: Vec<u64> = counts.rows().iter().map(|row| row.iter().sum()).collect();
    let mut wrong: Vec<_> = counts
        .cells()
        .filter(|(truth, predicted, _)| Some(*truth) != *predicted)
        .filter_map(|(truth, predicted, count)| {
            let total = totals.get(usize::from(truth)).copied().filter(|total| *total > 0)?;
            Some((count as f64 / total as f64, classes.get(usize::from(truth))?, predicted))
        })
        .filter(|(share, ..)| *share >= 0.001)
        .collect();
    wrong.sort_by(|a, b| b.0.total_cmp(&a.0));
    wrong.truncate(NAMED);
    wrong
        .into_iter()
        .map(|(share, truth, predicted)| Named {
            share: format!("{:.1} %", share * 100.0),
            truth: truth.name.clone(),
            predicted: name_of(predicted, classes),
        })
        .collect()
}

fn matrix(result: &Evaluation, classes: &[Class]) -> Matrix {
    let rows = result.confusion.rows();
    let has_no_class = rows.iter().any(|row| row.last().is_some_and(|count| *count > 0));
    let width = classes.len() + usize::from(has_no_class);
    let column_name = |column: usize| classes.get(column).map_or("no class", |class| class.name.as_str());
    Matrix {
        columns: (0..width).map(|column| column_name(column).to_owned()).collect(),
        rows: classes
            .iter()
            .zip(&rows)
            .enumerate()
            .map(|(index, (class, counts))| {
                let total: u64 = counts.iter().sum();
                let cell = |(column, &count): (usize, &u64)| {
                    let share = (total > 0).then(|| count as f64 / total as f64);
                    let percent = share.unwrap_or_default() * 100.0;
                    // Shares that round to nothing would only be noise.
                    let text = if percent >= 0.5 { format!("{percent:.0}") } else { String::new() };
                    let mut heat = HeatCell::new(share, text);
                    if share.is_none() {
                        heat.text.clear();
                    }
                    let title = format!(
                        "{} pixels labelled {} and predicted {}: {percent:.2} % of {}",
                        grouped(count),
                        class.name,
                        column_name(column),
                        class.name
                    );
                    let predicted = if column < classes.len() { column as u8 } else { IGNORE };
                    let places = result.places.of(index as u8, predicted);
                    let places: Vec<_> =
                        places.iter().map(|place| format!("{}:{}", place.image, place.pixels)).collect();
                    MatrixCell {
                        places: places.join(" "),
                        heat,
                        is_own: column == index,
                        title: if count > 0 { title } else { String::new() },
                    }
                };
                MatrixRow {
                    name: class.name.clone(),
                    color: color(class.color),
                    cells: counts.iter().take(width).enumerate().map(cell).collect(),
                }
            })
            .collect(),
    }
}

fn name_of(label: Option<u8>, classes: &[Class]) -> String {
    label
        .and_then(|label| classes.get(usize::from(label)))
        .map_or_else(|| "no class".to_owned(), |class| class.name.clone())
}
