//! `prepare` and `class-weights`: done once, and the same bytes every time.

use segbench_testkit::{camvid, cityscapes};

use crate::support::{DRAW, Place, ended, same_trees};

#[test]
fn a_second_run_has_nothing_to_do_and_changes_nothing() {
    let place = Place::new();
    place.run_drawn(&["prepare", "sample"]).is(0, &["data/prepared/sample: 8 images"]);
    let first = place.tree("data");
    assert!(
        first.contains_key("prepared/sample/dataset.yaml")
            && !first.keys().any(|name| name.starts_with("jobs"))
    );
    place.run_drawn(&["prepare", "sample"]).is(0, &["up to date, nothing to do"]);
    same_trees(&place.tree("data"), &first);
}

#[test]
fn the_number_of_threads_does_not_change_a_byte() {
    let trees = ["1", "2"].map(|threads| {
        let place = Place::new();
        place.run_drawn(&["prepare", "sample", "--threads", threads]).is(0, &[]);
        place.tree("data")
    });
    same_trees(&trees[1], &trees[0]);
}

#[test]
fn a_folder_and_the_zips_of_it_give_the_same_labels() {
    let files = cityscapes();
    let folder = Place::with(&files);
    folder.run(&["prepare", "cityscapes", "--source", "source"]).is(0, &["5 images"]);
    let zips = Place::new();
    files.below("gtFine").write_zip(&zips.join("gtFine.zip"));
    files.below("leftImg8bit").write_zip(&zips.join("leftImg8bit.zip"));
    let sources = ["--source", "gtFine.zip", "--source", "leftImg8bit.zip"];
    ended(zips.command(&["prepare", "cityscapes"]).args(sources)).is(0, &["5 images"]);
    same_trees(
        &zips.tree("data/prepared/cityscapes/labels"),
        &folder.tree("data/prepared/cityscapes/labels"),
    );
}

#[test]
fn the_folder_of_the_official_tools_is_read_where_nothing_else_is_named() {
    let place = Place::with(&cityscapes());
    let mut command = place.command(&["prepare", "cityscapes"]);
    ended(command.env("CITYSCAPES_DATASET", place.join("source"))).is(0, &["5 images"]);
}

#[test]
fn another_drawing_replaces_the_sample_and_leaves_no_file_of_the_old_one() {
    let fewer = ["prepare", "sample", "--set", "datasets.sample.draw.size=64x128", "--set"];
    let fewer =
        [&fewer[..], &["datasets.sample.draw.train=2", "--set", "datasets.sample.draw.val=1"]].concat();
    let place = Place::new();
    place.run_drawn(&["prepare", "sample"]).is(0, &["8 images"]);
    place.run(&fewer).is(0, &["7 images"]);
    let fresh = Place::new();
    fresh.run(&fewer).is(0, &["7 images"]);
    same_trees(&place.tree("data"), &fresh.tree("data"));
}

#[test]
fn a_verified_tree_is_a_table_and_a_damaged_one_ends_with_invalid_data() {
    let place = Place::with(&camvid());
    place.run(&["prepare", "camvid", "--source", "source", "--verify"]).is(0, &["4 images"]);
    let rows = place.run(&["prepare", "camvid", "--source", "source", "--verify", "--json"]);
    assert_eq!(rows.is(0, &[]).json()["splits"][0]["images"], 2);
    let file = place.join("data/prepared/camvid/labels/train/0001TP_000030.png");
    std::fs::write(file, "x").expect("written");
    place
        .run(&["prepare", "camvid", "--source", "source", "--verify"])
        .is(6, &["0001TP_000030", "not-decodable"]);
}

#[test]
fn a_data_set_of_ones_own_is_described_in_a_file() {
    let mut files = camvid();
    files.insert("streets.yaml", "name: streets\ntitle: Streets\nlicence: unknown\nsplits: [{ name: train }, { name: val }, { name: test }]\nimages: [{ pattern: \"{split}/{id}.png\" }]\nlabels: [{ pattern: \"{split}annot/{id}.png\" }]\nclasses: { name: camvid-11, table: camvid-11.csv }\n");
    let place = Place::with(&files);
    place
        .run(&["prepare", "source/streets.yaml", "--source", "source"])
        .is(0, &["data/prepared/streets: 4 images"]);
    place.run(&["class-weights", "streets"]).is(0, &[]);
    place.run(&["prepare", "source/absent.yaml"]).is(4, &["absent.yaml"]);
}

#[test]
fn class_weights_are_a_table_with_its_formulas() {
    let place = Place::with(&camvid());
    place.run(&["prepare", "camvid", "--source", "source"]).is(0, &["4 images"]);
    let ended = ended(place.command(&["class-weights", "camvid", "--json"]).args(DRAW));
    let rows = ended.is(0, &[]).json();
    assert_eq!(rows.as_array().expect("rows").len(), 11);
    assert_eq!(rows[0]["name"], "Sky");
    // Two train images of 53x37 in which column x has the label (x + y / 20) % 12.
    let sky =
        (0..37).flat_map(|y| (0..53).map(move |x| (x + y / 20) % 12)).filter(|label| *label == 0).count();
    assert_eq!(rows[0]["pixels"], 2 * sky);
    let text =
        String::from_utf8(place.tree("data")["prepared/camvid/class_weights.txt"].clone()).expect("text");
    for scheme in ["enet", "median-frequency", "inverse"] {
        assert!(rows[0][scheme].is_number() && text.contains(&format!("{scheme}: ")), "{scheme}");
    }
    place.run(&["class-weights", "camvid"]).is(0, &["up to date"]);
}

#[test]
fn grey_label_maps_are_another_tree_with_the_same_numbers() {
    let place = Place::with(&cityscapes());
    let prepare = ["prepare", "cityscapes", "--source", "source"];
    let labels = |flags: &[&str]| {
        place.run(&[&prepare[..], flags].concat()).is(0, &["5 images"]);
        place.tree("data/prepared/cityscapes/labels")
    };
    let (palette, grey) = (labels(&[]), labels(&["--label-png", "grey"]));
    assert_eq!(palette.keys().collect::<Vec<_>>(), grey.keys().collect::<Vec<_>>());
    // The color type of the header: 3 is a palette, 0 is grey.
    assert!(palette.values().all(|png| png[25] == 3) && grey.values().all(|png| png[25] == 0));
    place.run(&[&prepare[..], &["--label-png", "grey", "--verify"]].concat()).is(0, &["up to date"]);
    // In place there are the same files.
    place.run(&["prepare", "cityscapes", "--in-place", "--source", "source"]).is(0, &["5 files"]);
    let beside = place.tree("source");
    for (name, png) in &grey {
        let id = name.rsplit('/').next().and_then(|file| file.strip_suffix(".png")).expect("a file");
        let ending = format!("{id}_gtFine_labelTrainIds.png");
        let found = beside.iter().find(|(path, _)| path.ends_with(&ending)).expect(&ending);
        assert!(found.1 == png, "{ending}");
    }
    place.run(&["prepare", "camvid", "--in-place", "--source", "source"]).is(2, &["camvid"]);
}

#[test]
fn distances_are_an_array_per_image_and_written_once() {
    let place = Place::with(&camvid());
    place.run(&["prepare", "camvid", "--source", "source"]).is(0, &["4 images"]);
    place.run(&["distances", "camvid", "--kind", "singed"]).is(2, &["did you mean `signed`?"]);
    place.run(&["distances", "camvid", "--split", "noon"]).is(4, &["no labelled images in its split `noon`"]);
    place.run(&["distances", "camvid", "--split", "train"]).is(0, &["signed maps of 2 images"]);
    place.run(&["distances", "camvid", "--split", "train"]).is(0, &["up to date"]);
    let whole = place.tree("data");
    let is_array = |path: &&String| path.contains("distances/train/signed/") && path.ends_with("zarr.json");
    let arrays: Vec<&String> = whole.keys().filter(is_array).collect();
    assert_eq!(arrays.len(), 2);
    // As if the process had been killed between the shard and its description.
    std::fs::remove_file(place.join("data").join(arrays[0])).expect("removed");
    place.run(&["distances", "camvid", "--split", "train"]).is(0, &["signed maps of 2 images"]);
    assert!(place.tree("data") == whole, "other bytes than those of an undisturbed run");
}
