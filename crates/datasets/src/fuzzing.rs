//! What reads files of strangers, under files that nobody meant (see [`segbench_testkit::fuzz`]).

use segbench_testkit::{fuzz, grey_alpha16, grey8, grey16, mat_matrix, packed, palette8, rgb8};

use crate::cards::{Coding, card};
use crate::label_png::{self, Samples};
use crate::labels::LabelTable;
use crate::mat::{self, Value};
use crate::reading;

fn count(samples: &Samples) -> usize {
    match samples {
        Samples::Bytes(bytes) => bytes.len(),
        Samples::Words(words) => words.len(),
    }
}

/// The file with a right checksum in every chunk, so that changes reach what lies behind the checksums.
fn with_checksums(png: &[u8]) -> Vec<u8> {
    let mut bytes = png.to_vec();
    let mut at = 8;
    while let Some(length) = bytes.get(at..at + 4).and_then(|length| length.try_into().ok()) {
        let end = (at + 8).saturating_add(u32::from_be_bytes(length) as usize);
        let Some(chunk) = bytes.get(at + 4..end) else { break };
        let checksum = crc32fast::hash(chunk).to_be_bytes();
        let Some(place) = bytes.get_mut(end..end + 4) else { break };
        place.copy_from_slice(&checksum);
        at = end + 4;
    }
    bytes
}

#[test]
fn label_pngs_are_numbers_of_their_size_or_refused() {
    let bytes: Vec<u8> = (0..77).collect();
    let words: Vec<u16> = (0..77).map(|word| word * 900).collect();
    let seeds = [
        grey8(11, 7, &bytes),
        grey16(11, 7, &words),
        palette8(11, 7, &bytes),
        packed(11, 7, 1, &bytes[..14]),
        packed(11, 7, 4, &bytes[..42]),
        rgb8(11, 7, &bytes.repeat(3)),
        grey_alpha16(11, 7, &words.repeat(2)),
    ];
    let table = LabelTable::new(&card("cityscapes").expect("known").catalog());
    let chunks = ["IHDR", "PLTE", "IDAT", "IEND", "tRNS", "gAMA", "acTL", "fcTL", "fdAT", "iCCP", "\0\0\0\0"];
    fuzz("label PNG", &seeds, &chunks, |bytes| {
        let bytes = with_checksums(bytes);
        if let Ok(channels) = label_png::decode_channels(&bytes) {
            let pixels = channels.width as usize * channels.height as usize;
            assert_eq!(count(&channels.samples), pixels * channels.channels);
        }
        match label_png::decode(&bytes) {
            Ok(raw) => {
                let pixels = raw.width as usize * raw.height as usize;
                assert_eq!(count(&raw.samples), pixels);
                let (counted, _) = table.map_leniently(raw);
                assert_eq!(counted.class_pixels.iter().sum::<u64>() + counted.ignored_pixels, pixels as u64);
                "read".to_owned()
            }
            Err(err) => err.to_string(),
        }
    });
}

#[test]
fn matlab_files_have_as_many_values_as_they_say_or_are_refused() {
    fn check(value: &Value) {
        match value {
            Value::Numeric(matrix) => {
                assert_eq!(matrix.data.len(), matrix.dimensions.iter().product::<usize>())
            }
            Value::Cell { dimensions, values } => {
                assert_eq!(values.len(), dimensions.iter().product::<usize>());
                values.iter().for_each(check);
            }
            Value::Struct { dimensions, fields } => {
                for (_, values) in fields {
                    assert_eq!(values.len(), dimensions.iter().product::<usize>());
                    values.iter().for_each(check);
                }
            }
            Value::Text(_) | Value::Other { .. } => {}
        }
    }
    let values: Vec<u8> = (0..35).collect();
    let packed = [mat_matrix("mask", 7, 5, &values), mat_matrix("testlist", 1, 35, &values)];
    // Bare elements as well: changes in packed ones end at the checksum.
    let bare = packed.iter().map(|file| {
        let mut bytes = file[..128].to_vec();
        let mut inflater = flate2::read::ZlibDecoder::new(&file[136..]);
        std::io::Read::read_to_end(&mut inflater, &mut bytes).expect("the element");
        bytes
    });
    let fixtures = [
        include_bytes!("../tests/fixtures/kinds.mat").to_vec(),
        include_bytes!("../tests/fixtures/kinds_plain.mat").to_vec(),
    ];
    let seeds: Vec<Vec<u8>> = packed.iter().cloned().chain(bare).chain(fixtures).collect();
    let tags = ["\u{e}\0\0\0", "\u{f}\0\0\0", "\u{1}\0\u{4}\0", "\u{5}\0\0\0", "\u{6}\0\0\0", "\u{9}\0\0\0"];
    let layout = &card("apsis").expect("known").layout;
    fuzz("MATLAB file", &seeds, &tags, |bytes| match mat::read(bytes) {
        Ok(variables) => {
            variables.iter().for_each(|variable| check(&variable.value));
            if let Ok(mask) = reading::read(bytes, Coding::Mask, layout) {
                assert_eq!(count(&mask.raw.samples), mask.raw.width as usize * mask.raw.height as usize);
            }
            "read".to_owned()
        }
        Err(err) => err.to_string(),
    });
}

#[test]
fn outlines_fill_their_image_or_are_refused() {
    let layout = &card("cityscapes").expect("known").layout;
    let seeds = [
        br#"{"imgHeight": 7, "imgWidth": 11, "objects": [{"label": "road", "polygon": [[-3, 2], [20, 2.5], [9, 9]]},
            {"label": "cargroup", "deleted": 0, "polygon": [[0, 0], [4, 0], [4, 3], [0, 3]]}]}"#.to_vec(),
        br#"{"imgWidth": 64, "imgHeight": 48, "objects": [{"label": "person", "deleted": 1, "id": 3, "polygon": [[1, 1], [5, 40]]},
            {"label": "car", "polygon": [[10, 10], [60, 12], [40, 30], [10, 10]]}, {"label": "license plate", "polygon": []}]}"#.to_vec(),
    ];
    let words = [
        "\"imgWidth\": ",
        "\"label\": \"sky\", ",
        "\"deleted\": true, ",
        "[1e9, -1e9]",
        "16777216",
        "-16777216",
        "null",
        "{",
        "}",
        "[",
        "]",
        ",",
        "\"",
        "\\u0000",
    ];
    fuzz("outlines", &seeds, &words, |bytes| {
        // A canvas is as large as the file says, and a test has no time for the largest.
        let is_large = |number: &[u8]| number.len() > 4 || number.contains(&b'e');
        let is_huge = ["\"imgWidth\"", "\"imgHeight\""].iter().any(|key| {
            bytes.windows(key.len()).enumerate().filter(|(_, part)| *part == key.as_bytes()).any(|(at, _)| {
                let value = bytes[at + key.len()..].iter().skip_while(|byte| b": ".contains(byte));
                is_large(&value.copied().take_while(|byte| byte.is_ascii_alphanumeric()).collect::<Vec<u8>>())
            })
        });
        if is_huge {
            return "huge".to_owned();
        }
        match reading::draw(bytes, layout) {
            Ok(drawn) => {
                let pixels = drawn.raw.width as usize * drawn.raw.height as usize;
                assert_eq!((count(&drawn.raw.samples), drawn.instances.len()), (pixels, pixels));
                "drawn".to_owned()
            }
            Err(err) => err.to_string(),
        }
    });
}
