//! Suggestions for misspelled names.

/// The known name most like `wrong`, if one is near enough to be what was meant.
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = wrong.to_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&wrong, &name.to_lowercase()), name))
        .filter(|(likeness, _)| *likeness >= 0.75)
        // The first of equals: names come sorted, so that is the smallest preset of an architecture.
        .reduce(|best, next| if next.0 > best.0 { next } else { best })
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
    fn of_equally_near_names_the_first_is_suggested() {
        assert_eq!(
            nearest("segformr", ["segformer-b0", "segformer-b1", "segformer-b5"]),
            Some("segformer-b0")
        );
    }

    #[test]
    fn an_unlike_word_finds_nothing() {
        assert_eq!(nearest("zzzz", ["pspnet", "segformer-b0"]), None);
    }
}
