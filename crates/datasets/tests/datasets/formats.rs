//! Label maps in every kind of PNG.

use proptest::prelude::*;
use segbench_datasets::label_png::{Samples, decode, encode, read};
use segbench_datasets::{DecodeError, card, decode_image};
use segbench_testkit::{grey8, grey16, packed, palette8, rgb8, rgba8};
use segbench_types::LabelMap;

fn bytes_of(png: &[u8]) -> Vec<u8> {
    match decode(png).expect("decoded").samples {
        Samples::Bytes(bytes) => bytes,
        Samples::Words(words) => panic!("16 bits: {words:?}"),
    }
}

#[test]
fn palette_indices_and_grey_values_come_out_as_stored() {
    let values = [0, 1, 2, 20, 255, 15, 7, 3];
    assert_eq!(bytes_of(&palette8(4, 2, &values)), values);
    assert_eq!(bytes_of(&grey8(4, 2, &values)), values);
}

#[test]
fn packed_samples_are_unpacked_from_the_highest_bits_row_by_row() {
    // Rows of 5 pixels; each row starts at a new byte, and what is left of a byte means nothing.
    assert_eq!(bytes_of(&packed(5, 2, 1, &[0b1011_0111, 0b0100_1000])), [1, 0, 1, 1, 0, 0, 1, 0, 0, 1]);
    assert_eq!(
        bytes_of(&packed(5, 2, 2, &[0b0001_1011, 0b1111_1111, 0b1101_0010, 0b0000_0000])),
        [0, 1, 2, 3, 3, 3, 1, 0, 2, 0]
    );
    assert_eq!(bytes_of(&packed(3, 2, 4, &[0x1f, 0xa0, 0x07, 0xcf])), [1, 15, 10, 0, 7, 12]);
}

#[test]
fn sixteen_bits_are_big_endian() {
    let raw = decode(&grey16(3, 1, &[24_001, 1, 256])).expect("decoded");
    assert_eq!(raw.samples, Samples::Words(vec![24_001, 1, 256]));
}

#[test]
fn colored_files_are_refused() {
    assert!(matches!(decode(&rgb8(1, 1, &[1, 2, 3])), Err(DecodeError::SeveralChannels("RGB"))));
    assert!(matches!(decode(&rgba8(1, 1, &[1, 2, 3, 4])), Err(DecodeError::SeveralChannels("RGBA"))));
}

#[test]
fn the_common_label_format_is_a_palette_of_class_colors() {
    let catalog = card("cityscapes").expect("known").catalog();
    let labels = LabelMap::new(3, 1, vec![0, 18, 255]).expect("three labels");
    let encoded = encode(&labels, &catalog);
    // Road, bicycle and black: what a viewer shows.
    let shown = decode_image(&encoded).expect("decoded");
    assert_eq!(shown.into_raw(), [128, 64, 128, 119, 11, 32, 0, 0, 0]);
    assert_eq!(bytes_of(&encoded), [0, 18, 255]);
}

#[test]
fn large_labels_are_refused_where_train_ids_are_expected() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("prediction.png");
    std::fs::write(&path, grey16(2, 1, &[3, 300])).expect("written");
    let err = read(&path).expect_err("refused");
    assert!(err.to_string().contains("prediction.png") && err.to_string().contains("300"), "{err}");
    std::fs::write(&path, grey16(2, 1, &[3, 255])).expect("written");
    assert_eq!(read(&path).expect("decoded").as_slice(), [3, 255]);
}

proptest! {
    #[test]
    fn any_label_map_survives_a_round_trip(width in 1_u32..40, height in 1_u32..40, seed in any::<u64>(), noise in 1_u64..64) {
        let mut rng = segbench_types::Rng::new(seed, &[]);
        let data: Vec<u8> = (0..width * height)
            .scan(0, |label, _| {
                if rng.below(noise as usize) == 0 {
                    *label = rng.below(256) as u8;
                }
                Some(*label)
            })
            .collect();
        let labels = LabelMap::new(width, height, data.clone()).expect("sized");
        prop_assert_eq!(bytes_of(&encode(&labels, &card("camvid").expect("known").catalog())), data);
    }

    #[test]
    fn any_damage_to_a_label_file_is_an_error_or_harmless_but_no_panic(cut in 0_usize..200, flip in 0_usize..200, bit in 0_u8..8) {
        let mut png = grey8(13, 7, &[9; 91]);
        if let Some(byte) = png.get_mut(flip) {
            *byte ^= 1 << bit;
        }
        png.truncate(png.len().saturating_sub(cut));
        let _ = decode(&png);
        let _ = decode_image(&png);
    }
}
