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
    /// A catalog for classes of which only the number is known: `class 0`, `class 1`, ... in shades of grey.
    pub fn numbered(classes: usize) -> Self {
        let class = |index: usize| Class {
            name: format!("class {index}"),
            color: [(index * 255 / classes.max(1)) as u8; 3],
            source_id: index as u16,
            has_instances: false,
        };
        Self {
            name: "numbered".into(),
            classes: (0..classes).map(class).collect(),
            ignored_source_ids: Vec::new(),
        }
    }

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

    /// The class of an object by its id in an instance map, which is the class's source id times 1000 plus the object's number, as
    /// Cityscapes writes it; `None` for ids of groups and of classes without train id.
    pub fn class_of_instance(&self, instance: u16) -> Option<u8> {
        if instance <= 1000 {
            return None;
        }
        let index = self.classes.iter().position(|class| class.source_id == instance / 1000)?;
        Some(index as u8)
    }

    /// The color of a label; black for everything that is no class.
    pub fn color(&self, label: u8) -> [u8; 3] {
        self.classes.get(usize::from(label)).map_or([0, 0, 0], |class| class.color)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_id_names_its_class_and_a_groups_does_not() {
        let mut catalog = ClassCatalog::numbered(3);
        catalog.classes[2].source_id = 26;
        assert_eq!(
            [26_001, 26_999, 24_000, 26, 1000].map(|id| catalog.class_of_instance(id)),
            [Some(2), Some(2), None, None, None]
        );
    }
}
