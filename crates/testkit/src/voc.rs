//! Two data sets of palette PNGs: Pascal VOC 2012 and GTA5.

use crate::Files;
use crate::png_file::{HEIGHT, WIDTH, jpeg_street, packed, palette8, street};

/// The class of a pixel of VOC: background, the 20 classes, and 255 at the border.
pub fn voc_id(x: u32, y: u32) -> u8 {
    if x == 0 { 255 } else { ((x + y) % 21) as u8 }
}

/// Three listed images, of which one has a label file of 4 bits, and one that no list names and nobody labelled.
pub fn voc2012() -> Files {
    let mut files = Files::default();
    let ids: Vec<u8> = (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| voc_id(x, y))).collect();
    for (seed, id) in (80..).zip(["2007_000032", "2007_000039", "2007_000033", "2012_004331"]) {
        files.insert(&format!("JPEGImages/{id}.jpg"), jpeg_street(WIDTH, HEIGHT, seed));
        files.insert(&format!("Annotations/{id}.xml"), "<annotation/>");
        if id == "2007_000039" {
            // Two pixels to a byte, an odd width: rows begin at a byte.
            let row = [0x0f; 27];
            files.insert(
                &format!("SegmentationClass/{id}.png"),
                packed(WIDTH, HEIGHT, 4, &row.repeat(HEIGHT as usize)),
            );
        } else if id != "2012_004331" {
            files.insert(&format!("SegmentationClass/{id}.png"), palette8(WIDTH, HEIGHT, &ids));
        }
        files.insert(&format!("SegmentationObject/{id}.png"), palette8(1, 1, &[7]));
    }
    let list = |name: &str| format!("ImageSets/{name}.txt");
    files.insert(&list("Segmentation/train"), "2007_000032\n2007_000039\n");
    files.insert(&list("Segmentation/val"), "2007_000033\n");
    files.insert(&list("Segmentation/trainval"), "2007_000032\n2007_000039\n2007_000033\n");
    files.insert(&list("Main/train"), "2012_004331\n");
    files.within("VOCdevkit/VOC2012")
}

/// The id of a pixel of GTA5, as Cityscapes numbers it: 0 to 34.
pub fn gta5_id(x: u32, y: u32) -> u8 {
    ((x + y) % 35) as u8
}

/// Two good frames, one whose label map has another size, and the one that is known to be white.
pub fn gta5() -> Files {
    let mut files = Files::default();
    let labels = |width: u32| {
        let ids: Vec<u8> = (0..HEIGHT).flat_map(|y| (0..width).map(move |x| gta5_id(x, y))).collect();
        palette8(width, HEIGHT, &ids)
    };
    for (seed, (id, width)) in
        (90..).zip([("00001", WIDTH), ("00002", WIDTH), ("15188", 20), ("20801", WIDTH - 1)])
    {
        files.insert(&format!("images/{id}.png"), street(seed));
        files.insert(&format!("labels/{id}.png"), labels(width));
    }
    files
}
