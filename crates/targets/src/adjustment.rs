//! What is done to weights after their formula: scaling, and then bounds.

use serde::{Deserialize, Serialize};

use crate::{Error, Frequencies};

/// Scaling and bounds of class weights; nothing by default.
///
/// # Examples
/// ```
/// use segbench_targets::{Adjustment, Normalization};
/// # use segbench_targets::Frequencies;
/// # let frequencies = Frequencies {
/// #     pixels: vec![9, 1], image_pixels: vec![10; 2], image_labelled: vec![10; 2], images: vec![1; 2], labelled: 10, ignored: 0,
/// # };
///
/// let adjustment = Adjustment { normalize: Some(Normalization::Mean), clip: Some([0.25, 1.5]) };
/// assert_eq!(adjustment.apply(vec![Some(2.0), Some(18.0)], &frequencies), [Some(0.25), Some(1.5)]);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Adjustment {
    /// What becomes 1.
    pub normalize: Option<Normalization>,
    /// The smallest and the largest weight, after scaling.
    pub clip: Option<[f64; 2]>,
}

/// What the scaled weights have the value 1 of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Normalization {
    /// The mean over the classes that have a weight.
    Mean,
    /// The mean over labelled pixels: the loss keeps its size.
    Pixels,
    /// The largest weight.
    Max,
}

impl Normalization {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Mean, Self::Pixels, Self::Max];

    /// The name in commands and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Pixels => "pixels",
            Self::Max => "max",
        }
    }

    /// The normalization of a name.
    ///
    /// # Errors
    /// [`Error::UnknownNormalization`] with a suggestion where one is near.
    pub fn parse(name: &str) -> Result<Self, Error> {
        let names = Self::ALL.map(Self::name);
        Self::ALL.into_iter().find(|normalization| normalization.name() == name).ok_or_else(|| {
            Error::UnknownNormalization {
                name: name.to_owned(),
                suggestion: segbench_types::nearest(name, names),
            }
        })
    }

    /// What the weights are divided by; none without a class that counts.
    fn divisor(self, weights: &[Option<f64>], frequencies: &Frequencies) -> Option<f64> {
        let weighted =
            || weights.iter().zip(&frequencies.pixels).filter_map(|(w, &n)| w.map(|w| (w, n as f64)));
        let divisor = match self {
            Self::Mean => weighted().map(|(weight, _)| weight).sum::<f64>() / weighted().count() as f64,
            Self::Pixels => {
                let (sum, pixels) = weighted().fold((0.0, 0.0), |(sum, pixels), (weight, count)| {
                    (sum + weight * count, pixels + count)
                });
                sum / pixels
            }
            Self::Max => weighted().fold(0.0, |most, (weight, _)| weight.max(most)),
        };
        (divisor.is_finite() && divisor > 0.0).then_some(divisor)
    }
}

impl Adjustment {
    /// Whether the bounds can be met.
    ///
    /// # Errors
    /// [`Error::Clip`].
    pub fn validate(&self) -> Result<(), Error> {
        match self.clip {
            Some([low, high]) if !(0.0 <= low && low <= high && high.is_finite()) => {
                Err(Error::Clip { low: low.to_string(), high: high.to_string() })
            }
            _ => Ok(()),
        }
    }

    /// The adjusted weights; a class without one stays without.
    pub fn apply(&self, weights: Vec<Option<f64>>, frequencies: &Frequencies) -> Vec<Option<f64>> {
        let divisor = self.normalize.and_then(|way| way.divisor(&weights, frequencies)).unwrap_or(1.0);
        let adjust = |weight: f64| match self.clip {
            Some([low, high]) => (weight / divisor).max(low).min(high),
            None => weight / divisor,
        };
        weights.into_iter().map(|weight| weight.map(adjust)).collect()
    }

    /// What is done, in words; nothing if nothing is.
    pub fn describe(&self) -> Option<String> {
        let normalize = self.normalize.map(|way| match way {
            Normalization::Mean => "divided by their mean over classes".to_owned(),
            Normalization::Pixels => "divided by their mean over labelled pixels".to_owned(),
            Normalization::Max => "divided by the largest".to_owned(),
        });
        let clip = self.clip.map(|[low, high]| format!("bounded to {low} ..= {high}"));
        let parts: Vec<String> = normalize.into_iter().chain(clip).collect();
        (!parts.is_empty()).then(|| format!("all weights: {}", parts.join(", then ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adjusted(normalize: Option<Normalization>, clip: Option<[f64; 2]>) -> Vec<Option<f64>> {
        let pixels = vec![60, 30, 10, 0];
        let frequencies = Frequencies {
            image_pixels: pixels.clone(),
            image_labelled: pixels.clone(),
            images: vec![1, 1, 1, 0],
            labelled: 100,
            ignored: 7,
            pixels,
        };
        Adjustment { normalize, clip }.apply(vec![Some(1.0), Some(2.0), Some(6.0), None], &frequencies)
    }

    #[test]
    fn weights_are_scaled_and_then_bounded() {
        let close = |got: Vec<Option<f64>>, expected: [f64; 3]| {
            assert_eq!(got[3], None);
            for (got, expected) in got.iter().flatten().zip(expected) {
                assert!((got - expected).abs() < 1e-12, "{got} {expected}");
            }
        };
        close(adjusted(None, None), [1.0, 2.0, 6.0]);
        // By hand: the mean is 3; over pixels (60 + 60 + 60) / 100 = 1.8.
        close(adjusted(Some(Normalization::Mean), None), [1.0 / 3.0, 2.0 / 3.0, 2.0]);
        close(adjusted(Some(Normalization::Pixels), None), [1.0 / 1.8, 2.0 / 1.8, 6.0 / 1.8]);
        close(adjusted(Some(Normalization::Max), Some([0.25, 0.5])), [0.25, 1.0 / 3.0, 0.5]);
    }

    #[test]
    fn bounds_in_the_wrong_order_are_refused() {
        for clip in [[2.0, 1.0], [-1.0, 1.0], [0.0, f64::INFINITY], [f64::NAN, 1.0]] {
            assert!(Adjustment { normalize: None, clip: Some(clip) }.validate().is_err(), "{clip:?}");
        }
        assert!(Adjustment { normalize: None, clip: Some([0.0, 1.0]) }.validate().is_ok());
    }
}
