//! The pictures of the report: image, truth, prediction, error.

use std::io::Cursor;
use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::imageops::{self, FilterType as Resampling};
use image::{ImageEncoder, ImageError, RgbImage};
use segbench_types::{ClassCatalog, IGNORE, LabelMap};

use crate::Error;

/// Widest picture of the gallery, in pixels.
const WIDTH: u32 = 512;
const JPEG_QUALITY: u8 = 85;
/// How many images of a run are shown.
const EXAMPLES: usize = 4;

/// Color of wrong pixels, of right ones and of ignored ones in the error picture.
const WRONG: [u8; 3] = [213, 60, 40];
const RIGHT: [u8; 3] = [236, 236, 232];
const IGNORED: [u8; 3] = [120, 120, 124];

/// Which of `count` images are shown: evenly spread, the same in every run.
pub(crate) fn chosen(count: usize) -> impl Iterator<Item = usize> {
    let shown = count.min(EXAMPLES);
    (0..shown).map(move |index| index * count / shown)
}

/// Writes the four pictures of one image.
pub(crate) fn write(
    dir: &Path,
    id: &str,
    image: &RgbImage,
    truth: &LabelMap,
    prediction: &LabelMap,
    catalog: &ClassCatalog,
) -> Result<(), Error> {
    let colors = |map: &LabelMap| paint(map, |_, label| catalog.color(label));
    let errors = paint(truth, |index, label| match prediction.as_slice().get(index) {
        _ if label == IGNORE => IGNORED,
        Some(&predicted) if predicted == label => RIGHT,
        _ => WRONG,
    });
    let photo = smaller(image, Resampling::Triangle);
    let mut jpeg = Vec::new();
    let encoded = JpegEncoder::new_with_quality(&mut jpeg, JPEG_QUALITY).encode_image(&photo);
    save(&dir.join(format!("{id}.image.jpg")), jpeg, encoded)?;
    for (kind, picture) in [("truth", colors(truth)), ("prediction", colors(prediction)), ("error", errors)] {
        // Labels must not blend into colors that mean another class.
        let picture = smaller(&picture, Resampling::Nearest);
        let mut png = Cursor::new(Vec::new());
        let encoded = PngEncoder::new_with_quality(&mut png, CompressionType::Best, FilterType::NoFilter)
            .write_image(&picture, picture.width(), picture.height(), image::ExtendedColorType::Rgb8);
        save(&dir.join(format!("{id}.{kind}.png")), png.into_inner(), encoded)?;
    }
    Ok(())
}

fn paint(map: &LabelMap, color: impl Fn(usize, u8) -> [u8; 3]) -> RgbImage {
    let mut picture = RgbImage::new(map.width(), map.height());
    for (index, (pixel, &label)) in picture.pixels_mut().zip(map.as_slice()).enumerate() {
        pixel.0 = color(index, label);
    }
    picture
}

fn smaller(picture: &RgbImage, resampling: Resampling) -> RgbImage {
    if picture.width() <= WIDTH {
        return picture.clone();
    }
    let height = (u64::from(picture.height()) * u64::from(WIDTH) / u64::from(picture.width())).max(1) as u32;
    imageops::resize(picture, WIDTH, height, resampling)
}

fn save(path: &Path, bytes: Vec<u8>, encoded: Result<(), ImageError>) -> Result<(), Error> {
    encoded.map_err(|err| segbench_storage::Error::writing(path, std::io::Error::other(err)))?;
    Ok(segbench_storage::write(path, &bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_spread_over_the_split() {
        assert_eq!(chosen(16).collect::<Vec<_>>(), [0, 4, 8, 12]);
        assert_eq!(chosen(2).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(chosen(0).count(), 0);
    }
}
