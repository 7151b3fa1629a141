//! Where confusions happened: the images in which most pixels of one class were predicted as another.

use std::collections::BTreeMap;

use segbench_tables::CountRow;

/// Images remembered per confusion, among all images and among those with pictures.
const MOST: usize = 3;

/// The images that contribute most to each kind of error.
#[derive(Debug, Default)]
pub(crate) struct Places(BTreeMap<(u8, u8), [Vec<Place>; 2]>);

/// Pixels of one confusion in one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) pixels: u64,
    /// Number of the image among those of the run.
    pub(crate) image: usize,
}

impl Places {
    /// Takes the counts of the next image.
    pub(crate) fn add(&mut self, image: usize, rows: &[&CountRow], has_pictures: bool) {
        for row in rows.iter().filter(|row| row.ground_truth != row.predicted && row.count > 0) {
            let [all, shown] = self.0.entry((row.ground_truth, row.predicted)).or_default();
            let place = Place { pixels: row.count, image };
            keep(all, place);
            if has_pictures {
                keep(shown, place);
            }
        }
    }

    /// The images in which most pixels of a class were predicted as another, the most first, each once.
    pub(crate) fn of(&self, truth: u8, predicted: u8) -> Vec<Place> {
        let Some(lists) = self.0.get(&(truth, predicted)) else { return Vec::new() };
        let mut places = lists.concat();
        places.sort_by(by_pixels);
        places.dedup();
        places
    }
}

fn by_pixels(a: &Place, b: &Place) -> std::cmp::Ordering {
    b.pixels.cmp(&a.pixels).then(a.image.cmp(&b.image))
}

fn keep(places: &mut Vec<Place>, place: Place) {
    let at = places.partition_point(|other| by_pixels(other, &place).is_lt());
    if at < MOST {
        places.truncate(MOST - 1);
        places.insert(at.min(places.len()), place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_images_with_most_pixels_are_kept_and_those_with_pictures_beside_them() {
        let mut places = Places::default();
        for (image, count) in [5, 9, 2, 9, 7, 1].into_iter().enumerate() {
            let row =
                |predicted, count| CountRow { image_id: String::new(), ground_truth: 1, predicted, count };
            let rows = [row(0, count), row(1, 1000), row(255, 10 - count)];
            places.add(image, &rows.iter().collect::<Vec<_>>(), image % 5 == 0);
        }
        let seen = |predicted| -> Vec<(u64, usize)> {
            places.of(1, predicted).iter().map(|place| (place.pixels, place.image)).collect()
        };
        assert_eq!(seen(0), [(9, 1), (9, 3), (7, 4), (5, 0), (1, 5)]);
        assert_eq!(seen(255), [(9, 5), (8, 2), (5, 0)]);
        assert!(seen(1).is_empty() && seen(2).is_empty());
    }
}
