//! A download with its conversion, killed at any moment and run again, ends in the bytes of one that was left alone.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use segbench_fetch::rar_tool;
use segbench_testkit::{Files, HttpReply, HttpServer, camvid};
use segbench_types::Rng;

use crate::downloads::{addresses, place_with_streets};
use crate::support::{Place, ended, same_trees};

/// Images of the data set.
const IMAGES: usize = 48;
/// Pieces in which the server sends the archive, and the time between two of them.
const PIECES: usize = 40;
const PAUSE: Duration = Duration::from_millis(4);

/// The miniature CamVid many times over.
fn many() -> Files {
    let (small, mut files) = (camvid(), Files::default());
    for number in 0..IMAGES {
        let split = ["train", "val", "test"][number % 3];
        for folder in [split.to_owned(), format!("{split}annot")] {
            let (_, bytes) = &small.below(&format!("{folder}/")).0.into_iter().next().expect("one is there");
            files.insert(&format!("{folder}/{number:06}.png"), bytes.clone());
        }
    }
    // What no conversion needs is most of many archives.
    let mut rng = Rng::new(90, &[]);
    files.insert("depth.bin", (0..150_000).map(|_| rng.bits() as u8).collect::<Vec<u8>>());
    files
}

fn archive(format: &str) -> Vec<u8> {
    let files = many();
    match format {
        "tar" => files.tar(),
        "tar.gz" => files.tar_gz(),
        "rar" => files.rar(),
        _ => {
            let dir = tempfile::tempdir().expect("a folder");
            files.write_zip(&dir.path().join("x.zip"));
            std::fs::read(dir.path().join("x.zip")).expect("there")
        }
    }
}

/// Everything but the two notes that hold times of files.
fn made(place: &Place) -> BTreeMap<String, Vec<u8>> {
    let mut tree = place.tree("data");
    let is_unpacked = |name: &str| name.contains("segbench-unpacked/") && name.ends_with(".json");
    tree.retain(|name, _| !name.ends_with(".segbench/prepare.json") && !is_unpacked(name));
    tree
}

fn killed(format: &str, kills: u64) {
    let bytes = archive(format);
    let server = HttpServer::start(move |request, _| {
        let mut reply = HttpReply::file(request, &bytes, "\"a\"");
        reply.trickle = Some((bytes.len().div_ceil(PIECES), PAUSE));
        reply
    });
    let (file, set) = (format!("streets.{format}"), addresses(&server, &["http://files.example/"]));
    let arguments = ["prepare", "streets", "--set", &set];
    let undisturbed = place_with_streets(&file, "");
    let start = Instant::now();
    ended(&mut undisturbed.command(&arguments)).is(0, &["48 images"]);
    let whole = start.elapsed();
    let expected = made(&undisturbed);
    let mut rng = Rng::new(91, &[kills]);
    let mut interrupted = 0;
    for _ in 0..kills {
        let place = place_with_streets(&file, "");
        let mut command = place.command(&arguments);
        let mut child = command.stderr(Stdio::null()).stdout(Stdio::null()).spawn().expect("started");
        sleep(whole.mul_f64(rng.below(1_000) as f64 / 1_000.0));
        interrupted += u64::from(child.try_wait().expect("asked").is_none());
        child.kill().expect("killed");
        child.wait().expect("gone");
        ended(&mut place.command(&arguments)).is(0, &["data/prepared/streets"]);
        same_trees(&made(&place), &expected);
        place.has_no_temporaries();
    }
    assert!(interrupted * 2 >= kills, "{format}: only {interrupted} of {kills} were still running");
}

#[test]
fn a_download_and_conversion_killed_at_some_moments_ends_in_the_same_bytes() {
    for format in ["zip", "tar.gz"] {
        killed(format, 3);
    }
}

#[test]
#[ignore = "takes a minute or more; the test above does the same with fewer kills"]
fn every_kind_of_archive_killed_at_20_moments_ends_in_the_same_bytes() {
    for format in ["zip", "tar", "tar.gz"] {
        killed(format, 20);
    }
    if rar_tool().is_some() {
        killed("rar", 20);
    }
}
