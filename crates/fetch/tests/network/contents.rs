//! What is known of a file besides its checksum: its members, its address elsewhere, and what a server says without sending it.

use std::collections::BTreeMap;
use std::fs;

use segbench_fetch::{Checksums, Client, Download, Error, Probe, Settings};
use segbench_testkit::{Files, HttpReply, HttpServer};
use segbench_types::{ErrorKind, Explain as _, Silent};

use crate::support::{client, download, names, noise, quick};

/// What is done to the members, and what the error then names.
type Change = (fn(&mut Files), &'static str);

/// A zip as a host of repositories packs it, with a folder at the top, and the hashes of two of its three members.
fn packed(change: impl FnOnce(&mut Files)) -> (Vec<u8>, Checksums) {
    let mut files = Files::default();
    for name in ["a.png", "b/c.png", "README"] {
        files.insert(name, noise(name.len() as u64, 300));
    }
    let hash = |name: &str| (name.to_owned(), segbench_storage::sha256_bytes(&files.0[name]));
    let members = BTreeMap::from([hash("a.png"), hash("b/c.png")]);
    change(&mut files);
    let dir = tempfile::tempdir().expect("a folder");
    files.within("tutorial-1f2e3d").write_zip(&dir.path().join("x.zip"));
    let bytes = fs::read(dir.path().join("x.zip")).expect("there");
    (bytes, Checksums { members, ..Checksums::default() })
}

fn fetch(bytes: Vec<u8>, checksums: Checksums) -> (Result<(), Error>, Vec<String>) {
    let server = HttpServer::start(move |_, _| HttpReply::new(200, bytes.clone()));
    let dir = tempfile::tempdir().expect("a folder");
    let what = Download { size: None, checksums, ..download(&server.url("/x"), dir.path(), b"") };
    (client().fetch(&what, &Silent).map(drop), names(dir.path()))
}

#[test]
fn an_archive_is_known_by_its_members_whatever_is_around_them() {
    let (bytes, checksums) = packed(|_| {});
    let (fetched, there) = fetch(bytes, checksums);
    fetched.expect("the members are right");
    assert_eq!(there, ["file.zip"]);
    let (bytes, checksums) = packed(|files| files.insert("README", "newer"));
    fetch(bytes, checksums).0.expect("nothing is known of the README");
}

#[test]
fn a_changed_or_absent_member_is_named_and_the_archive_set_aside() {
    let changes: [Change; 3] = [
        (|files| files.insert("b/c.png", "other"), "tutorial-1f2e3d/b/c.png"),
        (|files| files.remove("a.png"), "no member `a.png`"),
        (|files| files.insert("../outside", "x"), "outside"),
    ];
    for (change, part) in changes {
        let (bytes, checksums) = packed(change);
        let (fetched, there) = fetch(bytes, checksums);
        let err = fetched.expect_err("another archive");
        assert!(matches!(err, Error::WrongContents { .. }) && err.to_string().contains(part), "{err}");
        assert_eq!(err.kind(), ErrorKind::Download);
        assert_eq!(there, ["file.zip.wrong"]);
    }
}

#[test]
fn addresses_lead_elsewhere_by_their_longest_beginning() {
    let bytes = noise(70, 3_000);
    let sent = bytes.clone();
    let server = HttpServer::start(move |request, _| match request.path.as_str() {
        "/mirror/a/file" => HttpReply::file(request, &sent, "\"a\""),
        _ => HttpReply::new(404, ""),
    });
    let addresses = [("https://host.invalid/", "/"), ("https://host.invalid/data/", "/mirror/")];
    let addresses = addresses.map(|(from, to)| (from.to_owned(), server.url(to))).into();
    let client = Client::new(Settings { addresses, ..quick() }).expect("set up");
    let dir = tempfile::tempdir().expect("a folder");
    let licence = Some("CC0".to_owned());
    let what = Download { licence, ..download("https://host.invalid/data/a/file", dir.path(), &bytes) };
    client.fetch(&what, &Silent).expect("fetched");
    assert!(fs::read(&what.destination).expect("there") == bytes);
    // The note says where the file is published.
    let note = fs::read_to_string(dir.path().join("file.zip.source.json")).expect("a note");
    assert!(note.contains("https://host.invalid/data/a/file") && note.contains("CC0"), "{note}");
}

#[test]
fn a_probe_learns_status_and_size_without_the_file() {
    let bytes = noise(71, 100_000);
    let server = HttpServer::start(move |request, _| match request.path.as_str() {
        "/ranges" if request.header("range") == "bytes=0-0" => {
            HttpReply::new(206, &bytes[..1]).with("Content-Range", "bytes 0-0/100000")
        }
        "/whole" => HttpReply::new(200, bytes.clone()),
        "/page" => HttpReply::new(200, "<html>").with("Content-Type", "text/html"),
        _ => HttpReply::new(404, ""),
    });
    let probe = |path: &str| client().probe(&server.url(path)).expect("an answer");
    assert_eq!(probe("/ranges"), Probe { status: 206, bytes: Some(100_000), is_page: false });
    assert_eq!(probe("/whole"), Probe { status: 200, bytes: Some(100_000), is_page: false });
    assert!(probe("/page").is_page && probe("/page").is_success());
    assert_eq!((probe("/gone").status, probe("/gone").is_success()), (404, false));
    let nobody = client().probe("http://127.0.0.1:1/");
    assert!(matches!(nobody, Err(Error::Unreachable { attempts: 1, .. })), "{nobody:?}");
}
