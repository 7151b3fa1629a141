//! Label maps drawn from the outlines in Cityscapes' `polygons.json`.
//!
//! Objects are painted in the order of the file, later ones over earlier ones, on a canvas of `unlabeled` (0). Deleted objects are
//! skipped; `cargroup` is a group of cars, so it is painted as `car` but is no instance; labels without an id are never painted.
//!
//! # Source
//! cityscapesScripts 2.3.0, `preparation/json2labelImg.py` and `json2instanceImg.py`.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::DecodeError;
use crate::cards::Layout;
use crate::label_png::{MAX_PIXELS, RawLabels, Samples};
use crate::polygon::fill_polygon;

/// The label that has no id.
const NEVER_DRAWN: &str = "license plate";
/// Coordinates beyond this are damage, not a vertex outside the image.
const FARTHEST: f64 = (1 << 24) as f64;
/// Instance ids are the class id times this, plus a number.
const INSTANCES_PER_CLASS: u16 = 1000;

/// Label ids and instance ids of an image.
#[derive(Debug)]
pub(crate) struct Drawn {
    pub(crate) raw: RawLabels,
    pub(crate) instances: Vec<u16>,
}

/// The file. Users, dates and other keys do not matter.
#[derive(Deserialize)]
struct Annotation {
    #[serde(rename = "imgWidth")]
    width: u32,
    #[serde(rename = "imgHeight")]
    height: u32,
    objects: Vec<Object>,
}

#[derive(Deserialize)]
struct Object {
    label: String,
    #[serde(default)]
    deleted: serde_json::Value,
    polygon: Vec<[f64; 2]>,
}

impl Object {
    /// Whether Python takes the value for true.
    fn is_deleted(&self) -> bool {
        match &self.deleted {
            serde_json::Value::Null => false,
            serde_json::Value::Bool(is_deleted) => *is_deleted,
            serde_json::Value::Number(number) => number.as_f64() != Some(0.0),
            serde_json::Value::String(text) => !text.is_empty(),
            serde_json::Value::Array(items) => !items.is_empty(),
            serde_json::Value::Object(items) => !items.is_empty(),
        }
    }
}

/// Draws the outlines.
///
/// # Errors
/// [`DecodeError::Damaged`] for a text that is no such file, a label that nobody knows, and an outline of fewer than two points.
pub(crate) fn draw(bytes: &[u8], layout: &Layout) -> Result<Drawn, DecodeError> {
    let damaged = |reason: String| DecodeError::Damaged(reason);
    let annotation: Annotation = serde_json::from_slice(bytes).map_err(|err| damaged(err.to_string()))?;
    let (width, height) = (annotation.width, annotation.height);
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 || pixels > MAX_PIXELS {
        return Err(damaged(format!("it claims {width}x{height} pixels")));
    }
    let ids: BTreeMap<&str, u16> =
        layout.values.iter().map(|value| (value.name.as_str(), value.id)).collect();
    let has_instances =
        |id: u16| layout.catalog.classes.iter().any(|class| class.source_id == id && class.has_instances);
    let mut labels = vec![0_u16; pixels as usize];
    let mut instances = labels.clone();
    let mut counts: BTreeMap<u16, u16> = BTreeMap::new();
    for (number, object) in annotation.objects.iter().enumerate().filter(|(_, object)| !object.is_deleted()) {
        let label = object.label.as_str();
        if label == NEVER_DRAWN {
            continue;
        }
        let single = ids.get(label).copied();
        let group = || ids.get(label.strip_suffix("group")?).copied();
        let id = single
            .or_else(group)
            .ok_or_else(|| damaged(format!("object {number} has the unknown label `{label}`")))?;
        let instance = if single.is_some() && has_instances(id) {
            let count = counts.entry(id).or_insert(0);
            let instance = id.saturating_mul(INSTANCES_PER_CLASS).saturating_add(*count);
            *count = count.saturating_add(1);
            instance
        } else {
            id
        };
        let points: Option<Vec<[i32; 2]>> = object.polygon.iter().map(|point| pixel(*point)).collect();
        let points =
            points.ok_or_else(|| damaged(format!("object {number} has a vertex far outside the image")))?;
        let row = width as usize;
        let filled = fill_polygon(&points, width, height, |y, from, to| {
            labels[y * row + from..y * row + to].fill(id);
            instances[y * row + from..y * row + to].fill(instance);
        });
        filled.map_err(|err| damaged(format!("object {number} (`{label}`): {err}")))?;
    }
    Ok(Drawn { raw: RawLabels { width, height, samples: Samples::Words(labels) }, instances })
}

/// Fractions are cut off.
fn pixel([x, y]: [f64; 2]) -> Option<[i32; 2]> {
    let is_near = |value: f64| value.abs() <= FARTHEST;
    (is_near(x) && is_near(y)).then_some([x as i32, y as i32])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cards::card;

    #[derive(Deserialize)]
    struct Example {
        json: serde_json::Value,
        #[serde(rename = "labelIds_rows_rle")]
        label_ids: Vec<Vec<[u16; 2]>>,
    }

    #[derive(Deserialize)]
    struct Vectors {
        vectors: Vec<Vector>,
    }

    /// A polygon with the rows that Pillow draws, as pairs of value and length.
    #[derive(Deserialize)]
    struct Vector {
        width: u32,
        height: u32,
        polygon: Vec<[i32; 2]>,
        #[serde(default)]
        rows_rle: Vec<Vec<[u16; 2]>>,
        #[serde(default)]
        error: String,
    }

    fn unpacked(rows: &[Vec<[u16; 2]>]) -> Vec<u16> {
        rows.iter().flatten().flat_map(|[value, length]| vec![*value; usize::from(*length)]).collect()
    }

    fn drawn(json: &serde_json::Value) -> Result<Drawn, DecodeError> {
        draw(json.to_string().as_bytes(), &card("cityscapes").expect("known").layout)
    }

    fn words(drawn: &Drawn) -> &[u16] {
        match &drawn.raw.samples {
            Samples::Words(words) => words,
            Samples::Bytes(bytes) => panic!("{bytes:?}"),
        }
    }

    #[test]
    fn groups_deleted_objects_and_license_plates_are_drawn_as_cityscapes_does() {
        let text = include_str!("../../tests/fixtures/cityscapes_json_example.json");
        let example: Example = serde_json::from_str(text).expect("the fixture");
        let drawn = drawn(&example.json).expect("drawn");
        assert_eq!((drawn.raw.width, drawn.raw.height), (24, 18));
        assert_eq!(words(&drawn), unpacked(&example.label_ids));
        // The group keeps the plain id, the single car is number 0 of its class.
        assert!(drawn.instances.contains(&26) && drawn.instances.contains(&26_000));
    }

    #[test]
    fn every_outline_is_drawn_as_pillow_does() {
        let text = include_str!("../../tests/fixtures/polygon_vectors.json");
        let Vectors { vectors } = serde_json::from_str(text).expect("the fixture");
        assert_eq!(vectors.len(), 52);
        for vector in vectors {
            let Vector { width, height, polygon, rows_rle, error } = vector;
            let object = serde_json::json!({ "label": "ego vehicle", "polygon": polygon });
            let json = serde_json::json!({ "imgWidth": width, "imgHeight": height, "objects": [object] });
            match drawn(&json) {
                Ok(drawn) => {
                    assert!(error.is_empty(), "{polygon:?} should fail");
                    assert_eq!(words(&drawn), unpacked(&rows_rle), "{polygon:?}");
                }
                Err(err) => {
                    assert!(error.contains("at least 2") && err.to_string().contains("at least 2"), "{err}")
                }
            }
        }
    }

    #[test]
    fn instances_are_numbered_in_the_order_of_the_file_per_class() {
        let object = |label: &str, x: u32| serde_json::json!({ "label": label, "polygon": [[x, 0], [x, 1]] });
        let objects = [
            object("car", 0),
            object("person", 1),
            object("car", 2),
            object("persongroup", 3),
            object("polegroup", 4),
        ];
        let drawn =
            drawn(&serde_json::json!({ "imgWidth": 6, "imgHeight": 1, "objects": objects })).expect("drawn");
        assert_eq!(drawn.instances, [26_000, 24_000, 26_001, 24, 18, 0]);
        assert_eq!(words(&drawn), [26, 24, 26, 24, 18, 0]);
    }

    #[test]
    fn wrong_files_are_refused_with_the_object() {
        let with = |object: serde_json::Value| serde_json::json!({ "imgWidth": 6, "imgHeight": 1, "objects": [object] });
        let square = serde_json::json!([[0, 0], [1, 0], [1, 1]]);
        for (json, part) in [
            (with(serde_json::json!({ "label": "unicorn", "polygon": square })), "unicorn"),
            (with(serde_json::json!({ "label": "group", "polygon": square })), "`group`"),
            (with(serde_json::json!({ "label": "car", "polygon": [[0, 0], [1e300, 0]] })), "far outside"),
            (with(serde_json::json!({ "label": "car" })), "polygon"),
            (
                serde_json::json!({ "imgWidth": 100_000, "imgHeight": 100_000, "objects": [] }),
                "100000x100000",
            ),
            (serde_json::json!({ "imgWidth": 0, "imgHeight": 1, "objects": [] }), "0x1"),
            (serde_json::json!([]), "expected"),
        ] {
            let err = drawn(&json).expect_err("refused").to_string();
            assert!(err.contains(part), "`{part}` is not in: {err}");
        }
        // Deleted ones may say anything.
        let deleted = serde_json::json!({ "label": "unicorn", "deleted": 1, "polygon": square });
        assert!(drawn(&with(deleted)).is_ok());
        let kept = serde_json::json!({ "label": "unicorn", "deleted": 0, "polygon": square });
        assert!(drawn(&with(kept)).is_err());
    }
}
