//! `prepare`, `bench` and `doctor` with a server on this machine in place of every host: the right bytes, or the right error.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use segbench_testkit::{Files, HttpReply, HttpRequest, HttpServer, camvid, cityscapes, jpeg_street};
use serde_json::Value;

use crate::support::{Ended, Place, ended, same_trees};

/// Where the files of the data set `streets` are published.
const HOST: &str = "http://files.example/";

/// A data set of one's own in the layout of CamVid, whose only file is fetched.
fn streets(file: &str, more: &str) -> String {
    format!(
        "name: streets\ntitle: Streets\nlicence: CC0\nsplits: [{{ name: train }}, {{ name: val }}, {{ name: test }}]\n\
         images: [{{ pattern: \"{{split}}/{{id}}.png\" }}]\nlabels: [{{ pattern: \"{{split}}annot/{{id}}.png\" }}]\n\
         classes: {{ name: camvid-11, table: camvid-11.csv }}\n\
         download: {{ files: [{{ file: {file}, urls: [\"{HOST}{file}\"]{more} }}] }}\n"
    )
}

/// A place that knows the data set `streets`.
pub(crate) fn place_with_streets(file: &str, more: &str) -> Place {
    let place = Place::new();
    fs::create_dir_all(place.join("data/datasets")).expect("a folder");
    fs::write(place.join("data/datasets/streets.yaml"), streets(file, more)).expect("written");
    place
}

/// The setting that leads every address that begins with one of `hosts` to `server`.
pub(crate) fn addresses(server: &HttpServer, hosts: &[&str]) -> String {
    let lines: Vec<String> =
        hosts.iter().map(|host| format!("\"{host}\": \"{}\"", server.url("/"))).collect();
    format!("addresses={{{}}}", lines.join(", "))
}

fn prepare_streets(place: &Place, server: &HttpServer, flags: &[&str]) -> Ended {
    let set = addresses(server, &[HOST]);
    ended(place.command(&["prepare", "streets", "--set", &set]).args(flags))
}

fn zip(files: &Files) -> Vec<u8> {
    let dir = tempfile::tempdir().expect("a folder");
    files.write_zip(&dir.path().join("x.zip"));
    fs::read(dir.path().join("x.zip")).expect("there")
}

#[test]
fn what_is_absent_is_fetched_shown_with_its_licence_and_asked_for_once() {
    let bytes = zip(&camvid());
    let sent = bytes.clone();
    let server = HttpServer::start(move |request, _| HttpReply::file(request, &sent, "\"a\""));
    let place = place_with_streets("streets.zip", "");
    prepare_streets(&place, &server, &["--offline"])
        .is(4, &["--offline", "data/raw/streets/streets.zip", HOST]);
    assert!(server.requests().is_empty());
    prepare_streets(&place, &server, &[])
        .is(0, &["licence: CC0", "http://files.example/streets.zip", "4 images"]);
    assert!(place.tree("data/raw/streets")["streets.zip"] == bytes);
    let note: Value =
        serde_json::from_slice(&place.tree("data/raw/streets")["streets.zip.source.json"]).expect("a note");
    assert_eq!(note["sha256"], segbench_storage::sha256_bytes(&bytes));
    assert_eq!((&note["url"], &note["licence"]), (&"http://files.example/streets.zip".into(), &"CC0".into()));
    let tree = place.tree("data");
    prepare_streets(&place, &server, &["--offline"]).is(0, &["up to date"]);
    same_trees(&place.tree("data"), &tree);
    assert_eq!(server.requests().len(), 1);
    // A tree whose archives were thrown away is as good as before.
    fs::remove_dir_all(place.join("data/raw")).expect("removed");
    prepare_streets(&place, &server, &[]).is(0, &["made before"]);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_bad_network_delays_the_same_bytes() {
    let bytes = zip(&camvid());
    let sent = bytes.clone();
    // Busy, then cut in the middle, then a server that has forgotten how to send the rest.
    let server = HttpServer::start(move |request, before| match before {
        0 => HttpReply::new(503, "busy").with("Retry-After", "0"),
        1 => HttpReply::file(request, &sent, "\"a\"").cut(sent.len() / 3),
        _ => HttpReply::new(200, sent.clone()).with("ETag", "\"a\""),
    });
    let place = place_with_streets("streets.zip", "");
    prepare_streets(&place, &server, &[]).is(0, &["answered 503", "trying again", "4 images"]);
    assert_eq!(server.requests()[2].range_start(), Some(bytes.len() / 3));
    assert!(place.tree("data/raw/streets")["streets.zip"] == bytes);
}

#[test]
fn a_file_with_another_hash_is_set_aside_and_nothing_is_converted() {
    let bytes = zip(&camvid());
    let server = HttpServer::start(move |request, _| HttpReply::file(request, &bytes, "\"a\""));
    let place = place_with_streets("streets.zip", &format!(", sha256: {}", "0".repeat(64)));
    prepare_streets(&place, &server, &[]).is(5, &["sha256", &"0".repeat(64), "streets.zip.wrong"]);
    let tree = place.tree("data");
    assert_eq!(tree.keys().collect::<Vec<_>>(), ["datasets/streets.yaml", "raw/streets/streets.zip.wrong"]);
    // The built-in data sets are known by their hashes or by what is in them.
    for (name, host, part) in [
        ("ade20k", "http://data.csail.mit.edu/", "sha1"),
        ("voc2012", "https://thor.robots.ox.ac.uk/", "md5"),
        ("camvid", "https://codeload.github.com/", "is not the archive that is known"),
    ] {
        let hosts = [host, "https://data.csail.mit.edu/", "http://host.robots.ox.ac.uk/"];
        let set = addresses(&server, &hosts);
        let failed = ended(&mut place.command(&["prepare", name, "--split", "val", "--set", &set]));
        failed.is(5, &[part, "licence: "]);
        assert!(!place.join("data/prepared").join(name).exists());
    }
}

#[test]
fn archives_of_ones_own_are_taken_instead_and_nothing_is_asked() {
    let server = HttpServer::start(|_, _| HttpReply::new(404, ""));
    let place = place_with_streets("streets.zip", "");
    camvid().write_folder(&place.join("data/raw/streets/CamVid"));
    prepare_streets(&place, &server, &[]).is(0, &["4 images"]);
    let other = place_with_streets("streets.zip", "");
    camvid().write_zip(&other.join("mine.zip"));
    prepare_streets(&other, &server, &["--source", "mine.zip"]).is(0, &["4 images"]);
    assert!(server.requests().is_empty());
    // And a host without the file is an answer.
    prepare_streets(&place_with_streets("streets.zip", ""), &server, &[]).is(5, &["404", "--source"]);
}

/// The site of Cityscapes with two packages; `me` with `s3cret` gets in, and every session ends after a few answers.
fn cityscapes_site() -> HttpServer {
    let files = cityscapes();
    let packages = [("1", zip(&files.below("gtFine"))), ("3", zip(&files.below("leftImg8bit")))];
    let left = AtomicUsize::new(0);
    HttpServer::start(move |request, _| {
        let path = request.path.as_str();
        if path == "/login" && request.method == "GET" {
            return HttpReply::new(200, "<form>").with("Set-Cookie", "session=1; Path=/");
        }
        if path == "/login" {
            if request.body != "username=me&password=s3cret&submit=Login" {
                return HttpReply::new(200, "<form>").with("Content-Type", "text/html");
            }
            left.store(2, Ordering::SeqCst);
            return HttpReply::new(302, "").with("Location", "/");
        }
        let is_in = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        let package = packages.iter().find(|(id, _)| path.ends_with(&format!("packageID={id}")));
        match package.filter(|_| is_in) {
            None => HttpReply::new(302, "").with("Location", "/login"),
            Some((_, bytes)) if path.starts_with("/md5-sum/") => HttpReply::new(200, md5(bytes)),
            Some((_, bytes)) => HttpReply::file(request, bytes, "\"a\""),
        }
    })
}

fn md5(bytes: &[u8]) -> String {
    let dir = tempfile::tempdir().expect("a folder");
    fs::write(dir.path().join("x"), bytes).expect("written");
    let sums = segbench_fetch::file_checksums(&dir.path().join("x")).expect("read");
    format!("{}  file.zip\n", sums.md5.expect("asked for"))
}

fn prepare_cityscapes(place: &Place, server: &HttpServer, password: Option<&str>) -> Ended {
    // The site's address has no slash at its end.
    let set = addresses(server, &["https://www.cityscapes-dataset.com"]);
    let mut command = place.command(&["prepare", "cityscapes", "--set", &set]);
    if let Some(password) = password {
        command.env("CITYSCAPES_USERNAME", "me").env("CITYSCAPES_PASSWORD", password);
    }
    ended(&mut command)
}

#[test]
fn cityscapes_comes_through_its_login_and_the_login_stays_secret() {
    let server = cityscapes_site();
    let place = Place::new();
    prepare_cityscapes(&place, &server, None)
        .is(4, &["register", "CITYSCAPES_PASSWORD", "just prepare sample"]);
    assert!(server.requests().is_empty() && place.tree("").is_empty());
    let wrong = prepare_cityscapes(&place, &server, Some("wr0ng"));
    wrong.is(4, &["did not accept"]);
    let right = prepare_cityscapes(&place, &server, Some("s3cret"));
    right.is(0, &["licence: Cityscapes", "logging in", "5 images"]);
    for ended in [&wrong, &right] {
        let printed = format!("{}{}", ended.stdout, ended.stderr);
        assert!(!printed.contains("wr0ng") && !printed.contains("s3cret"), "{printed}");
    }
    for (name, bytes) in place.tree("") {
        assert!(!bytes.windows(6).any(|part| part == b"s3cret"), "{name}");
    }
    // The coarse annotations need the same photos, which are there.
    assert!(place.join("data/raw/cityscapes/leftImg8bit_trainvaltest.zip").is_file());
}

#[test]
fn photos_are_fetched_from_where_they_moved_and_those_that_are_gone_are_noted() {
    let mut archive = Files::default();
    let line = |id: u32| format!("{id:05}.jpg http://farm{id}.static.flickr.com/7/{id}_x_b.jpg\n");
    archive.insert("data/urls.txt", (1..=5).map(line).collect::<String>() + "00006.jpg None\n");
    for id in 1..=6_u8 {
        archive
            .insert(&format!("data/masks/{id:05}.png"), segbench_testkit::grey8(53, 37, &[id % 2; 53 * 37]));
    }
    let (archive, photo) = (zip(&archive), jpeg_street(53, 37, 9));
    let answer = move |request: &HttpRequest| match request.path.as_str() {
        "/masks.zip" => HttpReply::new(200, archive.clone()),
        "/moved/7/1_x_b.jpg" | "/farm2.static.flickr.com/7/2_x_b.jpg" => HttpReply::new(200, photo.clone()),
        // The picture that says "not available", and a page that does.
        "/moved/7/3_x_b.jpg" => HttpReply::new(200, [&photo[..90], &[0; 10][..]].concat()),
        "/moved/7/4_x_b.jpg" => HttpReply::new(200, "<html>").with("Content-Type", "text/html"),
        _ => HttpReply::new(404, ""),
    };
    let server = HttpServer::start(move |request, _| answer(request));
    let place = Place::new();
    fs::create_dir_all(place.join("data/datasets")).expect("a folder");
    let description = "name: faces\ntitle: Faces\nlicence: unknown\noptional_images: true\nsplits: [{ name: train }]\n\
         images: [{ pattern: \"photos/{id}.jpg\" }]\nlabels: [{ pattern: \"masks/{id}.png\" }]\n\
         classes: { name: faces-2, list: [{ id: 0, name: background, color: [0, 0, 0] }, { id: 1, name: face, color: [9, 9, 9] }] }\n\
         download:\n  files: [{ file: masks.zip, urls: [\"http://files.example/masks.zip\"] }]\n  photos:\n    list: urls.txt\n    \
         folder: photos\n    placeholder_bytes: 100\n    moved: [{ from: \"http://farm*.static.flickr.com/\", to: \"http://new.example/\" }]\n";
    fs::write(place.join("data/datasets/faces.yaml"), description).expect("written");
    let at = |path: &str| server.url(path);
    let set = format!(
        "addresses={{\"{HOST}\": \"{}\", \"http://new.example/\": \"{}\", \"http://farm\": \"{}\"}}",
        at("/"),
        at("/moved/"),
        at("/farm")
    );
    let run = || ended(&mut place.command(&["prepare", "faces", "--set", &set]));
    run().is(0, &["5 photos", "1 have no address", "3 photos are gone", "photos/gone.csv", "2 images"]);
    let tree = place.tree("data/raw/faces/photos");
    assert!(
        tree.contains_key("00001.jpg") && !tree.keys().any(|name| name.ends_with("unseen")),
        "{:?}",
        tree.keys()
    );
    let gone = String::from_utf8(tree["gone.csv"].clone()).expect("text");
    for id in ["00003.jpg", "00004.jpg", "00005.jpg"] {
        assert!(gone.contains(id) && !tree.contains_key(id), "{gone}");
    }
    let asked = server.requests().len();
    run().is(0, &["up to date"]);
    assert_eq!(server.requests().len(), asked, "nothing that is gone is asked for again");
}

#[test]
fn a_published_checkpoint_is_fetched_for_the_data_set_and_its_score_told_first() {
    let place = Place::with(&cityscapes());
    place.run(&["prepare", "cityscapes", "--source", "source"]).is(0, &["5 images"]);
    place.run(&["weights", "convert", "segformer-b0.sample", "--output", "b0.pth"]).is(0, &[]);
    let checkpoint = fs::read(place.join("b0.pth")).expect("there");
    let server = HttpServer::start(move |request, _| HttpReply::file(request, &checkpoint, "\"a\""));
    let set = addresses(&server, &["https://download.openmmlab.com/"]);
    let bench = ["bench", "segformer", "--dataset", "cityscapes", "--accuracy", "--set", &set];
    let run = |flags: &[&str]| ended(place.command(&bench).args(flags));
    run(&["--offline"]).is(4, &["segformer_mit-b0_8x1_1024x1024_160k_cityscapes", "--offline", "licence: "]);
    let measured = run(&[]);
    measured.is(0, &["licence: ", "download.openmmlab.com"]);
    let first = measured.stdout.lines().next().expect("a line");
    for part in ["segformer-b0.cityscapes.mmseg on cityscapes val", "mIoU", "published 76.54", "distance"] {
        assert!(first.contains(part), "`{part}` is missing in `{first}`");
    }
    let note = place.tree("data/weights/downloads");
    assert!(note.keys().any(|name| name.ends_with(".pth.source.json")), "{:?}", note.keys());
    run(&["--offline"]).is(0, &["up to date"]);
    assert_eq!(server.requests().len(), 1);
    // Nothing is fetched for a data set that is not there.
    place.run(&["bench", "segformer-b1", "--dataset", "ade20k"]).is(4, &["just prepare ade20k"]);
}

#[test]
fn doctor_asks_every_address_and_names_those_that_fail() {
    let place = Place::new();
    place.run(&["doctor"]).is(0, &[]);
    let table = place.run(&["doctor", "--json"]).json();
    let found = |what: &str| table.as_array().expect("rows").iter().any(|row| row["what"] == what);
    assert!(found("device") && found("login for Cityscapes") && found("program that reads rar"), "{table}");
    place.run(&["doctor", "--sources", "--offline"]).is(2, &["--offline"]);
    let all = |server: &HttpServer| addresses(server, &["http://", "https://"]);
    let good = HttpServer::start(|_, _| HttpReply::new(206, "x").with("Content-Range", "bytes 0-0/7"));
    let rows = place.run(&["doctor", "--sources", "--json", "--set", &all(&good)]);
    let rows = rows.is(0, &["lead to their files"]).json();
    let rows = rows.as_array().expect("rows");
    let has =
        |what: &str| rows.iter().any(|row| row["what"].as_str().is_some_and(|name| name.starts_with(what)));
    for what in [
        "ade20k: ",
        "camvid: ",
        "cityscapes: login",
        "gta5: ",
        "synthia: ",
        "voc2012: ",
        "weights segformer-b0",
    ] {
        assert!(has(what), "{what}");
    }
    assert!(rows.iter().all(|row| row["verdict"] == "ok"));
    assert!(good.requests().iter().all(|request| request.header("range") == "bytes=0-0"));
    let bad = HttpServer::start(|request, _| match request.path.ends_with("ADEChallengeData2016.zip") {
        true => HttpReply::new(404, ""),
        false => HttpReply::new(200, "<html>").with("Content-Type", "text/html"),
    });
    let failed = place.run(&["doctor", "--sources", "--set", &all(&bad)]);
    failed.is(5, &["do not lead to their files"]);
    assert!(
        failed.stdout.contains("answered 404") && failed.stdout.contains("leads to a web page"),
        "{failed:?}"
    );
    let nowhere = "addresses={\"http://\": \"http://127.0.0.1:1/\", \"https://\": \"http://127.0.0.1:1/\"}";
    place.run(&["doctor", "--sources", "--set", nowhere]).is(5, &["no network: none of"]);
}
