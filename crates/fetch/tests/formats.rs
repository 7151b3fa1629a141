//! Tar, tar.gz, rar and large zips: the same members and bytes from each, and hostile ones refused.

#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use segbench_fetch::{Archive, Error};
use segbench_testkit::{Files, gzip};
use segbench_types::{ErrorKind, Explain as _, Silent};
use tar::{EntryType, Header};
use tempfile::TempDir;

/// Files of every awkward size and a name longer than a tar header takes.
fn files() -> Files {
    let mut files = Files::default();
    for (size, name) in [(0, "RGB/empty.png"), (1, "RGB/one.png"), (512, "GT/block.png"), (5_000, "b.txt")] {
        files.insert(name, (0..size).map(|at| (at * 7 + size) as u8).collect::<Vec<u8>>());
    }
    files.insert(&format!("{}/deep.png", "folder-with-a-long-name".repeat(9)), "deep");
    files
}

fn written(name: &str, bytes: &[u8]) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join(name);
    fs::write(&path, bytes).expect("written");
    (dir, path)
}

fn assert_holds(archive: &Archive, files: &Files) {
    let names: Vec<&str> = archive.members().iter().map(|member| member.name.as_str()).collect();
    assert_eq!(names, files.0.keys().map(String::as_str).collect::<Vec<_>>());
    // From the last to the first, which a stream has to begin anew for.
    for member in archive.members().iter().rev() {
        assert_eq!(archive.read(member).expect("read"), files.0[&member.name], "{}", member.name);
    }
}

fn refused(name: &str, bytes: &[u8]) -> Error {
    let (_dir, path) = written(name, bytes);
    let err = Archive::open(&path).expect_err("refused");
    assert!(err.to_string().contains(name), "{err}");
    assert_eq!(err.kind(), ErrorKind::InvalidData);
    err
}

/// A tar of one member of the given kind and name, which no builder would write.
fn tar_of(kind: EntryType, name: &[u8]) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name);
    header.set_entry_type(kind);
    header.set_size(0);
    header.set_mode(0o644);
    header.as_gnu_mut().expect("a GNU header").linkname[..11].copy_from_slice(b"/etc/passwd");
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend([0; 1024]);
    bytes
}

#[test]
fn tar_and_tar_gz_have_the_same_members_and_bytes() {
    for (name, bytes) in [("a.tar", files().tar()), ("a.tar.gz", files().tar_gz()), ("a.bin", files().tar())]
    {
        let (_dir, path) = written(name, &bytes);
        let archive = Archive::open(&path).expect("opened");
        assert_eq!(archive.is_stream(), name == "a.tar.gz");
        assert_holds(&archive, &files());
    }
}

#[test]
fn a_gzip_of_several_parts_is_one_stream() {
    let tar = files().tar();
    let (first, second) = tar.split_at(tar.len() / 3);
    let (_dir, path) = written("a.tgz", &[gzip(first), gzip(second)].concat());
    assert_holds(&Archive::open(&path).expect("opened"), &files());
}

#[test]
fn each_goes_through_the_archive_once_in_its_own_order() {
    let mut tar = tar::Builder::new(Vec::new());
    for name in ["z", "a", "m"] {
        let mut header = Header::new_ustar();
        header.set_size(1);
        tar.append_data(&mut header, name, name.as_bytes()).expect("written");
    }
    let (_dir, path) = written("a.tar.gz", &gzip(&tar.into_inner().expect("finished")));
    let archive = Archive::open(&path).expect("opened");
    let mut seen = Vec::new();
    let visit = |member: &segbench_fetch::Member, bytes: Result<Vec<u8>, Error>| {
        assert_eq!(bytes?, member.name.as_bytes());
        seen.push(member.name.clone());
        Ok::<_, Error>(())
    };
    archive.each(|member| member.name != "a", visit).expect("read");
    assert_eq!(seen, ["z", "m"]);
}

#[test]
fn unpacking_leaves_the_same_files_and_goes_on_after_an_interruption() {
    let (dir, path) = written("a.tar.gz", &files().tar_gz());
    let folder = dir.path().join("unpacked");
    fs::create_dir_all(folder.join("GT")).expect("a folder");
    fs::write(folder.join("GT/block.png"), "cut off").expect("written");
    for _ in 0..2 {
        let unpacked = Archive::open(&path).expect("opened").unpack(&folder, &Silent).expect("unpacked");
        assert_holds(&unpacked, &files());
    }
}

#[test]
fn a_tar_that_is_cut_anywhere_is_refused_or_names_the_member() {
    let tar = files().tar();
    for kept in (0..tar.len() - 1024).step_by(509) {
        let (_dir, path) = written("a.tar", &tar[..kept]);
        let err = Archive::open(&path).expect_err("refused");
        assert_eq!(err.kind(), ErrorKind::InvalidData, "{kept}: {err}");
    }
    let packed = files().tar_gz();
    for kept in (0..packed.len()).step_by(37).chain([packed.len() - 1]) {
        refused("a.tar.gz", &packed[..kept]);
    }
}

#[test]
fn links_devices_and_paths_out_of_the_folder_are_refused_in_a_tar() {
    for kind in [EntryType::Symlink, EntryType::Link, EntryType::Char, EntryType::Block, EntryType::Fifo] {
        for bytes in [tar_of(kind, b"label.png"), gzip(&tar_of(kind, b"label.png"))] {
            let err = refused("a.tar", &bytes);
            assert!(err.to_string().contains("label.png") && err.to_string().contains("link"), "{err}");
        }
    }
    for name in [&b"../a.png"[..], b"/etc/passwd", br"GT\..\..\a.png", b"C:/a.png"] {
        let err = refused("a.tar", &tar_of(EntryType::Regular, name));
        assert!(matches!(err, Error::UnsafeMember { .. }), "{err}");
    }
    refused("a.tar", &tar_of(EntryType::GNUSparse, b"a"));
    let err = refused("a.tar", &tar_of(EntryType::Regular, b"\xff.png"));
    assert!(err.to_string().contains("UTF-8"), "{err}");
}

#[test]
fn backslashes_in_a_tar_are_folders() {
    let (_dir, path) = written("a.tar", &tar_of(EntryType::Regular, br"GT\LABELS\0.png"));
    assert_eq!(Archive::open(&path).expect("opened").members()[0].name, "GT/LABELS/0.png");
}

#[test]
fn a_name_that_is_a_file_and_a_folder_is_refused() {
    let mut files = Files::default();
    for name in ["a", "a-b", "a/b"] {
        files.insert(name, name);
    }
    let err = refused("a.tar", &files.tar());
    assert!(err.to_string().contains("folder"), "{err}");
}

#[test]
fn a_tar_header_cannot_claim_more_than_memory_and_file_hold() {
    // A long name of 4 GiB under gzip.
    let mut header = Header::new_gnu();
    header.set_path("././@LongLink").expect("short");
    header.set_entry_type(EntryType::GNULongName);
    header.set_size(4 << 30);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend(vec![b'a'; 8 << 20]);
    let err = refused("a.tar.gz", &gzip(&bytes));
    assert!(err.to_string().contains("larger than any name"), "{err}");
    // A member of 1 TiB in a tar of 2 KiB.
    let mut header = Header::new_gnu();
    header.set_path("a.png").expect("short");
    header.set_size(1 << 40);
    header.set_cksum();
    let bytes = [header.as_bytes().as_slice(), &[0; 1024]].concat();
    refused("a.tar", &bytes);
    refused("a.tar.gz", &gzip(&bytes));
}

#[test]
fn other_formats_are_named() {
    for (head, word) in [(&b"BZh9"[..], "bzip2"), (b"\xfd7zXZ\0", "xz"), (b"<!DOCTYPE html>", "login")] {
        let err = refused("data.bin", head);
        assert!(err.to_string().contains(word), "{err}");
    }
    refused("text.gz", &gzip(b"no tar at all"));
}

#[test]
fn a_zip_with_more_members_than_the_old_format_counts_is_read() {
    let mut files = Files::default();
    for index in 0..66_000_u32 {
        files.insert(&format!("{index:05}"), index.to_le_bytes());
    }
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("a.zip");
    files.write_zip(&path);
    let archive = Archive::open(&path).expect("opened");
    assert_eq!(archive.members().len(), 66_000);
    let member = archive.member("65999").expect("there");
    assert_eq!(archive.read(member).expect("read"), 65_999_u32.to_le_bytes());
}

#[test]
fn a_zip_beyond_four_gibibytes_is_read() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("a.zip");
    write_large_zip(&path);
    let archive = Archive::open(&path).expect("opened");
    assert_eq!(archive.member("hole").expect("there").size, LARGE);
    assert_eq!(archive.read(archive.member("last").expect("there")).expect("read"), b"behind");
    let err = archive.read(archive.member("hole").expect("there")).expect_err("too large");
    assert!(matches!(err, Error::LargeMember { .. }), "{err}");
}

/// More than 32 bits.
const LARGE: u64 = (1 << 32) + 12_345;

/// A zip64 whose first member is a hole in the file, so that it takes no time and no disk, and whose second lies behind it.
fn write_large_zip(path: &Path) {
    use std::io::{Seek as _, SeekFrom};
    let mut file = File::create(path).expect("created");
    let put = |file: &mut File, parts: &[&[u8]]| file.write_all(&parts.concat()).expect("written");
    let local = |name: &str, crc: u32| {
        let mut header = b"PK\x03\x04".to_vec();
        header.extend([45, 0, 0, 0, 0, 0, 0, 0, 0x21, 0]);
        header.extend(crc.to_le_bytes());
        header.extend([0xff; 8]);
        header.extend((name.len() as u16).to_le_bytes());
        header.extend(20_u16.to_le_bytes());
        header.extend(name.as_bytes());
        header
    };
    let sizes = |size: u64| [[1, 0, 16, 0].as_slice(), &size.to_le_bytes(), &size.to_le_bytes()].concat();
    let central = |name: &str, crc: u32, size: u64, offset: u64| {
        let mut header = b"PK\x01\x02".to_vec();
        header.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0x21, 0]);
        header.extend(crc.to_le_bytes());
        header.extend([0xff; 8]);
        header.extend((name.len() as u16).to_le_bytes());
        header.extend(28_u16.to_le_bytes());
        header.extend([0; 10]);
        header.extend([0xff; 4]);
        header.extend(name.as_bytes());
        header.extend([1, 0, 24, 0]);
        for number in [size, size, offset] {
            header.extend(number.to_le_bytes());
        }
        header
    };
    let crc = 0xad19_3be4;
    assert_eq!(crc, crc32fast::hash(b"behind"), "the checksum in the headers is that of the contents");
    put(&mut file, &[&local("hole", 0), &sizes(LARGE)]);
    let second = file.seek(SeekFrom::Current(LARGE as i64)).expect("moved");
    put(&mut file, &[&local("last", crc), &sizes(6), b"behind"]);
    let directory = file.stream_position().expect("known");
    let entries = [central("hole", 0, LARGE, 0), central("last", crc, 6, second)].concat();
    put(&mut file, &[&entries]);
    let end = file.stream_position().expect("known");
    let mut record = b"PK\x06\x06".to_vec();
    record.extend(44_u64.to_le_bytes());
    record.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    for number in [2, 2, entries.len() as u64, directory] {
        record.extend(number.to_le_bytes());
    }
    let mut locator = b"PK\x06\x07".to_vec();
    locator.extend([0; 4]);
    locator.extend(end.to_le_bytes());
    locator.extend(1_u32.to_le_bytes());
    let mut tail = b"PK\x05\x06\0\0\0\0".to_vec();
    tail.extend([0xff; 12]);
    tail.extend([0; 2]);
    put(&mut file, &[&record, &locator, &tail]);
}

#[test]
fn zip_members_that_share_their_bytes_are_refused() {
    let mut files = Files::default();
    files.insert("a.png", "first member");
    files.insert("b.png", "other member");
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("a.zip");
    files.write_zip(&path);
    let mut bytes = fs::read(&path).expect("read");
    // The second entry of the directory points to the header of the first member.
    let entry = bytes.windows(4).rposition(|part| part == b"PK\x01\x02").expect("there");
    bytes[entry + 42..entry + 46].copy_from_slice(&[0; 4]);
    let err = refused("a.zip", &bytes);
    assert!(err.to_string().contains("another member"), "{err}");
}

/// bsdtar is the one program for rar that is free software everywhere; without it there is nothing to compare with.
#[test]
fn a_rar_is_read_through_an_installed_program() {
    let (_dir, path) = written("SYNTHIA.rar", &files().rar());
    if Command::new("bsdtar").arg("--version").output().is_err() {
        let text = Archive::open(&path).expect_err("nothing reads it").to_string();
        assert!(text.contains("SYNTHIA.rar"), "{text}");
        return;
    }
    let archive = Archive::open(&path).expect("opened");
    assert!(archive.is_stream());
    assert_holds(&archive, &files());
    let mut names = Files::default();
    names.insert(r"RAND\GT\LABELS\0000000.png", "label");
    fs::write(&path, names.rar()).expect("written");
    assert_eq!(Archive::open(&path).expect("opened").members()[0].name, "RAND/GT/LABELS/0000000.png");
    let mut hostile = Files::default();
    hostile.insert("../0000000.png", "label");
    fs::write(&path, hostile.rar()).expect("written");
    assert!(matches!(Archive::open(&path), Err(Error::UnsafeMember { .. })));
    let whole = files().rar();
    fs::write(&path, &whole[..whole.len() / 2]).expect("written");
    let err = Archive::open(&path).expect_err("cut off");
    assert_eq!(err.kind(), ErrorKind::InvalidData, "{err}");
    assert!(err.to_string().contains("SYNTHIA.rar"), "{err}");
}
