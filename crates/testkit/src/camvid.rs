//! A CamVid of four images, in the layout of the SegNet tutorial.

use crate::Files;
use crate::png_file::{HEIGHT, WIDTH, grey8, rgb8, street};

/// Split and id of all images, in the order of a manifest.
pub const CAMVID_IMAGES: [(&str, &str); 4] = [
    ("train", "0001TP_000030"),
    ("train", "0001TP_000060"),
    ("val", "0016E5_000010"),
    ("test", "Seq05VD_f00000"),
];

/// The label of a pixel: all twelve values, in columns.
pub fn camvid_label_id(x: u32, y: u32) -> u8 {
    ((x + y / 20) % 12) as u8
}

/// Images, label maps and lists; the lists name files below `/SegNet`, as the originals do.
pub fn camvid() -> Files {
    let mut files = Files::default();
    for (seed, (split, id)) in (40..).zip(CAMVID_IMAGES) {
        let ids: Vec<u8> = (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| camvid_label_id(x, y))).collect();
        files.insert(&format!("{split}/{id}.png"), street(seed));
        files.insert(&format!("{split}annot/{id}.png"), grey8(WIDTH, HEIGHT, &ids));
        let list = files.0.entry(format!("{split}.txt")).or_default();
        list.extend(
            format!("/SegNet/CamVid/{split}/{id}.png /SegNet/CamVid/{split}annot/{id}.png\n").into_bytes(),
        );
    }
    files
}

/// Three original frames with label files in colors: a road, a sky above it, a void pixel at the left, and in the test frame a color of
/// no class.
pub fn camvid_original() -> Files {
    const ROAD: [u8; 3] = [128, 64, 128];
    let mut files = Files::default();
    for (seed, id) in (50..).zip(["0001TP_006690", "0016E5_07959", "0001TP_008550"]) {
        let color = |x: u32, y: u32| match (x, y) {
            (0, _) => [0, 0, 0],
            // Lane markings and a tunnel, which the 11 classes merge into others.
            (1, 20..) => [128, 0, 192],
            (1, _) => [64, 0, 64],
            (_, 0..12) => [128, 128, 128],
            (2, 30) if id == "0001TP_008550" => [1, 2, 3],
            _ => ROAD,
        };
        let pixels: Vec<u8> = (0..HEIGHT).flat_map(|y| (0..WIDTH).flat_map(move |x| color(x, y))).collect();
        files.insert(&format!("701_StillsRaw_full/{id}.png"), street(seed));
        files.insert(&format!("LabeledApproved_full/{id}_L.png"), rgb8(WIDTH, HEIGHT, &pixels));
    }
    files.insert("LabeledApproved_full/label_colors.txt", "64 128 64\tAnimal\n");
    files
}
