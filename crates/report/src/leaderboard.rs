//! From runs to ranked rows.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use segbench_metrics::{holm, letters, permutation_tests};
use segbench_tables::LeaderboardRow;

use crate::published;
use crate::run::{FEWEST_IMAGES, Run, SEED};
use crate::text::counted;

/// Permutations of a test between two runs.
const PERMUTATIONS: usize = 1000;
/// Probability of one or more false differences among all pairs of a group.
const LEVEL: f64 = 0.05;
/// Runs of a group of which all pairs are tested.
const MOST_TESTED: usize = 64;

/// A run with its row.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) run: &'a Run,
    pub(crate) row: LeaderboardRow,
}

/// Rows that may be compared with each other.
#[derive(Debug)]
pub(crate) struct Group<'a> {
    /// Sorted by rank; rows without a rank stand last.
    pub(crate) entries: Vec<Entry<'a>>,
}

/// Everything that has to be the same for two rows to be ranked together, in the order the rows are sorted by.
type Key<'a> = [&'a str; 6];

/// Ranks the runs within their groups; groups and rows are sorted. Adds a note for each row that gets no rank because it was
/// evaluated on other images than the rest.
pub(crate) fn rank<'a>(runs: &'a [Run], notes: &mut Vec<String>) -> Vec<Group<'a>> {
    let mut groups = BTreeMap::<Key, Vec<Entry>>::new();
    for run in runs {
        groups.entry(key(run)).or_default().push(Entry { run, row: row(run) });
    }
    groups
        .into_values()
        .map(|mut entries| {
            rank_group(&mut entries, notes);
            entries.sort_by(|a, b| {
                let last = u64::MAX;
                (a.row.rank.unwrap_or(last), &a.row.model, &a.row.run_id).cmp(&(
                    b.row.rank.unwrap_or(last),
                    &b.row.model,
                    &b.row.run_id,
                ))
            });
            set_letters(&mut entries);
            Group { entries }
        })
        .collect()
}

/// Gives the ranked rows, which come first and in order, the letters of runs that a paired permutation test over images cannot tell
/// apart, corrected for the number of pairs.
fn set_letters(entries: &mut [Entry]) {
    let ranked = entries.iter().take_while(|entry| entry.row.rank.is_some()).take(MOST_TESTED).count();
    let tested: Vec<_> = entries[..ranked].iter().filter_map(|entry| entry.run.result.as_ref()).collect();
    if tested.len() < ranked || ranked < 2 || tested.iter().any(|run| run.per_image.len() < FEWEST_IMAGES) {
        return;
    }
    let absent = entries[0].run.record.protocol.scoring.absent_class;
    let pairs: Vec<(usize, usize)> =
        (0..ranked).flat_map(|first| (first + 1..ranked).map(move |second| (first, second))).collect();
    let runs: Vec<_> = tested.iter().map(|run| run.per_image.as_slice()).collect();
    let tests = permutation_tests(absent, &runs, PERMUTATIONS, SEED);
    let corrected = holm(&tests.into_iter().map(|test| test.unwrap_or(1.0)).collect::<Vec<_>>());
    let different: BTreeSet<_> =
        pairs.iter().zip(&corrected).filter(|(_, p)| **p < LEVEL).map(|(pair, _)| *pair).collect();
    let differ = |first: usize, second: usize| different.contains(&(first, second));
    for (entry, letters) in entries.iter_mut().zip(letters(ranked, differ)) {
        entry.row.group = Some(letters);
    }
}

impl Group<'_> {
    /// What a reader calls each run: its model where that is enough, with the weights or the run id where it is not.
    pub(crate) fn labels(&self) -> Vec<String> {
        let is_unique = |name: &dyn Fn(&LeaderboardRow) -> String, row: &LeaderboardRow| {
            self.entries.iter().filter(|other| name(&other.row) == name(row)).count() == 1
        };
        let by_model = |row: &LeaderboardRow| row.model.clone();
        let by_weights = |row: &LeaderboardRow| {
            // A tag begins with its model.
            let rest = row.weights.strip_prefix(&row.model).and_then(|rest| rest.strip_prefix('.'));
            format!("{} ({})", row.model, rest.unwrap_or(&row.weights))
        };
        self.entries
            .iter()
            .map(|Entry { row, .. }| {
                if is_unique(&by_model, row) {
                    by_model(row)
                } else if is_unique(&by_weights, row) {
                    by_weights(row)
                } else {
                    format!("{} ({})", row.model, row.run_id)
                }
            })
            .collect()
    }

    /// What is the same in all rows, in words.
    pub(crate) fn conditions(&self) -> String {
        let Some(Entry { row, .. }) = self.entries.first() else { return String::new() };
        let mut threads: Vec<_> = self.entries.iter().filter_map(|entry| entry.row.threads).collect();
        threads.sort_unstable();
        threads.dedup();
        let threads = match threads[..] {
            [threads] => format!(", {}", counted(threads as usize, "thread")),
            _ => String::new(),
        };
        format!("{}, {}{threads}, {}", row.device, row.hardware, row.dtype)
    }
}

/// Why the accuracy of two runs is no comparison of their networks, if it is none.
pub(crate) fn why_not_comparable(first: &Run, second: &Run) -> Option<String> {
    let [a, b] = [first, second].map(|run| &run.record);
    if a.protocol.scoring != b.protocol.scoring {
        return Some(format!("one is scored by `{}`, the other by `{}`", a.protocol.name, b.protocol.name));
    }
    if a.dataset.catalog.classes != b.dataset.catalog.classes {
        return Some(format!(
            "they have other classes ({}, {})",
            a.dataset.catalog.name, b.dataset.catalog.name
        ));
    }
    let evaluated = [first, second].map(|run| run.result.as_ref().map(|result| &result.evaluated));
    (evaluated[0] != evaluated[1]).then(|| "they saw other images or other labels".to_owned())
}

fn key(run: &Run) -> Key<'_> {
    let record = &run.record;
    [
        &record.dataset.name,
        &record.split,
        &record.protocol.name,
        &record.environment.hardware,
        &record.device,
        &record.dtype,
    ]
}

fn rank_group(entries: &mut [Entry], notes: &mut Vec<String>) {
    // Scores over different images do not compare. The largest set of images is ranked; of equally large ones, the set that more
    // runs share.
    let mut sets = BTreeMap::<(u64, &str), usize>::new();
    for entry in entries.iter() {
        if let (Some(images), Some(result)) = (entry.row.images, &entry.run.result) {
            *sets.entry((images, &result.evaluated)).or_default() += 1;
        }
    }
    let reference = sets
        .into_iter()
        .max_by_key(|&((images, _), runs)| (images, runs))
        .map(|((_, set), _)| set.to_owned());
    let is_ranked = |entry: &Entry| {
        let evaluated = entry.run.result.as_ref().map(|result| &result.evaluated);
        entry.row.miou.is_some() && evaluated == reference.as_ref()
    };
    let mut scores: Vec<f64> =
        entries.iter().filter(|entry| is_ranked(entry)).filter_map(|entry| entry.row.miou).collect();
    scores.sort_by(|a, b| b.total_cmp(a));
    for entry in entries {
        if is_ranked(entry) {
            // Equal scores share a place.
            entry.row.rank = scores
                .iter()
                .position(|score| entry.row.miou.is_some_and(|miou| miou.total_cmp(score) == Ordering::Equal))
                .map(|place| place as u64 + 1);
        } else if entry.run.result.is_some() {
            notes.push(format!(
                "run {} ({}) has no rank: it was evaluated on other images or labels of {} {} than the runs that are ranked",
                entry.row.run_id, entry.row.model, entry.row.dataset, entry.row.split
            ));
        }
    }
}

fn row(run: &Run) -> LeaderboardRow {
    let record = &run.record;
    let percent = |score: Option<f64>| score.map(|score| score * 100.0);
    let scores = run.result.as_ref().map(|result| &result.scores);
    let training = record.training.as_ref();
    let point = record.speed.as_ref().and_then(|speed| speed.points.first());
    let miou = run.miou();
    let comparison = miou.map(|miou| published::compare(record, miou));
    let published = comparison.as_ref().and_then(|comparison| comparison.published);
    let delta = miou.zip(published).map(|(miou, published)| miou - published);
    LeaderboardRow {
        rank: None,
        model: record.model.clone(),
        weights: record.weights.clone(),
        train_dataset: training.map(|training| training.dataset.clone()),
        loss: training.map(|training| training.loss.clone()),
        class_weights: training.and_then(|training| training.class_weights.clone()),
        train_steps: training.map(|training| training.steps),
        seed: training.map(|training| training.seed),
        dataset: record.dataset.name.clone(),
        split: record.split.clone(),
        protocol: record.protocol.name.clone(),
        images: record.accuracy.as_ref().map(|accuracy| accuracy.images),
        miou,
        miou_low: run.interval().map(|(low, _)| low),
        miou_high: run.interval().map(|(_, high)| high),
        group: None,
        pixel_accuracy: percent(scores.and_then(|scores| scores.pixel_accuracy)),
        mean_recall: percent(scores.and_then(|scores| scores.mean_recall)),
        mean_precision: percent(scores.and_then(|scores| scores.mean_precision)),
        mean_dice: percent(scores.and_then(|scores| scores.mean_dice)),
        fw_iou: percent(scores.and_then(|scores| scores.fw_iou)),
        boundary_iou: percent(run.result.as_ref().and_then(|result| result.boundary_iou)),
        parameters: Some(record.parameters),
        gmacs: point.map(|point| point.gmacs),
        device: record.device.clone(),
        hardware: record.environment.hardware.clone(),
        threads: Some(u64::from(record.environment.threads)),
        dtype: record.dtype.clone(),
        input_size: point.map(|point| size(point.input_size)),
        batch: point.map(|point| u64::from(point.batch)),
        latency_p50_ms: point.and_then(|point| point.latency_p50_ms),
        latency_p90_ms: point.and_then(|point| point.latency_p90_ms),
        latency_p99_ms: point.and_then(|point| point.latency_p99_ms),
        images_per_second: point.and_then(|point| point.images_per_second),
        peak_memory_mib: point.and_then(|point| point.peak_memory_mib),
        validity: record.speed.as_ref().map(|speed| speed.validity.clone()),
        published_miou: published,
        delta,
        verdict: comparison.map(|comparison| comparison.verdict),
        run_id: record.run_id.clone(),
    }
}

/// Height and width as people write them, such as `512x1024`.
pub(crate) fn size([height, width]: [u32; 2]) -> String {
    format!("{height}x{width}")
}
