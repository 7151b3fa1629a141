//! A CamVid of four images, in the layout of the SegNet tutorial.

use crate::Files;
use crate::png_file::{HEIGHT, WIDTH, grey8, street};

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
