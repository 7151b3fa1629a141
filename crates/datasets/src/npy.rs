//! Arrays as NumPy writes them: volumes and their labels.
//!
//! # Source
//! The format's own description, versions 1 to 3: <https://numpy.org/doc/2.3/reference/generated/numpy.lib.format.html>.

use std::path::Path;

use segbench_types::{LabelMap, Volume};

use crate::label_png::{MAX_PIXELS, RawLabels, Samples};
use crate::npy_header::{MAGIC, NpyHeader};
use crate::{DecodeError, Error};

/// Lengths of headers are multiples of this, so that the numbers begin aligned.
const ALIGNMENT: usize = 64;

/// Whether the file says that it is an array.
pub(crate) fn is_npy(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// How a number is written; little endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Element {
    I8,
    U8,
    I16,
    U16,
    I32,
    F32,
    F64,
}

impl Element {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "|i1" | "<i1" => Self::I8,
            "|u1" | "<u1" | "|b1" => Self::U8,
            "<i2" => Self::I16,
            "<u2" => Self::U16,
            "<i4" => Self::I32,
            "<f4" => Self::F32,
            "<f8" => Self::F64,
            _ => return None,
        })
    }

    fn bytes(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// The number at the beginning of these bytes, which are as many as it has.
    fn read(self, bytes: &[u8]) -> f64 {
        match (self, bytes) {
            (Self::I8, &[a]) => f64::from(i8::from_le_bytes([a])),
            (Self::U8, &[a]) => f64::from(a),
            (Self::I16, &[a, b]) => f64::from(i16::from_le_bytes([a, b])),
            (Self::U16, &[a, b]) => f64::from(u16::from_le_bytes([a, b])),
            (Self::I32, &[a, b, c, d]) => f64::from(i32::from_le_bytes([a, b, c, d])),
            (Self::F32, &[a, b, c, d]) => f64::from(f32::from_le_bytes([a, b, c, d])),
            (Self::F64, &[a, b, c, d, e, f, g, h]) => f64::from_le_bytes([a, b, c, d, e, f, g, h]),
            _ => f64::NAN,
        }
    }
}

/// The intensities of a volume.
///
/// # Errors
/// [`DecodeError::NotAVolume`] unless the file is an array of three dimensions and finite numbers; [`DecodeError::Damaged`] for a file
/// that ends early.
pub(crate) fn decode_volume(bytes: &[u8]) -> Result<Volume, DecodeError> {
    let (size, numbers) = decode(bytes)?;
    let values: Vec<f32> = numbers.into_iter().map(|number| number as f32).collect();
    if values.iter().any(|value| !value.is_finite()) {
        return Err(DecodeError::NotAVolume("it holds numbers that are not finite".into()));
    }
    Volume::new(size, values).map_err(|_| DecodeError::Damaged("its size is wrong".into()))
}

/// The labels of a volume and its depth: the slices below each other.
///
/// # Errors
/// As [`decode_volume`], and for numbers that are no label.
pub(crate) fn decode_labels(bytes: &[u8]) -> Result<(RawLabels, usize), DecodeError> {
    let (size, numbers) = decode(bytes)?;
    let label = |number: f64| {
        let label = number as u16;
        let is_label = f64::from(label) == number;
        is_label.then_some(label).ok_or_else(|| DecodeError::NotAVolume(format!("{number} is no label")))
    };
    let words = numbers.into_iter().map(label).collect::<Result<_, _>>()?;
    let (width, height) = stacked(size);
    Ok((RawLabels { width, height, samples: Samples::Words(words) }, size[0]))
}

/// Depth, height and width of the volume whose file begins with these bytes.
pub(crate) fn size(bytes: &[u8]) -> Result<[usize; 3], DecodeError> {
    Ok(header(bytes)?.size)
}

/// Width and height of the slices below each other.
pub(crate) fn stacked([depth, height, width]: [usize; 3]) -> (u32, u32) {
    // The header is refused if there are too many voxels for this.
    (width as u32, (depth * height) as u32)
}

/// The volume in an npy file.
///
/// # Errors
/// [`Error::Storage`] if it cannot be read, [`Error::Decode`] if it holds no volume.
pub fn read_volume(path: &Path) -> Result<Volume, Error> {
    decode_volume(&segbench_storage::read(path)?)
        .map_err(|source| Error::Decode { file: path.display().to_string(), source })
}

/// Writes the labels of a volume of `depth` slices as an npy file of bytes, (depth, height, width).
///
/// # Errors
/// [`Error::Storage`] if it cannot be written.
pub fn write_label_volume(path: &Path, labels: &LabelMap, depth: usize) -> Result<(), Error> {
    let size = [depth, labels.height() as usize / depth.max(1), labels.width() as usize];
    Ok(segbench_storage::write(path, &encode("|u1", size, labels.as_slice()))?)
}

/// An array of intensities as a file.
pub(crate) fn encode_volume(volume: &Volume) -> Vec<u8> {
    let bytes: Vec<u8> = volume.values().iter().flat_map(|value| value.to_le_bytes()).collect();
    encode("<f4", volume.size(), &bytes)
}

pub(crate) fn encode(element: &str, [depth, height, width]: [usize; 3], numbers: &[u8]) -> Vec<u8> {
    let text =
        format!("{{'descr': '{element}', 'fortran_order': False, 'shape': ({depth}, {height}, {width}), }}");
    let unpadded = MAGIC.len() + 4 + text.len() + 1;
    let length = text.len() + 1 + unpadded.next_multiple_of(ALIGNMENT) - unpadded;
    let mut file = [MAGIC, &[1, 0], &(length as u16).to_le_bytes(), text.as_bytes()].concat();
    file.resize(MAGIC.len() + 4 + length - 1, b' ');
    file.push(b'\n');
    file.extend_from_slice(numbers);
    file
}

/// Size and numbers, slice after slice and row after row.
fn decode(bytes: &[u8]) -> Result<([usize; 3], Vec<f64>), DecodeError> {
    let header = header(bytes)?;
    let [depth, height, width] = header.size;
    let wide = header.element.bytes();
    let numbers = &bytes[header.start..];
    let expected = depth * height * width * wide;
    if numbers.len() != expected {
        let reason = format!("it holds {} bytes of numbers instead of {expected}", numbers.len());
        return Err(DecodeError::Damaged(reason));
    }
    let number = |index: usize| header.element.read(&numbers[index * wide..(index + 1) * wide]);
    let count = depth * height * width;
    let values = if header.is_fortran {
        let place = |index: usize| {
            let (slice, row, column) = (index / (height * width), index / width % height, index % width);
            slice + depth * (row + height * column)
        };
        (0..count).map(|index| number(place(index))).collect()
    } else {
        (0..count).map(number).collect()
    };
    Ok((header.size, values))
}

/// What stands in front of the numbers of a volume.
struct VolumeHeader {
    element: Element,
    /// Whether the first index changes fastest.
    is_fortran: bool,
    /// Depth, height and width.
    size: [usize; 3],
    /// Where the numbers begin.
    start: usize,
}

fn header(bytes: &[u8]) -> Result<VolumeHeader, DecodeError> {
    let wrong = |reason: String| DecodeError::NotAVolume(reason);
    let mut rest = bytes;
    let header = NpyHeader::read(&mut rest).map_err(|reason| match is_npy(bytes) {
        true => DecodeError::Damaged(reason),
        false => wrong(reason),
    })?;
    let element = Element::of(&header.kind).ok_or_else(|| {
        wrong(format!("its numbers are `{}`, expected integers or floats in little endian", header.kind))
    })?;
    // As NumPy shows it.
    let shape = format!("({})", header.shape.iter().map(u64::to_string).collect::<Vec<_>>().join(", "));
    let sides: Option<Vec<usize>> = header.shape.iter().map(|&side| side.try_into().ok()).collect();
    let size: [usize; 3] = sides
        .and_then(|sides| sides.try_into().ok())
        .ok_or_else(|| wrong(format!("it has the shape {shape}, expected depth, height and width")))?;
    let voxels = size.iter().try_fold(1_u64, |product, &side| product.checked_mul(side as u64));
    if voxels.is_none_or(|voxels| voxels == 0 || voxels > MAX_PIXELS) {
        return Err(wrong(format!("it has the shape {shape}, expected 1 to {MAX_PIXELS} voxels")));
    }
    Ok(VolumeHeader { element, is_fortran: header.is_fortran, size, start: bytes.len() - rest.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `numpy.save` of NumPy 1.26.4 writes for `numpy.array(.., dtype)` of shape (2, 1, 3).
    fn saved(descr: &str, order: &str, numbers: &[u8]) -> Vec<u8> {
        let text = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': (2, 1, 3), }}");
        let mut file = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
        file.extend(format!("{text:<117}\n").bytes());
        file.extend(numbers);
        file
    }

    #[test]
    fn numpys_integers_and_floats_are_read_in_both_orders() {
        let volume = decode_volume(&saved("<i2", "False", &[0, 0, 1, 0, 255, 255, 0, 1, 4, 0, 5, 0]))
            .expect("a volume");
        assert_eq!((volume.size(), volume.values()), ([2, 1, 3], &[0.0, 1.0, -1.0, 256.0, 4.0, 5.0][..]));
        // Down the columns first: 0 and 1 are the two slices' first voxels.
        let volume = decode_volume(&saved("|u1", "True", &[0, 1, 2, 3, 4, 5])).expect("a volume");
        assert_eq!(volume.values(), [0.0, 2.0, 4.0, 1.0, 3.0, 5.0]);
        let floats: Vec<u8> =
            [0.5_f32, 1.0, -2.0, 3.0, 4.0, 1e9].iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(
            decode_volume(&saved("<f4", "False", &floats)).expect("a volume").values()[2..],
            [-2.0, 3.0, 4.0, 1e9]
        );
    }

    #[test]
    fn labels_are_whole_numbers_and_lie_slice_below_slice() {
        let (labels, depth) = decode_labels(&saved("|u1", "False", &[0, 1, 2, 3, 4, 255])).expect("labels");
        assert_eq!((labels.width, labels.height, depth), (3, 2, 2));
        assert_eq!(labels.samples, Samples::Words(vec![0, 1, 2, 3, 4, 255]));
        let half: Vec<u8> = [0.5_f32; 6].iter().flat_map(|value| value.to_le_bytes()).collect();
        assert!(decode_labels(&saved("<f4", "False", &half)).is_err());
        assert!(decode_labels(&saved("|i1", "False", &[0, 0, 0, 0, 0, 255])).is_err());
    }

    #[test]
    fn what_is_written_is_what_numpy_writes_and_what_is_read() {
        assert_eq!(encode("|u1", [2, 1, 3], &[0, 1, 2, 3, 4, 5]), saved("|u1", "False", &[0, 1, 2, 3, 4, 5]));
        let volume = Volume::new([2, 1, 3], vec![0.5, 1.0, -2.0, 3.0, 4.0, 1e9]).expect("a volume");
        assert_eq!(decode_volume(&encode_volume(&volume)).expect("a volume"), volume);
    }

    #[test]
    fn other_files_and_damaged_ones_are_refused() {
        let whole = saved("|u1", "False", &[0; 6]);
        for end in [0, 3, 7, 9, 60, whole.len() - 1] {
            assert!(decode_volume(&whole[..end]).is_err(), "{end}");
        }
        for (descr, part) in [(">i2", "`>i2`"), ("<U4", "`<U4`")] {
            let refused = decode_volume(&saved(descr, "False", &[0; 12])).expect_err(descr).to_string();
            assert!(refused.contains(part), "{refused}");
        }
        let not_finite: Vec<u8> = [f32::NAN; 6].iter().flat_map(|value| value.to_le_bytes()).collect();
        assert!(decode_volume(&saved("<f4", "False", &not_finite)).is_err());
    }
}
