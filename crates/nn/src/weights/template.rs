//! Patterns of tensor names that can be filled in as well as matched.

use regex::Regex;

use crate::{Error, Result};

/// A tensor name with places: `{x}` stands for one part between dots, `{x..}` for one or more.
///
/// Where a regular expression and its replacement can only be applied in one direction, two templates with the same places
/// translate both ways.
#[derive(Debug, Clone)]
pub(super) struct Template {
    parts: Vec<Part>,
    regex: Regex,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Place(String),
}

/// What stood in the places of a template: pairs of place and text, in the template's order.
pub(super) type Filling = Vec<(String, String)>;

impl Template {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let wrong = |problem: &str| Error::Pattern { pattern: text.to_owned(), problem: problem.to_owned() };
        let mut parts: Vec<Part> = Vec::new();
        let mut pattern = String::from("^");
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (place, after) = after.split_once('}').ok_or_else(|| wrong("has a `{` without `}`"))?;
            let (place, matched) = match place.strip_suffix("..") {
                Some(place) => (place, r"(.+)"),
                None => (place, r"([^.]+)"),
            };
            if parts.contains(&Part::Place(place.to_owned())) {
                return Err(wrong("has a place twice"));
            }
            pattern.push_str(&regex::escape(before));
            pattern.push_str(matched);
            parts.push(Part::Text(before.to_owned()));
            parts.push(Part::Place(place.to_owned()));
            rest = after;
        }
        pattern.push_str(&regex::escape(rest));
        pattern.push('$');
        parts.push(Part::Text(rest.to_owned()));
        let regex = Regex::new(&pattern).map_err(|err| wrong(&err.to_string()))?;
        Ok(Self { parts, regex })
    }

    /// The places, sorted.
    pub(super) fn places(&self) -> Vec<&str> {
        let mut places: Vec<&str> = self.place_names().collect();
        places.sort_unstable();
        places
    }

    /// What stands in the places if `name` has this form.
    pub(super) fn match_name(&self, name: &str) -> Option<Filling> {
        let captures = self.regex.captures(name)?;
        let texts = captures.iter().skip(1).flatten().map(|found| found.as_str().to_owned());
        Some(self.place_names().map(str::to_owned).zip(texts).collect())
    }

    /// The name with `filling` in its places.
    pub(super) fn fill(&self, filling: &Filling) -> String {
        let text = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Place(place) => {
                // Both templates of a rule have the same places: the map checks that when it is made.
                filling
                    .iter()
                    .find(|(known, _)| known == place)
                    .map(|(_, text)| text.clone())
                    .unwrap_or_default()
            }
        };
        self.parts.iter().map(text).collect()
    }

    fn place_names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Place(place) => Some(place.as_str()),
            Part::Text(_) => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_one_part_and_a_place_with_dots_any_number() {
        let one = Template::parse("layers.{i}.{p}").expect("a template");
        assert!(one.match_name("layers.0.weight").is_some());
        assert!(one.match_name("layers.0.bn.weight").is_none());
        assert!(one.match_name("my.layers.0.weight").is_none());
        let more = Template::parse("layers.{i}.{p..}").expect("a template");
        let filling = more.match_name("layers.0.bn.weight").expect("matches");
        assert_eq!(Template::parse("{i}/{p..}!").expect("a template").fill(&filling), "0/bn.weight!");
    }

    #[test]
    fn dots_in_a_template_are_dots_and_not_any_character() {
        assert!(Template::parse("a.b").expect("a template").match_name("axb").is_none());
    }

    #[test]
    fn a_template_that_cannot_be_filled_in_is_refused() {
        assert!(Template::parse("a.{i").is_err());
        assert!(Template::parse("a.{i}.{i}").is_err());
    }
}
