//! The archives of the sample, drawn when they are wanted.

use std::path::Path;

use segbench_types::Progress;

use crate::Error;
use crate::sample::{SampleOptions, write_zips};

/// Raised when the sample looks different, so that an older one is drawn again.
const DRAWING_VERSION: u32 = 1;

/// Draws the archives of the sample into `<root>/raw/sample`, unless they are there with these options. Returns whether it drew.
///
/// # Errors
/// [`Error::Sample`] for a size out of range, [`Error::Storage`].
pub fn draw_sample(root: &Path, options: &SampleOptions, progress: &dyn Progress) -> Result<bool, Error> {
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
