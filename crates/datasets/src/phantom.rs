//! Volumes drawn by the program itself, for networks of volumes: bodies with organs and lesions, as a scanner would see them.
//!
//! A body is an ellipsoid in air; in it lie two organs, also ellipsoids, and in these lie round lesions. Every tissue has its own
//! brightness, which differs a little from body to body; the scanner adds noise, and its sensitivity falls off along a random
//! direction. Sizes differ from volume to volume. Every volume is fixed by the seed, its split and its number.

use std::path::Path;

use segbench_types::{Progress, Rng, Volume};

use crate::{Error, npy};

/// Raised when the volumes look different, so that older ones are drawn again.
const DRAWING_VERSION: u32 = 1;
/// Volumes of each split.
const SPLITS: [(&str, u64); 2] = [("train", 16), ("val", 4)];
/// Smallest depth, height and width in voxels, and how many more there may be.
const SMALLEST: [usize; 3] = [22, 38, 34];
const MORE: usize = 11;
const SEED: u64 = 1;

const TISSUE: u8 = 1;
const ORGAN: u8 = 2;
const LESION: u8 = 3;
/// Brightness of air, tissue, organs and lesions, how much that of a body differs from it, and the deviation of the noise.
const BRIGHTNESS: [f32; 4] = [0.0, 100.0, 160.0, 230.0];
const BETWEEN_BODIES: f32 = 8.0;
const NOISE: f32 = 12.0;
/// Loss of sensitivity from the middle to a corner, at most.
const FALL_OFF: f32 = 0.15;

/// An ellipsoid along the axes of the volume, in voxels.
#[derive(Debug, Clone, Copy)]
struct Ellipsoid {
    center: [f32; 3],
    radii: [f32; 3],
    label: u8,
}

impl Ellipsoid {
    fn holds(&self, place: [f32; 3]) -> bool {
        let distance = |axis: usize| ((place[axis] - self.center[axis]) / self.radii[axis]).powi(2);
        (0..3).map(distance).sum::<f32>() <= 1.0
    }

    /// A smaller one inside: its center this far from the middle, as a share of the radii, along each axis.
    fn inside(&self, offset: [f32; 3], share: [f32; 3], label: u8) -> Self {
        Self {
            center: std::array::from_fn(|axis| self.center[axis] + offset[axis] * self.radii[axis]),
            radii: std::array::from_fn(|axis| share[axis] * self.radii[axis]),
            label,
        }
    }
}

/// Draws the volumes into `<root>/raw/phantom`, unless they are there. Returns whether it drew.
///
/// # Errors
/// [`Error::Storage`].
pub(crate) fn draw_phantom(root: &Path, progress: &dyn Progress) -> Result<bool, Error> {
    let folder = root.join("raw").join("phantom");
    let wanted = format!("version {DRAWING_VERSION}\n");
    // The marker is written last, so volumes with a marker are whole.
    let marker = folder.join("drawn.txt");
    if std::fs::read_to_string(&marker).is_ok_and(|drawn| drawn == wanted) {
        return Ok(false);
    }
    segbench_storage::remove_temporaries(&folder)?;
    let task = progress.start("drawing phantom", SPLITS.iter().map(|(_, count)| count).sum());
    for (place, (split, count)) in (0..).zip(SPLITS) {
        for index in 0..count {
            let (volume, labels) = draw(&mut Rng::new(SEED, &[place, index]));
            let name = format!("{split}/phantom_{split}_{index:03}.npy");
            segbench_storage::write(&folder.join("images").join(&name), &npy::encode_volume(&volume))?;
            let labels = npy::encode("|u1", volume.size(), &labels);
            segbench_storage::write(&folder.join("labels").join(&name), &labels)?;
            task.advance(1);
        }
    }
    segbench_storage::write(&marker, wanted.as_bytes())?;
    Ok(true)
}

/// A volume and the label of each voxel.
fn draw(rng: &mut Rng) -> (Volume, Vec<u8>) {
    let size = SMALLEST.map(|side| side + rng.below(MORE));
    let middle = size.map(|side| (side as f32 - 1.0) / 2.0);
    let mut spread = |low: f32, high: f32| [(); 3].map(|()| rng.range(low, high));
    let drift = spread(-0.06, 0.06);
    let body_share = spread(0.78, 0.92);
    let body = Ellipsoid {
        center: std::array::from_fn(|axis| middle[axis] * (1.0 + drift[axis])),
        radii: std::array::from_fn(|axis| middle[axis] * body_share[axis]),
        label: TISSUE,
    };
    let mut shapes = vec![body];
    // The organs stand side by side, so they do not meet.
    for side in [-0.45, 0.45] {
        let [z, y, _] = spread(-0.12, 0.12);
        shapes.push(body.inside([z, y, side], spread(0.3, 0.42), ORGAN));
    }
    for organ in [shapes[1], shapes[2]] {
        let [z, y, x] = spread(-0.35, 0.35);
        let share = spread(0.3, 0.45);
        shapes.push(organ.inside([z, y, x], share, LESION));
    }
    let brightness = BRIGHTNESS.map(|mean| mean + BETWEEN_BODIES * rng.normal());
    let slope = [(); 3].map(|()| rng.range(-FALL_OFF, FALL_OFF) / 3.0);
    let mut labels = Vec::new();
    let volume = Volume::from_fn(size, |voxel| {
        let place = voxel.map(|step| step as f32);
        let label = shapes.iter().rev().find(|shape| shape.holds(place)).map_or(0, |shape| shape.label);
        let fall_off: f32 =
            (0..3).map(|axis| slope[axis] * (place[axis] - middle[axis]) / middle[axis].max(1.0)).sum();
        labels.push(label);
        brightness[usize::from(label)] * (1.0 + fall_off) + NOISE * rng.normal()
    });
    (volume, labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_volume_has_all_tissues_and_another_size_and_repeats_itself() {
        let mut sizes = std::collections::BTreeSet::new();
        for index in 0..8 {
            let draw = || draw(&mut Rng::new(SEED, &[0, index]));
            let (volume, labels) = draw();
            assert_eq!((volume.clone(), labels.clone()), draw());
            sizes.insert(volume.size());
            let count = |label| labels.iter().filter(|&&other| other == label).count();
            let [air, tissue, organ, lesion] = [0, TISSUE, ORGAN, LESION].map(count);
            assert!(
                air > 1000 && tissue > 1000 && organ > 500 && lesion > 30,
                "{air} {tissue} {organ} {lesion}"
            );
            let mean = |label: u8| {
                let of = volume.values().iter().zip(&labels).filter(|(_, other)| **other == label);
                of.clone().map(|(value, _)| f64::from(*value)).sum::<f64>() / of.count() as f64
            };
            assert!(mean(TISSUE) + 25.0 < mean(ORGAN) && mean(ORGAN) + 25.0 < mean(LESION));
        }
        assert!(sizes.len() > 6);
    }
}
