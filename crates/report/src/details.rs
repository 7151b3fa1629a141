//! The tables beside the leaderboard: scores per class, confusion matrices, the sweep of the speed pass.

use segbench_tables::{LatencyRow, LeaderboardRow, Table};
use segbench_types::SpeedPoint;

use crate::leaderboard::{Entry, Group, size};

/// Queries that a percentile needs before it means anything: the early-stopping counts of MLPerf's LoadGen at 99 % confidence.
const NEEDED: [(f64, usize); 3] = [(0.5, 11), (0.9, 64), (0.99, 662)];

/// `classes.csv`: every score of every class of every run, in percent.
pub(crate) fn classes_table(groups: &[Group]) -> Table {
    let (mut places, mut indices, mut names, mut pixels) =
        (Places::default(), Vec::new(), Vec::new(), Vec::new());
    let mut scores: [Vec<Option<f64>>; 4] = Default::default();
    for entry in entries(groups) {
        let Some(result) = &entry.run.result else { continue };
        for (index, (class, score)) in
            entry.run.record.dataset.catalog.classes.iter().zip(&result.scores.classes).enumerate()
        {
            places.push(entry);
            indices.push(Some(index as u64));
            names.push(Some(class.name.clone()));
            pixels.push(Some(score.pixels));
            let values = [score.iou, score.recall, score.precision, score.dice];
            for (column, value) in scores.iter_mut().zip(values) {
                column.push(value.map(|value| value * 100.0));
            }
        }
    }
    let [iou, recall, precision, dice] = scores;
    places
        .into_table()
        .integer("class", indices)
        .text("name", names)
        .integer("pixels", pixels)
        .float("iou", Some(2), iou)
        .float("recall", Some(2), recall)
        .float("precision", Some(2), precision)
        .float("dice", Some(2), dice)
}

/// `confusion.csv`: the cells of every run's confusion matrix that are not zero; 255 = no class.
pub(crate) fn confusion_table(groups: &[Group]) -> Table {
    let (mut places, mut truths, mut predictions, mut counts) =
        (Places::default(), Vec::new(), Vec::new(), Vec::new());
    let mut names: [Vec<Option<String>>; 2] = Default::default();
    for entry in entries(groups) {
        let Some(result) = &entry.run.result else { continue };
        let classes = &entry.run.record.dataset.catalog.classes;
        let name = |label: u8| classes.get(usize::from(label)).map(|class| class.name.clone());
        for (truth, predicted, count) in result.confusion.cells() {
            places.push(entry);
            truths.push(Some(u64::from(truth)));
            predictions.push(Some(u64::from(predicted.unwrap_or(segbench_types::IGNORE))));
            names[0].push(name(truth));
            names[1].push(predicted.and_then(name));
            counts.push(Some(count));
        }
    }
    let [truth_names, predicted_names] = names;
    places
        .into_table()
        .integer("ground_truth", truths)
        .integer("predicted", predictions)
        .text("ground_truth_name", truth_names)
        .text("predicted_name", predicted_names)
        .integer("count", counts)
}

/// One line of the speed table: what was timed at one size and batch of a run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SpeedLine {
    /// What was timed; `None` if the run recorded percentiles without single times.
    pub(crate) stage: Option<String>,
    /// Whether this is the line that the leaderboard shows, which is the one that throughput and memory belong to.
    pub(crate) is_main: bool,
    pub(crate) queries: u64,
    pub(crate) mean_ms: Option<f64>,
    /// 50th, 90th and 99th.
    pub(crate) percentiles_ms: [Option<f64>; 3],
}

/// The lines of one size and batch: the one that the leaderboard shows, then every other stage that was timed.
pub(crate) fn speed_lines(point: &SpeedPoint, latencies: &[LatencyRow]) -> Vec<SpeedLine> {
    let of_point: Vec<_> = latencies
        .iter()
        .filter(|row| [row.height, row.width] == point.input_size && row.batch == point.batch)
        .collect();
    let mut stages = Vec::<&str>::new();
    for row in &of_point {
        if !stages.contains(&row.stage.as_str()) {
            stages.push(&row.stage);
        }
    }
    let recorded = [point.latency_p50_ms, point.latency_p90_ms, point.latency_p99_ms];
    let mut main = SpeedLine {
        stage: None,
        is_main: true,
        queries: point.queries,
        mean_ms: None,
        percentiles_ms: recorded,
    };
    let mut lines = Vec::new();
    for stage in stages {
        let mut times: Vec<f64> = of_point
            .iter()
            .filter(|row| row.stage == stage && row.milliseconds.is_finite())
            .map(|row| row.milliseconds)
            .collect();
        times.sort_by(f64::total_cmp);
        let queries = times.len() as u64;
        let mean_ms = (!times.is_empty()).then(|| times.iter().sum::<f64>() / times.len() as f64);
        let percentiles_ms =
            NEEDED.map(|(share, needed)| percentile(&times, share).filter(|_| times.len() >= needed));
        let stage = Some(stage.to_owned());
        if main.stage.is_none() && queries == point.queries && are_equal(percentiles_ms, recorded) {
            main = SpeedLine { stage, mean_ms, ..main };
        } else {
            lines.push(SpeedLine { stage, is_main: false, queries, mean_ms, percentiles_ms });
        }
    }
    lines.insert(0, main);
    lines
}

/// Whether two sets of percentiles are the same but for rounding on their way through a file.
fn are_equal(a: [Option<f64>; 3], b: [Option<f64>; 3]) -> bool {
    a.into_iter().zip(b).all(|pair| match pair {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * a.abs().max(b.abs()),
        (a, b) => a.is_none() && b.is_none(),
    })
}

/// `speed.csv`: every size, batch and stage of every run. Throughput, memory and multiply-adds stand in the stage that the
/// leaderboard shows.
pub(crate) fn speed_table(groups: &[Group]) -> Table {
    let mut places = Places::default();
    let (mut sizes, mut batches, mut stages, mut queries) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut times: [Vec<Option<f64>>; 4] = Default::default();
    let mut costs: [Vec<Option<f64>>; 3] = Default::default();
    let mut validity = Vec::new();
    for entry in entries(groups) {
        let Some(speed) = &entry.run.record.speed else { continue };
        for point in &speed.points {
            for line in speed_lines(point, &entry.run.latencies) {
                let of_main = |value: Option<f64>| value.filter(|_| line.is_main);
                places.push(entry);
                sizes.push(Some(size(point.input_size)));
                batches.push(Some(u64::from(point.batch)));
                queries.push(Some(line.queries));
                let [p50, p90, p99] = line.percentiles_ms;
                for (column, value) in times.iter_mut().zip([line.mean_ms, p50, p90, p99]) {
                    column.push(value);
                }
                let whole = [point.images_per_second, point.peak_memory_mib, Some(point.gmacs)];
                for (column, value) in costs.iter_mut().zip(whole) {
                    column.push(of_main(value));
                }
                stages.push(line.stage);
                validity.push(Some(speed.validity.clone()));
            }
        }
    }
    let [mean, p50, p90, p99] = times;
    let [throughput, memory, gmacs] = costs;
    places
        .into_table()
        .text("input_size", sizes)
        .integer("batch", batches)
        .text("stage", stages)
        .integer("queries", queries)
        .float("mean_ms", Some(3), mean)
        .float("latency_p50_ms", Some(3), p50)
        .float("latency_p90_ms", Some(3), p90)
        .float("latency_p99_ms", Some(3), p99)
        .float("images_per_second", Some(2), throughput)
        .float("peak_memory_mib", Some(1), memory)
        .float("gmacs", Some(3), gmacs)
        .text("validity", validity)
}

/// The smallest of the sorted `times` that at least `share` of them do not exceed (nearest rank).
fn percentile(times: &[f64], share: f64) -> Option<f64> {
    let rank = (share * times.len() as f64).ceil() as usize;
    times.get(rank.max(1) - 1).copied()
}

fn entries<'a>(groups: &'a [Group<'a>]) -> impl Iterator<Item = &'a Entry<'a>> {
    groups.iter().flat_map(|group| &group.entries)
}

/// The columns that say which run a line belongs to.
#[derive(Debug, Default)]
struct Places(Vec<LeaderboardRow>);

impl Places {
    fn push(&mut self, entry: &Entry) {
        self.0.push(entry.row.clone());
    }

    fn into_table(self) -> Table {
        let column =
            |get: fn(&LeaderboardRow) -> &String| self.0.iter().map(|row| Some(get(row).clone())).collect();
        Table::new()
            .text("run_id", column(|row| &row.run_id))
            .text("model", column(|row| &row.model))
            .text("weights", column(|row| &row.weights))
            .text("dataset", column(|row| &row.dataset))
            .text("split", column(|row| &row.split))
            .text("protocol", column(|row| &row.protocol))
            .text("device", column(|row| &row.device))
            .text("hardware", column(|row| &row.hardware))
            .text("dtype", column(|row| &row.dtype))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point() -> SpeedPoint {
        SpeedPoint {
            input_size: [37, 53],
            batch: 1,
            gmacs: 0.5,
            queries: 70,
            latency_p50_ms: Some(9.0),
            latency_p90_ms: Some(10.0),
            latency_p99_ms: None,
            images_per_second: None,
            peak_memory_mib: None,
        }
    }

    fn rows(stage: &str, offset: f64) -> Vec<LatencyRow> {
        let row = |query: u32| LatencyRow {
            stage: stage.into(),
            height: 37,
            width: 53,
            batch: 1,
            query,
            milliseconds: offset + f64::from(70 - query),
        };
        (0..70).map(row).collect()
    }

    #[test]
    fn stages_get_only_the_percentiles_they_earned() {
        let mut rows = rows("decode", 0.0);
        rows.push(LatencyRow { height: 99, ..rows[0].clone() });
        let lines = speed_lines(&point(), &rows);
        assert_eq!((lines[0].is_main, lines[0].percentiles_ms), (true, [Some(9.0), Some(10.0), None]));
        // 1..=70 sorted: rank ceil(0.5 * 70) = 35, rank ceil(0.9 * 70) = 63, and 70 queries do not earn a 99th percentile.
        let expected = SpeedLine {
            stage: Some("decode".into()),
            is_main: false,
            queries: 70,
            mean_ms: Some(35.5),
            percentiles_ms: [Some(35.0), Some(63.0), None],
        };
        assert_eq!(lines[1..], [expected]);
    }

    #[test]
    fn the_stage_with_the_recorded_percentiles_is_the_main_line() {
        let point = SpeedPoint { latency_p50_ms: Some(37.0), latency_p90_ms: Some(65.0), ..point() };
        let lines = speed_lines(&point, &[rows("decode", 0.0), rows("forward", 2.0)].concat());
        let named: Vec<_> = lines.iter().map(|line| (line.stage.as_deref(), line.is_main)).collect();
        assert_eq!(named, [(Some("forward"), true), (Some("decode"), false)]);
    }

    #[test]
    fn ten_queries_earn_no_percentile() {
        let times: Vec<_> = (0..10).map(f64::from).collect();
        assert_eq!(percentile(&times, 0.5), Some(4.0));
        assert_eq!(percentile(&[], 0.5), None);
    }
}
