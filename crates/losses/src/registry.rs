//! All losses by name.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::loss::Objective;
use crate::*;

/// What is known of a loss before any logits.
#[derive(Debug, Clone, Copy)]
pub struct Card {
    /// The name in commands and files.
    pub name: &'static str,
    /// What it is called in print.
    pub title: &'static str,
    /// What is compared: `distribution`, `region` or `boundary`.
    pub family: &'static str,
    /// The default form; `p` are probabilities, `g` is 1 on pixels of the class, sums go over labelled pixels.
    pub formula: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    /// Reads options and builds the loss.
    build: fn(Value) -> serde_json::Result<Box<dyn Loss>>,
    /// The options without any given.
    defaults: fn() -> Value,
}

impl Card {
    /// All options with their defaults.
    pub fn defaults(&self) -> Value {
        (self.defaults)()
    }
}

/// The card of a loss.
const fn of<L>(title: &'static str, family: &'static str, formula: &'static str, source: &'static str) -> Card
where
    L: Objective + Default + Serialize + DeserializeOwned,
{
    Card {
        name: L::NAME,
        title,
        family,
        formula,
        source,
        build: |options| Ok(Box::new(serde_json::from_value::<L>(options)?)),
        defaults: || serde_json::to_value(L::default()).unwrap_or_default(),
    }
}

/// All losses, by family.
pub static LOSSES: &[Card] = &[
    of::<CrossEntropy>(
        "Cross-entropy",
        "distribution",
        "mean of l = -log p of the true class; weighted where class weights are given",
        "PyTorch, F.cross_entropy",
    ),
    of::<WeightedCrossEntropy>(
        "Weighted cross-entropy",
        "distribution",
        "sum w l / sum w, w the weight of the pixel's class",
        "PyTorch, F.cross_entropy",
    ),
    of::<TopK>(
        "TopK, online hard example mining",
        "distribution",
        "mean of l over the k % of pixels with the largest l",
        "https://arxiv.org/abs/1605.06885",
    ),
    of::<Focal>("Focal loss", "distribution", "mean of (1 - p)^gamma l", "https://arxiv.org/abs/1708.02002"),
    of::<DistancePenalizedCrossEntropy>(
        "Distance-map-penalized cross-entropy",
        "distribution",
        "mean of (1 + max d - d) l, d the distance to the border of the pixel's class",
        "https://arxiv.org/abs/1908.03679",
    ),
    of::<SensitivitySpecificity>(
        "Sensitivity-specificity loss",
        "region",
        "w sum (g - p)^2 g / sum g + (1 - w) sum (g - p)^2 (1 - g) / sum (1 - g)",
        "https://doi.org/10.1007/978-3-319-24574-4_1",
    ),
    of::<Iou>(
        "IoU (Jaccard) loss",
        "region",
        "1 - sum p g / sum (p + g - p g)",
        "https://doi.org/10.1007/978-3-319-50835-1_22",
    ),
    of::<LovaszSoftmax>(
        "Lovász-softmax",
        "region",
        "errors |g - p| from the largest down, each times what it raises the Jaccard loss by",
        "https://arxiv.org/abs/1705.08790",
    ),
    of::<Dice>("Dice loss", "region", "1 - 2 sum p g / sum (p + g)", "https://arxiv.org/abs/1606.04797"),
    of::<Tversky>(
        "Tversky loss",
        "region",
        "1 - TP / (TP + alpha FP + beta FN)",
        "https://arxiv.org/abs/1706.05721",
    ),
    of::<FocalTversky>(
        "Focal Tversky loss",
        "region",
        "(Tversky loss)^(1 / gamma)",
        "https://arxiv.org/abs/1810.07842",
    ),
    of::<AsymmetricSimilarity>(
        "Asymmetric similarity loss",
        "region",
        "1 - TP / (TP + (1 - w) FP + w FN), w = beta^2 / (1 + beta^2)",
        "https://arxiv.org/abs/1803.11078",
    ),
    of::<GeneralizedDice>(
        "Generalized Dice loss",
        "region",
        "1 - 2 sum_c w sum p g / sum_c w sum (p + g), w = 1 / (sum g)^2",
        "https://arxiv.org/abs/1707.03237",
    ),
    of::<Penalty>(
        "Penalty loss",
        "region",
        "1 - 2 sum_c w TP / sum_c w (sum (p + g) + k FP + k FN), w = 1 / (sum g)^2",
        "Yang, Kweon, Kim, MIDL 2019",
    ),
    of::<Boundary>(
        "Boundary loss",
        "boundary",
        "mean of p D, D the signed distance to the border of the class",
        "https://arxiv.org/abs/1812.07032",
    ),
    of::<Hausdorff>(
        "Hausdorff distance loss",
        "boundary",
        "mean of (p - g)^2 (d^alpha + q^alpha), distances to the borders of label and prediction; or sum_k k^alpha of (p - g)^2 eroded k times",
        "https://arxiv.org/abs/1904.10030",
    ),
];

/// The card of a loss.
///
/// # Errors
/// [`Error::UnknownLoss`], with a suggestion where one is near.
pub fn card(name: &str) -> Result<&'static Card> {
    let names = || LOSSES.iter().map(|card| card.name);
    LOSSES.iter().find(|card| card.name == name).ok_or_else(|| Error::UnknownLoss {
        name: name.to_owned(),
        known: names().collect::<Vec<_>>().join(", "),
        suggestion: segbench_types::nearest(name, names()),
    })
}

/// Builds a loss from its name and options; options that are not given have their defaults.
///
/// # Errors
/// [`Error::UnknownLoss`]; [`Error::Option`] for an option that the loss does not have, or that makes no sense, for a network with
/// `classes` classes where that is known.
///
/// # Examples
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use segbench_losses::{Target, build};
///
/// let options = serde_json::json!({ "over": "batch" });
/// let dice = build("dice", options.as_object().cloned().unwrap_or_default(), Some(4))?;
/// let logits = Tensor::zeros((1, 4, 1, 3), DType::F32, &Device::Cpu)?;
/// let loss = dice.forward(&logits, &Target::new(vec![0, 3, 255], 1, 1, 3)?)?;
/// assert!((loss.to_scalar::<f32>()? - 5.0 / 6.0).abs() < 1e-4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn build(name: &str, options: Map<String, Value>, classes: Option<usize>) -> Result<Box<dyn Loss>> {
    let card = card(name)?;
    let wrong = |err: serde_json::Error| Error::Option { loss: card.name, problem: err.to_string() };
    let loss = (card.build)(Value::Object(options)).map_err(wrong)?;
    loss.validate(classes)?;
    Ok(loss)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(text: &str) -> Map<String, Value> {
        serde_json::from_str(text).expect("options")
    }

    #[test]
    fn sixteen_losses_have_names_of_their_own_and_can_be_built_from_their_defaults() {
        let names: std::collections::BTreeSet<&str> = LOSSES.iter().map(|card| card.name).collect();
        assert_eq!(names.len(), 16);
        for card in LOSSES {
            let Value::Object(defaults) = card.defaults() else { panic!("{}: no options", card.name) };
            assert_eq!(defaults["form"], "repaired", "{}", card.name);
            let built = build(card.name, defaults, Some(3)).expect(card.name);
            let plain = build(card.name, Map::new(), Some(3)).expect(card.name);
            assert_eq!(format!("{built:?}"), format!("{plain:?}"));
            assert!(build(card.name, options(r#"{"form": "seed"}"#), None).is_ok(), "{}", card.name);
        }
    }

    #[test]
    fn a_misspelled_name_gets_a_suggestion_and_a_misspelled_option_the_list() {
        let err = card("lovasz-softmx").expect_err("misspelled");
        assert!(matches!(err, Error::UnknownLoss { suggestion: Some("lovasz-softmax"), .. }), "{err:?}");
        let err = build("focal", options(r#"{"gama": 1}"#), None).expect_err("misspelled").to_string();
        assert!(err.contains("`gama`") && err.contains("`gamma`"), "{err}");
    }

    #[test]
    fn options_without_sense_are_refused() {
        for (name, text) in [
            ("topk", r#"{"k": 0}"#),
            ("topk", r#"{"threshold": 1.5}"#),
            ("focal", r#"{"gamma": -1}"#),
            ("focal", r#"{"alpha": [1, 2]}"#),
            ("dice", r#"{"smooth": -1}"#),
            ("dice", r#"{"classes": [3]}"#),
            ("tversky", r#"{"beta": -0.1}"#),
            ("focal-tversky", r#"{"gamma": 0}"#),
            ("sensitivity-specificity", r#"{"w": 1.1}"#),
            ("hausdorff", r#"{"alpha": -2}"#),
            ("hausdorff", r#"{"erosions": 3, "form": "seed"}"#),
        ] {
            let err = build(name, options(text), Some(3)).expect_err(text);
            assert!(matches!(err, Error::Option { loss, .. } if loss == name), "{err:?}");
        }
    }
}
