//! Several losses added with weights, as a training writes them.

use std::collections::BTreeMap;
use std::fmt;

use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Error, Loss, Needs, Result, Target, build, card};

/// Losses by name, each with its weight and options, as in a configuration file: `dice`, `{ cross-entropy: 1, dice: 0.5 }` or
/// `{ boundary: { weight: { from: 0.01, to: 1 }, exclude_background: true } }`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct RecipeOptions(pub BTreeMap<String, TermOptions>);

/// Weight and options of one loss.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(from = "WrittenTerm", into = "WrittenTerm")]
pub struct TermOptions {
    /// The factor on the loss.
    pub weight: Weight,
    /// The loss's own options.
    pub options: Map<String, Value>,
}

/// A factor, the same for a whole training or changing with it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Weight {
    /// Always the same.
    Constant(f64),
    /// From the first step to the last, in equal parts.
    Ramp {
        /// At the first step.
        from: f64,
        /// At the last step.
        to: f64,
    },
}

impl Default for Weight {
    fn default() -> Self {
        Self::Constant(1.0)
    }
}

impl Weight {
    /// The factor when `progress`, from 0 to 1, of the training is done.
    pub fn at(self, progress: f64) -> f64 {
        match self {
            Self::Constant(weight) => weight,
            Self::Ramp { from, to } => from + (to - from) * progress,
        }
    }

    fn is_usable(self) -> bool {
        let usable = |weight: f64| weight.is_finite() && weight >= 0.0;
        match self {
            Self::Constant(weight) => usable(weight) && weight > 0.0,
            Self::Ramp { from, to } => usable(from) && usable(to),
        }
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(weight) => write!(f, "{weight}"),
            Self::Ramp { from, to } => write!(f, "{from}..{to}"),
        }
    }
}

impl RecipeOptions {
    /// One loss with its defaults.
    pub fn of(name: &str) -> Self {
        Self([(name.to_owned(), TermOptions::default())].into())
    }

    /// Reads losses as they are shown, one in each text: a name, with options in JSON behind it, with `=` and a weight, or with `=` and
    /// the weights at the first and the last step.
    ///
    /// # Errors
    /// [`Error::UnknownLoss`]; [`Error::Option`] for options that are no JSON and for a loss that is named twice; [`Error::Weight`].
    ///
    /// # Examples
    /// ```
    /// use segbench_losses::RecipeOptions;
    ///
    /// let recipe = RecipeOptions::parse(&["dice", r#"topk{"k":25}=0.5"#, "boundary=0.01..1"])?;
    /// assert_eq!(recipe.to_string(), r#"boundary=0.01..1+dice=1+topk{"k":25}=0.5"#);
    /// # Ok::<(), segbench_losses::Error>(())
    /// ```
    pub fn parse(texts: &[impl AsRef<str>]) -> Result<Self> {
        let mut terms = BTreeMap::new();
        for text in texts {
            let (name, term) = parse_term(text.as_ref())?;
            if terms.insert(name.to_owned(), term).is_some() {
                return Err(Error::Option { loss: name, problem: "it is named twice".into() });
            }
        }
        Ok(Self(terms))
    }

    /// Builds the losses, for a network with `classes` classes where that is known.
    ///
    /// # Errors
    /// As [`build`]; [`Error::Weight`] for a weight below 0 or not finite, [`Error::NoLoss`] if there is no loss.
    pub fn build(&self, classes: Option<usize>) -> Result<Recipe> {
        if self.0.is_empty() {
            return Err(Error::NoLoss);
        }
        let term = |(name, term): (&String, &TermOptions)| {
            let loss = build(name, term.options.clone(), classes)?;
            if !term.weight.is_usable() {
                return Err(Error::Weight { loss: name.clone(), weight: term.weight.to_string() });
            }
            Ok((term.weight, loss))
        };
        Ok(Recipe { terms: self.0.iter().map(term).collect::<Result<_>>()? })
    }
}

/// `cross-entropy=1+dice{"over":"batch"}=0.5`, as a leaderboard shows it.
impl fmt::Display for RecipeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, term)) in self.0.iter().enumerate() {
            let plus = if index > 0 { "+" } else { "" };
            write!(f, "{plus}{name}")?;
            if !term.options.is_empty() {
                write!(f, "{}", Value::Object(term.options.clone()))?;
            }
            write!(f, "={}", term.weight)?;
        }
        Ok(())
    }
}

/// A weighted sum of losses.
#[derive(Debug)]
pub struct Recipe {
    terms: Vec<(Weight, Box<dyn Loss>)>,
}

impl Recipe {
    /// What any of the losses needs.
    pub fn needs(&self) -> Needs {
        self.terms.iter().fold(Needs::default(), |all, (_, loss)| {
            let needs = loss.needs();
            Needs {
                class_weights: all.class_weights || needs.class_weights,
                distances: all.distances || needs.distances,
            }
        })
    }

    /// The sum when `progress`, from 0 to 1, of the training is done. A loss whose weight is 0 is not computed.
    ///
    /// # Errors
    /// Those of [`Loss::forward`].
    pub fn forward(&self, logits: &Tensor, target: &Target, progress: f64) -> Result<Tensor> {
        let mut sum: Option<Tensor> = None;
        for (weight, loss) in &self.terms {
            let weight = weight.at(progress);
            if weight == 0.0 {
                continue;
            }
            let value = loss.forward(logits, target)?;
            let value = if weight == 1.0 { value } else { (value * weight)? };
            sum = Some(match sum {
                Some(sum) => (sum + value)?,
                None => value,
            });
        }
        match sum {
            Some(sum) => Ok(sum),
            None => Ok(Tensor::zeros((), candle_core::DType::F32, logits.device())?),
        }
    }
}

/// One loss of [`RecipeOptions::parse`].
fn parse_term(text: &str) -> Result<(&'static str, TermOptions)> {
    let (name, rest) = text.split_at(text.find(['{', '=']).unwrap_or(text.len()));
    let name = card(name)?.name;
    let (options, rest) = if rest.starts_with('{') {
        let mut read = serde_json::Deserializer::from_str(rest).into_iter::<Map<String, Value>>();
        let options = read.next().transpose();
        let options = options.map_err(|err| Error::Option { loss: name, problem: err.to_string() })?;
        (options.unwrap_or_default(), &rest[read.byte_offset()..])
    } else {
        (Map::new(), rest)
    };
    let weight = match rest.strip_prefix('=') {
        None if rest.is_empty() => Some(Weight::default()),
        None => None,
        Some(weight) => match weight.split_once("..") {
            Some((from, to)) => match (from.parse(), to.parse()) {
                (Ok(from), Ok(to)) => Some(Weight::Ramp { from, to }),
                _ => None,
            },
            None => weight.parse().ok().map(Weight::Constant),
        },
    };
    match weight.filter(|weight| weight.is_usable()) {
        Some(weight) => Ok((name, TermOptions { weight, options })),
        None => Err(Error::Weight { loss: name.into(), weight: rest.trim_start_matches('=').into() }),
    }
}

/// A recipe as files have it.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Name(String),
    Terms(BTreeMap<String, TermOptions>),
}

impl From<Written> for RecipeOptions {
    fn from(written: Written) -> Self {
        match written {
            Written::Name(name) => Self::of(&name),
            Written::Terms(terms) => Self(terms),
        }
    }
}

impl From<RecipeOptions> for Written {
    fn from(options: RecipeOptions) -> Self {
        match options.0.iter().next() {
            Some((name, term)) if options.0.len() == 1 && *term == TermOptions::default() => {
                Self::Name(name.clone())
            }
            _ => Self::Terms(options.0),
        }
    }
}

/// A term as files have it.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum WrittenTerm {
    Weight(f64),
    Options {
        #[serde(default)]
        weight: Weight,
        #[serde(flatten)]
        options: Map<String, Value>,
    },
}

impl From<WrittenTerm> for TermOptions {
    fn from(written: WrittenTerm) -> Self {
        match written {
            WrittenTerm::Weight(weight) => Self { weight: Weight::Constant(weight), options: Map::new() },
            WrittenTerm::Options { weight, options } => Self { weight, options },
        }
    }
}

impl From<TermOptions> for WrittenTerm {
    fn from(term: TermOptions) -> Self {
        match term.weight {
            Weight::Constant(weight) if term.options.is_empty() => Self::Weight(weight),
            weight => Self::Options { weight, options: term.options },
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;

    fn read(text: &str) -> RecipeOptions {
        serde_json::from_str(text).expect("a recipe")
    }

    #[test]
    fn recipes_are_written_as_they_are_read() {
        for (text, shown) in [
            (r#""cross-entropy""#, "cross-entropy=1"),
            (r#"{"cross-entropy":1.0,"dice":0.5}"#, "cross-entropy=1+dice=0.5"),
            (
                r#"{"boundary":{"weight":{"from":0.01,"to":1.0},"exclude_background":true}}"#,
                r#"boundary{"exclude_background":true}=0.01..1"#,
            ),
        ] {
            let options = read(text);
            assert_eq!(serde_json::to_string(&options).expect("text"), text);
            assert_eq!(options.to_string(), shown);
            let terms: Vec<&str> = shown.split('+').collect();
            assert_eq!(RecipeOptions::parse(&terms).expect(shown), options);
            assert!(options.build(Some(5)).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert!(matches!(read("{}").build(None), Err(Error::NoLoss)));
        assert!(matches!(read(r#"{"dice": 0}"#).build(None), Err(Error::Weight { .. })));
        assert!(matches!(
            read(r#"{"dice": {"weight": {"from": -1, "to": 1}}}"#).build(None),
            Err(Error::Weight { .. })
        ));
        assert!(matches!(read(r#"{"dice": {"wight": 1}}"#).build(None), Err(Error::Option { .. })));
        assert!(matches!(
            read(r#""dise""#).build(None),
            Err(Error::UnknownLoss { suggestion: Some("dice"), .. })
        ));
    }

    #[test]
    fn arguments_that_make_no_sense_are_refused() {
        let refused = |texts: &[&str]| RecipeOptions::parse(texts).expect_err(texts[0]);
        assert!(matches!(refused(&["dise=1"]), Error::UnknownLoss { suggestion: Some("dice"), .. }));
        for text in ["dice=", "dice=0", "dice=-1", "dice=nan", "dice=1..", "dice=-1..1", "dice{}1"] {
            assert!(matches!(refused(&[text]), Error::Weight { loss, .. } if loss == "dice"), "{text}");
        }
        assert!(matches!(refused(&["topk{k:25}"]), Error::Option { loss: "topk", .. }));
        assert!(matches!(refused(&["dice=1", "dice=2"]), Error::Option { loss: "dice", .. }));
    }

    #[test]
    fn a_ramp_weighs_by_the_progress_of_the_training() {
        let recipe = read(r#"{"cross-entropy": 2, "iou": {"weight": {"from": 0, "to": 4}}}"#);
        let recipe = recipe.build(Some(2)).expect("a recipe");
        let logits = Tensor::zeros((1, 2, 1, 2), DType::F32, &Device::Cpu).expect("logits");
        let target = Target::new(vec![0, 1], 1, 1, 2).expect("a target");
        let at = |progress| {
            let loss = recipe.forward(&logits, &target, progress).expect("a loss");
            loss.to_scalar::<f32>().expect("a scalar")
        };
        // Of 1/2 everywhere: cross-entropy ln 2, IoU (1/2) / (3/2).
        for (progress, weight) in [(0.0, 0.0), (0.25, 1.0), (1.0, 4.0)] {
            let expected = 2.0 * 2_f32.ln() + weight * 2.0 / 3.0;
            // The smoothing moves the IoU by less than 1e-5.
            assert!((at(progress) - expected).abs() < 1e-4, "{progress}: {} {expected}", at(progress));
        }
    }

    #[test]
    fn needs_are_those_of_all_losses() {
        let needs = |text| read(text).build(Some(2)).expect("a recipe").needs();
        assert_eq!(needs(r#""dice""#), Needs::default());
        let both = needs(r#"{"weighted-cross-entropy": 1, "hausdorff": 1}"#);
        assert_eq!(both, Needs { class_weights: true, distances: true });
    }
}
