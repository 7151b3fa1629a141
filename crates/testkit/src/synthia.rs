//! SYNTHIA in its three forms.

use crate::Files;
use crate::png_file::{HEIGHT, WIDTH, grey_alpha16, grey8, rgb8, rgb16, street};

/// The class of a pixel, 0 to 22, in columns.
pub fn synthia_id(x: u32, y: u32) -> u8 {
    ((x + y / 10) % 23) as u8
}

fn pixels<T>(value: impl Fn(u32, u32) -> T) -> Vec<T> {
    (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (x, y))).map(|(x, y)| value(x, y)).collect()
}

/// RAND-CITYSCAPES: twelve frames. Label files are 16-bit RGB; that of 0000001 is 16-bit grey and alpha, that of 0000002 8-bit RGB, that
/// of 0000003 is cut off, and 0000004 has no label file but one of a pack with the train ids of Cityscapes.
pub fn synthia() -> Files {
    let mut files = Files::default();
    for number in 0..12_u8 {
        let name = format!("{number:07}.png");
        files.insert(&format!("RGB/{name}"), street(100 + number));
        files.insert(&format!("GT/COLOR/{name}"), rgb8(1, 1, &[70, 130, 180]));
        files.insert(&format!("Depth/Depth/{name}"), grey8(1, 1, &[7]));
        let label = match number {
            1 => grey_alpha16(WIDTH, HEIGHT, &pixels(|x, y| [u16::from(synthia_id(x, y)), 300]).concat()),
            2 => rgb8(WIDTH, HEIGHT, &pixels(|x, y| [synthia_id(x, y), 9, 0]).concat()),
            _ => rgb16(WIDTH, HEIGHT, &pixels(|x, y| [u16::from(synthia_id(x, y)), 4000, 0]).concat()),
        };
        if number != 4 {
            files.insert(&format!("GT/LABELS/{name}"), label);
        }
    }
    files.change("GT/LABELS/0000003", |bytes| bytes.truncate(200));
    // Road, sky and "ignore".
    let train_ids = pixels(|x, y| {
        if x == 0 {
            255
        } else if y < 9 {
            10
        } else {
            0
        }
    });
    files.insert("synthia_mapped_to_cityscapes/0000004.png", grey8(WIDTH, HEIGHT, &train_ids));
    files.within("RAND_CITYSCAPES")
}

/// RAND of CVPR 2016: two frames with texts of labels, where -1 and 0 are void.
pub fn synthia_cvpr16() -> Files {
    let mut files = Files::default();
    for (seed, number) in (120..).zip(["000062_3_Rand_2", "000129_2_Rand_16"]) {
        let id = format!("ap_000_02-11-2015_18-02-19_{number}");
        let row = |y: u32| {
            let words: Vec<String> =
                (0..WIDTH).map(|x| ((x + y) % 14) as i32 - 1).map(|id| id.to_string()).collect();
            words.join(" ") + " \n"
        };
        files.insert(&format!("RGB/{id}.png"), street(seed));
        files.insert(&format!("GTTXT/{id}.txt"), (0..HEIGHT).map(row).collect::<String>());
        files.insert(&format!("GT/{id}.png"), rgb8(1, 1, &[128, 128, 128]));
    }
    files.insert("ALL.txt", "ap_000_02-11-2015_18-02-19_000062_3_Rand_2.png\n");
    files.within("SYNTHIA_RAND_CVPR16")
}

/// SEQS: two frames of one camera in each of `sequences`, whose frames have the same numbers.
pub fn synthia_seqs(sequences: &[&str]) -> Files {
    const IDS: [u16; 14] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15];
    let mut files = Files::default();
    for (seed, sequence) in (130..).zip(sequences) {
        for frame in 0..2_u8 {
            let part = |part: &str| format!("{sequence}/{part}/Stereo_Left/Omni_F/{frame:06}.png");
            let words = pixels(|x, _| [IDS[x as usize % IDS.len()], 0, 0]).concat();
            files.insert(&part("RGB"), street(seed * 2 + frame));
            files.insert(&part("GT/LABELS"), rgb16(WIDTH, HEIGHT, &words));
            files.insert(&part("GT/COLOR"), rgb8(1, 1, &[0, 0, 0]));
        }
    }
    files
}
