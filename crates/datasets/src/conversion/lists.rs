//! Files that list the images of a split, and the table of crops.

use std::collections::{BTreeMap, BTreeSet};

use super::sources::{Place, Source};
use crate::cards::{DatasetCard, Role};
use crate::mat::{self, Value};
use crate::{DecodeError, Error};

/// A part of a photo: first row, row after the last, first column, column after the last.
pub(super) type Crop = [u32; 4];

/// The ids in a list of `split`.
pub(super) fn read_list(
    card: &DatasetCard,
    sources: &[Source],
    list: &Place,
    split: usize,
) -> Result<BTreeSet<String>, Error> {
    let archive = &sources[list.source].archive;
    let bytes = archive.read(&list.member)?;
    let rule = card.layout.lists.get(list.rule);
    let digits = rule.map_or(0, |rule| rule.digits);
    if !list.member.name.ends_with(".mat") {
        let text = String::from_utf8_lossy(&bytes);
        return Ok(text.lines().filter_map(|line| listed_id(card, line, digits)).collect());
    }
    let damaged = |reason: String| Error::Decode {
        file: archive.describe(&list.member),
        source: DecodeError::Damaged(reason),
    };
    let variables = mat::read(&bytes).map_err(|err| damaged(err.to_string()))?;
    let name = rule.and_then(|rule| rule.variable.as_ref());
    let name = name.map(|name| name.replace("{split}", &card.splits[split].name));
    let numbers = variables.into_iter().find_map(|variable| match variable.value {
        Value::Numeric(numbers) if name.as_ref().is_none_or(|name| *name == variable.name) => {
            Some(numbers.data.to_f64())
        }
        _ => None,
    });
    let numbers = numbers.ok_or_else(|| {
        damaged(
            name.map_or("it holds no numbers".into(), |name| format!("it has no numbers called `{name}`")),
        )
    })?;
    Ok(numbers.into_iter().map(|number| padded(&format!("{number}"), digits)).collect())
}

/// The id in a line such as `/SegNet/CamVid/train/X.png /SegNet/CamVid/trainannot/X.png`, or in a line with nothing but an id.
fn listed_id(card: &DatasetCard, line: &str, digits: usize) -> Option<String> {
    let first = line.split_whitespace().next()?;
    if let Some(file) = card.layout.recognize(first, &card.splits)
        && matches!(file.role, Role::Image | Role::Label)
    {
        return Some(file.id);
    }
    let file = first.rsplit(['/', '\\']).next()?;
    let stem = [".png", ".jpg", ".jpeg"].iter().find_map(|ending| file.strip_suffix(ending));
    Some(padded(stem.unwrap_or(file), digits))
}

fn padded(id: &str, digits: usize) -> String {
    if id.bytes().all(|byte| byte.is_ascii_digit()) { format!("{id:0>digits$}") } else { id.to_owned() }
}

/// Lines of `NNNNN.jpg row0 row1 column0 column1`, in any order.
pub(super) fn read_crops(sources: &[Source], table: &Place) -> Result<BTreeMap<String, Crop>, Error> {
    let archive = &sources[table.source].archive;
    let text = archive.read(&table.member)?;
    let crop = |(number, line): (usize, &str)| {
        parse_crop(line).ok_or_else(|| Error::Decode {
            file: archive.describe(&table.member),
            source: DecodeError::Damaged(format!(
                "line {number} is not `file row0 row1 column0 column1`: `{line}`"
            )),
        })
    };
    let text = String::from_utf8_lossy(&text);
    (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()).map(crop).collect()
}

fn parse_crop(line: &str) -> Option<(String, Crop)> {
    let mut words = line.split_whitespace();
    let file = words.next()?;
    let id = file.rsplit_once('.').map_or(file, |(id, _)| id);
    let numbers: Vec<u32> = words.map(str::parse).collect::<Result<_, _>>().ok()?;
    let [row0, row1, column0, column1] = numbers.try_into().ok()?;
    (row0 < row1 && column0 < column1).then(|| (id.to_owned(), [row0, row1, column0, column1]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cards::card;

    #[test]
    fn ids_are_found_in_lines_of_paths_and_in_plain_lines() {
        let id = |name: &str, line: &str, digits| listed_id(card(name).expect("known"), line, digits);
        assert_eq!(
            id("camvid", "/SegNet/CamVid/train/X_1.png /SegNet/CamVid/trainannot/X_1.png", 0).as_deref(),
            Some("X_1")
        );
        assert_eq!(id("camvid", "X_1", 0).as_deref(), Some("X_1"));
        assert_eq!(id("camvid", "  ", 0), None);
        assert_eq!(
            id("synthia-seqs", "SEQS-01/RGB/Left/F/000003.png", 0).as_deref(),
            Some("SEQS-01_Left_F_000003")
        );
        assert_eq!(id("apsis", "17", 5).as_deref(), Some("00017"));
        assert_eq!(id("apsis", "00017.jpg", 5).as_deref(), Some("00017"));
        assert_eq!(id("voc2012", "2007_000032", 5).as_deref(), Some("2007_000032"));
    }

    #[test]
    fn crops_have_rows_first_and_are_not_empty() {
        assert_eq!(parse_crop("00001.jpg 0 888 50 717"), Some(("00001".into(), [0, 888, 50, 717])));
        for line in
            ["00001.jpg 0 888 50", "00001.jpg 5 5 0 9", "00001.jpg 0 888 50 717 1", "00001.jpg a b c d"]
        {
            assert_eq!(parse_crop(line), None, "{line}");
        }
    }
}
