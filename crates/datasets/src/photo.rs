//! Photos, and volumes as pictures: their pixels, and a check of a photo's file that does not decode it.

use std::path::Path;

use image::{DynamicImage, GrayImage, ImageFormat, RgbImage};
use segbench_types::Volume;

use crate::{DecodeError, Error, npy};

const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// What a look at a file's structure tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Inspection {
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Slices of a volume; 1 for an image. The height is that of all of them below each other.
    pub(crate) depth: usize,
    /// Ending of the file name.
    pub(crate) extension: &'static str,
}

/// Decodes a PNG or JPEG photo to RGB; grey becomes RGB, transparency is dropped. A volume in an npy file becomes a picture of its
/// slices below each other, from black for its smallest value to white for its largest.
///
/// # Errors
/// [`DecodeError::NotAnImage`] or [`DecodeError::Damaged`].
pub fn decode_image(bytes: &[u8]) -> Result<RgbImage, DecodeError> {
    Ok(decode(bytes)?.into_rgb8())
}

/// Decodes a PNG or JPEG photo to its brightness.
pub(crate) fn decode_grey(bytes: &[u8]) -> Result<GrayImage, DecodeError> {
    Ok(decode(bytes)?.into_luma8())
}

fn decode(bytes: &[u8]) -> Result<DynamicImage, DecodeError> {
    if npy::is_npy(bytes) {
        return Ok(DynamicImage::ImageLuma8(slices(&npy::decode_volume(bytes)?)));
    }
    let format = match image::guess_format(bytes) {
        Ok(format @ (ImageFormat::Png | ImageFormat::Jpeg)) => format,
        _ => return Err(DecodeError::NotAnImage),
    };
    image::load_from_memory_with_format(bytes, format).map_err(|err| DecodeError::Damaged(err.to_string()))
}

/// The slices of a volume below each other.
fn slices(volume: &Volume) -> GrayImage {
    let values = volume.values();
    let range = |(low, high): (f32, f32), &value: &f32| (low.min(value), high.max(value));
    let (low, high) = values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), range);
    let scale = if high > low { 255.0 / (high - low) } else { 0.0 };
    let (width, height) = npy::stacked(volume.size());
    GrayImage::from_fn(width, height, |x, y| {
        let value = values[y as usize * width as usize + x as usize];
        image::Luma([((value - low) * scale).round() as u8])
    })
}

/// The pixels of an image file.
///
/// # Errors
/// [`Error::Storage`] if it cannot be read, [`Error::Decode`] if it is no complete PNG, JPEG or npy volume.
pub fn read_image(path: &Path) -> Result<RgbImage, Error> {
    decode_image(&segbench_storage::read(path)?)
        .map_err(|source| Error::Decode { file: path.display().to_string(), source })
}

/// Size and format, after a check that the file is complete.
///
/// A PNG is checked by the checksums of its chunks up to the last one, which costs a hundredth of decoding it. A JPEG has no
/// checksums and is decoded.
pub(crate) fn inspect(bytes: &[u8]) -> Result<Inspection, DecodeError> {
    if bytes.starts_with(PNG_SIGNATURE) {
        return inspect_png(bytes);
    }
    if npy::is_npy(bytes) {
        let size = npy::decode_volume(bytes)?.size();
        let (width, height) = npy::stacked(size);
        return Ok(Inspection { width, height, depth: size[0], extension: "npy" });
    }
    let image = decode_image(bytes)?;
    Ok(Inspection { width: image.width(), height: image.height(), depth: 1, extension: "jpg" })
}

fn inspect_png(bytes: &[u8]) -> Result<Inspection, DecodeError> {
    let damaged = |reason: &str| DecodeError::Damaged(reason.to_owned());
    let mut rest = bytes.get(PNG_SIGNATURE.len()..).unwrap_or_default();
    let mut size = None;
    let mut has_data = false;
    loop {
        let (length, after) = take_u32(rest).ok_or_else(|| damaged("it ends before its last chunk"))?;
        // The checksum covers the chunk's name and data, not its length.
        let covered_len = length as usize + 4;
        let covered = after.get(..covered_len).ok_or_else(|| damaged("it ends within a chunk"))?;
        let (checksum, next) =
            take_u32(&after[covered_len..]).ok_or_else(|| damaged("it ends within a chunk"))?;
        if crc32fast::hash(covered) != checksum {
            return Err(damaged("a chunk has the wrong checksum"));
        }
        let (name, data) = covered.split_at(4);
        match name {
            b"IHDR" => size = take_u32(data).and_then(|(width, data)| Some((width, take_u32(data)?.0))),
            b"IDAT" => has_data = true,
            b"IEND" => break,
            _ => {}
        }
        rest = next;
    }
    match size {
        Some((width, height)) if has_data && width > 0 && height > 0 => {
            Ok(Inspection { width, height, depth: 1, extension: "png" })
        }
        _ => Err(damaged("it holds no image")),
    }
}

fn take_u32(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (first, rest) = bytes.split_first_chunk()?;
    Some((u32::from_be_bytes(*first), rest))
}
