//! Checkpoints are known by their hash from the first fetch on.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use segbench_fetch::{Checkpoint, CheckpointSource, Error, SourceRecord, fetch_checkpoint};
use segbench_testkit::{HttpReply, HttpServer};
use segbench_types::{ErrorKind, Explain as _, Silent};

use crate::support::{client, names, noise};

/// A server whose file can be replaced.
fn server(bytes: &[u8]) -> (HttpServer, Arc<Mutex<Vec<u8>>>) {
    let file = Arc::new(Mutex::new(bytes.to_vec()));
    let served = Arc::clone(&file);
    let server =
        HttpServer::start(move |request, _| HttpReply::file(request, &served.lock().expect("no panic"), ""));
    (server, file)
}

fn fetch(url: &str, sha256: Option<&str>, folder: &Path) -> Result<Checkpoint, Error> {
    let source = CheckpointSource { url, mirrors: &[], licence: Some("Apache-2.0"), sha256, bytes: None };
    fetch_checkpoint(client(), &source, folder, &Silent)
}

#[test]
fn the_first_fetch_notes_the_hash_and_the_next_ones_ask_nobody() {
    let bytes = noise(60, 5_000);
    let (server, _) = server(&bytes);
    let dir = tempfile::tempdir().expect("a folder");
    let url = server.url("/weights/b0-e7f88502.pth");
    let first = fetch(&url, None, dir.path()).expect("fetched");
    assert_eq!(fetch(&url, None, dir.path()).expect("there"), first);
    assert_eq!(server.requests().len(), 1);
    let noted: SourceRecord =
        segbench_storage::read_json(&dir.path().join("b0-e7f88502.pth.source.json")).expect("noted");
    assert_eq!(noted, first.record);
    assert_eq!(noted.sha256, segbench_storage::sha256_bytes(&bytes));
    assert_eq!((noted.licence.as_deref(), noted.bytes, noted.is_pinned), (Some("Apache-2.0"), 5_000, false));
    assert_eq!(fs::read(first.path).expect("there"), bytes);
}

#[test]
fn a_file_that_differs_from_the_note_is_refused_wherever_it_comes_from() {
    let (server, file) = server(&noise(61, 5_000));
    let dir = tempfile::tempdir().expect("a folder");
    let url = server.url("/b0.pth");
    let first = fetch(&url, None, dir.path()).expect("fetched");
    // The publisher replaces it, and the one that is there is lost.
    *file.lock().expect("no panic") = noise(62, 5_000);
    fs::remove_file(&first.path).expect("removed");
    let err = fetch(&url, None, dir.path()).expect_err("another file");
    assert!(
        matches!(&err, Error::ChangedCheckpoint { expected, .. } if *expected == first.record.sha256),
        "{err:?}"
    );
    assert!(err.to_string().contains(&first.record.sha256) && err.help().is_some());
    assert_eq!(err.kind(), ErrorKind::Download);
    assert_eq!(names(dir.path()), ["b0.pth.source.json", "b0.pth.wrong"]);
    // Somebody puts another one in its place.
    fs::write(&first.path, noise(63, 5_000)).expect("written");
    assert!(matches!(fetch(&url, None, dir.path()), Err(Error::ChangedCheckpoint { .. })));
}

#[test]
fn a_pinned_hash_is_compared_before_the_file_is_there() {
    let bytes = noise(64, 5_000);
    let (server, _) = server(&bytes);
    let dir = tempfile::tempdir().expect("a folder");
    let url = server.url("/b0.pth");
    let err = fetch(&url, Some(&"0".repeat(64)), dir.path()).expect_err("another file");
    assert!(matches!(err, Error::WrongChecksum { algorithm: "sha256", .. }), "{err:?}");
    assert_eq!(names(dir.path()), ["b0.pth.wrong"]);
    let hash = segbench_storage::sha256_bytes(&bytes).to_uppercase();
    assert!(fetch(&url, Some(&hash), dir.path()).expect("fetched").record.is_pinned);
}
