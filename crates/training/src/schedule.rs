//! The learning rate over time.
//!
//! # Source
//! mmengine 0.10, `LinearLR` with `start_factor` 1e-6 followed by `PolyLR` with `eta_min` 0, as mmsegmentation's SegFormer
//! configurations use them.

use crate::TrainOptions;

/// The part of the learning rate with which the warm-up starts.
const WARMUP_START: f64 = 1e-6;

/// The learning rate of a step, counted from 0: a linear rise over `warmup_steps`, then a polynomial fall that would reach zero
/// after the last step.
pub(crate) fn learning_rate(options: &TrainOptions, step: u64) -> f64 {
    let warmup = options.warmup_steps.min(options.steps);
    let factor = if step < warmup {
        WARMUP_START + (1.0 - WARMUP_START) * step as f64 / warmup as f64
    } else {
        let (passed, total) = ((step - warmup) as f64, (options.steps - warmup).max(1) as f64);
        (1.0 - passed / total).max(0.0).powf(options.poly_power)
    };
    options.learning_rate * factor
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_linearly_and_falls_by_the_power() {
        let options = TrainOptions {
            steps: 110,
            warmup_steps: 10,
            learning_rate: 0.5,
            poly_power: 2.0,
            ..TrainOptions::default()
        };
        // By hand: 0.5 * 1e-6; about half way up; the top; 0.5 * (1 - 50 / 100)^2; 0.5 * (1 - 99 / 100)^2.
        let expected = [(0, 5e-7), (5, 0.250_000_25), (10, 0.5), (60, 0.125), (109, 5e-5)];
        for (step, expected) in expected {
            let rate = learning_rate(&options, step);
            assert!((rate - expected).abs() < 1e-12, "step {step}: {rate} instead of {expected}");
        }
    }

    #[test]
    fn a_training_shorter_than_its_warm_up_only_rises() {
        let options = TrainOptions { steps: 4, warmup_steps: 100, ..TrainOptions::default() };
        let rates: Vec<f64> = (0..4).map(|step| learning_rate(&options, step)).collect();
        assert!(rates.windows(2).all(|pair| pair[0] < pair[1]), "{rates:?}");
    }
}
