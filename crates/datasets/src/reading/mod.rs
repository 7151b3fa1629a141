//! From the bytes of a label file to one number per pixel, for every way in which data sets write their labels.

mod colors;
mod mask;
mod polygons;
mod text_matrix;

use std::collections::BTreeMap;

pub(crate) use colors::UNKNOWN_COLOR;
pub(crate) use polygons::{Drawn, draw};

use crate::cards::{Coding, Layout};
use crate::label_png::{self, Channels, RawLabels, Samples};
use crate::{DecodeError, npy};

/// What a label file holds.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) raw: RawLabels,
    /// Colors of no class, with their pixels; these pixels hold [`UNKNOWN_COLOR`].
    pub(crate) unknown_colors: BTreeMap<[u8; 3], u64>,
    /// Slices of a volume, which lie below each other; 1 for an image.
    pub(crate) depth: usize,
    /// Instance ids, where the same file says them.
    pub(crate) instances: Option<Vec<u16>>,
}

impl From<RawLabels> for Reading {
    fn from(raw: RawLabels) -> Self {
        Self { raw, unknown_colors: BTreeMap::new(), depth: 1, instances: None }
    }
}

/// Reads a label file.
///
/// # Errors
/// [`DecodeError`], if the file is not of this coding.
pub(crate) fn read(bytes: &[u8], coding: Coding, layout: &Layout) -> Result<Reading, DecodeError> {
    match coding {
        Coding::Ids => Ok(label_png::decode(bytes)?.into()),
        Coding::FirstChannel => Ok(first_channel(label_png::decode_channels(bytes)?).into()),
        Coding::Colors => colors::read(bytes, &layout.values),
        Coding::TenthsOfRed => Ok(tenths_of_red(label_png::decode_channels(bytes)?)?.into()),
        Coding::Mask => Ok(mask::read(bytes)?.into()),
        Coding::TextMatrix => Ok(text_matrix::read(bytes)?.into()),
        Coding::Volume => {
            let (raw, depth) = npy::decode_labels(bytes)?;
            Ok(Reading { depth, ..raw.into() })
        }
        Coding::Polygons => {
            let Drawn { raw, instances } = draw(bytes, layout)?;
            Ok(Reading { instances: Some(instances), ..raw.into() })
        }
    }
}

fn first_channel(png: Channels) -> RawLabels {
    let samples = match png.samples {
        Samples::Bytes(bytes) => Samples::Bytes(bytes.into_iter().step_by(png.channels).collect()),
        Samples::Words(words) => Samples::Words(words.into_iter().step_by(png.channels).collect()),
    };
    RawLabels { width: png.width, height: png.height, samples }
}

/// The code of the full ADE20K.
fn tenths_of_red(png: Channels) -> Result<RawLabels, DecodeError> {
    let (Samples::Bytes(bytes), 3..) = (png.samples, png.channels) else {
        return Err(DecodeError::Channels("RGB pixels of 8 bits"));
    };
    let code = |pixel: &[u8]| u16::from(pixel[0] / 10) * 256 + u16::from(pixel[1]);
    let words = bytes.chunks_exact(png.channels).map(code).collect();
    Ok(RawLabels { width: png.width, height: png.height, samples: Samples::Words(words) })
}
