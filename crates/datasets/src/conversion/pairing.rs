//! Which files belong together, by their names alone.

use std::collections::{BTreeMap, BTreeSet};

use super::sources::{Place, Source};
use crate::Error;
use crate::cards::{DatasetCard, Role};

/// Files named in a message about missing partners.
const FILES_NAMED: usize = 5;

/// One image with what belongs to it.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) id: String,
    pub(super) split: &'static str,
    pub(super) image: Place,
    pub(super) label: Option<Place>,
    pub(super) instances: Option<Place>,
}

/// All images of the splits asked for, sorted by split and id.
#[derive(Debug)]
pub(super) struct Pairing {
    pub(super) items: Vec<Item>,
    /// Text files that were read to find the items.
    pub(super) lists: Vec<Place>,
    /// What is worth knowing and no error.
    pub(super) notes: Vec<String>,
}

#[derive(Debug, Default)]
struct Entry {
    image: Option<Place>,
    label: Option<Place>,
    instances: Option<Place>,
    list: Option<Place>,
}

/// Key: position of the split, id. A list has an empty id and so comes first.
type Entries = BTreeMap<(usize, String), Entry>;

/// Finds the items of `splits` (all that are there if empty).
pub(super) fn pair(card: &DatasetCard, sources: &[Source], splits: &[String]) -> Result<Pairing, Error> {
    for split in splits {
        if card.split_order(split).is_none() {
            return Err(Error::UnknownSplit {
                dataset: card.name.to_owned(),
                split: split.clone(),
                known: card.known_splits(),
            });
        }
    }
    let mut entries = collect(card, sources, splits)?;
    let mut notes = Vec::new();
    let lists = apply_lists(card, sources, &mut entries, &mut notes)?;
    refuse_missing_parts(card, sources, &entries, splits)?;
    let items = complete_pairs(card, sources, entries)?;
    count(card, splits, &items, &mut notes)?;
    Ok(Pairing { items, lists, notes })
}

fn collect(card: &DatasetCard, sources: &[Source], splits: &[String]) -> Result<Entries, Error> {
    let mut entries = Entries::new();
    for (index, source) in sources.iter().enumerate() {
        for member in source.archive.members() {
            let found = source.recognize(card, member, |file| {
                let order = card.split_order(file.split)?;
                let is_wanted = splits.is_empty() || splits.iter().any(|split| split == file.split);
                is_wanted.then(|| (file.role, (order, file.id.to_owned())))
            });
            let Some((role, key)) = found.flatten() else { continue };
            let id = if role == Role::List { member.name.clone() } else { key.1.clone() };
            let entry = entries.entry(key).or_default();
            let slot = match role {
                Role::Image => &mut entry.image,
                Role::Label => &mut entry.label,
                Role::Instances => &mut entry.instances,
                Role::List => &mut entry.list,
            };
            match slot {
                None => *slot = Some(Place { source: index, member: member.clone() }),
                // A zip beside the folder it was unpacked to is no second copy to worry about.
                Some(first) if first.source != index && sources[first.source].group == source.group => {}
                Some(first) => {
                    return Err(Error::Duplicate {
                        id,
                        first: describe(sources, first),
                        second: source.archive.describe(member),
                    });
                }
            }
        }
    }
    Ok(entries)
}

/// Where a split has a list, the list says which images are in it.
fn apply_lists(
    card: &DatasetCard,
    sources: &[Source],
    entries: &mut Entries,
    notes: &mut Vec<String>,
) -> Result<Vec<Place>, Error> {
    let mut lists = Vec::new();
    for (order, split) in card.splits.iter().enumerate() {
        let Some(list) = entries.remove(&(order, String::new())).and_then(|entry| entry.list) else {
            continue;
        };
        let text = sources[list.source].archive.read(&list.member)?;
        let listed: BTreeSet<String> = String::from_utf8_lossy(&text).lines().filter_map(listed_id).collect();
        let absent: Vec<(String, String)> = listed
            .iter()
            .filter(|id| entries.get(&(order, (*id).clone())).is_none_or(|entry| entry.image.is_none()))
            .map(|id| {
                let line = format!("{} in {}", id, describe(sources, &list));
                (line, (card.layout.expected_path)(Role::Image, split.name, id))
            })
            .collect();
        refuse(&absent)?;
        let before = entries.len();
        entries.retain(|(of, id), _| *of != order || listed.contains(id));
        let left_out = (before - entries.len()) as u64;
        if left_out > 0 {
            let (images, are) = (plural(left_out, "image", "images"), plural(left_out, "is", "are"));
            notes.push(format!(
                "{left_out} {images} in `{}` {are} not in its list and {are} left out",
                split.name
            ));
        }
        lists.push(list);
    }
    Ok(lists)
}

/// The id in a line such as `/SegNet/CamVid/train/X.png /SegNet/CamVid/trainannot/X.png`, or in a line with nothing but an id.
fn listed_id(line: &str) -> Option<String> {
    let first = line.split_whitespace().next()?;
    let file = first.rsplit(['/', '\\']).next()?;
    Some(file.strip_suffix(".png").unwrap_or(file).to_owned())
}

/// Thousands of images without a single label map mean that one of the archives is not there.
fn refuse_missing_parts(
    card: &DatasetCard,
    sources: &[Source],
    entries: &Entries,
    splits: &[String],
) -> Result<(), Error> {
    let has_image = entries.values().any(|entry| entry.image.is_some());
    let mut labelled = entries.iter().filter(|((order, _), _)| card.splits[*order].labelled).peekable();
    let expects_labels = labelled.peek().is_some();
    let has_label = labelled.any(|(_, entry)| entry.label.is_some());
    let read: Vec<String> =
        sources.iter().map(|source| format!("`{}`", source.archive.path().display())).collect();
    let read = read.join(", ");
    let missing = match (has_image, has_label) {
        (true, true) => return Ok(()),
        (true, false) if !expects_labels => return Ok(()),
        (true, false) => format!("{read} has images of `{}` but none of their label maps", card.name),
        (false, true) => format!("{read} has label maps of `{}` but none of their images", card.name),
        (false, false) if splits.is_empty() => format!("{read} has no files of `{}`", card.name),
        (false, false) => format!("{read} has no files of `{}` for {}", card.name, splits.join(", ")),
    };
    Err(Error::MissingSource { what: missing, help: card.layout.how_to_get.to_owned() })
}

fn complete_pairs(card: &DatasetCard, sources: &[Source], entries: Entries) -> Result<Vec<Item>, Error> {
    let mut items: Vec<Item> = Vec::with_capacity(entries.len());
    let mut unpaired = Vec::new();
    let mut first_places: BTreeMap<String, String> = BTreeMap::new();
    for ((order, id), entry) in entries {
        let split = &card.splits[order];
        let lacks = |place: &Place, role| {
            (describe(sources, place), (card.layout.expected_path)(role, split.name, &id))
        };
        let image = match (entry.image, &entry.label) {
            (Some(image), Some(_)) => image,
            (Some(image), None) if !split.labelled => image,
            (Some(image), None) => {
                unpaired.push(lacks(&image, Role::Label));
                continue;
            }
            (None, Some(label)) if split.labelled => {
                unpaired.push(lacks(label, Role::Image));
                continue;
            }
            // Instance ids alone, or the dummy label maps of a test split whose images were not downloaded.
            (None, _) => continue,
        };
        let place = describe(sources, &image);
        if let Some(first) = first_places.insert(id.clone(), place.clone()) {
            return Err(Error::Duplicate { id, first, second: place });
        }
        items.push(Item { id, split: split.name, image, label: entry.label, instances: entry.instances });
    }
    refuse(&unpaired)?;
    Ok(items)
}

/// Refuses files without a partner; each comes with the path its partner should have.
fn refuse(unpaired: &[(String, String)]) -> Result<(), Error> {
    match unpaired.first() {
        None => Ok(()),
        Some((_, missing)) => Err(Error::Unpaired {
            count: unpaired.len(),
            files: unpaired.iter().take(FILES_NAMED).map(|(file, _)| file.clone()).collect(),
            missing: missing.clone(),
        }),
    }
}

fn count(
    card: &DatasetCard,
    splits: &[String],
    items: &[Item],
    notes: &mut Vec<String>,
) -> Result<(), Error> {
    for split in card.splits {
        let name = split.name;
        let got = items.iter().filter(|item| item.split == name).count() as u64;
        let is_named = splits.iter().any(|split| split == name);
        if got == 0 && is_named {
            return Err(Error::MissingSource {
                what: format!("the sources have no images of `{}` for the split `{name}`", card.name),
                help: card.layout.how_to_get.to_owned(),
            });
        }
        let is_wanted = is_named || splits.is_empty();
        if let Some(expected) = split.images.filter(|expected| *expected != got && is_wanted) {
            let images = plural(got, "image", "images");
            notes
                .push(format!("the split `{name}` has {got} {images}, the complete data set has {expected}"));
        }
    }
    Ok(())
}

fn plural<'a>(count: u64, one: &'a str, many: &'a str) -> &'a str {
    if count == 1 { one } else { many }
}

fn describe(sources: &[Source], place: &Place) -> String {
    sources[place.source].archive.describe(&place.member)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_in_lines_of_paths_and_in_plain_lines() {
        let id = |line| listed_id(line);
        assert_eq!(
            id("/SegNet/CamVid/train/X_1.png /SegNet/CamVid/trainannot/X_1.png").as_deref(),
            Some("X_1")
        );
        assert_eq!(id("X_1").as_deref(), Some("X_1"));
        assert_eq!(id("  "), None);
    }
}
