//! Formulas from class frequencies to class weights.

use serde::{Deserialize, Serialize};

use crate::{Error, Frequencies};

/// The beta of [`Scheme::EffectiveNumber`]: images of a class beyond about 1 / (1 - beta) = 1000 no longer lower its weight.
///
/// Cui et al. try 0.9, 0.99, 0.999 and 0.9999 and take 0.999 for data sets of the size of a segmentation benchmark.
pub const EFFECTIVE_NUMBER_BETA: f64 = 0.999;

/// A way to weight classes in a loss. Rare classes weigh more in all of them.
///
/// In the formulas `n_c` are the pixels of class c, `N` all labelled pixels and `p_c = n_c / N`; ignored pixels count in `N` only where
/// the name ends in `-all`. A class without pixels has no weight, except where the formula has a value at `p_c = 0` (ENet, ERFNet).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// The inverse of the frequency.
    Inverse,
    /// As [`Scheme::Inverse`], but the frequency among **all** pixels, ignored ones included, as in the lists that others published
    /// for Cityscapes.
    InverseAll,
    /// The square root of the inverse of the frequency.
    SqrtInverse,
    /// Median frequency balancing as published: the frequency of a class is its share of **all** pixels, ignored ones included, of
    /// the images that contain it.
    ///
    /// # Source
    /// Eigen and Fergus, <https://arxiv.org/abs/1411.4734>, section 6.3; SegNet, <https://arxiv.org/abs/1511.00561>, section 4.
    MedianFrequency,
    /// As [`Scheme::MedianFrequency`], but the share of the **labelled** pixels of the images that contain the class.
    MedianFrequencyLabelled,
    /// As [`Scheme::MedianFrequency`], but the share of the labelled pixels of **all** images.
    MedianFrequencyGlobal,
    /// ENet's weights, bounded to 1.42 ..= 50.5.
    ///
    /// # Source
    /// Paszke et al., <https://arxiv.org/abs/1606.02147>, section 4, c = 1.02.
    Enet,
    /// As [`Scheme::Enet`], but the frequency among **all** pixels, ignored ones included: the published weights for Cityscapes.
    EnetAll,
    /// ENet's formula with ERFNet's constant, bounded to 1.35 ..= 10.5.
    ///
    /// # Source
    /// The weights in the code of Romera et al., <https://github.com/Eromera/erfnet_pytorch>, follow c = 1.10.
    Erfnet,
    /// As [`Scheme::Erfnet`], but the frequency among **all** pixels, ignored ones included: the weights in ERFNet's code.
    ErfnetAll,
    /// The inverse of the effective number of samples, where a sample is an image that contains the class: with pixels in their
    /// place, any useful beta gives equal weights. Scaled so that the mean over classes is 1, as the paper does.
    ///
    /// # Source
    /// Cui et al., <https://arxiv.org/abs/1901.05555>, equation 2; beta is [`EFFECTIVE_NUMBER_BETA`].
    EffectiveNumber,
    /// Constants for the 19 classes of Cityscapes that DDRNet, PIDNet, HRNet and OCNet train with. They follow no formula: they do not
    /// fall with frequency.
    ///
    /// # Source
    /// [openseg-group/OCNet.pytorch, issue 14](https://github.com/openseg-group/OCNet.pytorch/issues/14); `class_weight` in
    /// mmsegmentation's configurations of DDRNet and PIDNet.
    Openseg,
}

/// The constants of [`Scheme::Openseg`] by class.
const OPENSEG: [(&str, f64); 19] = [
    ("road", 0.8373),
    ("sidewalk", 0.9180),
    ("building", 0.8660),
    ("wall", 1.0345),
    ("fence", 1.0166),
    ("pole", 0.9969),
    ("traffic light", 0.9754),
    ("traffic sign", 1.0489),
    ("vegetation", 0.8786),
    ("terrain", 1.0023),
    ("sky", 0.9539),
    ("person", 0.9843),
    ("rider", 1.1116),
    ("car", 0.9037),
    ("truck", 1.0865),
    ("bus", 1.0955),
    ("train", 1.0865),
    ("motorcycle", 1.1529),
    ("bicycle", 1.0507),
];

impl Scheme {
    /// All schemes.
    pub const ALL: &[Self] = &[
        Self::Inverse,
        Self::InverseAll,
        Self::SqrtInverse,
        Self::MedianFrequency,
        Self::MedianFrequencyLabelled,
        Self::MedianFrequencyGlobal,
        Self::Enet,
        Self::EnetAll,
        Self::Erfnet,
        Self::ErfnetAll,
        Self::EffectiveNumber,
        Self::Openseg,
    ];

    /// The name in commands, files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Inverse => "inverse",
            Self::InverseAll => "inverse-all",
            Self::SqrtInverse => "sqrt-inverse",
            Self::MedianFrequency => "median-frequency",
            Self::MedianFrequencyLabelled => "median-frequency-labelled",
            Self::MedianFrequencyGlobal => "median-frequency-global",
            Self::Enet => "enet",
            Self::EnetAll => "enet-all",
            Self::Erfnet => "erfnet",
            Self::ErfnetAll => "erfnet-all",
            Self::EffectiveNumber => "effective-number",
            Self::Openseg => "openseg",
        }
    }

    /// The formula, to stand beside the weights.
    pub fn formula(self) -> &'static str {
        match self {
            Self::Inverse => "w_c = 1 / p_c, p_c = pixels of c / labelled pixels",
            Self::InverseAll => "w_c = 1 / p_c, p_c = pixels of c / all pixels, ignored ones included",
            Self::SqrtInverse => "w_c = 1 / sqrt(p_c), p_c = pixels of c / labelled pixels",
            Self::MedianFrequency => {
                "w_c = median(f) / f_c, f_c = pixels of c / all pixels (ignored ones included) of the images that contain c"
            }
            Self::MedianFrequencyLabelled => {
                "w_c = median(f) / f_c, f_c = pixels of c / labelled pixels of the images that contain c"
            }
            Self::MedianFrequencyGlobal => {
                "w_c = median(p) / p_c, p_c = pixels of c / labelled pixels of all images"
            }
            Self::Enet => "w_c = 1 / ln(1.02 + p_c), p_c = pixels of c / labelled pixels",
            Self::EnetAll => {
                "w_c = 1 / ln(1.02 + p_c), p_c = pixels of c / all pixels, ignored ones included"
            }
            Self::Erfnet => "w_c = 1 / ln(1.10 + p_c), p_c = pixels of c / labelled pixels",
            Self::ErfnetAll => {
                "w_c = 1 / ln(1.10 + p_c), p_c = pixels of c / all pixels, ignored ones included"
            }
            Self::EffectiveNumber => {
                "w_c = (1 - b) / (1 - b^m_c), divided by the mean over classes; m_c = images that contain c, b = 0.999"
            }
            Self::Openseg => {
                "constants of openseg-group/OCNet.pytorch for Cityscapes; they do not depend on the images"
            }
        }
    }

    /// The scheme of a name.
    ///
    /// # Errors
    /// [`Error::UnknownScheme`] with a suggestion where one is near.
    pub fn parse(name: &str) -> Result<Self, Error> {
        let names = || Self::ALL.iter().map(|scheme| scheme.name());
        Self::ALL.iter().copied().find(|scheme| scheme.name() == name).ok_or_else(|| Error::UnknownScheme {
            name: name.to_owned(),
            known: names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
            suggestion: segbench_types::nearest(name, names()),
        })
    }

    /// Whether the scheme has weights for classes of these names: constants are for their own classes only.
    pub fn fits<'a>(self, names: impl IntoIterator<Item = &'a str>) -> bool {
        self != Self::Openseg || names.into_iter().eq(OPENSEG.iter().map(|&(name, _)| name))
    }

    /// One weight per class; `None` for a class that occurs nowhere and whose weight the formula does not define.
    ///
    /// Without any labelled pixel no class has a weight.
    pub fn weights(self, frequencies: &Frequencies) -> Vec<Option<f64>> {
        let shares_of = |wholes: &[u64]| -> Vec<Option<f64>> {
            frequencies.pixels.iter().zip(wholes).map(|(&pixels, &whole)| share(pixels, whole)).collect()
        };
        let shares = || shares_of(&vec![frequencies.labelled; frequencies.classes()]);
        let shares_of_all =
            || shares_of(&vec![frequencies.labelled + frequencies.ignored; frequencies.classes()]);
        match self {
            Self::Inverse => positive(shares()).map(|p| p.map(f64::recip)).collect(),
            Self::InverseAll => positive(shares_of_all()).map(|p| p.map(f64::recip)).collect(),
            Self::SqrtInverse => positive(shares()).map(|p| p.map(|p| p.sqrt().recip())).collect(),
            Self::MedianFrequency => median_over(shares_of(&frequencies.image_pixels)),
            Self::MedianFrequencyLabelled => median_over(shares_of(&frequencies.image_labelled)),
            Self::MedianFrequencyGlobal => median_over(shares()),
            Self::Enet => inverse_logarithm(&shares(), 1.02),
            Self::EnetAll => inverse_logarithm(&shares_of_all(), 1.02),
            Self::Erfnet => inverse_logarithm(&shares(), 1.10),
            Self::ErfnetAll => inverse_logarithm(&shares_of_all(), 1.10),
            Self::EffectiveNumber => effective_number(&frequencies.images),
            Self::Openseg if frequencies.classes() == OPENSEG.len() => {
                OPENSEG.iter().map(|&(_, weight)| Some(weight)).collect()
            }
            Self::Openseg => vec![None; frequencies.classes()],
        }
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn positive(shares: Vec<Option<f64>>) -> impl Iterator<Item = Option<f64>> {
    shares.into_iter().map(|share| share.filter(|share| *share > 0.0))
}

fn inverse_logarithm(shares: &[Option<f64>], constant: f64) -> Vec<Option<f64>> {
    shares.iter().map(|share| share.map(|share| (constant + share).ln().recip())).collect()
}

/// The median of the classes that occur, over the share of each.
fn median_over(shares: Vec<Option<f64>>) -> Vec<Option<f64>> {
    let shares: Vec<Option<f64>> = positive(shares).collect();
    let mut sorted: Vec<f64> = shares.iter().flatten().copied().collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let median = match sorted.len() {
        0 => return shares,
        // The mean of the two in the middle, as in NumPy.
        length if length.is_multiple_of(2) => (sorted[middle - 1] + sorted[middle]) / 2.0,
        _ => sorted[middle],
    };
    shares.into_iter().map(|share| share.map(|share| median / share)).collect()
}

fn effective_number(images: &[u64]) -> Vec<Option<f64>> {
    let beta = EFFECTIVE_NUMBER_BETA;
    // 1 - b^m without the rounding of a power near 1.
    let effective = |count: f64| -(count * beta.ln()).exp_m1();
    let weights: Vec<Option<f64>> =
        images.iter().map(|&count| (count > 0).then(|| effective(1.0) / effective(count as f64))).collect();
    let (sum, present) =
        weights.iter().flatten().fold((0.0, 0.0), |(sum, present), weight| (sum + weight, present + 1.0));
    weights.into_iter().map(|weight| weight.map(|weight| weight * present / sum)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frequencies(pixels: &[u64], images: &[u64]) -> Frequencies {
        let labelled = pixels.iter().sum();
        let image_labelled =
            pixels.iter().map(|&pixels| if pixels > 0 { labelled } else { 0 }).collect::<Vec<u64>>();
        Frequencies {
            pixels: pixels.to_vec(),
            image_pixels: image_labelled.clone(),
            image_labelled,
            images: images.to_vec(),
            labelled,
            ignored: 0,
        }
    }

    #[test]
    fn names_are_read_back_and_a_wrong_one_gets_a_suggestion() {
        for &scheme in Scheme::ALL {
            assert_eq!(Scheme::parse(scheme.name()), Ok(scheme));
            assert_eq!(serde_json::to_string(&scheme).expect("a name"), format!("\"{}\"", scheme.name()));
        }
        let err = Scheme::parse("median-frequncy").expect_err("misspelled");
        assert!(matches!(err, Error::UnknownScheme { suggestion: Some("median-frequency"), .. }), "{err:?}");
    }

    #[test]
    fn an_absent_class_has_a_weight_only_where_the_formula_has_a_limit() {
        let absent = |scheme: Scheme| scheme.weights(&frequencies(&[90, 10, 0], &[2, 1, 0]))[2];
        for &scheme in Scheme::ALL {
            // 1 / ln(1.02) and 1 / ln(1.10)
            let expected = match scheme {
                Scheme::Enet | Scheme::EnetAll => Some(50.498_349),
                Scheme::Erfnet | Scheme::ErfnetAll => Some(10.492_059),
                _ => None,
            };
            match (absent(scheme), expected) {
                (Some(got), Some(expected)) => assert!((got - expected).abs() < 1e-5, "{scheme:?}: {got}"),
                (got, expected) => assert_eq!(got, expected, "{scheme:?}"),
            }
        }
    }

    #[test]
    fn the_median_of_an_even_number_of_classes_lies_between_the_two_in_the_middle() {
        // p = 0.1, 0.2, 0.3, 0.4: median 0.25
        let weights = Scheme::MedianFrequencyGlobal.weights(&frequencies(&[1, 2, 3, 4], &[1; 4]));
        assert!((weights[0].expect("present") - 2.5).abs() < 1e-12);
    }

    #[test]
    fn the_effective_number_of_one_image_is_one() {
        // 1 / E_n with E_1 = 1 and E_2 = 1 + 0.999: weights in the ratio 1.999 to 1, with mean 1.
        let weights = Scheme::EffectiveNumber.weights(&frequencies(&[5, 5], &[1, 2]));
        assert!((weights[0].expect("present") - 2.0 * 1.999 / 2.999).abs() < 1e-12);
        assert!((weights[1].expect("present") - 2.0 / 2.999).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn every_weight_is_positive_and_finite_and_rarer_classes_never_weigh_less(
            classes in prop::collection::vec((prop_oneof![Just(0_u64), 1..1_000_000_000_u64], 1..3000_u64), 0..30),
        ) {
            let (pixels, images): (Vec<u64>, Vec<u64>) =
                classes.iter().map(|&(pixels, images)| (pixels, if pixels > 0 { images } else { 0 })).unzip();
            let frequencies = frequencies(&pixels, &images);
            for &scheme in Scheme::ALL.iter().filter(|scheme| **scheme != Scheme::Openseg) {
                let weights = scheme.weights(&frequencies);
                prop_assert_eq!(weights.len(), pixels.len());
                prop_assert!(weights.iter().flatten().all(|weight| weight.is_finite() && *weight > 0.0), "{:?}", scheme);
                let amount = if scheme == Scheme::EffectiveNumber { &images } else { &pixels };
                for a in 0..pixels.len() {
                    for b in 0..pixels.len() {
                        if let (true, Some(of_a), Some(of_b)) = (amount[a] < amount[b], weights[a], weights[b]) {
                            prop_assert!(of_a >= of_b, "{:?}", scheme);
                        }
                    }
                }
            }
        }
    }
}
