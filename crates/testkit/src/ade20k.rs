//! ADE20K in both forms: SceneParse150 and the full set of 2021.

use crate::Files;
use crate::png_file::{grey8, jpeg_grey, jpeg_street, rgb8};

/// The value of a pixel in a label file of SceneParse150: 0 for "other", 1 to 150 for the classes.
pub fn ade20k_value(x: u32, y: u32) -> u8 {
    ((x * 3 + y) % 151) as u8
}

/// Three images of three sizes, of which one is grey, and one without labels.
pub fn ade20k() -> Files {
    let mut files = Files::default();
    let labels = |width: u32, height: u32| {
        let values: Vec<u8> = (0..height).flat_map(|y| (0..width).map(move |x| ade20k_value(x, y))).collect();
        grey8(width, height, &values)
    };
    let images = [
        ("training", "train_00000001", 53, 37),
        ("training", "train_00000002", 41, 60),
        ("validation", "val_00000001", 64, 31),
    ];
    for (seed, (folder, id, width, height)) in (60..).zip(images) {
        let photo = if id == "train_00000002" {
            jpeg_grey(width, height, &vec![99; (width * height) as usize])
        } else {
            jpeg_street(width, height, seed)
        };
        files.insert(&format!("images/{folder}/ADE_{id}.jpg"), photo);
        files.insert(&format!("annotations/{folder}/ADE_{id}.png"), labels(width, height));
    }
    files.insert("objectInfo150.txt", "Idx\tRatio\tTrain\tVal\tStuff\tName\n");
    files.insert("sceneCategories.txt", "ADE_train_00000001 airport_terminal\n");
    files.within("ADEChallengeData2016")
}

/// Columns of categories in the full set, and the value each has in SceneParse150 (0: none): wall, building, sky, two that become one,
/// one that is not among the 150, and nothing.
pub const ADE20K_FULL_CODES: [(u16, u8); 7] =
    [(2978, 1), (312, 2), (2420, 3), (774, 15), (783, 15), (1, 0), (0, 0)];

/// A small and a large image with all the files that the full set has beside them. The categories stand in columns.
pub fn ade20k_full() -> Files {
    let mut files = Files::default();
    let images = [("training", "train_00016869", 53, 37), ("validation", "val_00000005", 640, 530)];
    for (seed, (folder, id, width, height)) in (70..).zip(images) {
        let code = |x: u32| ADE20K_FULL_CODES[(x as usize * ADE20K_FULL_CODES.len()) / width as usize].0;
        let pixel = |x: u32, y: u32| [(code(x) / 256 * 10) as u8, (code(x) % 256) as u8, (y % 7) as u8];
        let pixels: Vec<u8> = (0..height).flat_map(|y| (0..width).flat_map(move |x| pixel(x, y))).collect();
        let path = format!("ADE20K_2021_17_01/images/ADE/{folder}/urban/street/ADE_{id}");
        files.insert(&format!("{path}.jpg"), jpeg_street(width, height, seed));
        files.insert(&format!("{path}_seg.png"), rgb8(width, height, &pixels));
        files.insert(&format!("{path}_parts_1.png"), rgb8(width, height, &pixels));
        files.insert(&format!("{path}.json"), "{}");
        files.insert(&format!("{path}/instance_000_ADE_{id}.png"), grey8(1, 1, &[255]));
    }
    files
}
