//! Checksums as publishers give them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use md5::Md5;
use segbench_storage::{Error as StorageError, Sha256, sha256_bytes};
use sha1::Sha1;
use sha2::Digest;

use crate::{Archive, Error};

/// What is known of a file's bytes, in hex; all that is there is compared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checksums {
    /// MD5, which finds damage but no forgery.
    pub md5: Option<String>,
    /// SHA-1.
    pub sha1: Option<String>,
    /// SHA-256.
    pub sha256: Option<String>,
    /// SHA-256 of members of an archive, by their names with or without the folder at the top. For archives that a host packs anew
    /// now and then: the members stay, the bytes around them do not. Further members may be there.
    pub members: BTreeMap<String, String>,
}

impl Checksums {
    /// Only an MD5.
    pub fn md5(hex: &str) -> Self {
        Self { md5: Some(hex.to_owned()), ..Self::default() }
    }

    /// Only a SHA-256.
    pub fn sha256(hex: &str) -> Self {
        Self { sha256: Some(hex.to_owned()), ..Self::default() }
    }

    /// Whether nothing is published.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Compares a file that lies on the disk and returns its SHA-256.
    ///
    /// # Errors
    /// [`Error::WrongChecksum`] and [`Error::Storage`].
    pub fn verify(&self, file: &Path) -> Result<String, Error> {
        let mut hashes = Hashes::new(self);
        hashes.add_file(file, u64::MAX)?;
        let found = hashes.compare(self).and_then(|sha256| self.compare_members(file).map(|()| sha256));
        found.map_err(|wrong| wrong.of(file, None))
    }
}

impl Checksums {
    /// The first member of an archive that is absent or another than published.
    pub(super) fn compare_members(&self, file: &Path) -> Result<(), Mismatch> {
        if self.members.is_empty() {
            return Ok(());
        }
        let wrong = |reason: String| Mismatch::Contents { reason };
        let archive = Archive::open(file).map_err(|err| wrong(err.to_string()))?;
        let published = |name: &str| {
            let below = name.split_once('/').map(|(_, below)| below);
            self.members.get_key_value(name).or_else(|| self.members.get_key_value(below?))
        };
        let mut absent: BTreeMap<&str, &str> =
            self.members.iter().map(|(name, hash)| (name.as_str(), hash.as_str())).collect();
        archive.each(
            |member| published(&member.name).is_some(),
            |member, bytes| {
                let bytes = bytes.map_err(|err| wrong(err.to_string()))?;
                let got = sha256_bytes(&bytes);
                match published(&member.name) {
                    Some((_, expected)) if !expected.eq_ignore_ascii_case(&got) => Err(wrong(format!(
                        "its member `{}` has the sha256 {got}, expected {expected}",
                        member.name
                    ))),
                    Some((name, _)) => {
                        absent.remove(name.as_str());
                        Ok(())
                    }
                    None => Ok(()),
                }
            },
        )?;
        match absent.keys().next() {
            Some(name) => Err(wrong(format!("it has no member `{name}`"))),
            None => Ok(()),
        }
    }
}

/// MD5, SHA-1 and SHA-256 of a file.
///
/// # Errors
/// [`Error::Storage`].
pub fn file_checksums(file: &Path) -> Result<Checksums, Error> {
    let every = Checksums { md5: Some(String::new()), sha1: Some(String::new()), ..Checksums::default() };
    let mut hashes = Hashes::new(&every);
    hashes.add_file(file, u64::MAX)?;
    Ok(Checksums {
        md5: hashes.md5.map(|hash| hex(&hash.finalize())),
        sha1: hashes.sha1.map(|hash| hex(&hash.finalize())),
        sha256: Some(hashes.sha256.hex()),
        members: BTreeMap::new(),
    })
}

/// The running hashes of a download: those to compare, and SHA-256 always, for the records.
#[derive(Debug)]
pub(super) struct Hashes {
    md5: Option<Md5>,
    sha1: Option<Sha1>,
    sha256: Sha256,
}

/// What differs from what is published.
pub(super) enum Mismatch {
    /// A checksum.
    Checksum { algorithm: &'static str, got: String, expected: String },
    /// What is in the archive.
    Contents { reason: String },
}

impl Mismatch {
    pub(super) fn of(self, file: &Path, kept: Option<&Path>) -> Error {
        let (file, kept) = (file.to_owned(), kept.map(Path::to_owned));
        match self {
            Self::Checksum { algorithm, got, expected } => {
                Error::WrongChecksum { file, algorithm, got, expected, kept }
            }
            Self::Contents { reason } => Error::WrongContents { file, reason, kept },
        }
    }
}

impl Hashes {
    pub(super) fn new(published: &Checksums) -> Self {
        Self {
            md5: published.md5.is_some().then(Md5::new),
            sha1: published.sha1.is_some().then(Sha1::new),
            sha256: Sha256::default(),
        }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        if let Some(md5) = &mut self.md5 {
            md5.update(bytes);
        }
        if let Some(sha1) = &mut self.sha1 {
            sha1.update(bytes);
        }
        self.sha256.update(bytes);
    }

    /// Adds a file, or its beginning, and returns how many bytes that were.
    pub(super) fn add_file(&mut self, path: &Path, at_most: u64) -> Result<u64, Error> {
        let wrap = |source| StorageError::reading(path, source);
        let mut file = File::open(path).map_err(wrap)?.take(at_most);
        let mut buffer = vec![0; 1 << 18];
        let mut total = 0;
        loop {
            match file.read(&mut buffer).map_err(wrap)? {
                0 => return Ok(total),
                count => {
                    self.update(&buffer[..count]);
                    total += count as u64;
                }
            }
        }
    }

    /// The SHA-256, or the first published checksum that differs.
    pub(super) fn compare(self, published: &Checksums) -> Result<String, Mismatch> {
        let sha256 = self.sha256.hex();
        let found = [
            ("sha256", &published.sha256, Some(sha256.clone())),
            ("sha1", &published.sha1, self.sha1.map(|hash| hex(&hash.finalize()))),
            ("md5", &published.md5, self.md5.map(|hash| hex(&hash.finalize()))),
        ];
        for (algorithm, expected, got) in found {
            if let (Some(expected), Some(got)) = (expected, got)
                && !got.eq_ignore_ascii_case(expected)
            {
                return Err(Mismatch::Checksum { algorithm, got, expected: expected.clone() });
            }
        }
        Ok(sha256)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksums_of_abc_are_the_standards_examples() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("abc");
        std::fs::write(&path, "abc").expect("written");
        // RFC 1321, FIPS 180-1, FIPS 180-4.
        let expected = Checksums {
            md5: Some("900150983cd24fb0d6963f7d28e17f72".into()),
            sha1: Some("a9993e364706816aba3e25717850c26c9cd0d89d".into()),
            sha256: Some("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".into()),
            ..Checksums::default()
        };
        assert_eq!(file_checksums(&path).expect("read"), expected);
        let upper =
            Checksums { md5: expected.md5.as_ref().map(|md5| md5.to_uppercase()), ..expected.clone() };
        assert_eq!(upper.verify(&path).ok(), expected.sha256);
        for wrong in [
            Checksums { md5: Some("0".repeat(32)), ..expected.clone() },
            Checksums { sha1: Some("0".repeat(40)), ..expected.clone() },
            Checksums { sha256: Some("0".repeat(64)), ..expected.clone() },
        ] {
            assert!(matches!(wrong.verify(&path), Err(Error::WrongChecksum { .. })), "{wrong:?}");
        }
    }
}
