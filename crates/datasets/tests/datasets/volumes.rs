//! Volumes: the drawn ones, and pairs of npy files of the user's own.

use std::fs;

use segbench_datasets::PreparedDataset;
use segbench_testkit::Files;

use crate::support::Root;

const DESCRIPTION: &str = "
name: scans
title: Scans
licence: CC BY 4.0
splits:
  - { name: train }
images:
  - pattern: \"images/{split}/{id}.npy\"
labels:
  - { pattern: \"labels/{split}/{id}.npy\", coding: volume }
classes:
  name: scans-2
  list:
    - { id: 0, name: nothing, color: [0, 0, 0] }
    - { id: 4, name: tumor, color: [200, 0, 0] }
";

/// An array as `numpy.save` writes it.
fn npy(descr: &str, shape: &str, numbers: &[u8]) -> Vec<u8> {
    let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}");
    let mut file = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    file.extend(format!("{text:<117}\n").bytes());
    file.extend(numbers);
    file
}

/// Converts a scan of 2x3x2 voxels with such a label file.
fn prepared(label: Vec<u8>) -> Result<PreparedDataset, String> {
    let root = Root::new();
    let description = root.path().join("scans.yaml");
    fs::write(&description, DESCRIPTION).expect("written");
    let mut files = Files::default();
    files.insert("images/train/a.npy", npy("|i1", "2, 3, 2", &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 246]));
    files.insert("labels/train/a.npy", label);
    let source = root.folder("download", &files);
    root.prepare(&description.display().to_string(), &[source]).map_err(|err| err.to_string())?;
    let prepared = PreparedDataset::open(root.path(), "scans").expect("opened");
    let record = &prepared.all_records()[0];
    assert_eq!((record.width, record.height, record.image.as_str()), (2, 6, "images/train/a.npy"));
    let volume = prepared.volume(record).expect("a volume");
    assert_eq!((volume.size(), volume.values()[11]), ([2, 3, 2], -10.0));
    assert_eq!(prepared.volume_size(record).expect("a size"), [2, 3, 2]);
    // From -10 to 10: 0 is in the middle.
    let picture = prepared.image(record).expect("a picture");
    assert_eq!((picture.dimensions(), picture.get_pixel(0, 0).0), ((2, 6), [128; 3]));
    assert_eq!(prepared.labels(record).expect("labels").as_slice()[..3], [0, 1, 0]);
    assert_eq!(record.class_pixels, [11, 1]);
    Ok(prepared)
}

#[test]
fn pairs_of_arrays_become_volumes_with_stacked_labels() {
    let mut labels = [0; 12];
    labels[1] = 4;
    prepared(npy("|u1", "2, 3, 2", &labels)).expect("prepared");
}

#[test]
fn labels_of_another_shape_or_value_are_refused() {
    for (label, part) in [
        (npy("|u1", "3, 2, 2", &[0; 12]), "3 slices, its image 2"),
        (npy("|u1", "2, 3, 3", &[0; 18]), "3x6"),
        (npy("|u1", "12", &[0; 12]), "(12)"),
        (npy("|u1", "2, 3, 2", &[0; 11]), "11 bytes"),
        (npy("|i1", "2, 3, 2", &[255; 12]), "-1 is no label"),
        (npy("|u1", "2, 3, 2", &[3; 12]), "3"),
    ] {
        let refused = prepared(label).map(|_| ()).expect_err(part);
        assert!(refused.contains(part), "{part}: {refused}");
    }
}

#[test]
fn the_phantom_is_drawn_and_converted_like_any_other_data_set() {
    let root = Root::new();
    root.prepare("phantom", &[]).expect("prepared");
    let prepared = PreparedDataset::open(root.path(), "phantom").expect("opened");
    assert_eq!([16, 4], ["train", "val"].map(|split| prepared.records(split).len()));
    for record in prepared.all_records() {
        let [depth, height, width] = prepared.volume(record).expect("a volume").size();
        let labels = prepared.labels(record).expect("labels");
        assert_eq!((labels.width() as usize, labels.height() as usize), (width, depth * height));
        assert!(record.class_pixels.iter().all(|pixels| *pixels > 0), "{record:?}");
    }
}
