//! Small PNG files of every kind that label maps and photos come in.

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, GrayImage, RgbImage};
use png::{BitDepth, ColorType, Encoder};

/// Width of the pictures in the miniature data sets.
pub const WIDTH: u32 = 53;
/// Height of the pictures in the miniature data sets.
pub const HEIGHT: u32 = 37;

/// An 8-bit grey PNG.
pub fn grey8(width: u32, height: u32, samples: &[u8]) -> Vec<u8> {
    encode(width, height, ColorType::Grayscale, BitDepth::Eight, None, samples)
}

/// A 16-bit grey PNG.
pub fn grey16(width: u32, height: u32, samples: &[u16]) -> Vec<u8> {
    encode(width, height, ColorType::Grayscale, BitDepth::Sixteen, None, &big_endian(samples))
}

/// An 8-bit palette PNG whose palette has nothing to do with its indices.
pub fn palette8(width: u32, height: u32, indices: &[u8]) -> Vec<u8> {
    encode(width, height, ColorType::Indexed, BitDepth::Eight, Some(&colors()), indices)
}

/// A palette PNG of 1, 2 or 4 bits from bytes that are packed already.
pub fn packed(width: u32, height: u32, bits: u8, bytes: &[u8]) -> Vec<u8> {
    let depth = BitDepth::from_u8(bits).expect("1, 2 or 4 bits");
    let palette = colors()[..3 << bits].to_vec();
    encode(width, height, ColorType::Indexed, depth, Some(&palette), bytes)
}

/// An 8-bit RGB PNG.
pub fn rgb8(width: u32, height: u32, samples: &[u8]) -> Vec<u8> {
    encode(width, height, ColorType::Rgb, BitDepth::Eight, None, samples)
}

/// A 16-bit RGB PNG.
pub fn rgb16(width: u32, height: u32, samples: &[u16]) -> Vec<u8> {
    encode(width, height, ColorType::Rgb, BitDepth::Sixteen, None, &big_endian(samples))
}

/// A 16-bit PNG of grey and alpha.
pub fn grey_alpha16(width: u32, height: u32, samples: &[u16]) -> Vec<u8> {
    encode(width, height, ColorType::GrayscaleAlpha, BitDepth::Sixteen, None, &big_endian(samples))
}

fn big_endian(samples: &[u16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_be_bytes()).collect()
}

/// A JPEG of any size that differs for every `seed`.
pub fn jpeg_street(width: u32, height: u32, seed: u8) -> Vec<u8> {
    let pixel = |x: u32, y: u32| image::Rgb([(x * 5) as u8, (y * 3) as u8, seed.wrapping_mul(31)]);
    jpeg(RgbImage::from_fn(width, height, pixel).into())
}

/// A JPEG of one channel, which no data set promises and some have.
pub fn jpeg_grey(width: u32, height: u32, values: &[u8]) -> Vec<u8> {
    jpeg(GrayImage::from_raw(width, height, values.to_vec()).expect("as many values as pixels").into())
}

fn jpeg(image: DynamicImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut bytes, 95);
    image.write_with_encoder(encoder).expect("a vector takes every byte");
    bytes
}

/// An 8-bit RGBA PNG.
pub fn rgba8(width: u32, height: u32, samples: &[u8]) -> Vec<u8> {
    encode(width, height, ColorType::Rgba, BitDepth::Eight, None, samples)
}

/// A photo of [`WIDTH`] x [`HEIGHT`] that differs for every `seed`.
pub fn street(seed: u8) -> Vec<u8> {
    let samples: Vec<u8> = (0..HEIGHT)
        .flat_map(|y| {
            (0..WIDTH)
                .flat_map(move |x| [(x * 5) as u8, (y * 7) as u8, seed.wrapping_mul(31) ^ (x ^ y) as u8])
        })
        .collect();
    rgb8(WIDTH, HEIGHT, &samples)
}

fn colors() -> Vec<u8> {
    (0..=255_u8).flat_map(|index| [index.wrapping_mul(37), 255 - index, index ^ 0x5a]).collect()
}

fn encode(
    width: u32,
    height: u32,
    color: ColorType,
    depth: BitDepth,
    palette: Option<&[u8]>,
    data: &[u8],
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, width, height);
    encoder.set_color(color);
    encoder.set_depth(depth);
    if let Some(palette) = palette {
        encoder.set_palette(palette.to_vec());
    }
    let mut writer = encoder.write_header().expect("a valid header");
    writer.write_image_data(data).expect("as many samples as the size asks for");
    writer.finish().expect("a vector takes every byte");
    bytes
}
