//! What test servers take: files of the right name, size and coding, in a zip that is ready to be uploaded.

use std::io::Write as _;
use std::path::Path;

use segbench_types::{ClassCatalog, LabelMap};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::{Error, label_png};

/// Width and height of every frame of Cityscapes.
const FRAME_SIZE: (u32, u32) = (2048, 1024);
/// The id of Cityscapes for what is no class.
const UNLABELED: u8 = 0;
/// The classes whose ids the server knows.
const CATALOG: &str = "cityscapes-19";

/// What the test server of Cityscapes takes: 8-bit grey PNGs with label ids, not train ids, as large as the photos.
///
/// # Source
/// cityscapesScripts 2.3.0, `evaluation/evalPixelLevelSemanticLabeling.py`: ids of one channel, the frame's own size, and one file
/// `city_sequence_frame*.png` per frame.
#[derive(Debug)]
pub struct CityscapesSubmission;

impl CityscapesSubmission {
    /// The catalog that predictions must have.
    pub const CATALOG: &'static str = CATALOG;

    /// Width and height of every prediction.
    pub const SIZE: (u32, u32) = FRAME_SIZE;

    /// The frame that a file belongs to by its stem: the city, six digits, six digits; `None` for other names.
    pub fn frame(stem: &str) -> Option<&str> {
        let is_number = |part: &str| part.len() == 6 && part.bytes().all(|byte| byte.is_ascii_digit());
        let is_city = |part: &str| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
        };
        let mut parts = stem.splitn(4, '_');
        let (city, sequence, frame) = (parts.next()?, parts.next()?, parts.next()?);
        let length = city.len() + sequence.len() + frame.len() + 2;
        (is_city(city) && is_number(sequence) && is_number(frame)).then(|| &stem[..length])
    }

    /// The file for a frame, named as its photo is, with `labels` of train ids.
    ///
    /// # Errors
    /// The reasons of [`label_png::encode_source_ids`].
    pub fn file(
        frame: &str,
        labels: &LabelMap,
        catalog: &ClassCatalog,
    ) -> Result<(String, Vec<u8>), crate::DecodeError> {
        let bytes = label_png::encode_source_ids(labels, catalog, UNLABELED)?;
        Ok((format!("{frame}_leftImg8bit.png"), bytes))
    }
}

/// Writes files to a folder, or to a zip where `output` ends in `.zip`: one that appears when it is complete, of the same bytes every
/// time.
///
/// # Errors
/// [`Error::Storage`].
pub fn write_submission(output: &Path, files: &[(String, Vec<u8>)]) -> Result<(), Error> {
    if !output.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("zip")) {
        for (name, bytes) in files {
            segbench_storage::write(&output.join(name), bytes)?;
        }
        return Ok(());
    }
    // PNGs are packed already.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default());
    let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let written = files.iter().try_for_each(|(name, bytes)| {
        zip.start_file(name.as_str(), options)?;
        Ok::<(), zip::result::ZipError>(zip.write_all(bytes)?)
    });
    let bytes = written.and_then(|()| zip.finish());
    let bytes = bytes.map_err(|err| segbench_storage::Error::writing(output, std::io::Error::other(err)))?;
    Ok(segbench_storage::write(output, bytes.get_ref())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_a_city_and_two_numbers() {
        for (stem, frame) in [
            ("berlin_000000_000019", Some("berlin_000000_000019")),
            ("berlin_000000_000019_leftImg8bit", Some("berlin_000000_000019")),
            ("bad-honnef_000000_000019_gtFine_labelTrainIds", Some("bad-honnef_000000_000019")),
            ("berlin_000000_00019", None),
            ("berlin_000000", None),
            ("_000000_000019", None),
            ("Thumbs", None),
        ] {
            assert_eq!(CityscapesSubmission::frame(stem), frame, "{stem}");
        }
    }
}
