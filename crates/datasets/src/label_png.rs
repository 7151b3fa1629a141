//! Label maps in PNG files: any single-channel PNG in, the common label format out.
//!
//! Labels are numbers, not colors, so they are decoded without any transformation: a palette is not applied, a 1-bit file keeps
//! its 0 and 1, a 16-bit file its 16 bits. The common label format is an 8-bit palette PNG whose index is the train id (255 = ignore)
//! and whose palette holds the class colors, so that an image viewer shows the classes.

use std::io::Cursor;
use std::path::Path;

use image::RgbImage;
use png::{
    BitDepth, ColorType, Compression, Decoder, DecodingError, Encoder, Filter, Limits, Transformations,
};
use segbench_types::{ClassCatalog, IGNORE, LabelMap};
use serde::{Deserialize, Serialize};

use crate::{DecodeError, Error};

/// Far beyond any data set; a header that claims more is damaged.
pub(crate) const MAX_PIXELS: u64 = 1 << 28;

/// The samples of a label file as they are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawLabels {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// One sample per pixel, row after row.
    pub samples: Samples,
}

/// Samples of at most 8, or of 16 bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Samples {
    /// From files of 1, 2, 4 or 8 bits per sample.
    Bytes(Vec<u8>),
    /// From files of 16 bits per sample.
    Words(Vec<u16>),
}

/// The samples of a PNG with any number of channels.
#[derive(Debug)]
pub(crate) struct Channels {
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Samples per pixel.
    pub(crate) channels: usize,
    /// Pixel by pixel.
    pub(crate) samples: Samples,
}

pub(crate) fn is_png(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x89PNG\r\n\x1a\n")
}

/// Decodes a grey or palette PNG to the numbers stored in it.
///
/// # Errors
/// [`DecodeError::NotAnImage`], [`DecodeError::Damaged`], or [`DecodeError::SeveralChannels`] for RGB files.
pub fn decode(bytes: &[u8]) -> Result<RawLabels, DecodeError> {
    let Channels { width, height, samples, .. } = decode_as(bytes, |color| match color {
        ColorType::Grayscale | ColorType::Indexed => Ok(()),
        ColorType::GrayscaleAlpha => Err(DecodeError::SeveralChannels("grey and alpha")),
        ColorType::Rgb => Err(DecodeError::SeveralChannels("RGB")),
        ColorType::Rgba => Err(DecodeError::SeveralChannels("RGBA")),
    })?;
    Ok(RawLabels { width, height, samples })
}

/// Decodes a PNG of any kind to the numbers stored in it.
pub(crate) fn decode_channels(bytes: &[u8]) -> Result<Channels, DecodeError> {
    decode_as(bytes, |_| Ok(()))
}

/// Decodes a PNG whose colors mean something.
pub(crate) fn decode_colors(bytes: &[u8]) -> Result<RgbImage, DecodeError> {
    let png = decode_as(bytes, |color| match color {
        ColorType::Rgb | ColorType::Rgba | ColorType::Indexed => Ok(()),
        ColorType::Grayscale | ColorType::GrayscaleAlpha => {
            Err(DecodeError::Channels("the colors of the classes"))
        }
    })?;
    if matches!(png.samples, Samples::Words(_)) {
        return Err(DecodeError::Channels("colors of 8 bits"));
    }
    crate::photo::decode_image(bytes)
}

fn decode_as(
    bytes: &[u8],
    check: impl FnOnce(ColorType) -> Result<(), DecodeError>,
) -> Result<Channels, DecodeError> {
    if !is_png(bytes) {
        return Err(DecodeError::NotAnImage);
    }
    let damaged = |err: DecodingError| DecodeError::Damaged(err.to_string());
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), Limits { bytes: 1 << 26 });
    decoder.set_transformations(Transformations::IDENTITY);
    let mut reader = decoder.read_info().map_err(damaged)?;
    let info = reader.info();
    let (width, height, depth) = (info.width, info.height, info.bit_depth);
    let channels = info.color_type.samples();
    check(info.color_type)?;
    let size = reader.output_buffer_size().filter(|_| u64::from(width) * u64::from(height) <= MAX_PIXELS);
    let Some(size) = size else {
        return Err(DecodeError::Damaged(format!("its header claims {width}x{height} pixels")));
    };
    let mut data = vec![0; size];
    reader.next_frame(&mut data).map_err(damaged)?;
    reader.finish().map_err(damaged)?;
    let samples = match depth {
        BitDepth::Eight => Samples::Bytes(data),
        BitDepth::Sixteen => {
            let (words, _) = data.as_chunks::<2>();
            Samples::Words(words.iter().map(|word| u16::from_be_bytes(*word)).collect())
        }
        // Fewer bits have one channel.
        BitDepth::One => Samples::Bytes(unpack(&data, width, 1)),
        BitDepth::Two => Samples::Bytes(unpack(&data, width, 2)),
        BitDepth::Four => Samples::Bytes(unpack(&data, width, 4)),
    };
    Ok(Channels { width, height, channels, samples })
}

/// Encodes a label map in the common label format.
pub fn encode(labels: &LabelMap, catalog: &ClassCatalog) -> Vec<u8> {
    let palette: Vec<u8> = (0..=255).flat_map(|label| catalog.color(label)).collect();
    let mut bytes = Vec::with_capacity(1 << 16);
    let write = || -> Result<(), png::EncodingError> {
        let mut encoder = Encoder::new(&mut bytes, labels.width(), labels.height());
        encoder.set_color(ColorType::Indexed);
        encoder.set_depth(BitDepth::Eight);
        encoder.set_palette(palette);
        // Filter `Up` turns the areas of a label map into zeros. Without it this compression leaves files of a megabyte.
        encoder.set_compression(Compression::Fastest);
        encoder.set_filter(Filter::Up);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(labels.as_slice())?;
        writer.finish()
    };
    // A vector takes every byte and a `LabelMap` has a valid size, unless it is empty, which no image is.
    let written = write();
    debug_assert!(written.is_ok(), "{written:?}");
    bytes
}

/// What prepared label maps are written as.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LabelForm {
    /// The common label format: viewers show the class colors.
    #[default]
    Palette,
    /// The same numbers in grey, for programs that apply a palette as they read, as OpenCV does.
    Grey,
}

/// Encodes a label map as an 8-bit grey PNG of train ids.
pub fn encode_train_ids(labels: &LabelMap) -> Vec<u8> {
    encode_grey(labels.width(), labels.height(), BitDepth::Eight, labels.as_slice())
}

/// Encodes a label map for a test server or another program: an 8-bit grey PNG of the data set's own ids, without a palette. Pixels
/// without a class get `ignored`.
///
/// # Errors
/// [`DecodeError::NoTrainId`] for a label that is no class, [`DecodeError::LargeLabel`] for an id that does not fit.
pub fn encode_source_ids(
    labels: &LabelMap,
    catalog: &ClassCatalog,
    ignored: u8,
) -> Result<Vec<u8>, DecodeError> {
    let id = |label: u8| match catalog.classes.get(usize::from(label)) {
        _ if label == IGNORE => Ok(ignored),
        Some(class) => u8::try_from(class.source_id).map_err(|_| DecodeError::LargeLabel(class.source_id)),
        None => Err(DecodeError::NoTrainId { label, classes: catalog.len() }),
    };
    let ids: Vec<u8> = labels.as_slice().iter().map(|label| id(*label)).collect::<Result<_, _>>()?;
    Ok(encode_grey(labels.width(), labels.height(), BitDepth::Eight, &ids))
}

/// Encodes 16-bit numbers, row after row, as a grey PNG.
pub(crate) fn encode_words(width: u32, height: u32, words: &[u16]) -> Vec<u8> {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
    encode_grey(width, height, BitDepth::Sixteen, &bytes)
}

fn encode_grey(width: u32, height: u32, depth: BitDepth, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, width, height);
    encoder.set_color(ColorType::Grayscale);
    encoder.set_depth(depth);
    encoder.set_compression(Compression::Fastest);
    encoder.set_filter(Filter::Up);
    let written = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(data)?;
        writer.finish()
    });
    // As in `encode`, nothing can fail.
    debug_assert!(written.is_ok(), "{written:?}");
    bytes
}

/// Reads a label map that holds train ids, in any single-channel PNG.
///
/// # Errors
/// [`Error::Storage`], or [`Error::Decode`] with the reasons of [`decode`] and for a 16-bit label above 255.
pub fn read(path: &Path) -> Result<LabelMap, Error> {
    let bytes = segbench_storage::read(path)?;
    let wrap = |source| Error::Decode { file: path.display().to_string(), source };
    let raw = decode(&bytes).map_err(wrap)?;
    let samples = match raw.samples {
        Samples::Bytes(bytes) => bytes,
        Samples::Words(words) => words
            .into_iter()
            .map(|word| u8::try_from(word).map_err(|_| wrap(DecodeError::LargeLabel(word))))
            .collect::<Result<_, _>>()?,
    };
    LabelMap::new(raw.width, raw.height, samples).map_err(|err| wrap(DecodeError::Damaged(err.to_string())))
}

/// Writes a label map in the common label format.
///
/// # Errors
/// [`Error::Storage`].
pub fn write(path: &Path, labels: &LabelMap, catalog: &ClassCatalog) -> Result<(), Error> {
    Ok(segbench_storage::write(path, &encode(labels, catalog))?)
}

/// Rows start at a byte; the first pixel is in the highest bits.
fn unpack(packed: &[u8], width: u32, bits: u32) -> Vec<u8> {
    let width = width as usize;
    let per_byte = (8 / bits) as usize;
    let mask = ((1_u16 << bits) - 1) as u8;
    let mut samples = Vec::with_capacity(packed.len() * per_byte);
    for row in packed.chunks_exact(width.div_ceil(per_byte)) {
        let unpacked = row.iter().flat_map(|byte| {
            (1..=per_byte as u32).map(move |position| (byte >> (8 - position * bits)) & mask)
        });
        samples.extend(unpacked.take(width));
    }
    samples
}
