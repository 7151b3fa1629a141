//! Patterns of paths, such as `gtFine/{split}/*/{id}_gtFine_labelIds.png`.
//!
//! A pattern describes the end of a path, so a data set is found below any folder. `{split}` stands for the name of a split or one of
//! its other names, `*` for any text within one folder or file name, and every other name in braces for a part of the image's id. The
//! id is these parts in the order of the path, joined by `_`.

use super::SplitCard;

/// Parts of one folder or file name; more would make matching slow and nobody needs them.
const MOST_PARTS: usize = 12;

/// The end of a path with names in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    text: String,
    /// One entry per folder, and one for the file.
    segments: Vec<Vec<Part>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Split,
    Any,
    Name(String),
}

/// What stands at the named places of a path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Position of the split.
    pub(crate) split: Option<usize>,
    /// The split as the path writes it.
    split_text: String,
    names: Vec<(String, String)>,
    any: Vec<String>,
}

impl Found {
    /// The image's id.
    pub(crate) fn id(&self) -> String {
        let parts: Vec<&str> = self.names.iter().map(|(_, text)| text.as_str()).collect();
        parts.join("_")
    }

    /// The first part of the id.
    pub(crate) fn group(&self) -> String {
        self.names.first().map(|(_, text)| text.clone()).unwrap_or_default()
    }

    /// What is known when only split and id are.
    pub(crate) fn of_id(split: &str, id: &str) -> Self {
        Self {
            split: None,
            split_text: split.to_owned(),
            names: vec![("id".into(), id.into())],
            any: Vec::new(),
        }
    }
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.starts_with('/') || text.contains('\\') {
            return Err(
                "a pattern is the end of a path with forward slashes and does not begin with one".into()
            );
        }
        let segments = text.split('/').map(parse_segment).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { text: text.to_owned(), segments })
    }

    /// Matches no path.
    pub(crate) fn nothing() -> Self {
        Self { text: String::new(), segments: vec![Vec::new()] }
    }

    /// The pattern as it was written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether the path says the split.
    pub(crate) fn has_split(&self) -> bool {
        self.parts().any(|part| *part == Part::Split)
    }

    /// The names that make the id, sorted.
    pub(crate) fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self
            .parts()
            .filter_map(|part| match part {
                Part::Name(name) => Some(name.as_str()),
                _ => None,
            })
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn parts(&self) -> impl Iterator<Item = &Part> {
        self.segments.iter().flatten()
    }

    /// What stands at the named places, if the path ends like this pattern.
    pub(crate) fn find(&self, path: &str, splits: &[SplitCard]) -> Option<Found> {
        let mut found = Found::default();
        let mut folders = path.rsplit('/');
        for (index, segment) in self.segments.iter().rev().enumerate() {
            let text = folders.next()?;
            // Archives made on a Mac carry a `._name` beside every file.
            if index == 0 && text.starts_with('.') {
                return None;
            }
            let mut here = Found::default();
            if !find_parts(segment, text, splits, &mut here) || !found.agrees_with(&here) {
                return None;
            }
            found.prepend(here);
        }
        Some(found)
    }

    /// The path with the named places filled in; what is not known stays as the pattern writes it.
    pub(crate) fn fill(&self, found: &Found) -> String {
        let mut any = found.any.iter();
        let fill = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Split => found.split_text.clone(),
            Part::Any => any.next().cloned().unwrap_or_else(|| "*".into()),
            Part::Name(name) => {
                let known = found.names.iter().find(|(known, _)| known == name);
                known.map_or_else(|| format!("{{{name}}}"), |(_, text)| text.clone())
            }
        };
        let mut fill = fill;
        let segments: Vec<String> =
            self.segments.iter().map(|segment| segment.iter().map(&mut fill).collect()).collect();
        segments.join("/")
    }
}

impl Found {
    fn agrees_with(&self, earlier: &Self) -> bool {
        let same_names = earlier.names.iter().all(|(name, text)| {
            self.names.iter().all(|(other, other_text)| name != other || text == other_text)
        });
        same_names && (self.split.is_none() || earlier.split.is_none() || self.split == earlier.split)
    }

    fn prepend(&mut self, earlier: Self) {
        if earlier.split.is_some() {
            (self.split, self.split_text) = (earlier.split, earlier.split_text);
        }
        // A name that stands twice says the same twice.
        self.names.retain(|(name, _)| earlier.names.iter().all(|(other, _)| other != name));
        self.names.splice(0..0, earlier.names);
        self.any.splice(0..0, earlier.any);
    }
}

fn parse_segment(text: &str) -> Result<Vec<Part>, String> {
    let mut parts: Vec<Part> = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let part = if let Some(after) = rest.strip_prefix('*') {
            rest = after;
            Part::Any
        } else if let Some(after) = rest.strip_prefix('{') {
            let (name, after) = after.split_once('}').ok_or("a `{` has no `}`")?;
            rest = after;
            match name {
                "split" => Part::Split,
                _ if !name.is_empty()
                    && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') =>
                {
                    Part::Name(name.to_owned())
                }
                _ => return Err(format!("`{{{name}}}` is no name of lowercase letters")),
            }
        } else {
            let end = rest.find(['*', '{', '}']).unwrap_or(rest.len());
            let (literal, after) = rest.split_at(end);
            if literal.is_empty() {
                return Err("a `}` has no `{`".into());
            }
            rest = after;
            Part::Text(literal.to_owned())
        };
        let is_open = |part: &Part| matches!(part, Part::Any | Part::Name(_));
        if is_open(&part) && parts.last().is_some_and(is_open) {
            return Err(
                "two names or stars stand side by side, so nobody can tell where the first one ends".into()
            );
        }
        parts.push(part);
    }
    let is_repeated =
        |(index, part): (usize, &Part)| matches!(part, Part::Name(_)) && parts[..index].contains(part);
    if parts.iter().enumerate().any(is_repeated) {
        return Err("a name stands twice in one folder or file name".into());
    }
    match parts.len() {
        0 => Err("a folder or file has no name".into()),
        count if count > MOST_PARTS => Err(format!("a folder or file name has more than {MOST_PARTS} parts")),
        _ => Ok(parts),
    }
}

/// Matches `text` from its beginning; names and stars take as little as they can.
fn find_parts(parts: &[Part], text: &str, splits: &[SplitCard], found: &mut Found) -> bool {
    let Some((part, rest)) = parts.split_first() else { return text.is_empty() };
    match part {
        Part::Text(literal) => {
            text.strip_prefix(literal.as_str()).is_some_and(|text| find_parts(rest, text, splits, found))
        }
        Part::Split => splits.iter().enumerate().any(|(index, split)| {
            split.spellings().any(|name| {
                let matches =
                    text.strip_prefix(name).is_some_and(|text| find_parts(rest, text, splits, found));
                if !matches || found.split.is_some_and(|other| other != index) {
                    return false;
                }
                (found.split, found.split_text) = (Some(index), name.to_owned());
                true
            })
        }),
        Part::Any | Part::Name(_) => {
            let ends = text.char_indices().skip(1).map(|(at, _)| at).chain([text.len()]);
            let end = ends.filter(|end| *end > 0).find(|end| find_parts(rest, &text[*end..], splits, found));
            let Some(end) = end else { return false };
            let here = text[..end].to_owned();
            match part {
                Part::Name(name) => found.names.insert(0, (name.clone(), here)),
                _ => found.any.insert(0, here),
            }
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn splits() -> Vec<SplitCard> {
        let split = |name: &str, folders: &[&str]| SplitCard {
            name: name.into(),
            folders: folders.iter().map(|name| (*name).to_owned()).collect(),
            ..SplitCard::default()
        };
        vec![split("train", &["training"]), split("val", &["validation"]), split("train_extra", &[])]
    }

    fn find(pattern: &str, path: &str) -> Option<(Option<usize>, String)> {
        let found = Pattern::parse(pattern).expect("a pattern").find(path, &splits())?;
        Some((found.split, found.id()))
    }

    #[test]
    fn the_end_of_a_path_is_matched_below_any_folder() {
        let found = find("{split}/{id}.png", "SegNet/CamVid/train/0001TP_006690.png");
        assert_eq!(found, Some((Some(0), "0001TP_006690".into())));
        assert_eq!(find("{split}/{id}.png", "train.png"), None);
        assert_eq!(find("{split}/{id}.png", "trainannot/a.png"), None);
        assert_eq!(find("{split}annot/{id}.png", "x/valannot/a.png"), Some((Some(1), "a".into())));
    }

    #[test]
    fn a_split_goes_by_every_spelling_and_the_whole_name_counts() {
        assert_eq!(find("{split}/{id}.jpg", "images/training/a.jpg"), Some((Some(0), "a".into())));
        assert_eq!(find("{split}/{id}.jpg", "images/train_extra/a.jpg"), Some((Some(2), "a".into())));
        assert_eq!(find("{split}/{id}.jpg", "images/trains/a.jpg"), None);
        assert_eq!(find("{split}.{split}/{id}.jpg", "train.val/a.jpg"), None);
    }

    #[test]
    fn several_names_make_an_id_in_the_order_of_the_path() {
        let pattern = "{sequence}/RGB/{camera}/{frame}.png";
        let found = find(pattern, "x/SEQS-01/RGB/Left/000003.png");
        assert_eq!(found, Some((None, "SEQS-01_Left_000003".into())));
    }

    #[test]
    fn a_name_that_stands_twice_has_to_say_the_same() {
        assert_eq!(find("{id}/{id}.png", "x/a/a.png"), Some((None, "a".into())));
        assert_eq!(find("{id}/{id}.png", "x/a/b.png"), None);
    }

    #[test]
    fn endings_repeat_within_a_name() {
        // The shortest id is tried first, and the whole ending has to follow.
        assert_eq!(find("{id}_seg.png", "a_seg_seg.png"), Some((None, "a_seg".into())));
        assert_eq!(find("{id}_seg.png", "_seg.png"), None);
        assert_eq!(find("{id}.png", "._a.png"), None);
    }

    #[test]
    fn the_partner_of_a_path_has_the_same_split_folder_and_id() {
        let image = Pattern::parse("leftImg8bit/{split}/*/{id}_leftImg8bit.png").expect("a pattern");
        let label = Pattern::parse("gtFine/{split}/*/{id}_gtFine_labelIds.png").expect("a pattern");
        let found = image.find("x/leftImg8bit/training/ulm/ulm_1_leftImg8bit.png", &splits());
        assert_eq!(label.fill(&found.expect("matches")), "gtFine/training/ulm/ulm_1_gtFine_labelIds.png");
        assert_eq!(label.fill(&Found::of_id("val", "a")), "gtFine/val/*/a_gtFine_labelIds.png");
    }

    #[test]
    fn wrong_patterns_are_refused_with_the_reason() {
        for (pattern, part) in [
            ("", "end of a path"),
            ("/a/{id}.png", "end of a path"),
            ("a//{id}.png", "no name"),
            ("{id}{frame}.png", "side by side"),
            ("{id}*.png", "side by side"),
            ("{Id}.png", "lowercase"),
            ("{id.png", "no `}`"),
            ("id}.png", "no `{`"),
            ("{id}_{id}.png", "twice"),
        ] {
            let err = Pattern::parse(pattern).expect_err(pattern);
            assert!(err.contains(part), "{pattern}: {err}");
        }
    }

    #[test]
    fn letters_of_several_bytes_are_no_obstacle() {
        assert_eq!(find("ä{id}ö.png", "äüß€ö.png"), Some((None, "üß€".into())));
    }
}
