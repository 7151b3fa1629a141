//! The table of speeds.

use crate::details::speed_lines;
use crate::leaderboard::{Group, size};
use crate::text::{fixed, grouped};

/// The table with what has to be said about it.
pub(crate) struct Speed {
    pub(crate) rows: Vec<SpeedRow>,
    /// Whether a percentile is missing because too few queries were measured.
    pub(crate) has_unearned: bool,
    /// Whether the network alone was timed, which is worth a word.
    pub(crate) has_forward: bool,
    /// Runs whose speed is not to be trusted, and why.
    pub(crate) invalid: Vec<String>,
}

pub(crate) struct SpeedRow {
    pub(crate) label: String,
    pub(crate) place: String,
    pub(crate) input: String,
    pub(crate) batch: u32,
    pub(crate) stage: String,
    pub(crate) is_main: bool,
    pub(crate) queries: String,
    /// p50, p90, p99, images per second, memory, multiply-adds.
    pub(crate) numbers: Vec<Number>,
    pub(crate) is_valid: bool,
}

pub(crate) struct Number {
    pub(crate) text: String,
    pub(crate) value: Option<f64>,
}

impl Speed {
    /// The speeds of all runs; nothing if none was measured.
    pub(crate) fn of(groups: &[Group]) -> Option<Self> {
        let mut speed =
            Self { rows: Vec::new(), has_unearned: false, has_forward: false, invalid: Vec::new() };
        for group in groups {
            for (entry, label) in group.entries.iter().zip(group.labels()) {
                let Some(measured) = &entry.run.record.speed else { continue };
                let is_valid = measured.validity == "VALID";
                if !is_valid {
                    speed.invalid.push(format!("{label}: {}", measured.validity));
                }
                for point in &measured.points {
                    for line in speed_lines(point, &entry.run.latencies) {
                        let is_main = line.is_main;
                        speed.has_forward |= line.stage.as_deref() == Some("forward");
                        speed.has_unearned |= line.percentiles_ms.contains(&None);
                        let of_main = |value: Option<f64>| value.filter(|_| is_main);
                        let number =
                            |value: Option<f64>, digits| Number { text: fixed(value, digits), value };
                        let mut numbers: Vec<_> =
                            line.percentiles_ms.into_iter().map(|value| number(value, 2)).collect();
                        numbers.push(number(of_main(point.images_per_second), 2));
                        let memory = of_main(point.peak_memory_mib);
                        let text =
                            memory.map_or_else(String::new, |mib| grouped(mib.round().max(0.0) as u64));
                        numbers.push(Number { text, value: memory });
                        numbers.push(number(of_main(Some(point.gmacs)), 2));
                        speed.rows.push(SpeedRow {
                            label: label.clone(),
                            place: group.conditions(),
                            input: size(point.input_size).replace('x', "×"),
                            batch: point.batch,
                            stage: line.stage.unwrap_or_else(|| "query".into()),
                            is_main,
                            queries: line.queries.to_string(),
                            numbers,
                            is_valid,
                        });
                    }
                }
            }
        }
        (!speed.rows.is_empty()).then_some(speed)
    }
}
