//! Label files from outlines, by Cityscapes' own rules.
//!
//! # Source
//! cityscapesScripts 2.3.0, `preparation/json2labelImg.py` and `json2instanceImg.py`: objects in file order, later ones on top;
//! deleted objects and negative ids are skipped; a group keeps the plain id where a single object gets `id * 1000 + number`.

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;

use super::painter::Object;
use crate::polygon::fill_polygon;

/// The contents of the four label files of a picture.
pub(super) struct Annotation {
    /// `labelIds`, one byte per pixel.
    pub(super) labels: Vec<u8>,
    /// `instanceIds`, one number per pixel.
    pub(super) instances: Vec<u16>,
    /// `color`, four bytes per pixel.
    pub(super) colors: Vec<u8>,
    /// `polygons.json`.
    pub(super) polygons: Vec<u8>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Polygons<'a> {
    img_height: u32,
    img_width: u32,
    objects: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted: Option<u8>,
    label: String,
    polygon: &'a [[i32; 2]],
}

/// Draws the label files of a picture.
///
/// # Errors
/// An object without an outline, or one that has no JSON form; scenes hold neither.
pub(super) fn annotate(objects: &[Object], width: u32, height: u32) -> io::Result<Annotation> {
    let pixels = width as usize * height as usize;
    let (mut labels, mut instances) = (vec![0_u8; pixels], vec![0_u16; pixels]);
    let mut colors = [0, 0, 0, 255].repeat(pixels);
    let mut numbers: BTreeMap<i16, u16> = BTreeMap::new();
    for object in objects.iter().filter(|object| !object.deleted && object.label.id() >= 0) {
        let id = object.label.id();
        let mut instance = id as u16;
        if object.label.has_instances() && !object.group {
            let number = numbers.entry(id).or_default();
            instance = id as u16 * 1000 + *number;
            *number += 1;
        }
        let [_, red, green, blue] = object.label.color().to_be_bytes();
        fill_polygon(&object.polygon, width, height, |row, from, to| {
            let start = row * width as usize;
            labels[start + from..start + to].fill(id as u8);
            instances[start + from..start + to].fill(instance);
            for pixel in colors[(start + from) * 4..(start + to) * 4].chunks_exact_mut(4) {
                pixel.copy_from_slice(&[red, green, blue, 255]);
            }
        })
        .map_err(io::Error::other)?;
    }
    let entries = objects.iter().map(|object| Entry {
        deleted: object.deleted.then_some(1),
        label: format!("{}{}", object.label.name(), if object.group { "group" } else { "" }),
        polygon: &object.polygon,
    });
    let file = Polygons { img_height: height, img_width: width, objects: entries.collect() };
    let polygons = serde_json::to_vec(&file).map_err(io::Error::other)?;
    Ok(Annotation { labels, instances, colors, polygons })
}
