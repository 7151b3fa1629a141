//! What of a checkpoint fitted a network and what did not.

use std::collections::BTreeMap;
use std::fmt;

use candle_core::Tensor;
use regex::Regex;
use segbench_types::nearest;

use crate::{Error, Result};

/// How many tensors of a kind are named before the rest is only counted.
const NAMED: usize = 12;

/// Counters that PyTorch's BatchNorm keeps for a running average no network here uses.
pub const BATCH_COUNTERS: Allowed = Allowed {
    pattern: r".*\.num_batches_tracked",
    reason: "counts training steps and takes no part in the network",
};

/// Tensors that may be missing or unused, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowed {
    /// A regular expression for the whole name.
    pub pattern: &'static str,
    /// Why the network is right without them.
    pub reason: &'static str,
}

/// A tensor the network wants and the checkpoint does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What the network calls it.
    pub name: String,
    /// The wanted shape.
    pub shape: Vec<usize>,
    /// The unused tensor of the same shape that has the most similar name.
    pub similar: Option<String>,
}

/// A tensor that both have, in different shapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatched {
    /// Its name.
    pub name: String,
    /// The shape the network wants.
    pub wanted: Vec<usize>,
    /// The shape in the checkpoint.
    pub found: Vec<usize>,
}

/// How a checkpoint and a network fit; every list is sorted by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Tensors the network took.
    pub loaded: Vec<String>,
    /// Tensors the network wanted in vain.
    pub missing: Vec<Missing>,
    /// Tensors nobody asked for.
    pub unused: Vec<String>,
    /// Tensors of another shape than wanted.
    pub mismatched: Vec<Mismatched>,
    /// Names that are missing or unused for a known reason, with that reason.
    pub allowed: Vec<(String, String)>,
}

impl LoadReport {
    /// Compares what is wanted with what there is.
    pub fn compare<'a>(
        wanted: impl IntoIterator<Item = (&'a str, &'a [usize])>,
        there: &BTreeMap<String, Tensor>,
    ) -> Self {
        let mut report = Self::default();
        let mut unused: BTreeMap<&str, &Tensor> =
            there.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
        let wanted: BTreeMap<&str, &[usize]> = wanted.into_iter().collect();
        for (&name, &shape) in &wanted {
            match unused.remove(name) {
                Some(tensor) if tensor.dims() == shape => report.loaded.push(name.to_owned()),
                Some(tensor) => report.mismatched.push(Mismatched {
                    name: name.to_owned(),
                    wanted: shape.to_vec(),
                    found: tensor.dims().to_vec(),
                }),
                None => {
                    report.missing.push(Missing {
                        name: name.to_owned(),
                        shape: shape.to_vec(),
                        similar: None,
                    });
                }
            }
        }
        for missing in &mut report.missing {
            let alike = unused.iter().filter(|(_, tensor)| tensor.dims() == missing.shape);
            missing.similar = nearest(&missing.name, alike.map(|(&name, _)| name)).map(str::to_owned);
        }
        report.unused = unused.keys().map(|&name| name.to_owned()).collect();
        report
    }

    /// Moves missing and unused tensors that match a pattern to [`Self::allowed`].
    ///
    /// # Errors
    /// [`Error::Pattern`] if a pattern is no regular expression.
    pub fn allow(mut self, allowed: &[Allowed]) -> Result<Self> {
        for Allowed { pattern, reason } in allowed {
            let pattern = whole(pattern)?;
            let set_aside = |name: &str, list: &mut Vec<(String, String)>| {
                let matches = pattern.is_match(name);
                if matches {
                    list.push((name.to_owned(), (*reason).to_owned()));
                }
                !matches
            };
            self.missing.retain(|missing| set_aside(&missing.name, &mut self.allowed));
            self.unused.retain(|name| set_aside(name, &mut self.allowed));
        }
        self.allowed.sort();
        Ok(self)
    }

    /// Whether nothing is missing, unused or of another shape, except what was allowed.
    pub fn fits(&self) -> bool {
        self.missing.is_empty() && self.unused.is_empty() && self.mismatched.is_empty()
    }

    /// This report, if everything fits or is allowed to be missing or unused. Another shape is never allowed.
    ///
    /// # Errors
    /// [`Error::WeightsDoNotFit`] with this report otherwise; [`Error::Pattern`] if a pattern is no regular expression.
    pub fn strict(self, allowed: &[Allowed]) -> Result<Self> {
        let report = self.allow(allowed)?;
        if report.fits() { Ok(report) } else { Err(Error::WeightsDoNotFit { report: Box::new(report) }) }
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} loaded, {} missing, {} unused, {} of another shape",
            self.loaded.len(),
            self.missing.len(),
            self.unused.len(),
            self.mismatched.len()
        )?;
        if !self.allowed.is_empty() {
            write!(f, " ({} left out for a known reason)", self.allowed.len())?;
        }
        let missing = self.missing.iter().map(|Missing { name, shape, similar }| match similar {
            Some(similar) => format!("missing `{name}` {}, did you mean `{similar}`?", shape_text(shape)),
            None => format!("missing `{name}` {}", shape_text(shape)),
        });
        let unused = self.unused.iter().map(|name| format!("unused `{name}`"));
        let mismatched = self.mismatched.iter().map(|Mismatched { name, wanted, found }| {
            format!("`{name}` is {} in the file, the network wants {}", shape_text(found), shape_text(wanted))
        });
        lines(f, missing, self.missing.len(), "missing")?;
        lines(f, unused, self.unused.len(), "unused")?;
        lines(f, mismatched, self.mismatched.len(), "of another shape")
    }
}

fn lines(
    f: &mut fmt::Formatter<'_>,
    all: impl Iterator<Item = String>,
    count: usize,
    kind: &str,
) -> fmt::Result {
    for line in all.take(NAMED) {
        write!(f, "\n  {line}")?;
    }
    if count > NAMED { write!(f, "\n  and {} more {kind}", count - NAMED) } else { Ok(()) }
}

/// `64x3x7x7`, or `scalar`.
pub(super) fn shape_text(shape: &[usize]) -> String {
    if shape.is_empty() {
        return "scalar".to_owned();
    }
    shape.iter().map(usize::to_string).collect::<Vec<_>>().join("x")
}

/// The error of a backend that is asked for a tensor without being told its shape.
pub(super) fn shape_needed(name: &str) -> candle_core::Error {
    candle_core::Error::Msg(format!("`{name}` was asked for without a shape")).bt()
}

fn whole(pattern: &'static str) -> Result<Regex> {
    Regex::new(&format!("^(?:{pattern})$"))
        .map_err(|err| Error::Pattern { pattern: pattern.to_owned(), problem: err.to_string() })
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;

    fn tensors(list: &[(&str, &[usize])]) -> BTreeMap<String, Tensor> {
        let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).expect("zeros");
        list.iter().map(|(name, shape)| ((*name).to_owned(), zeros(shape))).collect()
    }

    #[test]
    fn a_report_reads_like_this() {
        let there = tensors(&[
            ("a.weight", &[2, 3]),
            ("head.classifier.bias", &[150]),
            ("bn.num_batches_tracked", &[]),
            ("head.bais", &[19]),
        ]);
        let wanted: [(&str, &[usize]); 3] =
            [("a.weight", &[2, 3]), ("head.classifier.bias", &[19]), ("head.bias", &[19])];
        let report = LoadReport::compare(wanted, &there).allow(&[BATCH_COUNTERS]).expect("a pattern");
        assert_eq!(
            report.to_string(),
            "1 loaded, 1 missing, 1 unused, 1 of another shape (1 left out for a known reason)\n  \
             missing `head.bias` 19, did you mean `head.bais`?\n  \
             unused `head.bais`\n  \
             `head.classifier.bias` is 150 in the file, the network wants 19"
        );
    }

    #[test]
    fn a_long_list_is_counted_at_the_end() {
        let names: Vec<String> = (0..NAMED + 3).map(|i| format!("t{i:02}")).collect();
        let wanted = names.iter().map(|name| (name.as_str(), &[4_usize][..]));
        let text = LoadReport::compare(wanted, &BTreeMap::new()).to_string();
        assert!(
            text.contains("`t11`") && !text.contains("`t12`") && text.ends_with("and 3 more missing"),
            "{text}"
        );
    }

    #[test]
    fn a_pattern_must_match_the_whole_name() {
        let there = tensors(&[("head.weight", &[1]), ("other.head.weight", &[1])]);
        let report = LoadReport::compare([], &there);
        let report =
            report.allow(&[Allowed { pattern: r"head\..*", reason: "retrained" }]).expect("a pattern");
        assert_eq!(report.unused, ["other.head.weight"]);
        assert_eq!(report.allowed, [("head.weight".to_owned(), "retrained".to_owned())]);
        assert!(matches!(report.strict(&[]), Err(Error::WeightsDoNotFit { .. })));
    }
}
