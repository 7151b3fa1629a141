//! From a description to a card, with every problem told at once.

use std::collections::{BTreeMap, BTreeSet};

use segbench_storage::sha256_bytes;
use segbench_types::{Class, ClassCatalog};

use super::description::{
    Classes, Coding, Description, ImagePattern, LabelPattern, ListPattern, SplitDescription,
};
use super::download::{self, Download};
use super::layout::{CropRule, ImageRule, LabelRule, ListRule};
use super::pattern::Pattern;
use super::{DatasetCard, Layout, SplitCard};
use crate::catalog::{ClassTable, NamedValue};
use crate::labels::LabelTable;

/// Reads a file that a description names.
pub(super) type ReadTable<'a> = dyn Fn(&str) -> Result<String, String> + 'a;

/// What is wrong with a description: `place: reason` each, the place as a path of keys.
pub(super) type Problems = Vec<String>;

/// Reads a description. `identity` is empty for built-in data sets, whose changes are told by their version.
///
/// # Errors
/// Every problem.
pub(super) fn parse(text: &str, is_builtin: bool, read: &ReadTable<'_>) -> Result<DatasetCard, Problems> {
    let description: Description = serde_yaml::from_str(text).map_err(|err| vec![err.to_string()])?;
    let mut builder = Builder { read, problems: Vec::new(), tables: String::new() };
    let mut card = builder.card(&description);
    if !is_builtin {
        card.layout.identity = sha256_bytes(format!("{text}\0{}", builder.tables).as_bytes());
    }
    if builder.problems.is_empty() { Ok(card) } else { Err(builder.problems) }
}

struct Builder<'a> {
    read: &'a ReadTable<'a>,
    problems: Problems,
    /// All files read.
    tables: String,
}

impl Builder<'_> {
    fn problem(&mut self, place: &str, reason: impl AsRef<str>) {
        self.problems.push(format!("{place}: {}", reason.as_ref()));
    }

    fn table(&mut self, place: &str, file: &str) -> Option<String> {
        match (self.read)(file) {
            Ok(text) => {
                self.tables.push_str(&text);
                Some(text)
            }
            Err(reason) => {
                self.problem(place, reason);
                None
            }
        }
    }

    fn pattern(&mut self, place: &str, text: &str) -> Pattern {
        Pattern::parse(text).unwrap_or_else(|reason| {
            self.problem(place, format!("{reason}: `{text}`"));
            // Stands for itself until the problem is told.
            Pattern::nothing()
        })
    }

    fn card(&mut self, description: &Description) -> DatasetCard {
        let is_good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
        if description.name.is_empty() || !description.name.bytes().all(is_good) {
            self.problem(
                "name",
                format!("got `{}`, expected lowercase letters, digits, `-` and `_`", description.name),
            );
        }
        if description.licence.trim().is_empty() {
            self.problem("licence", "it is empty; write `unknown` if nobody states one");
        }
        let splits = self.splits(&description.splits);
        let (catalog, values) = self.classes(&description.classes);
        let images = self.images(&description.images);
        let labels = self.labels(&description.labels, &catalog);
        let instances = description.instances.iter().enumerate();
        let instances: Vec<Pattern> = instances
            .map(|(index, pattern)| self.pattern(&format!("instances[{index}].pattern"), &pattern.pattern))
            .collect();
        let lists = self.lists(&description.lists);
        let crop_table = description.crop_table.as_ref().map(|crop| {
            if crop.width == 0 || crop.height == 0 {
                self.problem("crop_table", "width and height are at least 1");
            }
            CropRule {
                pattern: self.pattern("crop_table.pattern", &crop.pattern),
                width: crop.width,
                height: crop.height,
            }
        });
        if crop_table.is_none() && images.iter().any(|rule| rule.crop) {
            self.problem("images", "`crop: true` needs a `crop_table`");
        }
        let layout = Layout {
            images,
            labels,
            instances,
            lists,
            crop_table,
            catalog,
            values,
            unknown_values: description.unknown_values,
            tolerate: description.tolerate,
            optional_images: description.optional_images,
            known: description.known.clone(),
            in_place: description.in_place.clone(),
            how_to_get: description.how_to_get.trim_end().to_owned(),
            taxonomy: None,
            identity: String::new(),
        };
        self.check_places(&layout, &splits);
        let download = description.download.as_ref().map(|download| self.download(download, &splits));
        DatasetCard {
            name: description.name.clone(),
            title: description.title.clone(),
            licence: description.licence.clone(),
            citation: description.citation.trim_end().to_owned(),
            login: description.login,
            download_size: description.download_size.clone(),
            address: description.address.clone(),
            last_checked: "never".into(),
            splits,
            sources: description.sources.clone(),
            download,
            environment: description.environment.clone(),
            converter_version: description.version,
            layout,
        }
    }

    fn download(&mut self, download: &Download, splits: &[SplitCard]) -> Download {
        let mut download = download.clone();
        for (place, reason) in
            download::problems(&download, &splits.iter().map(|split| split.name.as_str()).collect())
        {
            self.problem(&place, reason);
        }
        for (index, file) in download.files.iter_mut().enumerate() {
            let place = format!("download.files[{index}].contents");
            let text = file.contents.as_ref().and_then(|name| self.table(&place, name));
            match text.map(|text| download::parse_contents(&text)) {
                Some(Ok(members)) => file.members = members,
                Some(Err(reason)) => self.problem(&place, reason),
                None => {}
            }
        }
        download
    }

    fn splits(&mut self, splits: &[SplitDescription]) -> Vec<SplitCard> {
        if splits.is_empty() {
            self.problem("splits", "there is none");
        }
        let mut seen = BTreeSet::new();
        let mut cards = Vec::new();
        for (index, split) in splits.iter().enumerate() {
            for name in std::iter::once(&split.name).chain(&split.folders) {
                if name.is_empty() || name.contains(['/', '\\', '.']) {
                    self.problem(&format!("splits[{index}]"), format!("`{name}` is no name of a folder"));
                }
                if !seen.insert(name.clone()) {
                    self.problem(&format!("splits[{index}]"), format!("`{name}` stands for two splits"));
                }
            }
            let members = split.members.as_ref();
            let members = members.and_then(|file| self.table(&format!("splits[{index}].members"), file));
            cards.push(SplitCard {
                name: split.name.clone(),
                images: split.images,
                labelled: split.labelled,
                folders: split.folders.clone(),
                share: split.share,
                members: members.unwrap_or_default().split_whitespace().map(str::to_owned).collect(),
            });
        }
        cards
    }

    fn classes(&mut self, classes: &Classes) -> (ClassCatalog, Vec<NamedValue>) {
        let mut catalog =
            ClassCatalog { name: classes.name.clone(), classes: Vec::new(), ignored_source_ids: Vec::new() };
        let mut values = Vec::new();
        if classes.table.is_some() != classes.list.is_empty() {
            self.problem("classes", "give either `table` or `list`");
        }
        if let Some(text) = classes.table.as_ref().and_then(|file| self.table("classes.table", file)) {
            match ClassTable::parse(&classes.name, &text) {
                Ok(table) => (catalog, values) = (table.catalog, table.values),
                Err(reason) => self.problem("classes.table", reason),
            }
        }
        for class in &classes.list {
            let (id, name, color) = (class.id, class.name.clone(), class.color);
            let has_instances = class.has_instances;
            catalog.classes.push(Class { name: name.clone(), color, source_id: id, has_instances });
            values.push(NamedValue { id, name, color: Some(color) });
        }
        for value in &classes.ignored {
            catalog.ignored_source_ids.push(value.id);
            values.push(NamedValue { id: value.id, name: value.name.clone(), color: value.color });
        }
        if catalog.is_empty() || catalog.len() > 255 {
            self.problem("classes", format!("got {} classes, expected 1 to 255", catalog.len()));
        }
        let mut ids: BTreeMap<u16, &str> = BTreeMap::new();
        for value in &values {
            if let Some(other) = ids.insert(value.id, &value.name) {
                let reason = format!("the value {} stands for `{other}` and for `{}`", value.id, value.name);
                self.problems.push(format!("classes: {reason}"));
            }
        }
        (catalog, values)
    }

    fn images(&mut self, images: &[ImagePattern]) -> Vec<ImageRule> {
        if images.is_empty() {
            self.problem("images", "there is no pattern");
        }
        let rule = |(index, image): (usize, &ImagePattern)| {
            let place = format!("images[{index}]");
            if image.short_side == Some(0) || (image.crop && image.short_side.is_some()) {
                self.problem(&place, "`short_side` is at least 1 and does not go with `crop`");
            }
            let pattern = self.pattern(&format!("{place}.pattern"), &image.pattern);
            ImageRule { pattern, crop: image.crop, short_side: image.short_side }
        };
        images.iter().enumerate().map(rule).collect()
    }

    fn labels(&mut self, labels: &[LabelPattern], catalog: &ClassCatalog) -> Vec<LabelRule> {
        let base = LabelTable::new(catalog);
        let rule = |(index, label): (usize, &LabelPattern)| {
            let place = format!("labels[{index}]");
            let mut map = label.map.clone();
            if let Some(file) = &label.map_table {
                let place = format!("{place}.map_table");
                if let Some(text) = self.table(&place, file) {
                    match pairs(&text) {
                        Ok(pairs) => map.extend(pairs),
                        Err(reason) => self.problem(&place, reason),
                    }
                }
            }
            let mut table = if map.is_empty() && label.otherwise.is_none() {
                base.clone()
            } else {
                base.translated(&map, label.otherwise)
            };
            if label.coding == Coding::Colors {
                table = table.with_ignored(crate::reading::UNKNOWN_COLOR);
            }
            let pattern = self.pattern(&format!("{place}.pattern"), &label.pattern);
            LabelRule { pattern, coding: label.coding, table }
        };
        labels.iter().enumerate().map(rule).collect()
    }

    fn lists(&mut self, lists: &[ListPattern]) -> Vec<ListRule> {
        let rule = |(index, list): (usize, &ListPattern)| {
            let place = format!("lists[{index}].pattern");
            let pattern = self.pattern(&place, &list.pattern);
            let variable = list.variable.clone();
            if pattern.has_split() == variable.as_ref().is_some_and(|name| name.contains("{split}")) {
                self.problem(
                    &place,
                    format!(
                        "a list is for one split, so `{}` or its `variable` needs {{split}}",
                        list.pattern
                    ),
                );
            }
            ListRule { pattern, variable, digits: list.digits.min(20) }
        };
        lists.iter().enumerate().map(rule).collect()
    }

    /// Images and labels pair by the same names, and every image has a way to its split.
    fn check_places(&mut self, layout: &Layout, splits: &[SplitCard]) {
        let Some(first) = layout.images.first() else { return };
        let others = layout.images.iter().map(|rule| ("images", &rule.pattern));
        let labels = layout.labels.iter().map(|rule| ("labels", &rule.pattern));
        let instances = layout.instances.iter().map(|pattern| ("instances", pattern));
        for (place, pattern) in others.chain(labels).chain(instances) {
            if pattern.names().is_empty() || pattern.names() != first.pattern.names() {
                let (one, other) = (first.pattern.text(), pattern.text());
                self.problem(
                    place,
                    format!("`{other}` and `{one}` need the same names in braces, such as {{id}}"),
                );
            }
            if pattern.has_split() != first.pattern.has_split() {
                let (one, other) = (first.pattern.text(), pattern.text());
                self.problem(place, format!("`{other}` and `{one}` need {{split}} both or neither"));
            }
        }
        if layout.labels.is_empty() && splits.iter().any(|split| split.labelled) {
            self.problem("labels", "there is no pattern, but a split is labelled");
        }
        let shares: u64 = splits.iter().map(|split| u64::from(split.share)).sum();
        let has_way = layout.has_split_in_paths()
            || !layout.lists.is_empty()
            || shares > 0
            || splits.len() == 1
            || splits.iter().any(|split| !split.members.is_empty());
        if !has_way {
            self.problem("splits", "neither paths nor `lists` nor `share` say which image is in which split");
        }
    }
}

/// Lines of `from,to` after a header.
fn pairs(text: &str) -> Result<Vec<(u16, u16)>, String> {
    let pair = |(number, line): (usize, &str)| {
        let cells = line.split_once(',');
        let pair = cells.and_then(|(from, to)| Some((from.trim().parse().ok()?, to.trim().parse().ok()?)));
        pair.ok_or_else(|| format!("line {number} is not `from,to`: `{line}`"))
    };
    (2..).zip(text.lines().skip(1)).map(pair).collect()
}
