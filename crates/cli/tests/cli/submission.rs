//! Predictions as the test server of Cityscapes takes them.

use std::fs;

use segbench_testkit::{cityscapes, grey8, palette8};

use crate::support::Place;

const FRAME: &str = "bonn_000000_000019";
const WIDTH: u32 = 2048;
const HEIGHT: u32 = 1024;

/// All 19 train ids and "no class" in columns.
fn train_id(x: u32) -> u8 {
    match x / 100 {
        column @ 0..19 => column as u8,
        _ => 255,
    }
}

/// The ids of the 19 classes, as cityscapesScripts lists them.
const IDS: [u8; 19] = [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33];

fn pixels(value: impl Fn(u32) -> u8) -> Vec<u8> {
    let row: Vec<u8> = (0..WIDTH).map(value).collect();
    row.repeat(HEIGHT as usize)
}

#[test]
fn train_ids_become_ids_under_the_names_of_the_photos() {
    let place = Place::with(&cityscapes());
    place.run(&["prepare", "cityscapes", "--source", "source"]).is(0, &[]);
    fs::create_dir(place.join("predicted")).expect("a folder");
    let name = format!("predicted/{FRAME}_leftImg8bit.png");
    fs::write(place.join(&name), palette8(WIDTH, HEIGHT, &pixels(train_id))).expect("written");
    let export = ["evaluate", "--export", "cityscapes", "--predictions", "predicted", "--json"];
    let done = place.run(&export);
    let done = done.is(0, &["1525"]).json();
    assert_eq!((&done["images"], &done["unpredicted_pixels"]), (&1.into(), &(148 * 1024).into()));
    place.run(&[&export[..], &["--output", "folder"]].concat()).is(0, &[]);

    let file = format!("{FRAME}_leftImg8bit.png");
    let png = fs::read(place.join("folder").join(&file)).expect("written");
    let mut reader = png::Decoder::new(std::io::Cursor::new(&png)).read_info().expect("a picture");
    assert_eq!(reader.output_color_type(), (png::ColorType::Grayscale, png::BitDepth::Eight));
    let mut ids = vec![0; (WIDTH * HEIGHT) as usize];
    reader.next_frame(&mut ids).expect("a picture");
    let id = |x: u32| IDS.get(usize::from(train_id(x))).copied().unwrap_or(0);
    assert!(ids == pixels(id));
    let zip = fs::read(place.join("submission.zip")).expect("written");
    assert!(zip.starts_with(b"PK") && zip.windows(png.len()).any(|part| part == png));
    assert!(zip.windows(file.len()).any(|part| part == file.as_bytes()));

    // Ids are taken as well, and come out as they were.
    fs::write(place.join(&name), grey8(WIDTH, HEIGHT, &pixels(id))).expect("written");
    place.run(&[&export[..], &["--output", "again", "--encoding", "source-id"]].concat()).is(0, &[]);
    assert!(fs::read(place.join("again").join(&file)).expect("written") == png);
}

#[test]
fn nothing_is_written_unless_every_frame_is_there_in_its_size() {
    let place = Place::with(&cityscapes());
    fs::create_dir(place.join("predicted")).expect("a folder");
    let export = ["evaluate", "--export", "cityscapes", "--predictions", "predicted"];
    let small = grey8(4, 2, &[0; 8]);
    // Without the data set the names have to say the frames.
    place.run(&export).is(6, &["predicted"]);
    fs::write(place.join("predicted/result.png"), &small).expect("written");
    place.run(&export).is(6, &["predicted/result.png", "berlin_000000_000019"]);
    fs::remove_file(place.join("predicted/result.png")).expect("removed");

    place.run(&["prepare", "cityscapes", "--source", "source"]).is(0, &[]);
    place.run(&export).is(6, &["1 of 1 images", FRAME]);
    fs::write(place.join(&format!("predicted/{FRAME}.png")), &small).expect("written");
    place.run(&export).is(6, &[FRAME, "4x2", "2048x1024"]);
    for name in ["a", "b"] {
        fs::write(place.join(&format!("predicted/{FRAME}_{name}.png")), &small).expect("written");
    }
    fs::remove_file(place.join(&format!("predicted/{FRAME}.png"))).expect("removed");
    place.run(&export).is(6, &["both predictions", FRAME]);
    place
        .run(&[&export[..], &["--dataset", "cityscapes", "--split", "nothing"]].concat())
        .is(4, &["nothing"]);
    assert!(!place.join("submission.zip").exists());
}
