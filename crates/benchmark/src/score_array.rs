//! Scores per class and pixel in NumPy's `.npy` files: logits or probabilities, whose best class is the prediction.
//!
//! A file is read in pieces, so that memory holds a few numbers per pixel and never all classes of all pixels.
//!
//! # Source
//! <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use half::f16;
use segbench_datasets::NpyHeader;
use segbench_storage::Error as StorageError;
use segbench_types::LabelMap;

use crate::Error;

/// Numbers read at a time.
const PIECE: usize = 1 << 18;
/// Far beyond any image.
const MOST_PIXELS: u64 = 1 << 28;
/// Scores of a pixel that are no less than 0 and add up to 1 within this are probabilities; half precision keeps within it.
const PROBABILITY_TOLERANCE: f32 = 0.01;

/// Which dimension of an array counts the classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArrayLayout {
    /// (C, H, W).
    ClassesFirst,
    /// (H, W, C).
    ClassesLast,
}

/// What the scores say.
#[derive(Debug)]
pub(crate) struct Classified {
    /// The class of the highest score, the first one of equal ones, as `numpy.argmax`.
    pub(crate) labels: LabelMap,
    /// Its probability, row after row.
    pub(crate) confidences: Vec<f32>,
}

/// Reads an array of `classes` scores per pixel. Without a `layout` the dimension with as many entries as there are classes counts them.
///
/// # Shapes
/// (C, H, W) or (H, W, C), f16 or f32, also with dimensions of 1 in front.
///
/// # Errors
/// [`Error::BadArray`] for files that hold something else, [`Error::BadScore`] for a number that is no score.
pub(crate) fn read(path: &Path, classes: usize, layout: Option<ArrayLayout>) -> Result<Classified, Error> {
    let mut array = Array::open(path, classes, layout)?;
    let pixels = array.width as usize * array.height as usize;
    let mut best = vec![f32::NEG_INFINITY; pixels];
    let mut labels = vec![0_u8; pixels];
    let mut sums = vec![0_f32; pixels];
    let mut bad = None;
    let mut has_negative = false;
    array.each(|pixel, class, score| {
        if score > best[pixel] {
            best[pixel] = score;
            labels[pixel] = class as u8;
        } else if score.is_nan() {
            bad.get_or_insert((pixel, class, score));
        }
        has_negative |= score < 0.0;
        sums[pixel] += score;
    })?;
    // A pixel may exclude classes by minus infinity, but not all of them.
    let bad = bad.or_else(|| {
        let pixel = best.iter().position(|score| score.is_infinite())?;
        Some((pixel, usize::from(labels[pixel]), best[pixel]))
    });
    if let Some((pixel, class, value)) = bad {
        let width = array.width as usize;
        let (x, y) = (pixel % width, pixel / width);
        return Err(Error::BadScore { path: path.into(), class, x, y, value });
    }
    let are_probabilities =
        !has_negative && sums.iter().all(|sum| (sum - 1.0).abs() <= PROBABILITY_TOLERANCE);
    let confidences = if are_probabilities {
        best
    } else {
        // Softmax at the highest score.
        sums.fill(0.0);
        array.each(|pixel, _, score| sums[pixel] += (score - best[pixel]).exp())?;
        sums.iter_mut().for_each(|sum| *sum = sum.recip());
        sums
    };
    let labels = LabelMap::new(array.width, array.height, labels)
        .map_err(|err| Error::BadResults { reason: err.to_string() })?;
    Ok(Classified { labels, confidences })
}

#[derive(Debug, Clone, Copy)]
enum Number {
    F16,
    F32,
}

impl Number {
    fn bytes(self) -> usize {
        match self {
            Self::F16 => 2,
            Self::F32 => 4,
        }
    }
}

/// An open file whose header was understood.
struct Array<'a> {
    path: &'a Path,
    file: BufReader<File>,
    /// Where the numbers begin.
    start: u64,
    number: Number,
    layout: ArrayLayout,
    classes: usize,
    width: u32,
    height: u32,
}

impl<'a> Array<'a> {
    fn open(path: &'a Path, classes: usize, layout: Option<ArrayLayout>) -> Result<Self, Error> {
        let bad = |reason: String| Error::BadArray { path: path.into(), reason };
        let reading = |source| StorageError::reading(path, source);
        let mut file = BufReader::new(File::open(path).map_err(reading)?);
        let header = NpyHeader::read(&mut file).map_err(&bad)?;
        let number = match header.kind.as_str() {
            "<f2" => Number::F16,
            "<f4" => Number::F32,
            kind => {
                return Err(bad(format!("its numbers are of the type `{kind}`, expected `<f2` or `<f4`")));
            }
        };
        if header.is_fortran {
            return Err(bad("it is stored column by column, expected row by row".into()));
        }
        let shown = format!("{:?}", header.shape);
        let expected =
            || bad(format!("its shape is {shown}, expected {classes} classes first or last of three sizes"));
        let [batch @ .., a, b, c] = header.shape.as_slice() else { return Err(expected()) };
        if batch.iter().any(|size| *size != 1) {
            return Err(bad(format!("its shape is {shown}, expected one image per file")));
        }
        let (is_first, is_last) = (*a == classes as u64, *c == classes as u64);
        let layout = match (layout, is_first, is_last) {
            (None, true, true) => {
                return Err(bad(format!("its shape is {shown}, so that classes may come first or last")));
            }
            (Some(ArrayLayout::ClassesFirst) | None, true, _) => ArrayLayout::ClassesFirst,
            (Some(ArrayLayout::ClassesLast) | None, _, true) => ArrayLayout::ClassesLast,
            _ => return Err(expected()),
        };
        let (height, width) = match layout {
            ArrayLayout::ClassesFirst => (*b, *c),
            ArrayLayout::ClassesLast => (*a, *b),
        };
        let pixels = height.checked_mul(width).filter(|pixels| (1..=MOST_PIXELS).contains(pixels));
        let (Some(pixels), Ok(height), Ok(width)) = (pixels, u32::try_from(height), u32::try_from(width))
        else {
            return Err(expected());
        };
        let start = file.stream_position().map_err(reading)?;
        let got = file.get_ref().metadata().map_err(reading)?.len().saturating_sub(start);
        let needed = pixels * classes as u64 * number.bytes() as u64;
        if got != needed {
            return Err(bad(format!("it has {got} bytes of numbers, its shape {shown} needs {needed}")));
        }
        Ok(Self { path, file, start, number, layout, classes, width, height })
    }

    /// Visits pixel, class and score of every number, classes of a pixel in ascending order.
    fn each(&mut self, mut visit: impl FnMut(usize, usize, f32)) -> Result<(), Error> {
        let reading = |source| StorageError::reading(self.path, source);
        self.file.seek(SeekFrom::Start(self.start)).map_err(reading)?;
        let pixels = self.width as usize * self.height as usize;
        let mut buffer = Vec::new();
        let mut values = Vec::new();
        let mut next = |count: usize, values: &mut Vec<f32>| {
            buffer.resize(count * self.number.bytes(), 0);
            self.file.read_exact(&mut buffer).map_err(reading)?;
            values.clear();
            match self.number {
                Number::F16 => {
                    let (words, _) = buffer.as_chunks::<2>();
                    values.extend(words.iter().map(|word| f16::from_le_bytes(*word).to_f32()));
                }
                Number::F32 => {
                    let (words, _) = buffer.as_chunks::<4>();
                    values.extend(words.iter().map(|word| f32::from_le_bytes(*word)));
                }
            }
            Ok::<(), Error>(())
        };
        match self.layout {
            ArrayLayout::ClassesFirst => {
                for class in 0..self.classes {
                    for first in (0..pixels).step_by(PIECE) {
                        next(PIECE.min(pixels - first), &mut values)?;
                        (first..).zip(&values).for_each(|(pixel, score)| visit(pixel, class, *score));
                    }
                }
            }
            ArrayLayout::ClassesLast => {
                let piece = (PIECE / self.classes).max(1);
                for first in (0..pixels).step_by(piece) {
                    next(piece.min(pixels - first) * self.classes, &mut values)?;
                    for (pixel, scores) in (first..).zip(values.chunks_exact(self.classes)) {
                        (0..).zip(scores).for_each(|(class, score)| visit(pixel, class, *score));
                    }
                }
            }
        }
        Ok(())
    }
}
