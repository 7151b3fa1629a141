//! Archives as they come: whole, from other systems, hostile and broken.

#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::PathBuf;

use segbench_fetch::{Archive, Error};
use segbench_testkit::{Files, replace_in_file};
use segbench_types::{ErrorKind, Explain as _};
use tempfile::TempDir;

fn two_files() -> Files {
    let mut files = Files::default();
    files.insert("b/second.txt", "second file");
    files.insert("a/first.txt", "first file");
    files
}

fn zipped(files: &Files) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("archive.zip");
    files.write_zip(&path);
    (dir, path)
}

fn refused(path: &std::path::Path) -> (String, ErrorKind) {
    let err = Archive::open(path).expect_err("refused");
    (err.to_string(), err.kind())
}

#[test]
fn a_zip_and_its_folder_have_the_same_members_and_bytes() {
    let (dir, zip) = zipped(&two_files());
    let folder = dir.path().join("unpacked");
    two_files().write_folder(&folder);
    for path in [zip, folder] {
        let archive = Archive::open(&path).expect("opened");
        let names: Vec<&str> = archive.members().iter().map(|member| member.name.as_str()).collect();
        assert_eq!(names, ["a/first.txt", "b/second.txt"]);
        let member = archive.member("b/second.txt").expect("there");
        assert_eq!(archive.read(member).expect("read"), b"second file");
        assert!(matches!(archive.member("c"), Err(Error::NoSuchMember { .. })));
    }
}

#[test]
fn several_threads_read_members_of_one_zip_at_once() {
    let mut files = Files::default();
    for index in 0..8_u8 {
        files.insert(&format!("{index}"), vec![index; 50_000]);
    }
    let (_dir, zip) = zipped(&files);
    let archive = Archive::open(&zip).expect("opened");
    std::thread::scope(|scope| {
        for (index, member) in (0..8_u8).zip(archive.members()) {
            let archive = &archive;
            scope.spawn(move || {
                for _ in 0..20 {
                    assert_eq!(archive.read(member).expect("read"), vec![index; 50_000]);
                }
            });
        }
    });
}

#[test]
fn the_fingerprint_follows_the_contents_and_not_the_file() {
    let print = |files: &Files| {
        let (_dir, zip) = zipped(files);
        let archive = Archive::open(&zip).expect("opened");
        archive.fingerprint(archive.members())
    };
    let whole = print(&two_files());
    assert_eq!(print(&two_files()), whole);
    let mut changed = two_files();
    changed.change("first", |bytes| bytes[0] ^= 1);
    assert_ne!(print(&changed), whole);
    let mut renamed = two_files();
    renamed.remove("first");
    renamed.insert("a/First.txt", "first file");
    assert_ne!(print(&renamed), whole);
}

#[test]
fn backslashes_in_names_are_folders() {
    let (_dir, zip) = zipped(&two_files());
    replace_in_file(&zip, b"a/first.txt", br"a\first.txt");
    let archive = Archive::open(&zip).expect("opened");
    let member = archive.member("a/first.txt").expect("there");
    assert_eq!(archive.read(member).expect("read"), b"first file");
}

#[test]
fn names_that_leave_the_folder_are_refused_with_member_and_archive() {
    for name in [&b"../irst.txt"[..], br"..\irst.txt", b"a/../st.txt", b"/etc/passwd", b"C:\\boot.ini"] {
        let (_dir, zip) = zipped(&two_files());
        replace_in_file(&zip, b"a/first.txt", name);
        let (text, kind) = refused(&zip);
        assert!(text.contains("archive.zip") && text.contains(&*String::from_utf8_lossy(name)), "{text}");
        assert_eq!(kind, ErrorKind::InvalidData);
    }
}

#[test]
fn a_symbolic_link_in_a_zip_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("archive.zip");
    let mut writer = zip::ZipWriter::new(fs::File::create(&path).expect("created"));
    writer.add_symlink("labels.png", "/etc/passwd", zip::write::SimpleFileOptions::default()).expect("added");
    writer.finish().expect("finished");
    let (text, kind) = refused(&path);
    assert!(text.contains("labels.png") && text.contains("archive.zip") && text.contains("link"), "{text}");
    assert_eq!(kind, ErrorKind::InvalidData);
}

#[test]
fn a_member_with_a_wrong_checksum_is_named() {
    let (_dir, zip) = zipped(&two_files());
    replace_in_file(&zip, b"first file", b"fIrst file");
    let archive = Archive::open(&zip).expect("the list is whole");
    let err = archive.read(archive.member("a/first.txt").expect("there")).expect_err("damaged");
    assert!(err.to_string().contains("a/first.txt") && err.to_string().contains("archive.zip"), "{err}");
    assert_eq!(err.kind(), ErrorKind::InvalidData);
    archive.read(archive.member("b/second.txt").expect("there")).expect("the other one is whole");
}

#[test]
fn a_member_larger_than_any_image_is_not_read() {
    let (_dir, zip) = zipped(&two_files());
    // Packed and unpacked size in the central directory and before the data: 10 bytes become nearly 4 GiB.
    let sizes = |unpacked: u32| [10_u32.to_le_bytes(), unpacked.to_le_bytes()].concat();
    replace_in_file(&zip, &sizes(10), &sizes(u32::MAX - 1));
    let archive = Archive::open(&zip).expect("the list is whole");
    let err = archive.read(archive.member("a/first.txt").expect("there")).expect_err("refused");
    assert!(matches!(err, Error::LargeMember { .. }), "{err}");
}

#[test]
fn a_cut_zip_and_a_file_that_is_no_zip_are_refused_by_name() {
    let (dir, zip) = zipped(&two_files());
    let bytes = fs::read(&zip).expect("read");
    for kept in [bytes.len() / 2, bytes.len() - 10, 0] {
        fs::write(&zip, &bytes[..kept]).expect("written");
        let (text, kind) = refused(&zip);
        assert!(text.contains("archive.zip"), "{text}");
        assert_eq!(kind, ErrorKind::InvalidData);
    }
    assert_eq!(refused(&dir.path().join("nowhere.zip")).1, ErrorKind::MissingInput);
}

#[cfg(unix)]
#[test]
fn links_between_folders_are_followed_but_not_in_circles() {
    let dir = tempfile::tempdir().expect("a folder");
    let root = dir.path().join("root");
    two_files().write_folder(&dir.path().join("elsewhere"));
    fs::create_dir(&root).expect("a folder");
    std::os::unix::fs::symlink(dir.path().join("elsewhere"), root.join("linked")).expect("linked");
    std::os::unix::fs::symlink(&root, root.join("circle")).expect("linked");
    let archive = Archive::open(&root).expect("opened");
    let names: Vec<&str> = archive.members().iter().map(|member| member.name.as_str()).collect();
    assert_eq!(names, ["linked/a/first.txt", "linked/b/second.txt"]);
    let file = archive.file(&archive.members()[0]).expect("there").expect("a folder's member is a file");
    assert!(!file.symlink_metadata().expect("there").is_symlink());
}
