//! A volume: slices of one size, each a grid of intensities.

use crate::SizeMismatch;

/// Intensities of a scan in their own unit, slice after slice and row after row.
///
/// Where a volume has labels, they are a [`LabelMap`](crate::LabelMap) whose slices lie below each other: as wide as the volume, and as
/// high as all its slices together. So everything that counts, stores and shows label maps does the same for volumes.
#[derive(Debug, Clone, PartialEq)]
pub struct Volume {
    size: [usize; 3],
    values: Vec<f32>,
}

impl Volume {
    /// Wraps the values of `size` = depth, height and width.
    ///
    /// # Errors
    /// [`SizeMismatch`] unless there is one value for each voxel.
    pub fn new(size: [usize; 3], values: Vec<f32>) -> Result<Self, SizeMismatch> {
        let expected = size.iter().product();
        if values.len() != expected {
            return Err(SizeMismatch { expected, got: values.len() });
        }
        Ok(Self { size, values })
    }

    /// The volume of `size` whose value at (slice, row, column) is what `value` says of that place.
    pub fn from_fn(size: [usize; 3], mut value: impl FnMut([usize; 3]) -> f32) -> Self {
        let [_, height, width] = size;
        let place = |index: usize| [index / (height * width), index / width % height, index % width];
        Self { size, values: (0..size.iter().product()).map(|index| value(place(index))).collect() }
    }

    /// Depth, height and width in voxels.
    pub fn size(&self) -> [usize; 3] {
        self.size
    }

    /// All intensities.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The intensities with mean 0 and variance 1; zeros for a volume of one intensity.
    pub fn standardized(&self) -> Vec<f32> {
        let count = self.values.len().max(1) as f64;
        let mean = self.values.iter().map(|&value| f64::from(value)).sum::<f64>() / count;
        let squares: f64 = self.values.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum();
        let deviation = (squares / count).sqrt();
        let scale = if deviation > 0.0 { deviation.recip() } else { 0.0 };
        self.values.iter().map(|&value| ((f64::from(value) - mean) * scale) as f32).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_has_a_value_for_each_voxel_and_can_be_standardized() {
        assert!(Volume::new([2, 1, 3], vec![0.0; 5]).is_err());
        let volume = Volume::new([2, 1, 2], vec![1.0, 3.0, 1.0, 3.0]).expect("four voxels");
        assert_eq!(volume.standardized(), [-1.0, 1.0, -1.0, 1.0]);
        let flat = Volume::new([1, 1, 2], vec![7.0; 2]).expect("two voxels");
        assert_eq!(flat.standardized(), [0.0, 0.0]);
    }
}
