//! The training augmentation of mmsegmentation: resize, crop, flip, distort colors, pad.
//!
//! # Source
//! mmsegmentation 1.2.2: `RandomResize` (keeping the aspect ratio), `RandomCrop`, `RandomFlip`, `PhotoMetricDistortion`, and the
//! padding of `SegDataPreProcessor`. Only the crop of the resized image is ever computed.

use image::{Rgb, RgbImage, imageops};
use segbench_types::{IGNORE, LabelMap, Rng};

use crate::Normalization;
use crate::photometric;
use crate::resize::{Window, cv2_linear, cv2_nearest};

/// Crops that are drawn again because one class fills them.
const CROP_RETRIES: usize = 10;

/// What happens to a training image.
#[derive(Debug, Clone, PartialEq)]
pub struct Augmentation {
    /// Lowest and highest factor of the random resize, relative to the image's own size. `(1.0, 1.0)` never resizes.
    pub scale: (f32, f32),
    /// Height and width of the result. A smaller image is padded at the right and at the bottom, with the mean color of
    /// ImageNet and the label "ignore".
    pub crop: (u32, u32),
    /// A crop in which one class holds at least this part of the labelled pixels is drawn again, ten times at most. `1.0` takes
    /// the first crop. mmsegmentation: 0.75.
    pub category_max_ratio: f32,
    /// Probability of a horizontal flip.
    pub flip: f32,
    /// Whether brightness, contrast, saturation and hue change.
    pub jitter: bool,
}

impl Augmentation {
    /// Draws one training example of size `crop`.
    ///
    /// # Panics
    /// If the image is empty, or the labels have another size than the image.
    pub fn apply(&self, image: &RgbImage, labels: &LabelMap, rng: &mut Rng) -> (RgbImage, LabelMap) {
        assert_eq!(
            image.dimensions(),
            (labels.width(), labels.height()),
            "an image and its labels have one size"
        );
        let size = resized(image.dimensions(), rng.range(self.scale.0, self.scale.1));
        let (window, mut labels) = self.crop(labels, size, rng);
        let mut image = cv2_linear(image, size, window);
        if rng.chance(self.flip) {
            imageops::flip_horizontal_in_place(&mut image);
            flip_labels(&mut labels);
        }
        if self.jitter {
            photometric::distort(&mut image, rng);
        }
        self.pad(image, labels)
    }

    /// A window of the resized labels in which no class prevails.
    fn crop(&self, labels: &LabelMap, size: (u32, u32), rng: &mut Rng) -> (Window, LabelMap) {
        let (width, height) = (size.0.min(self.crop.1), size.1.min(self.crop.0));
        let mut draw = || {
            let y = rng.below((size.1 - height) as usize + 1) as u32;
            let x = rng.below((size.0 - width) as usize + 1) as u32;
            let window = Window { x, y, width, height };
            (window, cv2_nearest(labels, size, window))
        };
        let mut drawn = draw();
        if self.category_max_ratio < 1.0 {
            for _ in 0..CROP_RETRIES {
                if is_mixed(&drawn.1, self.category_max_ratio) {
                    break;
                }
                drawn = draw();
            }
        }
        drawn
    }

    fn pad(&self, image: RgbImage, labels: LabelMap) -> (RgbImage, LabelMap) {
        let (height, width) = self.crop;
        if image.dimensions() == (width, height) {
            return (image, labels);
        }
        let mut padded = RgbImage::from_pixel(width, height, Rgb(Normalization::IMAGENET.mean_color()));
        imageops::replace(&mut padded, &image, 0, 0);
        let mut padded_labels = LabelMap::filled(width, height, IGNORE);
        for (y, row) in padded_labels.as_mut_slice().chunks_exact_mut(width as usize).enumerate() {
            let source = labels.row(y as u32);
            row[..source.len()].copy_from_slice(source);
        }
        (padded, padded_labels)
    }
}

/// The size after a resize by `ratio`, rounded twice as mmsegmentation does: the target is cut to integers, then the image is
/// fitted into it.
fn resized((width, height): (u32, u32), ratio: f32) -> (u32, u32) {
    let ratio = f64::from(ratio);
    let fit = |side: u32| (f64::from(side) * ratio).floor().max(1.0) / f64::from(side);
    let factor = fit(width).min(fit(height));
    let scaled = |side: u32| ((f64::from(side) * factor + 0.5) as u32).max(1);
    (scaled(width), scaled(height))
}

/// Whether more than one class is present and none holds `max_ratio` or more of the labelled pixels.
fn is_mixed(labels: &LabelMap, max_ratio: f32) -> bool {
    let mut counts = [0_u64; 256];
    for &label in labels.as_slice() {
        counts[usize::from(label)] += 1;
    }
    let classes = &counts[..usize::from(IGNORE)];
    let labelled: u64 = classes.iter().sum();
    let most = classes.iter().copied().max().unwrap_or(0);
    most < labelled && (most as f64) < f64::from(max_ratio) * labelled as f64
}

fn flip_labels(labels: &mut LabelMap) {
    let width = labels.width() as usize;
    if width > 0 {
        labels.as_mut_slice().chunks_exact_mut(width).for_each(<[u8]>::reverse);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An image whose red channel holds the label, so that both can be compared after any geometric change.
    fn labelled(width: u32, height: u32, label: impl Fn(u32, u32) -> u8) -> (RgbImage, LabelMap) {
        let image = RgbImage::from_fn(width, height, |x, y| Rgb([label(x, y), 0, 0]));
        let labels = image.pixels().map(|pixel| pixel.0[0]).collect();
        (image, LabelMap::new(width, height, labels).expect("one label per pixel"))
    }

    fn plain(crop: (u32, u32)) -> Augmentation {
        Augmentation { scale: (1.0, 1.0), crop, category_max_ratio: 1.0, flip: 0.0, jitter: false }
    }

    fn red(image: &RgbImage) -> Vec<u8> {
        image.pixels().map(|pixel| pixel.0[0]).collect()
    }

    #[test]
    fn image_and_labels_are_cropped_and_flipped_together() {
        let (image, labels) = labelled(23, 17, |x, y| (x * 7 + y * 31) as u8);
        let mut crops = std::collections::BTreeSet::new();
        for seed in 0..30 {
            let augmentation = Augmentation { flip: 0.5, ..plain((5, 9)) };
            let (crop, crop_labels) = augmentation.apply(&image, &labels, &mut Rng::new(seed, &[]));
            assert_eq!(crop.dimensions(), (9, 5));
            assert_eq!(red(&crop), crop_labels.as_slice());
            crops.insert(crop_labels.into_vec());
        }
        assert!(crops.len() > 20, "{} different crops of 30", crops.len());
    }

    #[test]
    fn a_small_image_is_padded_right_and_below_with_ignore() {
        let (image, labels) = labelled(3, 2, |x, y| (10 * y + x) as u8);
        let (padded, padded_labels) = plain((3, 5)).apply(&image, &labels, &mut Rng::new(1, &[]));
        assert_eq!(
            padded_labels.as_slice(),
            [0, 1, 2, 255, 255, 10, 11, 12, 255, 255, 255, 255, 255, 255, 255]
        );
        assert_eq!((padded.get_pixel(2, 1).0, padded.get_pixel(3, 0).0), ([12, 0, 0], [124, 116, 104]));
    }

    #[test]
    fn a_crop_filled_by_one_class_is_drawn_again() {
        // Classes 1 and 2 meet in the middle; a crop of 20 x 20 off the middle sees one of them only.
        let (image, labels) = labelled(200, 20, |x, _| if x < 100 { 1 } else { 2 });
        let mixed = |category_max_ratio| {
            let augmentation = Augmentation { category_max_ratio, ..plain((20, 20)) };
            (0..200)
                .filter(|&seed| {
                    let (_, labels) = augmentation.apply(&image, &labels, &mut Rng::new(seed, &[]));
                    is_mixed(&labels, 0.75)
                })
                .count()
        };
        // One crop in 18 is mixed enough; eleven draws find one with probability 1 - (17 / 18)^11 = 0.46.
        assert!(mixed(1.0) < 25 && mixed(0.75) > 65, "{} {}", mixed(1.0), mixed(0.75));
    }

    #[test]
    fn a_resized_crop_is_the_crop_of_the_resized_image() {
        let (image, labels) = labelled(53, 37, |x, y| (x * x + 3 * y) as u8);
        let augmentation = Augmentation { scale: (0.5, 2.0), ..plain((13, 11)) };
        let (crop, crop_labels) = augmentation.apply(&image, &labels, &mut Rng::new(5, &[]));
        let mut rng = Rng::new(5, &[]);
        let size = resized((53, 37), rng.range(0.5, 2.0));
        let y = rng.below(size.1 as usize - 13 + 1) as u32;
        let x = rng.below(size.0 as usize - 11 + 1) as u32;
        let whole = crate::resize_image(&image, size.0, size.1, crate::Kernel::Cv2Linear);
        assert_eq!(crop, imageops::crop_imm(&whole, x, y, 11, 13).to_image());
        let whole = crate::resize_labels(&labels, size.0, size.1);
        assert_eq!(crop_labels.row(4), &whole.row(y + 4)[x as usize..x as usize + 11]);
    }

    #[test]
    fn resized_sizes_round_as_mmsegmentation_does() {
        // mmcv.rescale_size((2048, 1024), (int(2048 * r), int(1024 * r))) for r = 0.7 and 1.3: factors 716/1024 and 1331/1024.
        assert_eq!(resized((2048, 1024), 0.7), (1432, 716));
        assert_eq!(resized((2048, 1024), 1.3), (2662, 1331));
        assert_eq!(resized((5, 3), 0.01), (1, 1));
    }
}
