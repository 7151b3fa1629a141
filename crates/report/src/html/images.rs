//! The scores of single images, as data for the page's script: two thousand images of forty runs are too many for a table in HTML.

use serde::Serialize;

use super::gallery::Example;
use super::runs::Numbered;
use crate::leaderboard::Group;

/// Everything the script needs of one leaderboard. Scores stand in tenths of a percent.
#[derive(Debug, Serialize)]
pub(crate) struct Images<'a> {
    /// What a reader calls each ranked run.
    labels: Vec<String>,
    /// Numbers of these runs on the page.
    runs: Vec<usize>,
    /// Ids of the images.
    ids: &'a [String],
    /// A list per run, an entry per image; nothing for an image without a labelled pixel.
    scores: Vec<Vec<Option<u16>>>,
    /// For each image the number of its example, where it has pictures.
    examples: Vec<Option<usize>>,
}

/// The images of all groups, in their order.
pub(crate) fn images<'a>(
    groups: &'a [Group],
    numbered: &[Vec<Numbered>],
    gallery: &[Example],
) -> Vec<Images<'a>> {
    groups.iter().zip(numbered).map(|(group, runs)| Images::of(group, runs, gallery)).collect()
}

impl<'a> Images<'a> {
    fn of(group: &'a Group, numbered: &[Numbered], gallery: &[Example]) -> Self {
        // Only ranked runs saw the same images.
        let ranked: Vec<_> =
            group.entries.iter().zip(numbered).filter(|(entry, _)| entry.row.rank.is_some()).collect();
        let tenths = |score: f64| (score * 1000.0).round() as u16;
        let ids = ranked
            .first()
            .and_then(|(entry, _)| entry.run.result.as_ref())
            .map_or(&[][..], |result| result.images.as_slice());
        let example = |id: &String| {
            let (entry, _) = ranked.first()?;
            gallery.iter().position(|example| example.is_of(&entry.row, id))
        };
        Self {
            labels: ranked.iter().map(|(_, run)| run.label.clone()).collect(),
            runs: ranked.iter().map(|(_, run)| run.number).collect(),
            scores: ranked
                .iter()
                .map(|(entry, _)| {
                    entry.run.image_scores().into_iter().map(|score| score.map(tenths)).collect()
                })
                .collect(),
            examples: ids.iter().map(example).collect(),
            ids,
        }
    }

    /// Whether there is anything to show.
    pub(crate) fn is_empty(&self) -> bool {
        self.ids.is_empty() || self.runs.is_empty()
    }
}

/// JSON that may stand within a script element: nothing in it can end the element.
///
/// # Errors
/// [`serde_json::Error`], which plain data do not cause.
pub(crate) fn json(value: &impl Serialize) -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string(value)?.replace('<', "\\u003c"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_text_can_end_the_script_element_it_stands_in() {
        let text = super::json(&["</script><b>", "é"]).expect("plain data");
        assert_eq!(text, "[\"\\u003c/script>\\u003cb>\",\"é\"]");
    }
}
