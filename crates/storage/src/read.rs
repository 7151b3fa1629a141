//! Reading with the path in the error.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::Error;

/// The bytes of a file.
///
/// # Errors
/// [`Error::NotFound`] or [`Error::Read`].
pub fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|source| Error::reading(path, source))
}

/// The text of a file.
///
/// # Errors
/// [`Error::NotFound`] or [`Error::Read`], also if it is not UTF-8.
pub fn read_to_string(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|source| Error::reading(path, source))
}

/// A JSON file.
///
/// # Errors
/// As [`read`], and [`Error::Json`] if the contents do not fit `T`.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    serde_json::from_slice(&read(path)?).map_err(|source| Error::Json { path: path.to_owned(), source })
}

/// The paths in a folder, sorted, so that what follows never depends on the file system's order.
///
/// # Errors
/// [`Error::NotFound`] or [`Error::Read`].
pub fn list_dir(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let list =
        || -> io::Result<Vec<PathBuf>> { fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect() };
    let mut paths = list().map_err(|source| Error::reading(path, source))?;
    paths.sort();
    Ok(paths)
}
