//! Files in memory, to be written as a folder or an archive.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Member names with their bytes.
#[derive(Debug, Clone, Default)]
pub struct Files(pub BTreeMap<String, Vec<u8>>);

impl Files {
    /// Adds or replaces a file.
    pub fn insert(&mut self, name: &str, bytes: impl Into<Vec<u8>>) {
        self.0.insert(name.to_owned(), bytes.into());
    }

    /// Removes the files whose name contains `part`.
    ///
    /// # Panics
    /// If there is none.
    pub fn remove(&mut self, part: &str) {
        let before = self.0.len();
        self.0.retain(|name, _| !name.contains(part));
        assert!(self.0.len() < before, "no file has `{part}` in its name");
    }

    /// The full name of the only file whose name contains `part`.
    ///
    /// # Panics
    /// If there is none, or more than one.
    pub fn name(&self, part: &str) -> String {
        let mut names = self.0.keys().filter(|name| name.contains(part));
        let name = names.next().unwrap_or_else(|| panic!("no file has `{part}` in its name"));
        assert!(names.next().is_none(), "several files have `{part}` in their names");
        name.clone()
    }

    /// Replaces the bytes of the only file whose name contains `part`.
    ///
    /// # Panics
    /// As [`Self::name`].
    pub fn change(&mut self, part: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let name = self.name(part);
        change(self.0.get_mut(&name).expect("the name is there"));
    }

    /// Those files whose name starts with `prefix`.
    pub fn below(&self, prefix: &str) -> Self {
        Self(
            self.0
                .iter()
                .filter(|(name, _)| name.starts_with(prefix))
                .map(|(name, bytes)| (name.clone(), bytes.clone()))
                .collect(),
        )
    }

    /// The same files in a folder called `folder`.
    pub fn within(&self, folder: &str) -> Self {
        Self(self.0.iter().map(|(name, bytes)| (format!("{folder}/{name}"), bytes.clone())).collect())
    }

    /// Writes every file below `folder`.
    ///
    /// # Panics
    /// If that fails.
    pub fn write_folder(&self, folder: &Path) {
        fs::create_dir_all(folder).expect("a folder");
        for (name, bytes) in &self.0 {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, bytes).expect("written");
        }
    }

    /// Writes a zip without compression, so that a test can find a member's bytes in it.
    ///
    /// # Panics
    /// If that fails.
    pub fn write_zip(&self, path: &Path) {
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        let mut zip = ZipWriter::new(File::create(path).expect("created"));
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        for (name, bytes) in &self.0 {
            zip.start_file(name.as_str(), options).expect("started");
            zip.write_all(bytes).expect("written");
        }
        zip.finish().expect("finished");
    }

    /// The bytes of a tar, members in the order of their names.
    ///
    /// # Panics
    /// If a name is longer than any tar takes.
    pub fn tar(&self) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for (name, bytes) in &self.0 {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, name, bytes.as_slice()).expect("written");
        }
        tar.into_inner().expect("finished")
    }

    /// The bytes of a tar under gzip.
    ///
    /// # Panics
    /// As [`Self::tar`].
    pub fn tar_gz(&self) -> Vec<u8> {
        gzip(&self.tar())
    }

    /// The bytes of a rar of version 5 that packs nothing.
    pub fn rar(&self) -> Vec<u8> {
        let mut rar = b"Rar!\x1a\x07\x01\0".to_vec();
        rar.extend(rar_block(&[1, 0, 0], &[]));
        for (name, bytes) in &self.0 {
            // A file with data behind it (2) and a checksum (4), packed by method 0, made on Unix (1).
            let mut header = vec![2, 2];
            header.extend(rar_number(bytes.len() as u64));
            header.push(4);
            header.extend(rar_number(bytes.len() as u64));
            header.extend(rar_number(0o100_644));
            header.extend(crc32fast::hash(bytes).to_le_bytes());
            header.extend([0, 1]);
            header.extend(rar_number(name.len() as u64));
            header.extend(name.as_bytes());
            rar.extend(rar_block(&header, bytes));
        }
        rar.extend(rar_block(&[5, 0, 0], &[]));
        rar
    }
}

/// Packs bytes with gzip.
///
/// # Panics
/// Never: a vector takes every byte.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("a vector takes every byte");
    encoder.finish().expect("a vector takes every byte")
}

/// A block of a rar: checksum and length of the header, the header, the data.
///
/// # Source
/// <https://www.rarlab.com/technote.htm>
fn rar_block(header: &[u8], data: &[u8]) -> Vec<u8> {
    let mut checked = rar_number(header.len() as u64);
    checked.extend(header);
    let mut block = crc32fast::hash(&checked).to_le_bytes().to_vec();
    block.extend(checked);
    block.extend(data);
    block
}

/// Seven bits per byte, the lowest first; the eighth says that more follow.
fn rar_number(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// Replaces every occurrence of `from` in a file by `to`, which is as long: for damage that no zip writer makes.
///
/// # Panics
/// If the lengths differ or `from` does not occur.
pub fn replace_in_file(path: &Path, from: &[u8], to: &[u8]) {
    assert_eq!(from.len(), to.len(), "a replacement of another length moves everything behind it");
    let mut bytes = fs::read(path).expect("read");
    let places: Vec<usize> =
        bytes.windows(from.len()).enumerate().filter(|(_, part)| *part == from).map(|(at, _)| at).collect();
    assert!(!places.is_empty(), "nothing to replace in {}", path.display());
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    fs::write(path, bytes).expect("written");
}
