//! APSIS as its authors give it, and in the three forms in which others passed it on.

use crate::Files;
use crate::mat::mat_matrix;
use crate::png_file::{grey8, jpeg_grey, jpeg_street, rgb8};

/// Who put the files together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApsisLayout {
    /// The authors: masks in MATLAB files of 600x800, lists in MATLAB files, and photos that somebody downloaded, with `crop.txt`.
    Authors,
    /// `Images/` and `Labels/` with values 0 and 1, and two lists.
    PortraitNet,
    /// `images_data_crop/` and `GT_png/` with values 0 and 255, and lists of plain numbers.
    Clovaai,
    /// `img_crop/` and `img_mask/`, where masks are JPEGs, and no list.
    Takiyu,
}

/// Whether a pixel belongs to the person: a tall rectangle, different in every image.
pub fn apsis_is_person(number: u32, x: u32, y: u32, width: u32, height: u32) -> bool {
    let inside =
        |value: u32, size: u32, share: u32| value * 10 >= size * share && value * 10 < size * (share + 5);
    inside(x, width, 1 + number % 4) && inside(y, height, 4)
}

/// Images 1, 3 and 4 for training and 2 for testing, as in the official lists; 4 has a mask and no photo. In the form without lists also
/// 2299, whose mask is empty.
pub fn apsis(layout: ApsisLayout) -> Files {
    let mut files = Files::default();
    let (width, height) = if layout == ApsisLayout::Authors { (600, 800) } else { (45, 60) };
    let numbers: &[u32] = if layout == ApsisLayout::Takiyu { &[1, 2, 3, 4, 2299] } else { &[1, 2, 3, 4] };
    for &number in numbers {
        let is_person = |x: u32, y: u32| number != 2299 && apsis_is_person(number, x, y, width, height);
        let mask = |foreground: u8| -> Vec<u8> {
            (0..height)
                .flat_map(|y| (0..width).map(move |x| (x, y)))
                .map(|(x, y)| u8::from(is_person(x, y)) * foreground)
                .collect()
        };
        let has_photo = number != 4;
        let photo = jpeg_street(width, height, number as u8);
        let mut add = |name: String, bytes: Vec<u8>, is_photo: bool| {
            if has_photo || !is_photo {
                files.insert(&name, bytes);
            }
        };
        match layout {
            ApsisLayout::Authors => {
                let columns: Vec<u8> = (0..width)
                    .flat_map(|x| (0..height).map(move |y| (x, y)))
                    .map(|(x, y)| u8::from(is_person(x, y)))
                    .collect();
                add(
                    format!("data/images_mask/{number:05}_mask.mat"),
                    mat_matrix("mask", height, width, &columns),
                    false,
                );
                add(format!("data/images_data/{number:05}.jpg"), jpeg_street(90, 110, number as u8), true);
            }
            ApsisLayout::PortraitNet => {
                let pixels = vec![number as u8; (width * height * 3) as usize];
                add(format!("EG1800/Images/{number:05}.png"), rgb8(width, height, &pixels), true);
                add(format!("EG1800/Labels/{number:05}.png"), grey8(width, height, &mask(1)), false);
            }
            ApsisLayout::Clovaai => {
                add(format!("Portrait/images_data_crop/{number:05}.jpg"), photo, true);
                add(format!("Portrait/GT_png/{number:05}_mask.png"), grey8(width, height, &mask(255)), false);
            }
            ApsisLayout::Takiyu => {
                add(format!("data/img_crop/{number:05}.jpg"), photo, true);
                add(format!("data/img_mask/{number:05}.jpg"), jpeg_grey(width, height, &mask(255)), false);
            }
        }
    }
    match layout {
        ApsisLayout::Authors => {
            files.insert("data/trainlist.mat", mat_matrix("trainlist", 1, 3, &[1, 3, 4]));
            files.insert("data/testlist.mat", mat_matrix("testlist", 1, 1, &[2]));
            files.insert("data/images_tracker/00001.mat", mat_matrix("tracker", 0, 0, &[]));
            files.insert(
                "data/alldata_urls.txt",
                "00001.jpg http://farm1.static.flickr.com/1/2_3_b.jpg\n00004.jpg None\n",
            );
            // Not sorted, rows first.
            files.insert(
                "data/crop.txt",
                "00003.jpg 4 108 7 85\n00001.jpg 0 100 10 85\n00002.jpg 10 110 0 75\n",
            );
            files.within("[EG_code_data]_release")
        }
        ApsisLayout::PortraitNet => {
            files.insert("EG1800/eg1800_train.txt", "00001.png\n00003.png\n");
            files.insert("EG1800/eg1800_test.txt", "00002.png\n");
            files
        }
        ApsisLayout::Clovaai => {
            files.insert("Portrait/train.txt", "1\n3\n");
            files.insert("Portrait/val.txt", "2\n");
            files
        }
        ApsisLayout::Takiyu => files,
    }
}
