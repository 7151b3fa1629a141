//! SHA-256 in lowercase hex, the hash of everything segbench publishes.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha2::Digest as _;

use crate::Error;

/// A running SHA-256.
#[derive(Debug, Clone, Default)]
pub struct Sha256(sha2::Sha256);

impl Sha256 {
    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash in 64 lowercase hex digits.
    pub fn hex(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The hash of bytes in memory.
pub fn sha256_bytes(bytes: &[u8]) -> String {
    let mut hash = Sha256::default();
    hash.update(bytes);
    hash.hex()
}

/// The hash of a file, read in pieces.
///
/// # Errors
/// [`Error::NotFound`] or [`Error::Read`].
pub fn sha256_file(path: &Path) -> Result<String, Error> {
    let wrap = |source| Error::reading(path, source);
    let mut file = File::open(path).map_err(wrap)?;
    let mut hash = Sha256::default();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).map_err(wrap)? {
            0 => return Ok(hash.hex()),
            read => hash.update(&buffer[..read]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_abc_is_the_standard_s_example() {
        // FIPS 180-4, example B.1.
        assert_eq!(sha256_bytes(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
