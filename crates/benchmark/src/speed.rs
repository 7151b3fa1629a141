//! The speed pass: one query after another, warmed up, with percentiles that enough queries have earned.
//!
//! # Source
//! MLPerf inference's SingleStream scenario; the numbers of queries follow from its early-stopping rule at 99 % confidence.

use std::time::{Duration, Instant};

use candle_core::{Device, Tensor};
use segbench_datasets::PreparedDataset;
use segbench_models::{Input, volume_input};
use segbench_nn::Context;
use segbench_transforms::{Kernel, Normalization, resize_image};
use segbench_types::SpeedPoint;

use crate::machine::{peak_memory_mib, reset_peak_memory};
use crate::{Error, Predictor, TaskResult, normalized};

/// Fewest queries for which a percentile may be claimed.
const QUERIES_P50: usize = 11;
const QUERIES_P90: usize = 64;
const QUERIES_P99: usize = 662;
/// Share of the time that warming up may take.
const WARM_UP_SHARE: f64 = 0.2;
/// Warm-up ends when the median of the last queries changes by less than this share.
const STEADY: f64 = 0.02;
const STEADY_WINDOW: usize = 10;
/// A median of the last quarter that differs this much from the first quarter's is drift.
const DRIFT: f64 = 0.05;

/// Measures the forward pass at every size and batch, sharing `seconds` among them.
pub(crate) fn measure(
    predictor: &Predictor,
    dataset: &PreparedDataset,
    split: &str,
    normalization: &Normalization,
    sizes: &[[u32; 2]],
    batches: &[u32],
    seconds: f64,
) -> Result<TaskResult, Error> {
    let start = Instant::now();
    let share = Duration::from_secs_f64(seconds / (sizes.len() * batches.len()).max(1) as f64);
    let (mut points, mut latencies, mut reasons) = (Vec::new(), Vec::new(), Vec::new());
    for &[height, width] in sizes {
        let one = match predictor.input() {
            Input::Image => {
                normalized(&first_image(dataset, split, height, width)?, normalization, predictor.device())?
            }
            Input::Volume => first_volume(dataset, split, [height, width], predictor.device())?,
        };
        for &batch in batches {
            let input = Tensor::cat(&vec![&one; batch as usize], 0)?;
            reset_peak_memory();
            let samples = queries(predictor, &input, share)?;
            let point = summarize(predictor, &one, [height, width], batch, &samples)?;
            reasons.extend(doubts(&samples).map(|doubt| format!("{height}x{width} batch {batch}: {doubt}")));
            latencies.extend((0..).zip(&samples).map(|(query, &time)| (height, width, batch, query, time)));
            points.push(point);
        }
    }
    let validity =
        if reasons.is_empty() { "VALID".to_owned() } else { format!("INVALID ({})", reasons.join("; ")) };
    Ok(TaskResult::Speed { points, latencies, validity, seconds: start.elapsed().as_secs_f64() })
}

/// A real image of the split at the size asked for.
fn first_image(
    dataset: &PreparedDataset,
    split: &str,
    height: u32,
    width: u32,
) -> Result<image::RgbImage, Error> {
    let nothing = || Error::NothingToEvaluate { dataset: dataset.info.name.clone(), split: split.into() };
    let record = dataset.records(split).into_iter().next().ok_or_else(nothing)?;
    Ok(resize_image(&dataset.image(record)?, width, height, Kernel::Cv2Linear))
}

/// The first volume of the split with so many rows, in all slices together, and columns.
fn first_volume(
    dataset: &PreparedDataset,
    split: &str,
    size: [u32; 2],
    device: &Device,
) -> Result<Tensor, Error> {
    let nothing = || Error::NothingToEvaluate { dataset: dataset.info.name.clone(), split: split.into() };
    let records = dataset.records(split);
    let record = records.iter().find(|record| [record.height, record.width] == size).ok_or_else(nothing)?;
    Ok(volume_input(&dataset.volume(record)?, device)?)
}

/// Times of all queries after warm-up, in milliseconds.
fn queries(predictor: &Predictor, input: &Tensor, share: Duration) -> Result<Vec<f64>, Error> {
    let query = || -> Result<f64, Error> {
        let start = Instant::now();
        predictor.model().forward(input, &Context::eval())?;
        predictor.device().synchronize()?;
        Ok(start.elapsed().as_secs_f64() * 1e3)
    };
    let start = Instant::now();
    let mut warm_up = vec![query()?];
    while start.elapsed() < share.mul_f64(WARM_UP_SHARE) && !is_steady(&warm_up) {
        warm_up.push(query()?);
    }
    let mut samples = Vec::new();
    while samples.len() < QUERIES_P99 && (start.elapsed() < share || samples.is_empty()) {
        samples.push(query()?);
    }
    Ok(samples)
}

fn is_steady(times: &[f64]) -> bool {
    let Some(earlier) = times.len().checked_sub(2 * STEADY_WINDOW) else { return false };
    let (before, after) = times[earlier..].split_at(STEADY_WINDOW);
    (median(after) / median(before) - 1.0).abs() < STEADY
}

fn summarize(
    predictor: &Predictor,
    one: &Tensor,
    input_size: [u32; 2],
    batch: u32,
    samples: &[f64],
) -> Result<SpeedPoint, Error> {
    let peak_memory_mib = peak_memory_mib();
    let context = Context::eval();
    predictor.model().forward(one, &context)?;
    let earned = |queries, share| (samples.len() >= queries).then(|| percentile(samples, share));
    let latency_p50_ms = earned(QUERIES_P50, 0.5);
    Ok(SpeedPoint {
        input_size,
        batch,
        gmacs: context.macs() as f64 / 1e9,
        queries: samples.len() as u64,
        latency_p50_ms,
        latency_p90_ms: earned(QUERIES_P90, 0.9),
        latency_p99_ms: earned(QUERIES_P99, 0.99),
        images_per_second: latency_p50_ms.map(|median| f64::from(batch) * 1e3 / median),
        peak_memory_mib,
    })
}

/// Why a measurement should not be trusted.
fn doubts(samples: &[f64]) -> impl Iterator<Item = String> {
    let few = (samples.len() < QUERIES_P50)
        .then(|| format!("{} queries, {QUERIES_P50} are needed for a median", samples.len()));
    let quarter = samples.len() / 4;
    let drift = (quarter >= QUERIES_P50)
        .then(|| median(&samples[samples.len() - quarter..]) / median(&samples[..quarter]) - 1.0)
        .filter(|drift| drift.abs() > DRIFT)
        .map(|drift| format!("the last quarter is {:+.0} % against the first", drift * 100.0));
    few.into_iter().chain(drift)
}

fn median(samples: &[f64]) -> f64 {
    percentile(samples, 0.5)
}

/// The smallest sample that at least `share` of all samples do not exceed (nearest rank).
fn percentile(samples: &[f64], share: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::INFINITY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let samples: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!([0.5, 0.9, 0.99].map(|share| percentile(&samples, share)), [50.0, 90.0, 99.0]);
    }

    #[test]
    fn a_steady_series_is_steady_and_a_falling_one_is_not() {
        assert!(is_steady(&[10.0; 20]));
        assert!(!is_steady(&[10.0; 19]));
        let falling: Vec<f64> = (0..20).map(|step| 100.0 / f64::from(step + 1)).collect();
        assert!(!is_steady(&falling));
    }

    #[test]
    fn drift_and_too_few_queries_are_named() {
        let mut drifting = vec![10.0; 100];
        drifting[75..].fill(12.0);
        assert_eq!(doubts(&drifting).count(), 1);
        assert_eq!(doubts(&[10.0; 5]).count(), 1);
        assert_eq!(doubts(&[10.0; 100]).count(), 0);
    }
}
