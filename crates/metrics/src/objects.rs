//! What was predicted on single objects of the ground truth.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::scores::ratio;

/// What was predicted on one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectCounts {
    /// The object's id in the instance map.
    pub instance: u16,
    /// Its class.
    pub class: u8,
    /// Pixels per predicted class, in ascending order; `None`, for no class, comes first.
    pub predicted: Vec<(Option<u8>, u64)>,
}

impl ObjectCounts {
    /// Counts the objects of an image, in ascending order of their ids. `class_of` gives the class of an instance id and `None` for
    /// pixels that are no object; a prediction of `classes` or more is no class.
    ///
    /// # Errors
    /// [`Error::Length`] for maps of different sizes.
    pub fn count(
        instances: &[u16],
        predicted: &[u8],
        classes: usize,
        class_of: impl Fn(u16) -> Option<u8>,
    ) -> Result<Vec<Self>, Error> {
        if instances.len() != predicted.len() {
            return Err(Error::Length { ground_truth: instances.len(), predicted: predicted.len() });
        }
        let mut counts = BTreeMap::<(u16, Option<u8>), u64>::new();
        // Neighbors mostly are the same pair: look the table up once per run.
        let (mut start, pairs) = (0, instances.len());
        while start < pairs {
            let (instance, label) = (instances[start], predicted[start]);
            let same = |index: &usize| instances[*index] == instance && predicted[*index] == label;
            let end = (start + 1..pairs).take_while(same).last().map_or(start + 1, |last| last + 1);
            let label = Some(label).filter(|&label| usize::from(label) < classes);
            *counts.entry((instance, label)).or_default() += (end - start) as u64;
            start = end;
        }
        let mut objects = Vec::<Self>::new();
        for ((instance, label), pixels) in counts {
            let Some(class) = class_of(instance) else { continue };
            match objects.last_mut().filter(|object| object.instance == instance) {
                Some(object) => object.predicted.push((label, pixels)),
                None => objects.push(Self { instance, class, predicted: vec![(label, pixels)] }),
            }
        }
        Ok(objects)
    }

    /// Pixels of the object.
    pub fn pixels(&self) -> u64 {
        self.predicted.iter().map(|(_, pixels)| pixels).sum()
    }

    /// Pixels of the object that were predicted as one of `classes`.
    pub fn found(&self, classes: &[u8]) -> u64 {
        let is_found = |label: Option<u8>| label.is_some_and(|label| classes.contains(&label));
        self.predicted.iter().filter(|(label, _)| is_found(*label)).map(|(_, pixels)| pixels).sum()
    }
}

/// Recall of objects of one range of sizes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SizeRecall {
    /// Fewest pixels of an object.
    pub from: u64,
    /// Objects.
    pub objects: u64,
    /// Share of the objects' pixels that were predicted as their class.
    pub recall: Option<f64>,
}

/// Recall of small, medium and large objects, split at 32 x 32 and 96 x 96 pixels.
///
/// # Source
/// The ranges of the COCO detection evaluation, <https://cocodataset.org/#detection-eval>.
pub fn recall_by_size<'a>(objects: impl IntoIterator<Item = &'a ObjectCounts>) -> [SizeRecall; 3] {
    const FROM: [u64; 3] = [0, 32 * 32, 96 * 96];
    let mut sums = [(0, 0, 0); 3];
    for object in objects {
        let pixels = object.pixels();
        let range = FROM.iter().rposition(|&from| pixels >= from).unwrap_or(0);
        let (count, found, all) = &mut sums[range];
        *count += 1;
        *found += object.found(&[object.class]);
        *all += pixels;
    }
    let mut from = FROM.into_iter();
    sums.map(|(objects, found, all)| SizeRecall {
        from: from.next().unwrap_or(0),
        objects,
        recall: ratio(found, all),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_object_keeps_what_was_predicted_on_it() {
        let instances = [7, 7, 26_001, 26_001, 26_001, 24_000, 24_000, 26_001];
        let predicted = [0, 1, 13, 13, 255, 11, 13, 99];
        let class_of = |instance: u16| (instance > 1000).then(|| (instance / 1000) as u8 - 13);
        let objects = ObjectCounts::count(&instances, &predicted, 19, class_of).expect("maps fit");
        assert_eq!(
            objects,
            [
                ObjectCounts { instance: 24_000, class: 11, predicted: vec![(Some(11), 1), (Some(13), 1)] },
                ObjectCounts { instance: 26_001, class: 13, predicted: vec![(None, 2), (Some(13), 2)] },
            ]
        );
        assert_eq!((objects[1].pixels(), objects[1].found(&[13]), objects[0].found(&[11, 13])), (4, 2, 2));
        let err = ObjectCounts::count(&instances, &predicted[1..], 19, class_of).expect_err("lengths differ");
        assert_eq!(err, Error::Length { ground_truth: 8, predicted: 7 });
    }

    #[test]
    fn recall_is_pooled_within_a_range_of_sizes() {
        let object = |found, missed| ObjectCounts {
            instance: 1,
            class: 3,
            predicted: vec![(None, missed), (Some(3), found)],
        };
        let objects = [object(500, 523), object(1024, 0), object(0, 9215), object(9216, 0)];
        let recall = recall_by_size(&objects);
        assert_eq!(recall.map(|range| range.objects), [1, 2, 1]);
        assert_eq!(
            recall.map(|range| range.recall),
            [Some(500.0 / 1023.0), Some(1024.0 / 10_239.0), Some(1.0)]
        );
    }
}
