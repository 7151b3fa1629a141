//! Suggestions for misspelled names.

/// The known name most like `wrong`, if one is near enough to be what was meant.
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = wrong.to_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&wrong, &name.to_lowercase()), name))
        .filter(|(likeness, _)| *likeness >= 0.75)
        // `max_by` keeps the last of equals; names come sorted, so the choice is the same every time.
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_letter_finds_the_name() {
        assert_eq!(nearest("segformr", ["pspnet", "segformer-b0", "unet"]), Some("segformer-b0"));
    }

    #[test]
    fn an_unlike_word_finds_nothing() {
        assert_eq!(nearest("zzzz", ["pspnet", "segformer-b0"]), None);
    }
}
