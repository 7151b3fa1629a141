//! How the files of a data set are told apart.

use std::sync::Arc;

use segbench_types::ClassCatalog;

use super::SplitCard;
use super::description::{Coding, InPlaceNames, KnownImage, UnknownValues};
use super::pattern::{Found, Pattern};
use crate::catalog::NamedValue;
use crate::labels::LabelTable;
use crate::taxonomy::Taxonomy;

/// Where the files of a data set are, and what their labels mean.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) images: Vec<ImageRule>,
    pub(crate) labels: Vec<LabelRule>,
    pub(crate) instances: Vec<Pattern>,
    pub(crate) lists: Vec<ListRule>,
    pub(crate) crop_table: Option<CropRule>,
    /// The classes as the data set has them.
    pub(crate) catalog: ClassCatalog,
    /// Everything that label files may hold.
    pub(crate) values: Vec<NamedValue>,
    pub(crate) unknown_values: UnknownValues,
    pub(crate) tolerate: u64,
    pub(crate) optional_images: bool,
    pub(crate) known: Vec<KnownImage>,
    /// What files of train ids beside the label files are called.
    pub(crate) in_place: Option<InPlaceNames>,
    /// What to do when nothing is there.
    pub(crate) how_to_get: String,

    /// The classes to convert to, where they are not the data set's own.
    pub(crate) taxonomy: Option<Arc<Taxonomy>>,
    /// A hash of a user's description, so that a changed one counts as another data set; empty for built-in ones.
    pub(crate) identity: String,
}

#[derive(Debug, Clone)]
pub(crate) struct ImageRule {
    pub(crate) pattern: Pattern,
    pub(crate) crop: bool,
    pub(crate) short_side: Option<u32>,
}

#[derive(Debug, Clone)]
pub(crate) struct LabelRule {
    pub(crate) pattern: Pattern,
    pub(crate) coding: Coding,
    /// From the file's values to the data set's train ids.
    pub(crate) table: LabelTable,
}

#[derive(Debug, Clone)]
pub(crate) struct ListRule {
    pub(crate) pattern: Pattern,
    /// The variable of a MATLAB file that lists all splits, with `{split}`.
    pub(crate) variable: Option<String>,
    pub(crate) digits: usize,
}

#[derive(Debug, Clone)]
pub(crate) struct CropRule {
    pub(crate) pattern: Pattern,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

/// What a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recognized {
    pub(crate) role: Role,
    /// Which of the role's patterns the path matches.
    pub(crate) rule: usize,
    /// Position of the split, if the path says it.
    pub(crate) split: Option<usize>,
    /// The image it belongs to; empty for lists and the crop table.
    pub(crate) id: String,
    /// The first part of the id.
    pub(crate) group: String,
}

/// What a file is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Image,
    Label,
    Instances,
    /// A file that lists the images of a split.
    List,
    /// Where in the photos the images are.
    Crops,
}

impl Layout {
    /// What a file is, by its path alone; `None` for files that no conversion needs.
    pub(crate) fn recognize(&self, path: &str, splits: &[SplitCard]) -> Option<Recognized> {
        // Some programs unpack `RGB\0000000.png` as one name.
        let normal = path.replace('\\', "/");
        [Role::Image, Role::Label, Role::Instances, Role::List, Role::Crops].into_iter().find_map(|role| {
            let (rule, found) = self.find(role, &normal, splits)?;
            Some(Recognized { role, rule, split: found.split, id: found.id(), group: found.group() })
        })
    }

    /// The path that the other file of a pair should have.
    pub(crate) fn partner(&self, of: Role, path: &str, wanted: Role, splits: &[SplitCard]) -> String {
        let found = self.find(of, &path.replace('\\', "/"), splits).map(|(_, found)| found);
        self.expected_path(wanted, &found.unwrap_or_default())
    }

    /// The path that the image `id` of `split` should have.
    pub(crate) fn image_path(&self, split: &str, id: &str) -> String {
        self.expected_path(Role::Image, &Found::of_id(split, id))
    }

    fn expected_path(&self, role: Role, found: &Found) -> String {
        self.patterns(role).next().map(|pattern| pattern.fill(found)).unwrap_or_default()
    }

    fn find(&self, role: Role, path: &str, splits: &[SplitCard]) -> Option<(usize, Found)> {
        self.patterns(role).enumerate().find_map(|(rule, pattern)| Some((rule, pattern.find(path, splits)?)))
    }

    fn patterns(&self, role: Role) -> Box<dyn Iterator<Item = &Pattern> + '_> {
        match role {
            Role::Image => Box::new(self.images.iter().map(|rule| &rule.pattern)),
            Role::Label => Box::new(self.labels.iter().map(|rule| &rule.pattern)),
            Role::Instances => Box::new(self.instances.iter()),
            Role::List => Box::new(self.lists.iter().map(|rule| &rule.pattern)),
            Role::Crops => Box::new(self.crop_table.iter().map(|rule| &rule.pattern)),
        }
    }

    /// Whether paths say the split.
    pub(crate) fn has_split_in_paths(&self) -> bool {
        self.images.iter().all(|rule| rule.pattern.has_split())
    }
}
