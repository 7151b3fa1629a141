//! A Cityscapes of five frames.

use crate::Files;
use crate::png_file::{HEIGHT, WIDTH, grey8, grey16, rgba8, street};

/// A frame of the miniature Cityscapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// `train`, `val` or `test`.
    pub split: &'static str,
    /// City, sequence and frame number.
    pub id: &'static str,
}

/// All frames in the order of a manifest: by split, then by id.
pub const CITYSCAPES_FRAMES: [Frame; 5] = [
    Frame { split: "train", id: "aachen_000000_000019" },
    Frame { split: "train", id: "aachen_000001_000019" },
    Frame { split: "train", id: "ulm_000000_000019" },
    Frame { split: "val", id: "lindau_000000_000019" },
    Frame { split: "test", id: "bonn_000000_000019" },
];

/// The label id of a pixel: sky above, road below, a car on it, ids that are not evaluated at the left edge; in the test frame only
/// ids that are not evaluated.
pub fn cityscapes_label_id(frame: &Frame, x: u32, y: u32) -> u8 {
    if frame.split == "test" {
        return (x % 4) as u8;
    }
    let number = CITYSCAPES_FRAMES.iter().position(|other| other == frame).unwrap_or(0) as u32;
    match (x, y) {
        (0..3, _) => 1 + (y % 6) as u8,
        (20..31, 18..25) => 26,
        (_, y) if y < 10 + number => 23,
        _ => 7,
    }
}

/// The outlines that draw [`cityscapes_label_id`], with what a reader has to leave out: a license plate, a deleted person, a group of cars, and a road
/// that goes beyond the image.
fn outlines(frame: &Frame) -> String {
    const IDS: [&str; 7] =
        ["unlabeled", "ego vehicle", "rectification border", "out of roi", "static", "dynamic", "ground"];
    let object =
        |label: &str, polygon: String| format!("{{\"label\": \"{label}\", \"polygon\": [{polygon}]}}");
    let rectangle = |x0: i64, y0: i64, x1: i64, y1: i64| {
        format!("[{x0}, {y0}], [{x1}, {y0}], [{x1}, {y1}], [{x0}, {y1}]")
    };
    let mut objects = Vec::new();
    if frame.split == "test" {
        for x in 0..WIDTH {
            objects.push(object(IDS[(x % 4) as usize], format!("[{x}, 0], [{x}, {}]", HEIGHT - 1)));
        }
    } else {
        let number = CITYSCAPES_FRAMES.iter().position(|other| other == frame).unwrap_or(0) as i64;
        objects.push(object("road", rectangle(-7, 0, 99, 80)));
        objects.push(object("sky", rectangle(0, 0, 60, 9 + number)));
        for y in 0..HEIGHT {
            objects.push(object(IDS[1 + (y % 6) as usize], format!("[0, {y}], [2, {y}]")));
        }
        // A group is painted as its class, here under a single car.
        objects.push(object("cargroup", rectangle(22, 19, 29, 23)));
        objects.push(object("car", rectangle(20, 18, 30, 24)));
        objects.push(object("license plate", rectangle(24, 20, 26, 22)));
        let person = object("person", rectangle(5, 5, 9, 30));
        objects.push(person.replacen('{', "{\"deleted\": 1, \"user\": \"somebody\", ", 1));
    }
    format!("{{\"imgHeight\": {HEIGHT}, \"imgWidth\": {WIDTH}, \"objects\": [{}]}}", objects.join(", "))
}

/// The coarse annotations in the layout of gtCoarse.zip, with the photos: those of train and val, and two frames of `train_extra`, one of
/// which is the damaged one that the real archive has.
pub fn cityscapes_coarse() -> Files {
    let fine = cityscapes();
    let mut files = Files::default();
    for (name, bytes) in &fine.0 {
        if name.contains("/train/") || name.contains("/val/") {
            files.insert(&name.replace("gtFine", "gtCoarse"), bytes.clone());
        }
    }
    for id in ["augsburg_000000_000019", "troisdorf_000000_000073"] {
        let city = id.split('_').next().unwrap_or_default();
        for (name, bytes) in
            files.clone().0.into_iter().filter(|(name, _)| name.contains("ulm_000000_000019"))
        {
            let extra = name
                .replace("/train/ulm/", &format!("/train_extra/{city}/"))
                .replace("ulm_000000_000019", id);
            files.insert(&extra, bytes);
        }
    }
    files.change("troisdorf_000000_000073_leftImg8bit", |bytes| bytes.truncate(70));
    files.change("augsburg_000000_000019_leftImg8bit", |bytes| *bytes = street(77));
    files
}

/// Both archives' contents: four annotation files and a photo for each frame, and the text files at the top of every zip.
pub fn cityscapes() -> Files {
    let mut files = Files::default();
    files.insert("README", "About this package");
    files.insert("license.txt", "Terms");
    for (seed, frame) in (0..).zip(&CITYSCAPES_FRAMES) {
        let Frame { split, id } = frame;
        let city = id.split('_').next().unwrap_or_default();
        let pixels = || (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (x, y)));
        let ids: Vec<u8> = pixels().map(|(x, y)| cityscapes_label_id(frame, x, y)).collect();
        let instances: Vec<u16> =
            ids.iter().map(|id| if *id == 26 { 26_000 } else { u16::from(*id) }).collect();
        let colors: Vec<u8> = ids.iter().flat_map(|id| [*id, 0, 0, 255]).collect();
        let polygons = outlines(frame);
        let annotation = format!("gtFine/{split}/{city}/{id}_gtFine");
        files.insert(&format!("{annotation}_labelIds.png"), grey8(WIDTH, HEIGHT, &ids));
        files.insert(&format!("{annotation}_instanceIds.png"), grey16(WIDTH, HEIGHT, &instances));
        files.insert(&format!("{annotation}_color.png"), rgba8(WIDTH, HEIGHT, &colors));
        files.insert(&format!("{annotation}_polygons.json"), polygons);
        files.insert(&format!("leftImg8bit/{split}/{city}/{id}_leftImg8bit.png"), street(seed));
    }
    files
}
