//! Random windows of volumes, for training.

use segbench_types::{IGNORE, LabelMap, Rng, Volume};

/// How much brighter or darker, and how much more or less contrasted, a standardized volume becomes.
const JITTER: f32 = 0.1;

/// What happens to a volume in training: a window at a random place, mirrored along random axes, with another brightness.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct VolumeAugmentation {
    /// Depth, height and width of the result. A smaller volume is filled up at its ends, with 0 and the label "ignore".
    pub(crate) window: [usize; 3],
    /// Probability of being mirrored along each axis.
    pub(crate) flip: f32,
    /// Whether brightness and contrast change.
    pub(crate) jitter: bool,
}

impl VolumeAugmentation {
    /// The voxels of the window.
    pub(crate) fn len(&self) -> usize {
        self.window.iter().product()
    }

    /// Writes a window of the volume, standardized, and returns its labels; `labels` has the slices below each other.
    pub(crate) fn apply(
        &self,
        volume: &Volume,
        labels: &LabelMap,
        rng: &mut Rng,
        out: &mut [f32],
    ) -> Vec<u8> {
        let size = volume.size();
        let start: [usize; 3] =
            std::array::from_fn(|axis| rng.below(size[axis].saturating_sub(self.window[axis]) + 1));
        let is_mirrored = [(); 3].map(|()| rng.chance(self.flip));
        let change = |rng: &mut Rng| if self.jitter { rng.range(-JITTER, JITTER) } else { 0.0 };
        let (contrast, brightness) = (1.0 + change(rng), change(rng));
        let values = volume.standardized();
        let [_, height, width] = self.window;
        let mut window_labels = vec![IGNORE; self.len()];
        for (index, (value, label)) in out.iter_mut().zip(&mut window_labels).enumerate() {
            let place = [index / (height * width), index / width % height, index % width];
            let place: [usize; 3] = std::array::from_fn(|axis| {
                let shown = size[axis].min(self.window[axis]);
                let step = place[axis];
                // The filling stays at the ends.
                let step = if is_mirrored[axis] && step < shown { shown - 1 - step } else { step };
                start[axis] + step
            });
            let is_inside = (0..3).all(|axis| place[axis] < size[axis]);
            let from = (place[0] * size[1] + place[1]) * size[2] + place[2];
            match (labels.as_slice().get(from), values.get(from)) {
                (Some(&from_label), Some(&from_value)) if is_inside => {
                    *value = contrast * from_value + brightness;
                    *label = from_label;
                }
                _ => *value = 0.0,
            }
        }
        window_labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A volume whose values are the numbers of its voxels, and so are its labels.
    fn numbered() -> (Volume, LabelMap) {
        let volume = Volume::from_fn([2, 3, 4], |[z, y, x]| (12 * z + 4 * y + x) as f32);
        (volume, LabelMap::new(4, 6, (0..24).collect()).expect("24 labels"))
    }

    fn augmented(window: [usize; 3], flip: f32, place: u64) -> (Vec<f32>, Vec<u8>) {
        let (volume, labels) = numbered();
        let augmentation = VolumeAugmentation { window, flip, jitter: false };
        let mut values = vec![f32::NAN; augmentation.len()];
        let labels = augmentation.apply(&volume, &labels, &mut Rng::new(1, &[place]), &mut values);
        (values, labels)
    }

    #[test]
    fn values_and_labels_move_together() {
        let standardized = numbered().0.standardized();
        for place in 0..20 {
            let (values, labels) = augmented([1, 2, 3], 0.5, place);
            for (value, label) in values.iter().zip(&labels) {
                assert_eq!(*value, standardized[usize::from(*label)]);
            }
        }
        let (_, labels) = augmented([2, 3, 4], 1.0, 0);
        assert_eq!(labels, (0..24).rev().collect::<Vec<u8>>());
    }

    #[test]
    fn a_volume_smaller_than_the_window_is_filled_up_at_its_ends() {
        for flip in [0.0, 1.0] {
            let (values, labels) = augmented([3, 3, 5], flip, 0);
            let first = if flip == 0.0 { [0, 1, 2, 3] } else { [23, 22, 21, 20] };
            assert_eq!((&labels[..4], labels[4]), (&first[..], IGNORE));
            assert!(
                labels[30..].iter().all(|label| *label == IGNORE)
                    && values[30..].iter().all(|value| *value == 0.0)
            );
            assert_eq!(labels.iter().filter(|label| **label != IGNORE).count(), 24);
        }
    }
}
