//! From 8-bit RGB to the planes a network reads.

use image::RgbImage;

/// Per-channel mean and standard deviation, in the 0..255 scale and in RGB order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normalization {
    /// Subtracted from each channel.
    pub mean: [f32; 3],
    /// Each channel is divided by it.
    pub std: [f32; 3],
}

impl Normalization {
    /// The statistics of ImageNet as mmsegmentation writes them; nearly every checkpoint expects them.
    pub const IMAGENET: Self = Self { mean: [123.675, 116.28, 103.53], std: [58.395, 57.12, 57.375] };

    /// Writes `(x - mean) / std` as three planes, red first.
    ///
    /// # Shapes
    /// `out`: (3, H, W) f32, row-major.
    ///
    /// # Panics
    /// If `out` does not hold three planes of the image's size.
    pub fn apply(&self, image: &RgbImage, out: &mut [f32]) {
        let pixels = image.width() as usize * image.height() as usize;
        assert_eq!(out.len(), 3 * pixels, "three planes of {pixels} pixels");
        if pixels == 0 {
            return;
        }
        for (channel, plane) in out.chunks_exact_mut(pixels).enumerate() {
            let (mean, std) = (self.mean[channel], self.std[channel]);
            let table: [f32; 256] = std::array::from_fn(|value| (value as f32 - mean) / std);
            for (value, pixel) in plane.iter_mut().zip(image.as_raw().chunks_exact(3)) {
                *value = table[usize::from(pixel[channel])];
            }
        }
    }

    /// The 8-bit color nearest to the mean, which normalizes to about zero.
    pub fn mean_color(&self) -> [u8; 3] {
        self.mean.map(|mean| mean.round().clamp(0.0, 255.0) as u8)
    }
}

impl Default for Normalization {
    fn default() -> Self {
        Self::IMAGENET
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_become_planes_with_their_own_mean_and_deviation() {
        let image = RgbImage::from_raw(2, 1, vec![124, 10, 255, 0, 116, 103]).expect("two pixels");
        let mut planes = [0.0; 6];
        Normalization::IMAGENET.apply(&image, &mut planes);
        let expected = [
            (124.0 - 123.675) / 58.395,
            (0.0 - 123.675) / 58.395,
            (10.0 - 116.28) / 57.12,
            (116.0 - 116.28) / 57.12,
            (255.0 - 103.53) / 57.375,
            (103.0 - 103.53) / 57.375_f32,
        ];
        assert_eq!(planes, expected);
    }

    #[test]
    fn the_mean_color_of_imagenet_is_what_padding_looks_like() {
        assert_eq!(Normalization::IMAGENET.mean_color(), [124, 116, 104]);
    }
}
