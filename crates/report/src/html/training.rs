//! How the networks were trained: a recipe per checkpoint, and the course of the trainings side by side.

use std::collections::BTreeMap;

use segbench_tables::CurveRow;
use segbench_types::{RunRecord, TrainingSummary};

use crate::chart::{COLORS, Line, lines};
use crate::leaderboard::{Entry, Group};
use crate::text::{fixed, grouped};

/// The trainings on one data set.
pub(crate) struct Training {
    pub(crate) dataset: String,
    pub(crate) recipes: Vec<Recipe>,
    /// Loss over steps, and mIoU over steps, where they were kept.
    pub(crate) plots: Vec<String>,
}

/// One checkpoint.
pub(crate) struct Recipe {
    pub(crate) label: String,
    /// Classes of its color in the style sheet; empty without a curve.
    pub(crate) color: String,
    pub(crate) loss: String,
    pub(crate) class_weights: String,
    pub(crate) steps: String,
    pub(crate) seed: String,
    /// The last mIoU of its own validations, in percent.
    pub(crate) validation: String,
    /// The mIoU it was measured at, with its interval.
    pub(crate) measured: String,
}

/// The trainings of all runs by data set; each checkpoint once.
pub(crate) fn trainings(groups: &[Group]) -> Vec<Training> {
    let mut seen = BTreeMap::<&str, Vec<Trained>>::new();
    for (entry, label) in groups.iter().flat_map(|group| group.entries.iter().zip(group.labels())) {
        let record = &entry.run.record;
        let Some(training) = &record.training else { continue };
        let of_dataset = seen.entry(training.dataset.as_str()).or_default();
        let names = |record: &RunRecord| (record.weights_sha256.clone(), record.weights.clone());
        if !of_dataset.iter().any(|other| names(&other.entry.run.record) == names(record)) {
            let curves = of_dataset.iter().filter(|other| other.number.is_some()).count();
            let number = (!entry.run.curve.is_empty()).then_some(curves);
            of_dataset.push(Trained { entry, label, training, number });
        }
    }
    seen.into_iter().map(|(dataset, trained)| Training::of(dataset, &trained)).collect()
}

/// A checkpoint in the first run that has it.
struct Trained<'a> {
    entry: &'a Entry<'a>,
    label: String,
    training: &'a TrainingSummary,
    /// Number of its curve, if it has one.
    number: Option<usize>,
}

impl Training {
    fn of(dataset: &str, trained: &[Trained]) -> Self {
        let plot = |title: &str, unit: &str, value: fn(&CurveRow) -> Option<f64>| {
            let line = |trained: &Trained| {
                let point = |row: &CurveRow| Some((row.step as f64, value(row)?));
                let points = trained.entry.run.curve.iter().filter_map(point).collect();
                Some(Line { label: trained.label.clone(), number: trained.number?, points })
            };
            lines(&trained.iter().filter_map(line).collect::<Vec<_>>(), title, unit)
        };
        let loss = plot("Training loss over steps", "training loss", |row| row.loss);
        let miou =
            plot("Validation mIoU over steps", "validation mIoU, %", |row| row.miou.map(|miou| miou * 100.0));
        Self {
            dataset: dataset.to_owned(),
            recipes: trained.iter().map(Recipe::of).collect(),
            plots: loss.into_iter().chain(miou).collect(),
        }
    }
}

impl Recipe {
    fn of(trained: &Trained) -> Self {
        let (row, training) = (&trained.entry.row, trained.training);
        let last = trained.entry.run.curve.iter().rev().find_map(|point| point.miou);
        let color = |number| format!("c{}{}", number % COLORS, if number >= COLORS { " again" } else { "" });
        Self {
            label: trained.label.clone(),
            color: trained.number.map_or_else(String::new, color),
            loss: training.loss.clone(),
            class_weights: training.class_weights.clone().unwrap_or_else(|| "none".into()),
            steps: grouped(training.steps),
            seed: training.seed.to_string(),
            validation: fixed(last.map(|miou| miou * 100.0), 2),
            measured: match (row.miou, row.miou_low, row.miou_high) {
                (Some(miou), Some(low), Some(high)) => format!("{miou:.2} ({low:.2} – {high:.2})"),
                (miou, ..) => fixed(miou, 2),
            },
        }
    }
}
