//! Tests of whole scenes and of the files they become.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rayon::prelude::*;
use segbench_types::Silent;

use super::annotate::annotate;
use super::writer::{Error, Job, SampleOptions, jobs, write_tree, write_zips};
use crate::polygon::fill_polygon;

/// Ids of the 19 evaluated classes in train-id order.
/// Source: cityscapesScripts 2.3.0, `helpers/labels.py`.
const EVALUATED: [u8; 19] = [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33];

fn small(train: u32, val: u32, test: u32) -> SampleOptions {
    SampleOptions { width: 67, height: 41, train, val, test, ..SampleOptions::default() }
}

/// All files below a folder with their contents.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for path in segbench_storage::list_dir(dir).expect("listed") {
        if path.is_dir() {
            let below = path.file_name().expect("a name").to_string_lossy().into_owned();
            found.extend(files(&path).into_iter().map(|(name, bytes)| (format!("{below}/{name}"), bytes)));
        } else {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            found.insert(name, fs::read(&path).expect("read"));
        }
    }
    found
}

fn tree(options: &SampleOptions) -> BTreeMap<String, Vec<u8>> {
    let dir = tempfile::tempdir().expect("a folder");
    write_tree(dir.path(), options, &Silent).expect("written");
    files(dir.path())
}

fn with_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads").install(work)
}

/// Pixels per id of every picture of the default sample at half size, training first.
fn counts() -> [Vec<[u64; 256]>; 2] {
    let half = SampleOptions { width: 256, height: 128, test: 0, ..SampleOptions::default() };
    let count = |job: &Job| {
        let (painter, _) = job.scene(&half);
        let mut pixels = [0; 256];
        for label in annotate(&painter.objects, half.width, half.height).expect("labels").labels {
            pixels[usize::from(label)] += 1;
        }
        pixels
    };
    let all: Vec<[u64; 256]> = jobs(&half).expect("a valid size").par_iter().map(count).collect();
    let (train, val) = all.split_at(64);
    [train.to_vec(), val.to_vec()]
}

#[test]
fn every_class_is_in_enough_pictures_and_none_takes_more_than_a_street_gives_it() {
    let [train, val] = counts();
    for id in EVALUATED {
        let images =
            |split: &[[u64; 256]]| split.iter().filter(|pixels| pixels[usize::from(id)] >= 8).count();
        assert!(images(&train) >= 10, "id {id} is in {} training pictures", images(&train));
        assert!(images(&val) >= 3, "id {id} is in {} validation pictures", images(&val));
    }
    let labelled: u64 =
        EVALUATED.iter().map(|id| train.iter().map(|pixels| pixels[usize::from(*id)]).sum::<u64>()).sum();
    let share = |id: usize| train.iter().map(|pixels| pixels[id]).sum::<u64>() as f64 / labelled as f64;
    let believable: [(usize, f64, f64); 7] = [
        (7, 0.28, 0.42),
        (8, 0.03, 0.08),
        (11, 0.13, 0.26),
        (21, 0.08, 0.20),
        (23, 0.03, 0.09),
        (24, 0.007, 0.02),
        (26, 0.04, 0.09),
    ];
    for (id, low, high) in believable {
        assert!((low..high).contains(&share(id)), "id {id} has a share of {}", share(id));
    }
    for id in EVALUATED {
        assert!(share(usize::from(id)) > 0.003, "id {id} has a share of {}", share(usize::from(id)));
    }
    let void = 1.0 - labelled as f64 / (64.0 * 256.0 * 128.0);
    assert!((0.005..0.08).contains(&void), "{void}");
}

#[test]
fn the_scenes_of_a_seed_stay_what_the_shipped_weights_were_trained_on() {
    // Pixels per evaluated class of the first validation picture at 512x256, as first released. The margin is for machines whose
    // sines differ in the last bit.
    let expected: [u64; 19] =
        [52758, 1396, 16348, 1027, 0, 1215, 0, 0, 18023, 0, 7321, 52, 0, 14052, 188, 17639, 0, 0, 950];
    let options = SampleOptions::default();
    // After 4 test and 64 training pictures.
    let (painter, _) = jobs(&options).expect("a valid size")[68].scene(&options);
    let labels = annotate(&painter.objects, 512, 256).expect("labels").labels;
    let got = EVALUATED.map(|id| labels.iter().filter(|label| **label == id).count() as u64);
    for (got, expected) in got.iter().zip(expected) {
        assert!(got.abs_diff(expected) <= 3 + expected / 200, "{got} pixels, expected {expected}");
    }
}

#[test]
fn two_runs_write_the_same_bytes_with_one_thread_and_with_two() {
    let options = small(3, 2, 1);
    let one = with_threads(1, || tree(&options));
    let two = with_threads(2, || tree(&options));
    assert_eq!(one.len(), 6 * 5);
    assert!(one == two);
}

#[test]
fn more_pictures_leave_the_first_ones_as_they_are_and_another_seed_changes_them() {
    let (few, many) = (tree(&small(2, 1, 0)), tree(&small(4, 2, 0)));
    assert!(few.iter().all(|(name, bytes)| many.get(name) == Some(bytes)));
    let other = tree(&SampleOptions { seed: 1, ..small(2, 1, 0) });
    let images = few.keys().filter(|name| name.starts_with("leftImg8bit"));
    assert!(images.into_iter().all(|name| other.get(name).is_some_and(|bytes| *bytes != few[name])));
}

#[test]
fn splits_show_different_streets() {
    let files = tree(&small(1, 1, 0));
    let images: Vec<&Vec<u8>> =
        files.iter().filter(|(name, _)| name.starts_with("leftImg8bit")).map(|(_, bytes)| bytes).collect();
    assert_eq!(images.len(), 2);
    assert_ne!(images[0], images[1]);
}

#[test]
fn label_files_follow_from_the_polygons_alone() {
    let files = tree(&small(6, 0, 0));
    for (name, json) in files.iter().filter(|(name, _)| name.ends_with("_polygons.json")) {
        let file: serde_json::Value = serde_json::from_slice(json).expect("JSON");
        assert_eq!((file["imgWidth"].as_u64(), file["imgHeight"].as_u64()), (Some(67), Some(41)));
        let (mut labels, mut instances) = (vec![0_u8; 67 * 41], vec![0_u16; 67 * 41]);
        let mut numbers = BTreeMap::new();
        for object in file["objects"].as_array().expect("objects") {
            let label = object["label"].as_str().expect("a label");
            let single = label.strip_suffix("group");
            let id = id_of(single.unwrap_or(label));
            if object.get("deleted").is_some() || id < 0 {
                continue;
            }
            let polygon: Vec<[i32; 2]> = serde_json::from_value(object["polygon"].clone()).expect("corners");
            let mut instance = id as u16;
            if (24..=33).contains(&id) && single.is_none() {
                let number = numbers.entry(id).or_insert(0);
                instance = id as u16 * 1000 + *number;
                *number += 1;
            }
            fill_polygon(&polygon, 67, 41, |row, from, to| {
                labels[row * 67 + from..row * 67 + to].fill(id as u8);
                instances[row * 67 + from..row * 67 + to].fill(instance);
            })
            .expect("corners enough");
        }
        let read = |ending: &str| decode(&files[&name.replace("polygons.json", ending)]);
        assert!(read("labelIds.png") == labels, "{name}");
        let deep: Vec<u8> = instances.iter().flat_map(|id| id.to_be_bytes()).collect();
        assert!(read("instanceIds.png") == deep, "{name}");
        assert_eq!(read("color.png").len(), 67 * 41 * 4);
    }
}

#[test]
fn test_pictures_have_only_dummy_labels() {
    let files = tree(&small(0, 0, 4));
    for (name, bytes) in files.iter().filter(|(name, _)| name.ends_with("_labelIds.png")) {
        assert!(decode(bytes).iter().all(|id| *id <= 3), "{name}");
    }
}

#[test]
fn the_corners_of_the_format_occur() {
    let options = SampleOptions { train: 36, val: 0, test: 4, ..SampleOptions::default() };
    let objects = |job: &Job| job.scene(&options).0.objects;
    let scenes: Vec<_> = jobs(&options).expect("a valid size").par_iter().map(objects).collect();
    let objects = || scenes.iter().flatten();
    assert!(objects().any(|object| object.deleted));
    assert!(objects().any(|object| object.group && object.label.name() == "car"));
    assert!(objects().any(|object| object.group && object.label.name() == "person"));
    for name in ["license plate", "ego vehicle", "static", "dynamic", "out of roi", "rectification border"] {
        assert!(objects().any(|object| object.label.name() == name), "{name}");
    }
    assert!(objects().any(|object| object.polygon.iter().any(|[x, y]| *x < 0 || *y < 0)));
}

#[test]
fn the_archives_hold_the_tree_and_their_bytes_repeat() {
    let options = small(2, 1, 1);
    let write = || {
        let dir = tempfile::tempdir().expect("a folder");
        write_zips(dir.path(), &options, &Silent).expect("written");
        files(dir.path())
    };
    let archives = write();
    assert_eq!(
        archives.keys().collect::<Vec<_>>(),
        ["gtFine_trainvaltest.zip", "leftImg8bit_trainvaltest.zip"]
    );
    assert!(archives == with_threads(1, write));
    let mut members = BTreeMap::new();
    for bytes in archives.values() {
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).expect("an archive");
        let mut names = Vec::new();
        for at in 0..archive.len() {
            let member = archive.by_index(at).expect("a member");
            names.push(member.name().expect("a name in UTF-8").into_owned());
        }
        assert!(
            names.is_sorted() && names.contains(&"README".into()) && names.contains(&"license.txt".into())
        );
        for name in names.into_iter().filter(|name| name.contains('/')) {
            let mut contents = Vec::new();
            std::io::copy(&mut archive.by_name(&name).expect("a member"), &mut contents).expect("read");
            members.insert(name, contents);
        }
    }
    assert!(members == tree(&options));
}

#[test]
fn names_are_those_of_the_cityscapes_archives() {
    let names: Vec<String> = tree(&small(1, 0, 0)).into_keys().collect();
    let stem = "sampleville/sampleville_000000_000019";
    let labels = ["color.png", "instanceIds.png", "labelIds.png", "polygons.json"];
    let mut expected: Vec<String> =
        labels.iter().map(|end| format!("gtFine/train/{stem}_gtFine_{end}")).collect();
    expected.push(format!("leftImg8bit/train/{stem}_leftImg8bit.png"));
    assert_eq!(names, expected);
}

#[test]
fn any_shape_of_picture_is_drawn_and_others_are_refused_before_anything_is_written() {
    for (width, height) in [(33, 150), (301, 37)] {
        let options = SampleOptions { width, height, train: 4, val: 0, test: 1, ..SampleOptions::default() };
        assert_eq!(tree(&options).len(), 25);
    }
    let dir = tempfile::tempdir().expect("a folder");
    let options = SampleOptions { width: 0, ..SampleOptions::default() };
    let refused = write_tree(&dir.path().join("new"), &options, &Silent);
    assert!(matches!(refused, Err(Error::Size { width: 0, height: 256 })));
    assert!(!dir.path().join("new").exists());
}

fn decode(png: &[u8]) -> Vec<u8> {
    let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().expect("a PNG");
    let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
    reader.next_frame(&mut pixels).expect("pixels");
    pixels
}

/// Written again from the published table, so that a slip in the drawing code's own does not hide itself.
fn id_of(name: &str) -> i16 {
    let table = [
        ("license plate", -1),
        ("ego vehicle", 1),
        ("rectification border", 2),
        ("out of roi", 3),
        ("static", 4),
        ("dynamic", 5),
        ("ground", 6),
        ("road", 7),
        ("sidewalk", 8),
        ("building", 11),
        ("wall", 12),
        ("fence", 13),
        ("pole", 17),
        ("traffic light", 19),
        ("traffic sign", 20),
        ("vegetation", 21),
        ("terrain", 22),
        ("sky", 23),
        ("person", 24),
        ("rider", 25),
        ("car", 26),
        ("truck", 27),
        ("bus", 28),
        ("train", 31),
        ("motorcycle", 32),
        ("bicycle", 33),
    ];
    table.iter().find(|(known, _)| *known == name).map(|(_, id)| *id).expect("a known label")
}
