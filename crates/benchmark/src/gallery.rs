//! The pictures of the report: image, truth, prediction, and where the two differ.
//!
//! Which images are shown follows from what was counted: a few evenly spread over the split, the same for every run, so that runs can
//! be compared on them, and the worst, the middle and the best by the mIoU of the image, which differ from run to run.

use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::imageops::{self, FilterType as Resampling};
use image::{ImageError, RgbImage};
use segbench_datasets::label_png;
use segbench_types::{ClassCatalog, IGNORE, LabelMap};

use crate::Error;

/// Widest picture of the gallery, in pixels.
const WIDTH: u32 = 512;
const JPEG_QUALITY: u8 = 85;
/// How many images of a run are shown: spread over the split, the worst, in the middle, the best.
const SPREAD: usize = 4;
const WORST: usize = 2;

/// What the error picture says of a pixel, and its color with its opacity: the picture lies over the photo.
const RIGHT: u8 = 0;
const WRONG: u8 = 1;
const UNLABELLED: u8 = 2;
const PALETTE: [[u8; 3]; 3] = [[0, 0, 0], [224, 49, 49], [110, 110, 116]];
const OPACITY: [u8; 3] = [0, 225, 165];

/// Which images are shown, given the mIoU of each: indices, each once, in the order of the split.
pub(crate) fn chosen(scores: &[Option<f64>]) -> Vec<usize> {
    let spread = scores.len().min(SPREAD);
    let mut chosen: Vec<usize> = (0..spread).map(|index| index * scores.len() / spread).collect();
    // Equal scores keep the order of the split.
    let mut ranked: Vec<(f64, usize)> =
        scores.iter().enumerate().filter_map(|(index, score)| Some(((*score)?, index))).collect();
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
    let places = (0..WORST).chain([ranked.len() / 2, ranked.len().saturating_sub(1)]);
    chosen.extend(places.filter_map(|place| Some(ranked.get(place)?.1)));
    chosen.sort_unstable();
    chosen.dedup();
    chosen
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
    let photo = match image.width() {
        0..=WIDTH => image.clone(),
        width => imageops::resize(image, WIDTH, small(image.height(), width), Resampling::Triangle),
    };
    let path = dir.join(format!("{id}.image.jpg"));
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, JPEG_QUALITY)
        .encode_image(&photo)
        .map_err(|err: ImageError| segbench_storage::Error::writing(&path, std::io::Error::other(err)))?;
    segbench_storage::write(&path, &jpeg)?;
    let save =
        |kind: &str, bytes: &[u8]| segbench_storage::write(&dir.join(format!("{id}.{kind}.png")), bytes);
    let (truth, prediction) = (smaller(truth), smaller(prediction));
    save("truth", &label_png::encode(&truth, catalog))?;
    save("prediction", &label_png::encode(&prediction, catalog))?;
    let path = dir.join(format!("{id}.error.png"));
    let errors = errors(&truth, &prediction)
        .map_err(|err| segbench_storage::Error::writing(&path, std::io::Error::other(err)))?;
    Ok(segbench_storage::write(&path, &errors)?)
}

/// The height that goes with [`WIDTH`].
fn small(height: u32, width: u32) -> u32 {
    (u64::from(height) * u64::from(WIDTH) / u64::from(width)).max(1) as u32
}

/// A label map at most [`WIDTH`] wide. Pixels are picked, because labels must not blend into another class.
fn smaller(map: &LabelMap) -> LabelMap {
    if map.width() <= WIDTH {
        return map.clone();
    }
    let height = small(map.height(), map.width());
    let mut picked = LabelMap::filled(WIDTH, height, IGNORE);
    let middle =
        |index: u32, from: u32, to: u32| (2 * u64::from(index) + 1) * u64::from(from) / (2 * u64::from(to));
    for (y, row) in (0..height).zip(picked.as_mut_slice().chunks_exact_mut(WIDTH as usize)) {
        let source = map.row(middle(y, map.height(), height) as u32);
        for (x, label) in (0..WIDTH).zip(row) {
            *label = source[middle(x, map.width(), WIDTH) as usize];
        }
    }
    picked
}

/// A PNG of four colors, transparent where the prediction is right.
fn errors(truth: &LabelMap, prediction: &LabelMap) -> Result<Vec<u8>, png::EncodingError> {
    let kind = |(&truth, predicted): (&u8, &u8)| match truth {
        IGNORE => UNLABELLED,
        label if label == *predicted => RIGHT,
        _ => WRONG,
    };
    let kinds: Vec<u8> = truth.as_slice().iter().zip(prediction.as_slice()).map(kind).collect();
    let packed = |row: &[u8]| -> Vec<u8> {
        row.chunks(4)
            .map(|four| (0..).zip(four).fold(0, |byte, (at, kind)| byte | kind << (6 - 2 * at)))
            .collect()
    };
    let rows: Vec<u8> = kinds.chunks(truth.width().max(1) as usize).flat_map(packed).collect();
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, truth.width(), truth.height());
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Two);
    encoder.set_palette(PALETTE.concat());
    encoder.set_trns(OPACITY.to_vec());
    encoder.set_compression(png::Compression::High);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&rows)?;
    writer.finish()?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_spread_over_the_split_and_hold_the_worst_the_middle_and_the_best() {
        let mut scores: Vec<Option<f64>> =
            (0..16).map(|index| Some(0.5 + f64::from(index % 5) / 100.0)).collect();
        (scores[2], scores[3], scores[7], scores[9], scores[13]) =
            (Some(0.2), None, Some(0.1), Some(0.9), Some(0.3));
        // 0, 4, 8, 12 are spread; 7 and 2 are the worst, 9 the best; 8 of 15 in order: 0.1 0.2 0.3 | 0 5 10 15 at 0.50 | 1.
        assert_eq!(chosen(&scores), [0, 1, 2, 4, 7, 8, 9, 12]);
        assert_eq!(chosen(&[Some(0.1), Some(0.2)]), [0, 1]);
        assert_eq!(chosen(&[None; 5]), [0, 1, 2, 3]);
        assert!(chosen(&[]).is_empty());
    }

    #[test]
    fn errors_are_opaque_where_the_prediction_is_wrong_and_transparent_where_it_is_right() {
        let map = |labels: [u8; 15]| LabelMap::new(5, 3, labels.to_vec()).expect("its size");
        let truth = map([0, 1, 2, 255, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 0]);
        let prediction = map([0, 1, 1, 0, 255, 1, 1, 1, 1, 1, 2, 2, 2, 0, 0]);
        let bytes = errors(&truth, &prediction).expect("encoded");
        let picture = image::load_from_memory(&bytes).expect("a picture").into_rgba8();
        let alphas: Vec<u8> = picture.pixels().map(|pixel| pixel.0[3]).collect();
        assert_eq!(alphas, [0, 0, 225, 165, 225, 0, 0, 0, 0, 0, 0, 0, 0, 225, 0]);
        assert_eq!(picture.get_pixel(2, 0).0, [224, 49, 49, 225]);
    }

    #[test]
    fn a_smaller_label_map_has_labels_of_the_larger_at_their_places() {
        let (width, height) = (2 * WIDTH + 2, 37);
        let labels =
            (0..height).flat_map(|y| (0..width).map(move |x| (x * 7 / width + y * 11 / height) as u8));
        let small = smaller(&LabelMap::new(width, height, labels.collect()).expect("its size"));
        assert_eq!((small.width(), small.height()), (WIDTH, 18));
        assert_eq!((small.row(0)[0], small.row(17)[511], small.row(9)[256]), (0, 16, 3 + 5));
    }
}
