//! The archives of the data sets that the program draws, made when they are wanted.

use std::path::Path;

use segbench_types::Progress;

use crate::Error;
use crate::phantom::draw_phantom;
use crate::sample::{SampleOptions, write_zips};

/// Raised when the sample looks different, so that an older one is drawn again.
const DRAWING_VERSION: u32 = 1;

/// Whether a data set, without the taxonomy in its name, needs no archives because the program draws it.
pub fn is_drawn(raw_name: &str) -> bool {
    ["phantom", "sample"].contains(&raw_name)
}

/// Draws a data set of [`is_drawn`] into `<root>/raw`, unless it is there. Returns whether it drew.
///
/// # Errors
/// [`Error::Sample`] for a size out of range, [`Error::Storage`].
pub fn draw(
    raw_name: &str,
    root: &Path,
    sample: &SampleOptions,
    progress: &dyn Progress,
) -> Result<bool, Error> {
    match raw_name {
        "phantom" => draw_phantom(root, progress),
        "sample" => draw_sample(root, sample, progress),
        _ => Ok(false),
    }
}

/// Draws the archives of the sample into `<root>/raw/sample`, unless they are there with these options. Returns whether it drew.
///
/// # Errors
/// [`Error::Sample`] for a size out of range, [`Error::Storage`].
fn draw_sample(root: &Path, options: &SampleOptions, progress: &dyn Progress) -> Result<bool, Error> {
    let folder = root.join("raw").join("sample");
    let SampleOptions { seed, width, height, train, val, test } = options;
    let wanted = format!(
        "version {DRAWING_VERSION}, seed {seed}, size {width}x{height}, train {train}, val {val}, test {test}\n"
    );
    // The marker is written last, so archives with a marker are whole.
    let marker = folder.join("drawn.txt");
    if std::fs::read_to_string(&marker).is_ok_and(|drawn| drawn == wanted) {
        return Ok(false);
    }
    segbench_storage::remove_temporaries(&folder)?;
    write_zips(&folder, options, progress)?;
    segbench_storage::write(&marker, wanted.as_bytes())?;
    Ok(true)
}
