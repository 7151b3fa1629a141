//! Which files belong together, by their names alone.

use std::collections::{BTreeMap, BTreeSet};

use super::findings::Skipped;
use super::lists::{Crop, read_crops, read_list};
use super::sources::{Place, Source};
use super::splits::Assignment;
use crate::Error;
use crate::cards::{DatasetCard, Role};

/// Files named in a message about missing partners.
const FILES_NAMED: usize = 5;

/// One image with what belongs to it.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) id: String,
    /// Position of its split.
    pub(super) split: usize,
    pub(super) image: Place,
    pub(super) label: Option<Place>,
    pub(super) instances: Option<Place>,
}

/// All images of the splits asked for, sorted by split and id.
#[derive(Debug)]
pub(super) struct Pairing {
    pub(super) items: Vec<Item>,
    /// Files that were read to find the items.
    pub(super) tables: Vec<Place>,
    /// Where in its photo an image is.
    pub(super) crops: BTreeMap<String, Crop>,
    /// What is worth knowing and no error.
    pub(super) notes: Vec<String>,
    /// Images that are left out.
    pub(super) skipped: Vec<Skipped>,
}

#[derive(Debug, Default)]
struct Entry {
    image: Option<Place>,
    label: Option<Place>,
    instances: Option<Place>,
    /// What decides the split where shares do.
    group: String,
}

/// Key: position of the split, id.
type Entries = BTreeMap<(usize, String), Entry>;

/// A file without partner.
struct Unpaired {
    split: String,
    id: String,
    file: String,
    /// The path that the partner should have.
    missing: String,
}

/// Everything found in the sources, before it is known which images are wanted.
#[derive(Default)]
struct Files {
    /// The split is there where paths say it.
    entries: BTreeMap<(Option<usize>, String), Entry>,
    /// By split.
    lists: BTreeMap<usize, Option<Place>>,
    crop_table: Option<Place>,
}

/// Finds the items of `splits` (all that are there if empty).
pub(super) fn pair(card: &DatasetCard, sources: &[Source], splits: &[String]) -> Result<Pairing, Error> {
    for split in splits {
        if card.split_order(split).is_none() {
            return Err(Error::UnknownSplit {
                dataset: card.name.clone(),
                split: split.clone(),
                known: card.known_splits(),
            });
        }
    }
    let mut files = collect(card, sources)?;
    let is_wanted =
        |split: usize| splits.is_empty() || splits.iter().any(|name| *name == card.splits[split].name);
    files.lists.retain(|split, _| is_wanted(*split) || !card.layout.has_split_in_paths());
    let mut pairing = Pairing {
        items: Vec::new(),
        tables: files.lists.values().flatten().chain(&files.crop_table).cloned().collect(),
        crops: BTreeMap::new(),
        notes: Vec::new(),
        skipped: Vec::new(),
    };
    if let Some(table) = &files.crop_table {
        pairing.crops = read_crops(sources, table)?;
    }
    let mut lists = BTreeMap::new();
    for (split, list) in &files.lists {
        if let Some(list) = list {
            lists.insert(*split, read_list(card, sources, list, *split)?);
        }
    }
    let mut entries = assign(card, files.entries, &lists, &mut pairing.notes)?;
    entries.retain(|(split, _), _| is_wanted(*split));
    let mut unpaired = absent(card, sources, &files.lists, &lists, &entries, &is_wanted, &mut pairing.notes);
    apply_knowledge(card, &mut entries, &mut pairing);
    refuse_missing_parts(card, sources, &entries, splits)?;
    complete_pairs(card, sources, entries, &mut pairing, &mut unpaired)?;
    tolerate(card, unpaired, &mut pairing)?;
    count(card, splits, &mut pairing)?;
    Ok(pairing)
}

fn collect(card: &DatasetCard, sources: &[Source]) -> Result<Files, Error> {
    let mut files = Files::default();
    for (index, source) in sources.iter().enumerate() {
        for member in source.archive.members() {
            let Some(found) = source.recognize(card, member) else { continue };
            let place = Place { source: index, member: member.clone(), rule: found.rule };
            match (found.role, found.split) {
                (Role::List, split) => {
                    // A file whose path says no split has a list of every split in it.
                    for split in split.map_or(0..card.splits.len(), |split| split..split + 1) {
                        keep(sources, files.lists.entry(split).or_default(), &place, &member.name)?;
                    }
                }
                (Role::Crops, _) => keep(sources, &mut files.crop_table, &place, &member.name)?,
                (role, split) => {
                    let entry = files.entries.entry((split, found.id.clone())).or_default();
                    entry.group = found.group;
                    let slot = match role {
                        Role::Label => &mut entry.label,
                        Role::Instances => &mut entry.instances,
                        _ => &mut entry.image,
                    };
                    keep(sources, slot, &place, &found.id)?;
                }
            }
        }
    }
    // Lists of two kinds are two splits, which must not be mixed.
    let first = files.lists.values().flatten().map(|list| list.rule).min();
    files.lists.retain(|_, list| list.as_ref().map(|list| list.rule) == first);
    Ok(files)
}

/// Puts a file into its slot, unless one is there that comes first.
fn keep(sources: &[Source], slot: &mut Option<Place>, place: &Place, id: &str) -> Result<(), Error> {
    match slot {
        None => *slot = Some(place.clone()),
        Some(first) => {
            if let Some(kept) = choose(sources, first, place, id)? {
                *slot = Some(kept);
            }
        }
    }
    Ok(())
}

/// The second of two files for the same thing, if it is to replace the first.
fn choose(sources: &[Source], first: &Place, second: &Place, id: &str) -> Result<Option<Place>, Error> {
    if first.rule != second.rule {
        return Ok((second.rule < first.rule).then(|| second.clone()));
    }
    // A zip beside the folder it was unpacked to is no second copy to worry about.
    if first.source != second.source && sources[first.source].group == sources[second.source].group {
        return Ok(None);
    }
    Err(Error::Duplicate {
        id: id.to_owned(),
        first: describe(sources, first),
        second: describe(sources, second),
    })
}

/// Gives every image its split, and leaves out those that no list names.
fn assign(
    card: &DatasetCard,
    files: BTreeMap<(Option<usize>, String), Entry>,
    lists: &BTreeMap<usize, BTreeSet<String>>,
    notes: &mut Vec<String>,
) -> Result<Entries, Error> {
    let assignment =
        if card.layout.has_split_in_paths() { None } else { Some(Assignment::new(card, lists)?) };
    let mut entries = Entries::new();
    let mut left_out: BTreeMap<Option<usize>, u64> = BTreeMap::new();
    for ((split, id), entry) in files {
        let assigned = match (split, &assignment) {
            (Some(split), _) if lists.get(&split).is_none_or(|list| list.contains(&id)) => Some(split),
            (None, Some(assignment)) => assignment.split(&id, &entry.group),
            _ => None,
        };
        match assigned {
            Some(assigned) => {
                entries.insert((assigned, id), entry);
            }
            None if entry.image.is_some() => *left_out.entry(split).or_insert(0) += 1,
            None => {}
        }
    }
    for (split, count) in left_out {
        let (images, are) = (plural(count, "image", "images"), plural(count, "is", "are"));
        notes.push(match split {
            Some(split) => format!(
                "{count} {images} in `{}` {are} not in its list and {are} left out",
                card.splits[split].name
            ),
            None => format!("{count} {images} {are} in no list and {are} left out"),
        });
    }
    Ok(entries)
}

/// Images that a list names and nobody has.
fn absent(
    card: &DatasetCard,
    sources: &[Source],
    places: &BTreeMap<usize, Option<Place>>,
    lists: &BTreeMap<usize, BTreeSet<String>>,
    entries: &Entries,
    is_wanted: &dyn Fn(usize) -> bool,
    notes: &mut Vec<String>,
) -> Vec<Unpaired> {
    let mut absent = Vec::new();
    for (split, ids) in lists.iter().filter(|(split, _)| is_wanted(**split)) {
        let name = &card.splits[*split].name;
        let is_absent = |id: &&String| {
            entries
                .get(&(*split, (*id).clone()))
                .is_none_or(|entry| entry.image.is_none() && entry.label.is_none())
        };
        let ids: Vec<&String> = ids.iter().filter(is_absent).collect();
        if card.layout.optional_images && !ids.is_empty() {
            let count = ids.len() as u64;
            notes.push(format!(
                "{count} {} in the list of `{name}` {} not there",
                plural(count, "image", "images"),
                plural(count, "is", "are")
            ));
            continue;
        }
        let Some(list) = &places[split] else { continue };
        absent.extend(ids.into_iter().map(|id| Unpaired {
            split: name.clone(),
            id: id.clone(),
            file: format!("{id} in {}", describe(sources, list)),
            missing: card.layout.image_path(name, id),
        }));
    }
    absent
}

/// Leaves out what is known to be useless, and tells what is known to be special.
fn apply_knowledge(card: &DatasetCard, entries: &mut Entries, pairing: &mut Pairing) {
    for known in &card.layout.known {
        let key = entries.keys().find(|(_, id)| *id == known.id).cloned();
        let Some(key) = key else { continue };
        let split = card.splits[key.0].name.clone();
        if known.skip {
            entries.remove(&key);
            pairing.notes.push(format!("`{}` in `{split}` is left out: {}", known.id, known.remark));
            let (id, reason) = (known.id.clone(), known.remark.clone());
            pairing.skipped.push(Skipped { split, id, reason, is_known: true });
        } else {
            pairing.notes.push(format!("`{}` in `{split}`: {}", known.id, known.remark));
        }
    }
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
    Err(Error::MissingSource { what: missing, help: card.layout.how_to_get.clone() })
}

fn complete_pairs(
    card: &DatasetCard,
    sources: &[Source],
    entries: Entries,
    pairing: &mut Pairing,
    unpaired: &mut Vec<Unpaired>,
) -> Result<(), Error> {
    let mut first_places: BTreeMap<String, String> = BTreeMap::new();
    let mut without_image = 0;
    for ((order, id), entry) in entries {
        let split = &card.splits[order];
        let lacks = |place: &Place, role: Role, wanted: Role| {
            let name = sources[place.source].full_name(&place.member);
            Unpaired {
                split: split.name.clone(),
                id: id.clone(),
                file: describe(sources, place),
                missing: card.layout.partner(role, &name, wanted, &card.splits),
            }
        };
        let image = match (entry.image, &entry.label) {
            (Some(image), Some(_)) => image,
            (Some(image), None) if !split.labelled => image,
            (Some(image), None) => {
                unpaired.push(lacks(&image, Role::Image, Role::Label));
                continue;
            }
            (None, Some(_)) if card.layout.optional_images => {
                without_image += 1;
                continue;
            }
            (None, Some(label)) if split.labelled => {
                unpaired.push(lacks(label, Role::Label, Role::Image));
                continue;
            }
            // Instance ids alone, or the dummy label maps of a test split whose images were not downloaded.
            (None, _) => continue,
        };
        let place = describe(sources, &image);
        if let Some(first) = first_places.insert(id.clone(), place.clone()) {
            return Err(Error::Duplicate { id, first, second: place });
        }
        pairing.items.push(Item { id, split: order, image, label: entry.label, instances: entry.instances });
    }
    if without_image > 0 {
        let maps = plural(without_image, "label map has", "label maps have");
        pairing.notes.push(format!(
            "{without_image} {maps} no image and {} left out",
            plural(without_image, "is", "are")
        ));
    }
    Ok(())
}

/// Refuses files without a partner, unless the data set is known to have a few of them.
fn tolerate(card: &DatasetCard, unpaired: Vec<Unpaired>, pairing: &mut Pairing) -> Result<(), Error> {
    match unpaired.first() {
        Some(first) if unpaired.len() as u64 > card.layout.tolerate => Err(Error::Unpaired {
            count: unpaired.len(),
            files: unpaired.iter().take(FILES_NAMED).map(|unpaired| unpaired.file.clone()).collect(),
            missing: first.missing.clone(),
        }),
        _ => {
            pairing.skipped.extend(unpaired.into_iter().map(|unpaired| Skipped {
                reason: format!("`{}` has no partner: `{}` was not found", unpaired.file, unpaired.missing),
                split: unpaired.split,
                id: unpaired.id,
                is_known: false,
            }));
            Ok(())
        }
    }
}

fn count(card: &DatasetCard, splits: &[String], pairing: &mut Pairing) -> Result<(), Error> {
    for (order, split) in card.splits.iter().enumerate() {
        let name = &split.name;
        let got = pairing.items.iter().filter(|item| item.split == order).count() as u64;
        let is_named = splits.contains(name);
        if got == 0 && is_named {
            return Err(Error::MissingSource {
                what: format!("the sources have no images of `{}` for the split `{name}`", card.name),
                help: card.layout.how_to_get.clone(),
            });
        }
        let got = got + pairing.skipped.iter().filter(|skipped| skipped.split == *name).count() as u64;
        let is_wanted = is_named || splits.is_empty();
        if let Some(expected) = split.images.filter(|expected| *expected != got && is_wanted) {
            let images = plural(got, "image", "images");
            let note = format!("the split `{name}` has {got} {images}, the complete data set has {expected}");
            pairing.notes.push(note);
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
