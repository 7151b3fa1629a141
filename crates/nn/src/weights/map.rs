//! Translating the tensors of one framework's network into another's, both ways.

use std::collections::BTreeMap;

use candle_core::Tensor;

use super::report::shape_text;
use super::template::{Filling, Template};
use crate::{Error, Result};

/// What happens to tensors whose name has a certain form.
///
/// Names are templates: `{x}` stands for one part of a name between dots, `{x..}` for one or more, and the same places stand on
/// both sides of a rule. `layers.{i}.0.proj.{p}` to `patch_embeddings.{i}.proj.{p}` renames the weights and biases of all stages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// The same tensor under another name.
    Rename {
        /// Name in the source.
        from: &'static str,
        /// Name in the target.
        to: &'static str,
    },
    /// The (O, I, 1, 1) weight of a 1x1 convolution as the (O, I) weight of a linear layer.
    Squeeze {
        /// Name in the source.
        from: &'static str,
        /// Name in the target.
        to: &'static str,
    },
    /// The (O, I) weight of a linear layer as the (O, I, 1, 1) weight of a 1x1 convolution.
    Unsqueeze {
        /// Name in the source.
        from: &'static str,
        /// Name in the target.
        to: &'static str,
    },
    /// One tensor cut into equal parts.
    Split {
        /// Name in the source.
        from: &'static str,
        /// Names of the parts in the target, in order.
        to: &'static [&'static str],
        /// The dimension that is cut.
        dim: usize,
    },
    /// Equal parts laid behind each other.
    Join {
        /// Names of the parts in the source, in order.
        from: &'static [&'static str],
        /// Name in the target.
        to: &'static str,
        /// The dimension that grows.
        dim: usize,
    },
    /// A tensor without a counterpart.
    Drop {
        /// Name in the source.
        name: &'static str,
        /// Why the network is the same without it.
        reason: &'static str,
    },
}

impl Rule {
    fn inverse(self) -> Option<Self> {
        Some(match self {
            Self::Rename { from, to } => Self::Rename { from: to, to: from },
            Self::Squeeze { from, to } => Self::Unsqueeze { from: to, to: from },
            Self::Unsqueeze { from, to } => Self::Squeeze { from: to, to: from },
            Self::Split { from, to, dim } => Self::Join { from: to, to: from, dim },
            Self::Join { from, to, dim } => Self::Split { from: to, to: from, dim },
            Self::Drop { .. } => return None,
        })
    }

    fn names(&self) -> (Vec<&'static str>, Vec<&'static str>) {
        match *self {
            Self::Rename { from, to } | Self::Squeeze { from, to } | Self::Unsqueeze { from, to } => {
                (vec![from], vec![to])
            }
            Self::Split { from, to, .. } => (vec![from], to.to_vec()),
            Self::Join { from, to, .. } => (from.to_vec(), vec![to]),
            Self::Drop { name, .. } => (vec![name], Vec::new()),
        }
    }
}

/// Ordered rules; the first whose source has the form of a tensor's name is the one that is applied to it.
///
/// Applying a map takes every source tensor exactly once and makes every target tensor exactly once, or fails. The inverse
/// undoes it, up to what was dropped.
///
/// # Examples
/// ```
/// use std::collections::BTreeMap;
/// use candle_core::{DType, Device, Tensor};
/// use segbench_nn::weights::{Rule, WeightMap};
///
/// let map = WeightMap::new(&[
///     Rule::Split { from: "{block..}.in_proj_bias", to: &["{block..}.q.bias", "{block..}.k.bias", "{block..}.v.bias"], dim: 0 },
///     Rule::Drop { name: "{bn..}.num_batches_tracked", reason: "a counter" },
/// ])?;
/// let source = BTreeMap::from([("layers.0.attn.in_proj_bias".to_owned(), Tensor::zeros(96, DType::F32, &Device::Cpu)?)]);
/// let target = map.apply(&source)?.tensors;
/// assert_eq!(target["layers.0.attn.k.bias"].dims(), [32]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct WeightMap {
    rules: Vec<Compiled>,
}

#[derive(Debug, Clone)]
struct Compiled {
    rule: Rule,
    sources: Vec<Template>,
    targets: Vec<Template>,
}

/// The outcome of a translation.
#[derive(Debug, Clone)]
pub struct Mapped {
    /// The tensors under their new names.
    pub tensors: BTreeMap<String, Tensor>,
    /// The names that were dropped, with the reason.
    pub dropped: Vec<(String, &'static str)>,
}

/// The parts of a [`Rule::Join`] found so far: by rule and by what stands in the places.
type Joins<'a> = BTreeMap<(usize, Filling), Vec<Option<(&'a str, &'a Tensor)>>>;

impl WeightMap {
    /// Prepares rules for use.
    ///
    /// # Errors
    /// [`Error::Pattern`] if a name is no template, or if the two sides of a rule do not have the same places.
    pub fn new(rules: &[Rule]) -> Result<Self> {
        rules.iter().map(|&rule| Compiled::new(rule)).collect::<Result<_>>().map(|rules| Self { rules })
    }

    /// The map that undoes this one. What was dropped stays lost.
    ///
    /// # Errors
    /// As [`Self::new`], which accepted the same templates.
    pub fn inverse(&self) -> Result<Self> {
        let rules: Vec<Rule> = self.rules.iter().filter_map(|compiled| compiled.rule.inverse()).collect();
        Self::new(&rules)
    }

    /// The names that no rule knows; a checkpoint without any is of the layout this map is made for.
    pub fn unknown<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
        names.into_iter().filter(|name| self.find(name).is_none()).collect()
    }

    /// Translates all tensors of a checkpoint.
    ///
    /// # Errors
    /// [`Error::WeightMap`] naming every tensor that no rule knows, that has the wrong shape for its rule, whose new name
    /// another tensor has too, or that lacks the tensors it is to be joined with; [`Error::Candle`] if memory runs out.
    pub fn apply(&self, source: &BTreeMap<String, Tensor>) -> Result<Mapped> {
        let mut out = Outcome::default();
        let mut joins = Joins::new();
        for (name, tensor) in source {
            let Some((index, part, filling)) = self.find(name) else {
                out.problems.push(format!("no rule knows `{name}`"));
                continue;
            };
            let Compiled { rule, sources, targets } = &self.rules[index];
            let single = || targets.iter().map(|target| target.fill(&filling)).collect::<String>();
            match *rule {
                Rule::Rename { .. } => out.put(single(), name, tensor.clone()),
                Rule::Squeeze { .. } => match *tensor.dims() {
                    [o, i, 1, 1] => out.put(single(), name, tensor.reshape((o, i))?),
                    _ => out.wrong_shape(name, tensor, "OxIx1x1"),
                },
                Rule::Unsqueeze { .. } => match *tensor.dims() {
                    [o, i] => out.put(single(), name, tensor.reshape((o, i, 1, 1))?),
                    _ => out.wrong_shape(name, tensor, "OxI"),
                },
                Rule::Split { dim, .. } => match tensor.dims().get(dim) {
                    Some(size) if size % targets.len() == 0 => {
                        let size = size / targets.len();
                        for (at, target) in targets.iter().enumerate() {
                            let piece = tensor.narrow(dim, at * size, size)?.contiguous()?;
                            out.put(target.fill(&filling), name, piece);
                        }
                    }
                    _ => out.wrong_shape(
                        name,
                        tensor,
                        &format!("a multiple of {} in dimension {dim}", targets.len()),
                    ),
                },
                Rule::Join { .. } => {
                    let parts = joins.entry((index, filling)).or_insert_with(|| vec![None; sources.len()]);
                    parts[part] = Some((name, tensor));
                }
                Rule::Drop { reason, .. } => out.dropped.push((name.clone(), reason)),
            }
        }
        self.join(joins, &mut out)?;
        out.finish()
    }

    fn join(&self, joins: Joins<'_>, out: &mut Outcome) -> Result<()> {
        for ((index, filling), parts) in joins {
            let Compiled { rule, sources, targets } = &self.rules[index];
            let Rule::Join { dim, .. } = *rule else { continue };
            let found: Vec<(&str, &Tensor)> = parts.iter().copied().flatten().collect();
            let absent = sources.iter().zip(&parts).filter(|(_, part)| part.is_none());
            let absent: Vec<String> =
                absent.map(|(source, _)| format!("`{}`", source.fill(&filling))).collect();
            let Some(&(first, like)) = found.first() else { continue };
            if !absent.is_empty() {
                out.problems.push(format!("`{first}` needs {} beside it", absent.join(" and ")));
            } else if dim >= like.rank() || found.iter().any(|(_, tensor)| tensor.dims() != like.dims()) {
                let shapes: Vec<String> = found.iter().map(|(_, tensor)| shape_text(tensor.dims())).collect();
                out.problems
                    .push(format!("`{first}` and those beside it cannot be joined: {}", shapes.join(", ")));
            } else {
                let tensors: Vec<&Tensor> = found.iter().map(|(_, tensor)| *tensor).collect();
                let joined = Tensor::cat(&tensors, dim)?;
                for target in targets {
                    out.put(target.fill(&filling), first, joined.clone());
                }
            }
        }
        Ok(())
    }

    /// The rule for a name, which of the rule's sources it is, and what stands in the places.
    fn find(&self, name: &str) -> Option<(usize, usize, Filling)> {
        self.rules.iter().enumerate().find_map(|(index, compiled)| {
            let mut sources = compiled.sources.iter().enumerate();
            sources.find_map(|(part, source)| {
                let mut filling = source.match_name(name)?;
                filling.sort();
                Some((index, part, filling))
            })
        })
    }
}

impl Compiled {
    fn new(rule: Rule) -> Result<Self> {
        let (from, to) = rule.names();
        let parse =
            |names: &[&str]| names.iter().map(|name| Template::parse(name)).collect::<Result<Vec<_>>>();
        let (sources, targets) = (parse(&from)?, parse(&to)?);
        let mut all = sources.iter().chain(&targets).zip(from.iter().chain(&to));
        if let Some((first, _)) = all.next() {
            for (template, name) in all {
                if template.places() != first.places() {
                    let problem = format!("does not have the places of `{}`", from[0]);
                    return Err(Error::Pattern { pattern: (*name).to_owned(), problem });
                }
            }
        }
        Ok(Self { rule, sources, targets })
    }
}

#[derive(Default)]
struct Outcome {
    /// New name to tensor and old name.
    made: BTreeMap<String, (Tensor, String)>,
    dropped: Vec<(String, &'static str)>,
    problems: Vec<String>,
}

impl Outcome {
    fn put(&mut self, target: String, source: &str, tensor: Tensor) {
        if let Some((_, other)) = self.made.get(&target) {
            self.problems.push(format!("`{other}` and `{source}` both become `{target}`"));
        } else {
            self.made.insert(target, (tensor, source.to_owned()));
        }
    }

    fn wrong_shape(&mut self, source: &str, tensor: &Tensor, wanted: &str) {
        self.problems.push(format!("`{source}` is {} instead of {wanted}", shape_text(tensor.dims())));
    }

    fn finish(self) -> Result<Mapped> {
        if !self.problems.is_empty() {
            return Err(Error::WeightMap { problem: self.problems.join("; ") });
        }
        let tensors = self.made.into_iter().map(|(name, (tensor, _))| (name, tensor)).collect();
        Ok(Mapped { tensors, dropped: self.dropped })
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::*;
    use crate::weights::seeded;

    /// The naming of mmsegmentation 1.2.2 on the left, of transformers 4.57.6 on the right.
    const ENCODER: &[Rule] = &[
        Rule::Rename {
            from: "backbone.layers.{s}.0.projection.{p}",
            to: "encoder.patch_embeddings.{s}.proj.{p}",
        },
        Rule::Split {
            from: "backbone.layers.{s}.1.{b}.attn.attn.in_proj_{p}",
            to: &[
                "encoder.block.{s}.{b}.attention.self.query.{p}",
                "encoder.block.{s}.{b}.attention.self.key.{p}",
                "encoder.block.{s}.{b}.attention.self.value.{p}",
            ],
            dim: 0,
        },
        Rule::Squeeze {
            from: "backbone.layers.{s}.1.{b}.ffn.layers.0.weight",
            to: "encoder.block.{s}.{b}.mlp.dense1.weight",
        },
        Rule::Rename {
            from: "backbone.layers.{s}.1.{b}.ffn.layers.0.bias",
            to: "encoder.block.{s}.{b}.mlp.dense1.bias",
        },
        Rule::Drop { name: "{bn..}.num_batches_tracked", reason: "a counter" },
        Rule::Rename { from: "decode_head.{rest..}", to: "decode_head.{rest..}" },
    ];

    const NAMES: &[(&str, &[usize])] = &[
        ("backbone.layers.0.0.projection.weight", &[4, 3, 7, 7]),
        ("backbone.layers.0.0.projection.bias", &[4]),
        ("backbone.layers.0.1.0.attn.attn.in_proj_weight", &[12, 4]),
        ("backbone.layers.0.1.0.attn.attn.in_proj_bias", &[12]),
        ("backbone.layers.0.1.1.attn.attn.in_proj_weight", &[12, 4]),
        ("backbone.layers.0.1.1.attn.attn.in_proj_bias", &[12]),
        ("backbone.layers.0.1.0.ffn.layers.0.weight", &[16, 4, 1, 1]),
        ("backbone.layers.0.1.0.ffn.layers.0.bias", &[16]),
        ("decode_head.fusion_conv.bn.weight", &[8]),
    ];

    fn checkpoint(names: &[(&str, &[usize])]) -> BTreeMap<String, Tensor> {
        let tensor = |name, shape: &[usize]| Tensor::from_vec(seeded(name, shape), shape, &Device::Cpu);
        names
            .iter()
            .map(|(name, shape)| ((*name).to_owned(), tensor(name, shape).expect("a tensor")))
            .collect()
    }

    fn values(tensor: &Tensor) -> (Vec<usize>, Vec<f32>) {
        (tensor.dims().to_vec(), tensor.flatten_all().and_then(|flat| flat.to_vec1()).expect("f32"))
    }

    #[test]
    fn a_map_and_its_inverse_are_the_identity() {
        let map = WeightMap::new(ENCODER).expect("rules");
        let source = checkpoint(NAMES);
        let there = map.apply(&source).expect("mapped").tensors;
        let back = map.inverse().expect("inverse").apply(&there).expect("mapped back").tensors;
        assert_eq!(back.keys().collect::<Vec<_>>(), source.keys().collect::<Vec<_>>());
        for (name, tensor) in &source {
            assert_eq!(values(tensor), values(&back[name]), "{name}");
        }
        let again = map.apply(&back).expect("mapped again").tensors;
        assert_eq!(again.keys().collect::<Vec<_>>(), there.keys().collect::<Vec<_>>());
    }

    #[test]
    fn every_element_arrives_and_the_parts_come_in_the_order_of_their_names() {
        let map = WeightMap::new(ENCODER).expect("rules");
        let source = checkpoint(NAMES);
        let target = map.apply(&source).expect("mapped").tensors;
        let count =
            |tensors: &BTreeMap<String, Tensor>| tensors.values().map(Tensor::elem_count).sum::<usize>();
        assert_eq!(count(&source), count(&target));
        let (_, whole) = values(&source["backbone.layers.0.1.1.attn.attn.in_proj_bias"]);
        for (at, part) in ["query", "key", "value"].iter().enumerate() {
            let (_, piece) = values(&target[&format!("encoder.block.0.1.attention.self.{part}.bias")]);
            assert_eq!(piece, whole[at * 4..at * 4 + 4], "{part}");
        }
        assert_eq!(target["encoder.block.0.0.mlp.dense1.weight"].dims(), [16, 4]);
    }

    #[test]
    fn dropped_tensors_are_named_with_the_reason() {
        let mut source = checkpoint(NAMES);
        source.extend(checkpoint(&[("decode_head.fusion_conv.bn.num_batches_tracked", &[])]));
        let mapped = WeightMap::new(ENCODER).and_then(|map| map.apply(&source)).expect("mapped");
        assert_eq!(
            mapped.dropped,
            [("decode_head.fusion_conv.bn.num_batches_tracked".to_owned(), "a counter")]
        );
        assert!(!mapped.tensors.keys().any(|name| name.ends_with("num_batches_tracked")));
    }

    #[test]
    fn unknown_names_and_wrong_shapes_are_all_reported() {
        let map = WeightMap::new(ENCODER).expect("rules");
        let source = checkpoint(&[
            ("neck.weight", &[2]),
            ("backbone.layers.0.1.0.attn.attn.in_proj_bias", &[13]),
            ("backbone.layers.0.1.0.ffn.layers.0.weight", &[16, 4, 3, 3]),
        ]);
        assert_eq!(map.unknown(source.keys().map(String::as_str)), ["neck.weight"]);
        let text = map.apply(&source).expect_err("three problems").to_string();
        for part in ["no rule knows `neck.weight`", "in_proj_bias` is 13", "16x4x3x3 instead of OxIx1x1"] {
            assert!(text.contains(part), "{part} is not in: {text}");
        }
    }

    #[test]
    fn two_tensors_never_become_one_and_a_part_alone_is_refused() {
        let both = WeightMap::new(&[
            Rule::Rename { from: "a.{p}", to: "c.{p}" },
            Rule::Rename { from: "b.{p}", to: "c.{p}" },
            Rule::Join { from: &["q.{p}", "k.{p}"], to: "qk.{p}", dim: 0 },
        ])
        .expect("rules");
        let text =
            both.apply(&checkpoint(&[("a.w", &[1]), ("b.w", &[1])])).expect_err("one name").to_string();
        assert!(text.contains("`a.w` and `b.w` both become `c.w`"), "{text}");
        let text = both.apply(&checkpoint(&[("q.w", &[1])])).expect_err("a part").to_string();
        assert!(text.contains("`q.w` needs `k.w` beside it"), "{text}");
        let unequal = checkpoint(&[("q.w", &[2]), ("k.w", &[3])]);
        assert!(both.apply(&unequal).expect_err("unequal parts").to_string().contains("2, 3"));
    }

    #[test]
    fn a_rule_whose_sides_have_different_places_is_refused() {
        assert!(WeightMap::new(&[Rule::Rename { from: "a.{i}", to: "b.{j}" }]).is_err());
    }
}
