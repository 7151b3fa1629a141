//! Conversions that change an image's geometry: a crop of a photo, and scaling down as SceneParse150 was made.
//!
//! Images go through a bicubic kernel that averages when it makes smaller, as MATLAB's `imresize` and Pillow do; labels take the nearest
//! pixel.

use image::imageops::{self, FilterType};
use image::{ImageEncoder as _, RgbImage};

use crate::label_png::{RawLabels, Samples};
use crate::photo::decode_image;
use crate::{DecodeError, label_png};

/// What is done to an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Geometry {
    /// The rows and columns from the first to before the second, then this width and height.
    Crop { rows: [u32; 2], columns: [u32; 2], width: u32, height: u32 },
    /// Smaller, to this width and height.
    Scale { width: u32, height: u32 },
}

/// The size with a shorter side of `short_side`, as the converter of ADE20K computes it; `None` if the image stays as it is.
///
/// # Source
/// CSAILVision/sceneparsing, `convertFromADE.m`: images whose shorter side is larger are scaled, squares are not.
pub(crate) fn scaled(width: u32, height: u32, short_side: u32) -> Option<Geometry> {
    let (short, long) = (width.min(height), width.max(height));
    if short <= short_side || short == long {
        return None;
    }
    let long = (f64::from(long) / f64::from(short) * f64::from(short_side)).round() as u32;
    let (width, height) = if width < height { (short_side, long) } else { (long, short_side) };
    Some(Geometry::Scale { width, height })
}

impl Geometry {
    /// Width and height of the result.
    pub(crate) fn size(self) -> (u32, u32) {
        match self {
            Self::Crop { width, height, .. } | Self::Scale { width, height } => (width, height),
        }
    }

    /// The image as a PNG.
    ///
    /// # Errors
    /// [`DecodeError`] for an image that does not decode or is smaller than its crop.
    pub(crate) fn image(self, bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
        let photo = decode_image(bytes)?;
        let (width, height) = self.size();
        let result = match self {
            Self::Scale { .. } => imageops::resize(&photo, width, height, FilterType::CatmullRom),
            Self::Crop { rows: [top, bottom], columns: [left, right], .. } => {
                if bottom > photo.height() || right > photo.width() {
                    return Err(DecodeError::Damaged(format!(
                        "it is {}x{}, but its crop ends at {right}x{bottom}: this is not the photo that was annotated",
                        photo.width(),
                        photo.height()
                    )));
                }
                let part = imageops::crop_imm(&photo, left, top, right - left, bottom - top).to_image();
                imageops::resize(&part, width, height, FilterType::CatmullRom)
            }
        };
        encode(&result)
    }
}

fn encode(image: &RgbImage) -> Result<Vec<u8>, DecodeError> {
    let mut bytes = Vec::new();
    let encoder = image::codecs::png::PngEncoder::new(&mut bytes);
    let (width, height) = image.dimensions();
    encoder
        .write_image(image.as_raw(), width, height, image::ExtendedColorType::Rgb8)
        .map_err(|err| DecodeError::Damaged(err.to_string()))?;
    Ok(bytes)
}

/// Labels at another size: the pixel whose center is nearest.
pub(crate) fn nearest(raw: &RawLabels, width: u32, height: u32) -> RawLabels {
    let pick = |to: u32, from: u32| -> Vec<usize> {
        let scale = f64::from(from) / f64::from(to.max(1));
        let last = from.saturating_sub(1);
        (0..to).map(|index| (((f64::from(index) + 0.5) * scale) as u32).min(last) as usize).collect()
    };
    let (rows, columns) = (pick(height, raw.height), pick(width, raw.width));
    let row = raw.width as usize;
    let places = rows.iter().flat_map(|y| columns.iter().map(move |x| y * row + x));
    let samples = match &raw.samples {
        Samples::Bytes(bytes) => label_png::Samples::Bytes(places.map(|at| bytes[at]).collect()),
        Samples::Words(words) => label_png::Samples::Words(places.map(|at| words[at]).collect()),
    };
    RawLabels { width, height, samples }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_larger_ones_are_scaled_and_squares_stay() {
        // A pair that the authors published: 1024x768 became 683x512.
        assert_eq!(scaled(1024, 768, 512), Some(Geometry::Scale { width: 683, height: 512 }));
        assert_eq!(scaled(768, 1024, 512), Some(Geometry::Scale { width: 512, height: 683 }));
        assert_eq!(scaled(2000, 512, 512), None);
        assert_eq!(scaled(600, 600, 512), None);
    }

    #[test]
    fn labels_take_the_pixel_under_their_center() {
        let raw = RawLabels { width: 4, height: 2, samples: Samples::Words(vec![1, 2, 3, 4, 5, 6, 7, 8]) };
        // Centers of three columns over four: 0.67, 2, 3.33; of one row over two: 1.
        let small = nearest(&raw, 3, 1);
        assert_eq!(small.samples, Samples::Words(vec![5, 7, 8]));
    }

    #[test]
    fn a_crop_beyond_the_photo_is_refused() {
        let photo = segbench_testkit::street(1);
        let crop = |bottom| Geometry::Crop { rows: [0, bottom], columns: [3, 20], width: 6, height: 8 };
        let cut = decode_image(&crop(30).image(&photo).expect("cut out")).expect("an image");
        assert_eq!(cut.dimensions(), (6, 8));
        let err = crop(38).image(&photo).expect_err("the photo has 37 rows").to_string();
        assert!(err.contains("53x37") && err.contains("20x38"), "{err}");
    }
}
