//! The login of Cityscapes against a site that forgets its visitors.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Mutex;

use segbench_fetch::{Cityscapes, CityscapesPackage, Credentials, Error, Settings, file_checksums};
use segbench_testkit::{HttpReply, HttpRequest, HttpServer};
use segbench_types::{ErrorKind, Explain as _, Progress, Silent, Task};

use crate::support::{names, noise, quick};

const PACKAGE: CityscapesPackage = CityscapesPackage { id: 1, file: "gtFine.zip", md5: None, sha1: None };

/// How the site treats its visitors.
#[derive(Clone, Copy)]
struct Manners {
    /// Answers that a session is good for.
    session: usize,
    /// Bytes after which a package is cut off.
    cut: usize,
    /// Whether a lost session is answered with a page instead of a redirect.
    sends_page: bool,
}

/// A site with one package; the right login is `me` with `s3cret&=ä`.
fn site(package: Vec<u8>, md5: String, manners: Manners) -> HttpServer {
    let sessions: Mutex<BTreeMap<String, usize>> = Mutex::default();
    HttpServer::start(move |request, before| {
        let mut sessions = sessions.lock().expect("no panic");
        let path = request.path.as_str();
        if path == "/login" && request.method == "GET" {
            let id = format!("session={before}");
            return HttpReply::new(200, "<form>").with("Set-Cookie", format!("{id}; Path=/; HttpOnly"));
        }
        let id = request.header("cookie").to_owned();
        if path == "/login" {
            let form = "username=me&password=s3cret%26%3D%C3%A4&submit=Login";
            if request.body != form || id.is_empty() {
                return HttpReply::new(200, "<form>wrong").with("Content-Type", "text/html");
            }
            sessions.insert(id, manners.session);
            return HttpReply::new(302, "").with("Location", "/downloads/");
        }
        match sessions.get_mut(&id) {
            Some(left) if *left > 0 => *left -= 1,
            _ if manners.sends_page => {
                return HttpReply::new(200, "<form>").with("Content-Type", "text/html; charset=UTF-8");
            }
            _ => return HttpReply::new(302, "").with("Location", "/login"),
        }
        inside(request, &package, &md5, manners.cut)
    })
}

/// What visitors who are logged in get.
fn inside(request: &HttpRequest, package: &[u8], md5: &str, cut: usize) -> HttpReply {
    match request.path.as_str() {
        "/downloads/?list" => HttpReply::new(
            200,
            r#"[{"name": "gtFine.zip", "packageID": "1", "size": "241MB", "thirdparty": "0", "x": "y"}]"#,
        ),
        "/md5-sum/?packageID=1" => HttpReply::new(200, format!("{md5}  gtFine.zip\n")),
        "/file-handling/?packageID=1" => HttpReply::file(request, package, "").cut(cut),
        _ => HttpReply::new(404, "no"),
    }
}

fn md5(bytes: &[u8]) -> String {
    let dir = tempfile::tempdir().expect("a folder");
    fs::write(dir.path().join("x"), bytes).expect("written");
    file_checksums(&dir.path().join("x")).expect("read").md5.expect("asked for")
}

fn session(server: &HttpServer, password: &str) -> Cityscapes {
    let site = server.url("/");
    Cityscapes::new(&site, Credentials::new("me", password), quick()).expect("set up")
}

/// Remembers every line.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Progress for Notes {
    fn start(&self, name: &str, total: u64) -> Box<dyn Task + '_> {
        self.note(name);
        Silent.start(name, total);
        Box::new(Silent)
    }

    fn note(&self, text: &str) {
        self.0.lock().expect("no panic").push(text.to_owned());
    }
}

#[test]
fn a_package_comes_whole_through_lost_sessions_and_cut_connections() {
    let bytes = noise(50, 30_000);
    for sends_page in [false, true] {
        for session_length in [1, 2, 1_000] {
            let manners = Manners { session: session_length, cut: 7_000, sends_page };
            let server = site(bytes.clone(), md5(&bytes), manners);
            let dir = tempfile::tempdir().expect("a folder");
            let notes = Notes::default();
            let fetched = session(&server, "s3cret&=ä").fetch(&PACKAGE, dir.path(), &notes).expect("fetched");
            assert!(fs::read(fetched.path).expect("there") == bytes);
            assert_eq!(names(dir.path()), ["gtFine.zip", "gtFine.zip.source.json"]);
            let note = fs::read_to_string(dir.path().join("gtFine.zip.source.json")).expect("a note");
            assert!(note.contains("licence") && !note.contains("s3cret"), "{note}");
            let requests = server.requests();
            let logins = requests.iter().filter(|request| request.method == "POST").count();
            assert_eq!(
                logins,
                [6, 3, 1][[1, 2, 1_000].iter().position(|n| *n == session_length).expect("listed")]
            );
            let starts: Vec<_> = requests
                .iter()
                .filter(|request| request.path.starts_with("/file") && request.range_start().is_some())
                .filter_map(HttpRequest::range_start)
                .collect();
            assert_eq!(starts.last(), Some(&28_000), "{starts:?}");
            let notes = notes.0.into_inner().expect("no panic").join("\n");
            assert!(!notes.contains("s3cret") && !notes.contains("session="), "{notes}");
        }
    }
}

#[test]
fn a_wrong_password_ends_at_the_first_login() {
    let manners = Manners { session: 9, cut: usize::MAX, sends_page: false };
    let server = site(noise(51, 100), String::new(), manners);
    let dir = tempfile::tempdir().expect("a folder");
    let session = session(&server, "hidden");
    let err = session.fetch(&PACKAGE, dir.path(), &Silent).expect_err("refused");
    assert!(matches!(err, Error::LoginRefused { .. }), "{err:?}");
    assert_eq!(err.kind(), ErrorKind::MissingInput);
    let printed = format!("{err} {err:?} {:?} {session:?}", err.help());
    assert!(!printed.contains("hidden"), "{printed}");
    assert_eq!(server.requests().iter().filter(|request| request.method == "POST").count(), 1);
    assert!(names(dir.path()).is_empty());
}

#[test]
fn a_site_that_never_lets_in_is_given_up() {
    let manners = Manners { session: 0, cut: usize::MAX, sends_page: true };
    let server = site(noise(52, 100), String::new(), manners);
    let dir = tempfile::tempdir().expect("a folder");
    let err = session(&server, "s3cret&=ä").fetch(&PACKAGE, dir.path(), &Silent).expect_err("never");
    assert!(server.requests().len() < 20, "{err}");
}

#[test]
fn the_site_s_own_checksum_decides() {
    let bytes = noise(53, 5_000);
    let manners = Manners { session: 99, cut: usize::MAX, sends_page: false };
    let old = CityscapesPackage { md5: Some("00000000000000000000000000000000"), ..PACKAGE };
    let dir = tempfile::tempdir().expect("a folder");
    let server = site(bytes.clone(), md5(&bytes), manners);
    session(&server, "s3cret&=ä").fetch(&old, dir.path(), &Silent).expect("the site has a new one");
    // A site that gives none leaves the one that is known.
    let server = site(bytes.clone(), "unknown".into(), manners);
    let dir = tempfile::tempdir().expect("a folder");
    let err = session(&server, "s3cret&=ä").fetch(&old, dir.path(), &Silent).expect_err("another");
    assert!(matches!(err, Error::WrongChecksum { algorithm: "md5", .. }), "{err:?}");
}

#[test]
fn packages_are_listed() {
    let manners = Manners { session: 9, cut: usize::MAX, sends_page: false };
    let server = site(Vec::new(), String::new(), manners);
    let packages = session(&server, "s3cret&=ä").packages(&Silent).expect("listed");
    let line: Vec<_> = packages.iter().map(|package| (package.id.as_str(), package.name.as_str())).collect();
    assert_eq!(line, [("1", "gtFine.zip")]);
}

#[test]
fn offline_nobody_logs_in() {
    let manners = Manners { session: 9, cut: usize::MAX, sends_page: false };
    let server = site(Vec::new(), String::new(), manners);
    let settings = Settings { is_offline: true, ..quick() };
    let session = Cityscapes::new(&server.url(""), Credentials::new("me", "x"), settings).expect("set up");
    let dir = tempfile::tempdir().expect("a folder");
    let err = session.fetch(&PACKAGE, dir.path(), &Silent).expect_err("not there");
    assert!(matches!(err, Error::Offline { .. }) && server.requests().is_empty(), "{err:?}");
}

#[test]
fn without_a_login_the_message_says_how_to_get_one_and_what_works_without() {
    let err = Cityscapes::login_missing();
    let help = err.help().expect("help");
    for part in ["register", "CITYSCAPES_USERNAME", "CITYSCAPES_PASSWORD", "--source"] {
        assert!(help.contains(part), "{help}");
    }
    assert_eq!(err.kind(), ErrorKind::MissingInput);
}
