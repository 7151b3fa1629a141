//! Resizing 8-bit images and label maps exactly as OpenCV does.
//!
//! A published score depends on the resize kernel of the toolkit that measured it, so a kernel goes by the name of the
//! implementation it reproduces bit for bit. [`Kernel::Cv2Linear`] is `cv2.resize(..., interpolation=cv2.INTER_LINEAR)` on 8-bit
//! data: coefficients of 11 fractional bits, rows kept in 32-bit integers, a vertical pass that drops four bits before it
//! multiplies, and the mean of 2x2 pixels when both sides are exactly halved. No anti-aliasing.
//!
//! # Source
//! OpenCV 4.11, `modules/imgproc/src/resize.cpp` (`HResizeLinear`, `VResizeLinear` for `uchar`, `resizeNN`).

use image::RgbImage;
use rayon::prelude::*;
use segbench_types::{LabelMap, nearest};

use crate::Error;

/// Bits of OpenCV's fixed-point coefficients.
const COEFFICIENT_BITS: u32 = 11;
const ONE: i32 = 1 << COEFFICIENT_BITS;
/// Output rows that one thread resizes before it takes the next ones.
const BAND: usize = 32;

/// A way to resize an image, under the name of the implementation it reproduces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kernel {
    /// OpenCV's `INTER_LINEAR` on 8-bit images, which mmsegmentation and PaddleSeg use.
    #[default]
    Cv2Linear,
}

impl Kernel {
    /// All kernels, sorted by name.
    pub const ALL: &'static [Self] = &[Self::Cv2Linear];

    /// The name that protocols use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cv2Linear => "cv2-linear",
        }
    }

    /// The kernel with this name.
    ///
    /// # Errors
    /// [`Error::UnknownKernel`] with the nearest name.
    pub fn parse(name: &str) -> Result<Self, Error> {
        Self::ALL.iter().copied().find(|kernel| kernel.name() == name).ok_or_else(|| Error::UnknownKernel {
            name: name.to_owned(),
            known: Self::ALL.iter().map(|kernel| kernel.name()).collect::<Vec<_>>().join(", "),
            suggestion: nearest(name, Self::ALL.iter().map(|kernel| kernel.name())),
        })
    }
}

/// A rectangle of the resized image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) x: u32,
    pub(crate) y: u32,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

impl Window {
    /// Everything of an image of this size.
    pub(crate) fn whole(width: u32, height: u32) -> Self {
        Self { x: 0, y: 0, width, height }
    }
}

/// The image at another size.
///
/// # Panics
/// If the image is empty and the size asked for is not.
pub fn resize_image(image: &RgbImage, width: u32, height: u32, kernel: Kernel) -> RgbImage {
    match kernel {
        Kernel::Cv2Linear => cv2_linear(image, (width, height), Window::whole(width, height)),
    }
}

/// The label map at another size: each pixel takes the label at `floor(x * source / target)`, as OpenCV's `INTER_NEAREST`.
///
/// # Panics
/// If the map is empty and the size asked for is not.
pub fn resize_labels(labels: &LabelMap, width: u32, height: u32) -> LabelMap {
    cv2_nearest(labels, (width, height), Window::whole(width, height))
}

/// A window of the labels at `size` = (width, height).
pub(crate) fn cv2_nearest(labels: &LabelMap, size: (u32, u32), window: Window) -> LabelMap {
    let columns = nearest_sources(labels.width(), size.0, window.x, window.width);
    let rows = nearest_sources(labels.height(), size.1, window.y, window.height);
    let mut out = LabelMap::filled(window.width, window.height, 0);
    for (row, &y) in out.as_mut_slice().chunks_exact_mut((window.width as usize).max(1)).zip(&rows) {
        let source = labels.row(y as u32);
        for (label, &x) in row.iter_mut().zip(&columns) {
            *label = source[x];
        }
    }
    out
}

/// A window of the image at `size` = (width, height).
pub(crate) fn cv2_linear(image: &RgbImage, size: (u32, u32), window: Window) -> RgbImage {
    let mut out = RgbImage::new(window.width, window.height);
    let pitch = 3 * window.width as usize;
    if pitch == 0 || window.height == 0 {
        return out;
    }
    let same_size = (image.width(), image.height()) == size;
    let halved = u64::from(image.width()) == 2 * u64::from(size.0)
        && u64::from(image.height()) == 2 * u64::from(size.1);
    let columns = taps(image.width(), size.0, window.x, window.width, Edge::Clamped);
    let rows = taps(image.height(), size.1, window.y, window.height, Edge::Repeated);
    out.par_chunks_mut(BAND * pitch).enumerate().for_each(|(band, pixels)| {
        let first_row = band * BAND;
        if same_size {
            copy_rows(image, window, first_row, pixels);
        } else if halved {
            mean_rows(image, window, first_row, pixels);
        } else {
            linear_rows(image, &columns, &rows[first_row..], pixels);
        }
    });
    out
}

/// The two source positions of one output position and their coefficients.
#[derive(Debug, Clone, Copy)]
struct Tap {
    first: usize,
    second: usize,
    weights: [i32; 2],
}

/// What a tap beyond the border does. OpenCV moves columns back inside, but for rows it repeats the border row under the weights
/// of the position outside, which rounds differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edge {
    Clamped,
    Repeated,
}

fn taps(source: u32, target: u32, start: u32, count: u32, edge: Edge) -> Vec<Tap> {
    assert!(source > 0, "an empty image has no pixels to interpolate");
    // OpenCV computes the inverse scale first; `source / target` would round otherwise for some sizes.
    let scale = 1.0 / (f64::from(target) / f64::from(source));
    let last = i64::from(source) - 1;
    let fixed = |weight: f32| (weight * ONE as f32).round_ties_even() as i32;
    (start..start + count)
        .map(|position| {
            let exact = ((f64::from(position) + 0.5) * scale - 0.5) as f32;
            let floor = exact.floor();
            let (mut index, mut fraction) = (floor as i64, exact - floor);
            if edge == Edge::Clamped && !(0..last).contains(&index) {
                (index, fraction) = (index.clamp(0, last), 0.0);
            }
            Tap {
                first: index.clamp(0, last) as usize,
                second: (index + 1).clamp(0, last) as usize,
                weights: [fixed(1.0 - fraction), fixed(fraction)],
            }
        })
        .collect()
}

fn nearest_sources(source: u32, target: u32, start: u32, count: u32) -> Vec<usize> {
    assert!(source > 0 || count == 0, "an empty map has no labels to take");
    let scale = 1.0 / (f64::from(target) / f64::from(source));
    (start..start + count)
        .map(|position| ((f64::from(position) * scale).floor() as usize).min(source as usize - 1))
        .collect()
}

fn copy_rows(image: &RgbImage, window: Window, first_row: usize, pixels: &mut [u8]) {
    let (pitch, source_pitch) = (3 * window.width as usize, 3 * image.width() as usize);
    for (row, out) in pixels.chunks_exact_mut(pitch).enumerate() {
        let start = (window.y as usize + first_row + row) * source_pitch + 3 * window.x as usize;
        out.copy_from_slice(&image.as_raw()[start..start + pitch]);
    }
}

fn mean_rows(image: &RgbImage, window: Window, first_row: usize, pixels: &mut [u8]) {
    let (pitch, source_pitch) = (3 * window.width as usize, 3 * image.width() as usize);
    for (row, out) in pixels.chunks_exact_mut(pitch).enumerate() {
        let start = 2 * (window.y as usize + first_row + row) * source_pitch + 6 * window.x as usize;
        let upper = &image.as_raw()[start..start + 2 * pitch];
        let lower = &image.as_raw()[start + source_pitch..start + source_pitch + 2 * pitch];
        for ((out, upper), lower) in
            out.chunks_exact_mut(3).zip(upper.chunks_exact(6)).zip(lower.chunks_exact(6))
        {
            for channel in 0..3 {
                let sum = [upper[channel], upper[channel + 3], lower[channel], lower[channel + 3]]
                    .map(u16::from)
                    .iter()
                    .sum::<u16>();
                out[channel] = ((sum + 2) >> 2) as u8;
            }
        }
    }
}

fn linear_rows(image: &RgbImage, columns: &[Tap], rows: &[Tap], pixels: &mut [u8]) {
    let (pitch, source_pitch) = (3 * columns.len(), 3 * image.width() as usize);
    // The source rows at the target width, and which rows they are. Neighbouring output rows mostly share both.
    let mut lines = [vec![0_i32; pitch], vec![0_i32; pitch]];
    let mut held = [usize::MAX; 2];
    for (out, tap) in pixels.chunks_exact_mut(pitch).zip(rows) {
        if held[0] != tap.first && held[1] == tap.first {
            lines.swap(0, 1);
            held.swap(0, 1);
        }
        for (slot, wanted) in [tap.first, tap.second].into_iter().enumerate() {
            if held[slot] != wanted {
                held[slot] = wanted;
                linear_line(
                    &image.as_raw()[wanted * source_pitch..][..source_pitch],
                    columns,
                    &mut lines[slot],
                );
            }
        }
        let [upper, lower] = &lines;
        for ((out, &upper), &lower) in out.iter_mut().zip(upper).zip(lower) {
            let sum = ((tap.weights[0] * (upper >> 4)) >> 16) + ((tap.weights[1] * (lower >> 4)) >> 16);
            *out = ((sum + 2) >> 2) as u8;
        }
    }
}

fn linear_line(source: &[u8], columns: &[Tap], line: &mut [i32]) {
    for (out, tap) in line.chunks_exact_mut(3).zip(columns) {
        let (first, second) = (&source[3 * tap.first..][..3], &source[3 * tap.second..][..3]);
        for channel in 0..3 {
            out[channel] =
                i32::from(first[channel]) * tap.weights[0] + i32::from(second[channel]) * tap.weights[1];
        }
    }
}
