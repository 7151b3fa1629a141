//! Archives that nobody meant: whatever their bytes, members stay below the folder, or the archive is refused.

#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use std::path::{Component, Path};

use segbench_fetch::Archive;
use segbench_testkit::{Files, fuzz, gzip};

/// Pieces of names that reach outside, and of the structures around them.
const WORDS: [&str; 16] = [
    "../",
    "..\\",
    "/",
    "\\",
    "C:",
    ".",
    "..",
    "\0",
    "a/b",
    "PK\u{1}\u{2}",
    "PK\u{3}\u{4}",
    "PK\u{5}\u{6}",
    "PK\u{6}\u{6}",
    "ustar",
    "L",
    "././@LongLink",
];

fn files() -> Files {
    let mut files = Files::default();
    files.insert("RGB\\0000000.png", "a picture");
    files.insert("gtFine/val/x/label.png", vec![7; 600]);
    files.insert("readme.txt", "");
    files
}

/// Opens the bytes as an archive, checks every name, reads every member.
fn read(path: &Path, bytes: &[u8]) -> String {
    std::fs::write(path, bytes).expect("written");
    let archive = match Archive::open(path) {
        Ok(archive) => archive,
        Err(err) => return err.to_string().replace(&path.display().to_string(), ""),
    };
    let mut answer = format!("{} members", archive.members().len());
    for member in archive.members() {
        let is_inside = |part: Component<'_>| matches!(part, Component::Normal(_));
        assert!(!member.name.is_empty() && Path::new(&member.name).components().all(is_inside), "{member:?}");
        assert!(!member.name.contains(['\\', '\0']), "{member:?}");
        match archive.read(member) {
            Ok(bytes) => assert_eq!(bytes.len() as u64, member.size),
            Err(err) => answer = err.to_string().replace(&path.display().to_string(), ""),
        }
    }
    let names: std::collections::BTreeSet<&str> =
        archive.members().iter().map(|member| member.name.as_str()).collect();
    assert_eq!(names.len(), archive.members().len(), "every name stands for one member");
    answer
}

#[test]
fn zips_of_any_bytes_stay_in_their_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let seeds = [files(), files().within("a/b"), Files::default()].map(|files| {
        let path = folder.path().join("seed.zip");
        files.write_zip(&path);
        std::fs::read(path).expect("read")
    });
    let path = folder.path().join("a.zip");
    fuzz("zip", &seeds, &WORDS, |bytes| read(&path, bytes));
}

/// The tar with right checksums in its headers, so that changes reach what lies behind them.
fn with_checksums(tar: &[u8]) -> Vec<u8> {
    let mut bytes = tar.to_vec();
    for header in bytes.chunks_exact_mut(512).filter(|block| &block[257..262] == b"ustar") {
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    bytes
}

#[test]
fn tars_of_any_bytes_stay_in_their_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut long = files();
    long.insert(&format!("{}/label.png", "folder/".repeat(30)), "deep");
    let seeds = [files().tar(), long.tar()];
    let path = folder.path().join("a.tar");
    fuzz("tar", &seeds, &WORDS, |bytes| {
        let tar = with_checksums(bytes);
        let answer = read(&path, &tar);
        // Under gzip another reader goes through it.
        read(&path, &gzip(&tar));
        answer
    });
}
