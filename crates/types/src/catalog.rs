//! What the train ids of a data set mean.

use serde::{Deserialize, Serialize};

/// One class of a data set; its train id is its position in the catalog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// The data set's own name, such as `traffic light`.
    pub name: String,
    /// Color in pictures, as the data set publishes it: red, green, blue.
    pub color: [u8; 3],
    /// The id this class has in the data set's own label files. Predictions for a test server are written with it.
    pub source_id: u16,
    /// Whether single objects of this class carry instance ids.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_instances: bool,
}

/// The classes of a data set in the order of their train ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassCatalog {
    /// Short name, such as `cityscapes-19`.
    pub name: String,
    /// The classes; index = train id. At most 255, because 255 means "ignore".
    pub classes: Vec<Class>,
    /// Raw ids of the data set's label files that mean "no class" and become [`crate::IGNORE`].
    pub ignored_source_ids: Vec<u16>,
}

impl ClassCatalog {
    /// Number of classes, which is the number of channels a network has to predict.
    pub fn len(&self) -> usize {
        self.classes.len()
    }

    /// Whether there is no class at all.
    pub fn is_empty(&self) -> bool {
        self.classes.is_empty()
    }

    /// The classes' names in train-id order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.classes.iter().map(|class| class.name.as_str())
    }

    /// The color of a label; black for everything that is no class.
    pub fn color(&self, label: u8) -> [u8; 3] {
        self.classes.get(usize::from(label)).map_or([0, 0, 0], |class| class.color)
    }
}
