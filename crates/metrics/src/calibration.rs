//! Whether confidences are right as often as they say.

use serde::{Deserialize, Serialize};

/// Bins of equal width over the confidences from 0 to 1.
const BINS: usize = 15;
/// Confidences are added in units of 2^-32, so that their sums do not depend on the order of pixels.
const UNIT: f64 = 4_294_967_296.0;

/// Pixels by the confidence of their predicted class.
///
/// # Source
/// Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, <https://arxiv.org/abs/1706.04599>; bins as in torchmetrics 1.9,
/// `MulticlassCalibrationError`: a confidence on a border belongs to the bin above it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calibration {
    bins: Vec<CalibrationBin>,
}

/// The pixels of one bin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalibrationBin {
    /// Labelled pixels.
    pub pixels: u64,
    /// Those that are right.
    pub correct: u64,
    /// Sum of their confidences, in units of 2^-32.
    pub confidence: u64,
}

impl Default for Calibration {
    fn default() -> Self {
        Self { bins: vec![CalibrationBin::default(); BINS] }
    }
}

impl Calibration {
    /// Adds a labelled pixel. Confidences outside of 0 to 1 are moved to the nearer end; one that is not a number counts as 0.
    pub fn add(&mut self, confidence: f32, is_correct: bool) {
        let confidence = f64::from(confidence).clamp(0.0, 1.0);
        let confidence = if confidence.is_nan() { 0.0 } else { confidence };
        // The borders are those of f32, which confidences come in.
        let border = |bin: usize| f64::from(bin as f32 / BINS as f32);
        let mut bin = ((confidence * BINS as f64) as usize).min(BINS - 1);
        if confidence < border(bin) {
            bin -= 1;
        } else if bin + 1 < BINS && confidence >= border(bin + 1) {
            bin += 1;
        }
        let bin = &mut self.bins[bin];
        bin.pixels += 1;
        bin.correct += u64::from(is_correct);
        bin.confidence += (confidence * UNIT).round() as u64;
    }

    /// Adds the pixels of another set.
    pub fn merge(&mut self, other: &Self) {
        for (bin, other) in self.bins.iter_mut().zip(&other.bins) {
            bin.pixels += other.pixels;
            bin.correct += other.correct;
            bin.confidence += other.confidence;
        }
    }

    /// The bins, from confidence 0 to 1.
    pub fn bins(&self) -> &[CalibrationBin] {
        &self.bins
    }

    /// Expected calibration error: the mean distance of confidence and accuracy over bins, weighted by their pixels.
    pub fn error(&self) -> Option<f64> {
        let pixels: u64 = self.bins.iter().map(|bin| bin.pixels).sum();
        let distance = |bin: &CalibrationBin| (bin.confidence as f64 / UNIT - bin.correct as f64).abs();
        (pixels > 0).then(|| self.bins.iter().map(distance).sum::<f64>() / pixels as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_is_the_weighted_distance_of_confidence_and_accuracy() {
        let mut calibration = Calibration::default();
        assert_eq!(calibration.error(), None);
        // Four pixels at 0.75, one right: 4 * |0.75 - 0.25|; two at 0.5, both right: 2 * |0.5 - 1|; of six.
        for (confidence, is_correct) in
            [(0.75, true), (0.75, false), (0.75, false), (0.75, false), (0.5, true), (0.5, true)]
        {
            calibration.add(confidence, is_correct);
        }
        assert_eq!(calibration.error(), Some(0.5));
    }

    #[test]
    fn pixels_add_up_in_any_order_and_strange_confidences_stay_inside() {
        let values = [1.0, 0.0, 1.0 / 3.0, 0.2, 7.0, -1.0, f32::NAN, 0.999_999_9];
        let of = |values: &[f32]| {
            let mut calibration = Calibration::default();
            values.iter().for_each(|&value| calibration.add(value, value > 0.3));
            calibration
        };
        let mut reversed = values;
        reversed.reverse();
        assert_eq!(of(&values), of(&reversed));
        let mut merged = of(&values[..3]);
        merged.merge(&of(&values[3..]));
        assert_eq!(merged, of(&values));
        assert_eq!(merged.bins()[5].pixels, 1, "a third is the lower border of its bin");
    }
}
