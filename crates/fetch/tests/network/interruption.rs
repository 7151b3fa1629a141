//! A download whose process is killed goes on in the next one.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use segbench_fetch::{Client, Download, ProxyUse, Settings};
use segbench_testkit::{HttpReply, HttpServer};
use segbench_types::{Rng, Silent};

use crate::support::{client, download, names, noise, quick};

const BYTES: usize = 200_000;

/// What the child process of the tests below does; on its own it does nothing.
#[test]
fn child() {
    let (Ok(url), Ok(folder)) = (std::env::var("SEGBENCH_TEST_URL"), std::env::var("SEGBENCH_TEST_FOLDER"))
    else {
        return;
    };
    let settings = Settings { proxy: ProxyUse::Environment, ..quick() };
    let bytes = noise(40, BYTES);
    let what = Download { size: None, ..download(&url, Path::new(&folder), &bytes) };
    Client::new(settings).expect("set up").fetch(&what, &Silent).expect("fetched");
}

fn child_process(url: &str, folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    command
        .args(["--exact", "interruption::child"])
        .env("SEGBENCH_TEST_URL", url)
        .env("SEGBENCH_TEST_FOLDER", folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

#[test]
fn a_download_killed_at_any_moment_ends_in_the_same_bytes() {
    let bytes = noise(40, BYTES);
    let sent = bytes.clone();
    // The file takes about 100 ms.
    let server = HttpServer::start(move |request, _| {
        let mut reply = HttpReply::file(request, &sent, "\"a\"");
        reply.trickle = Some((BYTES / 50, Duration::from_millis(2)));
        reply
    });
    let mut rng = Rng::new(41, &[]);
    let mut unfinished = 0;
    for _ in 0..20 {
        let dir = tempfile::tempdir().expect("a folder");
        let mut process = child_process(&server.url("/file"), dir.path()).spawn().expect("started");
        // How far it gets in a given time depends on the machine, so the moment is a number of bytes.
        let moment = rng.below(BYTES) as u64;
        let part = dir.path().join("file.zip.part");
        while part.metadata().map_or(0, |data| data.len()) < moment
            && process.try_wait().expect("asked").is_none()
        {
            thread::sleep(Duration::from_millis(1));
        }
        process.kill().expect("killed");
        process.wait().expect("ended");
        let what = download(&server.url("/file"), dir.path(), &bytes);
        let part = fs::read(part).unwrap_or_default();
        assert!(bytes.starts_with(&part), "the part is the file's beginning");
        if what.destination.exists() {
            assert!(fs::read(&what.destination).expect("there") == bytes, "never half a file under its name");
        } else if (1..bytes.len()).contains(&part.len()) {
            // A part that is whole needs no further request.
            unfinished += 1;
        }
        client().fetch(&what, &Silent).expect("fetched");
        assert!(fs::read(&what.destination).expect("there") == bytes);
        assert_eq!(names(dir.path()), ["file.zip"]);
    }
    assert!(unfinished >= 10, "only {unfinished} of 20 were killed within the download");
    let resumed = server.requests().iter().filter(|request| request.range_start().is_some()).count();
    assert!(resumed >= unfinished, "{resumed} of {unfinished} went on");
}

#[test]
fn the_proxy_of_the_environment_is_asked() {
    let bytes = noise(40, BYTES);
    let proxy = HttpServer::start(move |request, _| HttpReply::file(request, &bytes, "\"a\""));
    let dir = tempfile::tempdir().expect("a folder");
    let status = child_process("http://segbench.invalid/file", dir.path())
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .env("http_proxy", proxy.url("/"))
        .status()
        .expect("ended");
    assert!(status.success());
    assert_eq!(proxy.requests()[0].path, "http://segbench.invalid/file");
}
