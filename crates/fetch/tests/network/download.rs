//! Downloads from a server that breaks in every way that servers do: they end in the right bytes or in an error that says why.

use std::fs::{self, File};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use segbench_fetch::{Archive, Checksums, Client, Download, Error, Settings};
use segbench_testkit::{Files, HttpReply, HttpServer};
use segbench_types::{ErrorKind, Explain as _, Progress, Rng, Silent, Task};

use crate::support::{client, download, names, noise, quick};

/// Fetches and requires the right bytes and nothing beside them; returns the requests that it took.
fn assert_arrives(server: &HttpServer, bytes: &[u8], what: impl FnOnce(Download) -> Download) -> usize {
    let dir = tempfile::tempdir().expect("a folder");
    let fetched =
        client().fetch(&what(download(&server.url("/file"), dir.path(), bytes)), &Silent).expect("fetched");
    assert!(fs::read(&fetched.path).expect("there") == bytes, "other bytes");
    assert_eq!(fetched.sha256, Some(segbench_storage::sha256_bytes(bytes)));
    assert_eq!(names(dir.path()), ["file.zip"]);
    server.requests().len()
}

#[test]
fn a_file_is_fetched_once_and_taken_as_it_is_from_then_on() {
    let bytes = noise(1, 300_001);
    let sent = bytes.clone();
    let server = HttpServer::start(move |request, _| HttpReply::file(request, &sent, "\"a\""));
    let dir = tempfile::tempdir().expect("a folder");
    let what = download(&server.url("/file"), dir.path(), &bytes);
    let first = client().fetch(&what, &Silent).expect("fetched");
    let second = client().fetch(&what, &Silent).expect("there");
    assert_eq!((first.bytes, second.bytes, second.sha256), (300_001, 300_001, None));
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_connection_cut_at_any_byte_goes_on_from_there() {
    let bytes = noise(2, 40_000);
    let mut rng = Rng::new(2, &[]);
    let random = (0..40).map(|_| rng.below(bytes.len()));
    for cut in [0, 1, bytes.len() - 1].into_iter().chain(random) {
        let sent = bytes.clone();
        let server = HttpServer::start(move |request, before| {
            let reply = HttpReply::file(request, &sent, "\"a\"");
            if before == 0 { reply.cut(cut) } else { reply }
        });
        assert_eq!(assert_arrives(&server, &bytes, |what| what), 2);
        let again = server.requests()[1].clone();
        assert_eq!(again.range_start(), Some(cut).filter(|cut| *cut > 0), "{again:?}");
        assert_eq!(again.header("if-range"), if cut > 0 { "\"a\"" } else { "" });
    }
}

#[test]
fn a_server_that_cuts_every_answer_is_asked_as_long_as_it_gets_further() {
    let bytes = noise(3, 20_000);
    let sent = bytes.clone();
    let server = HttpServer::start(move |request, _| HttpReply::file(request, &sent, "\"a\"").cut(700));
    assert!(assert_arrives(&server, &bytes, |what| what) >= 29);
}

#[test]
fn a_server_that_ignores_ranges_sends_everything_again() {
    let bytes = noise(4, 50_000);
    let sent = bytes.clone();
    let server = HttpServer::start(move |_, before| match before {
        0..3 => HttpReply::new(200, sent.clone()).with("ETag", "\"a\"").cut(30_000 - before * 1_000),
        _ => HttpReply::new(200, sent.clone()).with("ETag", "\"a\""),
    });
    assert_eq!(assert_arrives(&server, &bytes, |what| what), 4);
}

#[test]
fn a_server_that_never_gets_beyond_a_point_is_given_up() {
    let bytes = noise(5, 50_000);
    let sent = bytes.clone();
    let server = HttpServer::start(move |_, _| HttpReply::new(200, sent.clone()).cut(20_000));
    let dir = tempfile::tempdir().expect("a folder");
    let err =
        client().fetch(&download(&server.url("/file"), dir.path(), &bytes), &Silent).expect_err("given up");
    assert!(matches!(err, Error::Unreachable { attempts: 5, .. }), "{err:?}");
    assert_eq!(err.kind(), ErrorKind::Download);
    assert_eq!(server.requests().len(), 5);
    assert_eq!(names(dir.path()), ["file.zip.part", "file.zip.part.json"]);
}

#[test]
fn an_answer_of_200_with_the_rest_is_taken_for_the_rest() {
    let bytes = noise(6, 9_000);
    let sent = bytes.clone();
    let server = HttpServer::start(move |request, before| {
        let mut reply = HttpReply::file(request, &sent, "\"a\"");
        reply.status = 200;
        if before == 0 { reply.cut(4_321) } else { reply }
    });
    assert_eq!(assert_arrives(&server, &bytes, |what| what), 2);
}

#[test]
fn a_part_of_another_place_than_asked_for_is_not_joined() {
    let bytes = noise(7, 9_000);
    let sent = bytes.clone();
    let server = HttpServer::start(move |request, before| match before {
        0 => HttpReply::file(request, &sent, "\"a\"").cut(5_000),
        1 => HttpReply::new(206, &sent[6_000..])
            .with("ETag", "\"a\"")
            .with("Content-Range", "bytes 6000-8999/9000"),
        _ => HttpReply::file(request, &sent, "\"a\""),
    });
    // No checksum that would tell in the end.
    let bare = |what| Download { checksums: Checksums::default(), ..what };
    assert_eq!(assert_arrives(&server, &bytes, bare), 3);
}

/// What an earlier process left: bytes, and where they are from.
fn leave_part(what: &Download, bytes: &[u8], etag: &str, total: usize) {
    let beside = |suffix: &str| what.destination.with_file_name(format!("file.zip{suffix}"));
    fs::write(beside(".part"), bytes).expect("written");
    let etag = etag.replace('"', "\\\"");
    let record = format!(r#"{{"url": "{}", "etag": "{etag}", "total": {total}}}"#, what.urls[0]);
    fs::write(beside(".part.json"), record).expect("written");
}

#[test]
fn a_part_that_is_complete_already_is_taken() {
    let bytes = noise(8, 5_000);
    let sent = bytes.clone();
    let server = HttpServer::start(move |request, _| HttpReply::file(request, &sent, "\"a\""));
    let dir = tempfile::tempdir().expect("a folder");
    let mut what = download(&server.url("/file"), dir.path(), &bytes);
    leave_part(&what, &bytes, "\"a\"", bytes.len());
    what.size = None;
    let fetched = client().fetch(&what, &Silent).expect("fetched");
    assert_eq!(fs::read(fetched.path).expect("there"), bytes);
    assert_eq!(server.requests().len(), 1, "answered with 416");
    assert_eq!(names(dir.path()), ["file.zip"]);
}

#[test]
fn what_an_earlier_process_left_is_used_only_if_it_belongs_to_the_file() {
    let bytes = noise(9, 5_000);
    let good = &bytes[..2_000];
    for (part, etag, is_used) in [
        (good, "\"a\"", true),
        (good, "\"old\"", false),
        (&noise(10, 2_000)[..], "\"a\"", true),
        (&noise(11, 6_000)[..], "\"a\"", false),
    ] {
        let sent = bytes.clone();
        let server = HttpServer::start(move |request, _| HttpReply::file(request, &sent, "\"a\""));
        let dir = tempfile::tempdir().expect("a folder");
        let what = download(&server.url("/file"), dir.path(), &bytes);
        leave_part(&what, part, etag, bytes.len());
        let fetched = client().fetch(&what, &Silent).expect("fetched");
        assert_eq!(fs::read(fetched.path).expect("there"), bytes);
        assert_eq!(server.requests().len(), if part == good || !is_used { 1 } else { 2 }, "{etag}");
    }
}

#[test]
fn bytes_of_unknown_origin_are_not_continued() {
    let bytes = noise(12, 5_000);
    let sent = bytes.clone();
    let server = HttpServer::start(move |request, _| HttpReply::file(request, &sent, "\"a\""));
    let dir = tempfile::tempdir().expect("a folder");
    fs::write(dir.path().join("file.zip.part"), &bytes[..100]).expect("written");
    client().fetch(&download(&server.url("/file"), dir.path(), &bytes), &Silent).expect("fetched");
    assert_eq!(server.requests()[0].range_start(), None);
}

#[test]
fn a_file_that_changes_between_two_attempts_begins_anew() {
    let (old, new) = (noise(13, 9_000), noise(14, 9_000));
    // A server that knows `If-Range`, one that ignores it but names the version, one that names nothing.
    for kind in 0..3 {
        let (first, then) = (old.clone(), new.clone());
        let server = HttpServer::start(move |request, before| {
            let mut request = request.clone();
            if kind > 0 {
                request.headers.remove("if-range");
            }
            let etag = |name: &str| if kind == 2 { String::new() } else { format!("\"{name}\"") };
            match before {
                0 => HttpReply::file(&request, &first, &etag("old")).cut(5_000),
                _ => HttpReply::file(&request, &then, &etag("new")),
            }
        });
        // Only the server that names nothing needs a checksum.
        let checksums =
            |what: &Download| if kind == 2 { what.checksums.clone() } else { Checksums::default() };
        let what = |what| Download { checksums: checksums(&what), ..what };
        assert_eq!(assert_arrives(&server, &new, what), if kind == 0 { 2 } else { 3 }, "{kind}");
    }
}

#[test]
fn without_checksum_and_version_nothing_is_joined() {
    let (old, new) = (noise(15, 9_000), noise(16, 9_000));
    let (first, then) = (old.clone(), new.clone());
    let server = HttpServer::start(move |request, before| match before {
        0 => HttpReply::file(request, &first, "").cut(5_000),
        _ => HttpReply::file(request, &then, ""),
    });
    assert_eq!(assert_arrives(&server, &new, |what| Download { checksums: Checksums::default(), ..what }), 2);
    assert_eq!(server.requests()[1].range_start(), None);
}

#[test]
fn a_wrong_checksum_names_both_and_keeps_the_file_apart() {
    let bytes = noise(17, 5_000);
    let sent = bytes.clone();
    let server = HttpServer::start(move |request, _| HttpReply::file(request, &sent, "\"a\""));
    let hashes = segbench_fetch::Checksums {
        md5: Some("0123456789abcdef0123456789abcdef".into()),
        ..Checksums::default()
    };
    let dir = tempfile::tempdir().expect("a folder");
    let mut what = download(&server.url("/file"), dir.path(), &bytes);
    what.checksums = hashes;
    let err = client().fetch(&what, &Silent).expect_err("another checksum");
    let there = segbench_fetch::file_checksums(&dir.path().join("file.zip.wrong")).expect("kept");
    let text = err.to_string();
    assert!(text.contains("0123456789abcdef") && text.contains(&there.md5.expect("asked for")), "{text}");
    assert!(text.contains("file.zip") && err.help().expect("help").contains("file.zip.wrong"));
    assert_eq!(err.kind(), ErrorKind::Download);
    assert_eq!(names(dir.path()), ["file.zip.wrong"]);
    assert_eq!(server.requests().len(), 1, "the same bytes would come again");
    // The right one takes its place.
    client().fetch(&download(&server.url("/file"), dir.path(), &bytes), &Silent).expect("fetched");
    assert_eq!(names(dir.path()), ["file.zip"]);
}

#[test]
fn a_file_of_another_size_is_refused_before_it_comes() {
    let bytes = noise(18, 5_000);
    let sent = bytes.clone();
    let server = HttpServer::start(move |request, _| HttpReply::file(request, &sent, "\"a\""));
    let dir = tempfile::tempdir().expect("a folder");
    let mut what = download(&server.url("/file"), dir.path(), &bytes);
    what.size = Some(5_001);
    let err = client().fetch(&what, &Silent).expect_err("another size");
    assert!(err.to_string().contains("5000") && err.to_string().contains("5001"), "{err}");
    assert!(names(dir.path()).is_empty());
    fs::write(&what.destination, &bytes).expect("written");
    assert!(matches!(client().fetch(&what, &Silent), Err(Error::WrongSize { got: 5_000, .. })));
}

#[test]
fn a_server_that_falls_silent_is_asked_again() {
    let bytes = noise(19, 9_000);
    let sent = bytes.clone();
    let server = HttpServer::start(move |request, before| {
        let mut reply = HttpReply::file(request, &sent, "\"a\"");
        if before == 0 {
            reply = reply.cut(3_000);
            reply.silence = Duration::from_secs(30);
        }
        reply
    });
    let start = Instant::now();
    assert_eq!(assert_arrives(&server, &bytes, |what| what), 2);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert_eq!(server.requests()[1].range_start(), Some(3_000));
}

#[test]
fn a_busy_server_is_asked_again_after_the_time_it_wants() {
    let bytes = noise(20, 900);
    for (status, asked) in
        [(429, "1"), (503, "0"), (503, "Sun, 06 Nov 1994 08:49:37 GMT"), (500, ""), (408, "")]
    {
        let sent = bytes.clone();
        let server = HttpServer::start(move |request, before| match before {
            0 => HttpReply::new(status, "busy").with("Retry-After", asked),
            _ => HttpReply::file(request, &sent, "\"a\""),
        });
        let start = Instant::now();
        assert_eq!(assert_arrives(&server, &bytes, |what| what), 2);
        let waited = start.elapsed().as_secs_f64();
        assert!(if asked == "1" { waited >= 1.0 } else { waited < 0.9 }, "{status} {asked}: {waited} s");
    }
    let server = HttpServer::start(|_, _| HttpReply::new(429, "").with("Retry-After", "3600"));
    let dir = tempfile::tempdir().expect("a folder");
    let err = client()
        .fetch(&download(&server.url("/file"), dir.path(), &bytes), &Silent)
        .expect_err("an hour is too long");
    assert!(err.to_string().contains("3600 s"), "{err}");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_host_that_never_answers_is_given_up_sooner() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/file", listener.local_addr().expect("an address"));
    drop(listener);
    let dir = tempfile::tempdir().expect("a folder");
    let err = client().fetch(&download(&url, dir.path(), b"x"), &Silent).expect_err("nobody there");
    assert!(matches!(err, Error::Unreachable { attempts: 2, .. }), "{err:?}");
    assert!(err.to_string().to_lowercase().contains("refused"), "{err}");
    assert!(names(dir.path()).is_empty());
}

#[test]
fn a_refusal_is_final() {
    for status in [401, 403, 404, 410] {
        let server = HttpServer::start(move |_, _| HttpReply::new(status, "no"));
        let dir = tempfile::tempdir().expect("a folder");
        let err =
            client().fetch(&download(&server.url("/file"), dir.path(), b"x"), &Silent).expect_err("refused");
        assert!(
            matches!(err, Error::Refused { .. }) && err.to_string().contains(&status.to_string()),
            "{err}"
        );
        assert_eq!(server.requests().len(), 1);
        assert!(names(dir.path()).is_empty());
    }
}

#[test]
fn addresses_are_tried_in_their_order() {
    let bytes = noise(21, 9_000);
    let sent = bytes.clone();
    let server = HttpServer::start(move |request, _| match request.path.as_str() {
        "/gone" => HttpReply::new(404, "no"),
        "/wrong" => HttpReply::file(request, &noise(22, 9_000), "\"w\""),
        _ => HttpReply::file(request, &sent, "\"a\""),
    });
    let with = |paths: &'static [&'static str]| {
        let urls: Vec<String> = paths.iter().map(|path| server.url(path)).collect();
        move |what: Download| Download { urls, ..what }
    };
    assert_eq!(assert_arrives(&server, &bytes, with(&["/gone", "/wrong", "/file"])), 3);
    let dir = tempfile::tempdir().expect("a folder");
    let what = with(&["/gone", "/wrong"])(download("", dir.path(), &bytes));
    let err = client().fetch(&what, &Silent).expect_err("none has it");
    let text = format!("{err} {}", err.help().unwrap_or_default());
    assert!(text.contains("/gone") && text.contains("404") && text.contains("sha256"), "{text}");
    assert_eq!(err.kind(), ErrorKind::Download);
}

#[test]
fn another_address_goes_on_where_the_first_one_broke_off() {
    let bytes = noise(23, 9_000);
    let sent = bytes.clone();
    let server = HttpServer::start(move |request, before| match (request.path.as_str(), before) {
        ("/breaks", 0) => HttpReply::file(request, &sent, "\"b\"").cut(5_000),
        ("/breaks", _) => HttpReply::new(404, "no"),
        _ => HttpReply::file(request, &sent, "\"a\""),
    });
    let urls = vec![server.url("/breaks"), server.url("/works")];
    assert_eq!(assert_arrives(&server, &bytes, |what| Download { urls: urls.clone(), ..what }), 3);
    let last = server.requests()[2].clone();
    assert_eq!((last.range_start(), last.header("if-range")), (Some(5_000), ""));
}

#[test]
fn offline_nothing_is_asked_and_the_missing_file_is_named() {
    let server = HttpServer::start(|_, _| HttpReply::new(200, "x"));
    let dir = tempfile::tempdir().expect("a folder");
    let offline = Client::new(Settings { is_offline: true, ..quick() }).expect("set up");
    let what = download(&server.url("/file"), dir.path(), b"x");
    let err = offline.fetch(&what, &Silent).expect_err("not there");
    assert!(err.to_string().contains("file.zip") && err.help().expect("help").contains("--offline"), "{err}");
    assert_eq!((err.kind(), server.requests().len()), (ErrorKind::MissingInput, 0));
    fs::write(&what.destination, "x").expect("written");
    assert_eq!(offline.fetch(&what, &Silent).expect("there").bytes, 1);
}

#[test]
fn a_file_larger_than_the_disk_is_refused_before_a_byte_is_written() {
    let server =
        HttpServer::start(|_, _| HttpReply::new(200, "x").with("Content-Length", (1_u64 << 60).to_string()));
    let dir = tempfile::tempdir().expect("a folder");
    let mut what = download(&server.url("/file"), dir.path(), b"x");
    for size in [None, Some(1 << 60)] {
        what.size = size;
        let err = client().fetch(&what, &Silent).expect_err("no room");
        assert!(matches!(err, Error::NoSpace { needed: 0x1000_0000_0000_0000, .. }), "{err:?}");
        assert_eq!(err.kind(), ErrorKind::OutputNotWritable);
    }
    assert_eq!(server.requests().len(), 1, "a size that is known needs no request");
}

#[test]
fn a_web_page_is_not_taken_for_the_file() {
    let server = HttpServer::start(|_, _| {
        HttpReply::new(200, "<html>").with("Content-Type", "text/html; charset=utf-8")
    });
    let dir = tempfile::tempdir().expect("a folder");
    let what = Download { size: None, ..download(&server.url("/file"), dir.path(), b"x") };
    let err = client().fetch(&what, &Silent).expect_err("a page");
    assert!(err.to_string().contains("web page"), "{err}");
    assert!(names(dir.path()).is_empty());
}

#[test]
fn redirects_are_followed() {
    let bytes = noise(24, 900);
    let sent = bytes.clone();
    let server = HttpServer::start(move |request, _| match request.path.as_str() {
        "/file" => HttpReply::new(302, "").with("Location", "/there"),
        _ => HttpReply::file(request, &sent, "\"a\""),
    });
    assert_eq!(assert_arrives(&server, &bytes, |what| what), 2);
}

#[test]
fn a_file_of_unannounced_length_is_as_long_as_what_comes() {
    let bytes = noise(25, 9_000);
    let sent = bytes.clone();
    let server = HttpServer::start(move |_, before| {
        let reply = HttpReply::new(200, sent.clone()).with("Content-Length", "");
        if before == 0 { reply.cut(4_000) } else { reply }
    });
    // Nothing tells that the first answer was cut but the size.
    assert_eq!(assert_arrives(&server, &bytes, |what| what), 2);
}

#[test]
fn two_processes_do_not_write_the_same_file() {
    let server = HttpServer::start(|_, _| HttpReply::new(200, "x"));
    let dir = tempfile::tempdir().expect("a folder");
    let part = File::create(dir.path().join("file.zip.part")).expect("created");
    part.lock().expect("locked");
    let what = download(&server.url("/file"), dir.path(), b"x");
    let err = client().fetch(&what, &Silent).expect_err("somebody else's");
    assert!(matches!(err, Error::Busy { .. }), "{err:?}");
    drop(part);
    client().fetch(&what, &Silent).expect("fetched");
}

#[test]
fn secrets_in_an_address_are_neither_shown_nor_stored() {
    let server = HttpServer::start(|request, _| match request.path.split('?').next() {
        Some("/gone") => HttpReply::new(404, "no"),
        _ => HttpReply::new(200, "half").with("ETag", "\"a\"").cut(2),
    });
    let dir = tempfile::tempdir().expect("a folder");
    for path in ["/gone?key=hidden", "/half?key=hidden"] {
        let url = server.url(path).replace("//", "//me:hidden@");
        let what = Download { size: None, ..download(&url, dir.path(), b"x") };
        let err = client().fetch(&what, &Silent).expect_err("fails");
        assert!(!format!("{err} {err:?} {:?}", err.help()).contains("hidden"), "{err:?}");
    }
    let record = fs::read_to_string(dir.path().join("file.zip.part.json")).expect("there");
    assert!(!record.contains("hidden") && record.contains("127.0.0.1"), "{record}");
    assert!(server.requests()[0].header("authorization").starts_with("Basic "));
}

/// Sums up what it is told.
#[derive(Default)]
struct Recorder(Mutex<Vec<(String, u64, u64)>>);

struct Bar<'a>(&'a Recorder, usize);

impl Progress for Recorder {
    fn start(&self, name: &str, total: u64) -> Box<dyn Task + '_> {
        let mut bars = self.0.lock().expect("no panic");
        bars.push((name.to_owned(), total, 0));
        Box::new(Bar(self, bars.len() - 1))
    }

    fn note(&self, _text: &str) {}
}

impl Task for Bar<'_> {
    fn advance(&self, steps: u64) {
        self.0.0.lock().expect("no panic")[self.1].2 += steps;
    }

    fn message(&self, _text: &str) {}
}

#[test]
fn progress_counts_every_byte_once_and_begins_anew_with_the_file() {
    let bytes = noise(26, 9_000);
    for (ignores_ranges, bars) in [(false, vec![9_000]), (true, vec![5_000, 9_000])] {
        let sent = bytes.clone();
        let server = HttpServer::start(move |request, before| {
            let mut request = request.clone();
            if ignores_ranges {
                request.headers.clear();
            }
            let reply = HttpReply::file(&request, &sent, "\"a\"");
            if before == 0 { reply.cut(5_000) } else { reply }
        });
        let dir = tempfile::tempdir().expect("a folder");
        let recorder = Recorder::default();
        client().fetch(&download(&server.url("/file"), dir.path(), &bytes), &recorder).expect("fetched");
        let seen = recorder.0.into_inner().expect("no panic");
        assert!(seen.iter().all(|(name, total, _)| name == "file.zip" && *total == 9_000), "{seen:?}");
        assert_eq!(seen.iter().map(|(_, _, done)| *done).collect::<Vec<_>>(), bars);
    }
}

#[test]
fn several_files_come_at_once_and_outcomes_keep_their_order() {
    let was_parallel = std::sync::Arc::new(AtomicBool::new(false));
    let (seen, running) = (was_parallel.clone(), std::sync::atomic::AtomicUsize::new(0));
    let server = HttpServer::start(move |request, _| {
        if running.fetch_add(1, Ordering::SeqCst) > 0 {
            seen.store(true, Ordering::SeqCst);
        }
        std::thread::sleep(Duration::from_millis(20));
        running.fetch_sub(1, Ordering::SeqCst);
        match request.path.as_str() {
            "/3" => HttpReply::new(404, "no"),
            path => HttpReply::new(200, path),
        }
    });
    let dir = tempfile::tempdir().expect("a folder");
    let what: Vec<Download> = (0..7)
        .map(|index| Download {
            urls: vec![server.url(&format!("/{index}"))],
            destination: dir.path().join(index.to_string()),
            ..Download::default()
        })
        .collect();
    let outcomes = client().fetch_all(&what, 3, &Silent);
    for (index, outcome) in outcomes.iter().enumerate() {
        match outcome {
            Ok(fetched) => assert_eq!(fs::read_to_string(&fetched.path).expect("there"), format!("/{index}")),
            Err(err) => assert!(index == 3 && matches!(err, Error::Refused { .. }), "{err}"),
        }
    }
    assert_eq!(outcomes.len(), 7);
    assert!(was_parallel.load(Ordering::SeqCst));
}

#[test]
fn a_large_zip_that_came_in_pieces_is_whole() {
    let mut files = Files::default();
    for index in 0..66_000_u32 {
        files.insert(&format!("{index:05}"), index.to_le_bytes());
    }
    let dir = tempfile::tempdir().expect("a folder");
    files.write_zip(&dir.path().join("zip64"));
    let bytes = fs::read(dir.path().join("zip64")).expect("read");
    let sent = bytes.clone();
    let server = HttpServer::start(move |request, before| {
        let reply = HttpReply::file(request, &sent, "\"a\"");
        if before < 3 { reply.cut(1_234_567) } else { reply }
    });
    let fetched =
        client().fetch(&download(&server.url("/file"), dir.path(), &bytes), &Silent).expect("fetched");
    let archive = Archive::open(&fetched.path).expect("opened");
    assert_eq!(archive.members().len(), 66_000);
    assert_eq!(archive.read(&archive.members()[65_999]).expect("read"), 65_999_u32.to_le_bytes());
}
