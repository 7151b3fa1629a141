//! APSIS: the authors' form and three re-packs.

use std::collections::BTreeMap;
use std::path::PathBuf;

use segbench_datasets::mat::{self, Data, Value};
use segbench_testkit::{ApsisLayout, apsis, apsis_is_person};

use crate::support::{Root, expected, images, labels};

#[test]
fn all_four_layouts_are_recognized_by_what_is_in_them() {
    for (layout, folder) in [
        (ApsisLayout::Authors, "copy"),
        (ApsisLayout::PortraitNet, "download"),
        (ApsisLayout::Clovaai, "download"),
        (ApsisLayout::Takiyu, "download"),
    ] {
        let root = Root::new();
        let prepared = root.prepared_from("apsis", folder, &apsis(layout));
        // One re-pack calls its test images `val`; one has no lists, so the official ones count.
        let other = if layout == ApsisLayout::Clovaai { "val" } else { "test" };
        let mut found = vec![("train", "00001"), ("train", "00003"), (other, "00002")];
        if layout == ApsisLayout::Takiyu {
            found.insert(2, ("train", "02299"));
        }
        assert_eq!(images(&prepared), found, "{layout:?}");
        let (width, height) = if layout == ApsisLayout::Authors { (600, 800) } else { (45, 60) };
        for number in 1..=3 {
            let person = |x, y| u8::from(apsis_is_person(number, x, y, width, height));
            let labels = labels(&prepared, &format!("{number:05}"));
            assert!(labels == expected(width, height, person), "{layout:?} {number}");
        }
        // A mask of a listed photo that is gone is counted.
        let is_told = root
            .findings("apsis")
            .notes
            .iter()
            .any(|note| note == "1 label map has no image and is left out");
        assert_eq!(is_told, matches!(layout, ApsisLayout::Authors | ApsisLayout::Takiyu), "{layout:?}");
    }
}

#[test]
fn photos_are_cut_out_by_the_table_and_scaled() {
    let root = Root::new();
    let prepared = root.prepared_from("apsis", "copy", &apsis(ApsisLayout::Authors));
    assert_eq!(prepared.info.images, "cut out and scaled to 600x800, as PNG");
    let record = &prepared.all_records()[0];
    assert_eq!((record.width, record.height), (600, 800));
    let image = prepared.image(record).expect("decoded");
    // The photo's red is five times its column and its green three times its row; the crop starts at column 10 and row 0.
    for (x, y) in [(300, 400), (40, 760), (560, 30)] {
        let [red, green, _] = image.get_pixel(x, y).0;
        let column = 10.0 + (f64::from(x) + 0.5) / 600.0 * 75.0 - 0.5;
        let row = (f64::from(y) + 0.5) / 800.0 * 100.0 - 0.5;
        let near = |value: u8, expected: f64| (f64::from(value) - expected % 256.0).abs() < 12.0;
        assert!(near(red, column * 5.0) && near(green, row * 3.0), "{red} {green} at {x} {y}");
    }
}

#[test]
fn a_mask_that_is_known_to_be_empty_is_kept_and_told() {
    let root = Root::new();
    let prepared = root.prepared_from("apsis", "download", &apsis(ApsisLayout::Takiyu));
    let record = prepared.all_records().iter().find(|record| record.id == "02299").expect("kept");
    assert_eq!(record.class_pixels, [45 * 60, 0]);
    assert!(
        root.findings("apsis")
            .notes
            .iter()
            .any(|note| note.contains("02299") && note.contains("background everywhere"))
    );
}

#[test]
fn a_photo_without_its_line_in_the_table_is_left_out_with_the_reason() {
    let mut files = apsis(ApsisLayout::Authors);
    files.change("crop.txt", |bytes| *bytes = b"00001.jpg 0 100 10 85\n00002.jpg 10 110 0 91\n".to_vec());
    let root = Root::new();
    let prepared = root.prepared_from("apsis", "copy", &files);
    assert_eq!(images(&prepared), [("train", "00001")]);
    let skipped = root.findings("apsis").skipped;
    let reasons: Vec<(&str, &str)> =
        skipped.iter().map(|skipped| (skipped.id.as_str(), skipped.reason.as_str())).collect();
    assert!(reasons[0].0 == "00002" && reasons[0].1.contains("91x110"), "{reasons:?}");
    assert!(reasons[1].0 == "00003" && reasons[1].1.contains("no line"), "{reasons:?}");
}

/// Run with `SEGBENCH_APSIS=path/to/data cargo test -p segbench-datasets -- --ignored`, where the folder holds `images_mask/`.
#[test]
#[ignore = "needs the 1887 masks of APSIS"]
fn the_real_masks_have_the_known_shares_of_foreground() {
    let folder =
        std::env::var_os("SEGBENCH_APSIS").map(PathBuf::from).expect("SEGBENCH_APSIS names the folder");
    let mut shares = BTreeMap::new();
    for entry in std::fs::read_dir(folder.join("images_mask")).expect("listed") {
        let path = entry.expect("listed").path();
        let variables = mat::read(&std::fs::read(&path).expect("read")).expect("a MATLAB file");
        let Value::Numeric(mask) = &variables[0].value else { panic!("{}", path.display()) };
        assert_eq!((variables[0].name.as_str(), mask.rows(), mask.columns()), ("mask", 800, 600));
        let Data::U8(values) = &mask.data else { panic!("{}", path.display()) };
        let foreground = values.iter().filter(|value| **value == 1).count();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        shares.insert(name, foreground as f64 / 480_000.0);
    }
    // Counted with scipy and NumPy.
    assert_eq!(shares.len(), 1887);
    let mean = shares.values().sum::<f64>() / 1887.0;
    assert!((mean - 0.6263).abs() < 0.00005, "{mean}");
    let share = |name: &str| shares[name];
    assert!(
        (share("00001_mask.mat") - 0.574_979).abs() < 5e-7
            && (share("00005_mask.mat") - 0.693_227).abs() < 5e-7
    );
    assert_eq!((share("02188_mask.mat"), share("02299_mask.mat")), (1.0, 0.0));
}
