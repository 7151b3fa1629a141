//! How often each class occurs.

use segbench_types::ImageRecord;
use serde::{Deserialize, Serialize};

use crate::Error;

/// Pixels and images per class over a set of label maps, one entry per class in each list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frequencies {
    /// Pixels of the class.
    pub pixels: Vec<u64>,
    /// All pixels, ignored ones included, of the images that contain the class.
    pub image_pixels: Vec<u64>,
    /// Labelled pixels of the images that contain the class.
    pub image_labelled: Vec<u64>,
    /// Images that contain the class.
    pub images: Vec<u64>,
    /// Pixels of all classes together.
    pub labelled: u64,
    /// Pixels without a class.
    pub ignored: u64,
}

impl Frequencies {
    /// Adds up the images that have a label map; the others do not count.
    ///
    /// # Errors
    /// [`Error::Classes`] for an image whose classes are not `classes` in number.
    pub fn of<'a>(records: impl IntoIterator<Item = &'a ImageRecord>, classes: usize) -> Result<Self, Error> {
        let none = || vec![0; classes];
        let mut sums = Self {
            pixels: none(),
            image_pixels: none(),
            image_labelled: none(),
            images: none(),
            labelled: 0,
            ignored: 0,
        };
        for record in records.into_iter().filter(|record| record.label.is_some()) {
            let counts = &record.class_pixels;
            if counts.len() != classes {
                return Err(Error::Classes {
                    image: record.id.clone(),
                    got: counts.len(),
                    expected: classes,
                });
            }
            let labelled: u64 = counts.iter().sum();
            sums.labelled += labelled;
            sums.ignored += record.ignored_pixels;
            for (class, &pixels) in counts.iter().enumerate().filter(|(_, pixels)| **pixels > 0) {
                sums.pixels[class] += pixels;
                sums.image_pixels[class] += labelled + record.ignored_pixels;
                sums.image_labelled[class] += labelled;
                sums.images[class] += 1;
            }
        }
        Ok(sums)
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.pixels.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(class_pixels: &[u64], ignored_pixels: u64) -> ImageRecord {
        ImageRecord {
            id: "a".into(),
            split: "train".into(),
            image: "images/train/a.png".into(),
            label: Some("labels/train/a.png".into()),
            width: 7,
            height: 5,
            image_sha256: String::new(),
            label_sha256: None,
            class_pixels: class_pixels.to_vec(),
            ignored_pixels,
        }
    }

    #[test]
    fn images_count_for_the_classes_they_contain_and_only_if_they_have_labels() {
        let unlabelled = ImageRecord { label: None, ..record(&[], 0) };
        let records = [record(&[30, 0, 0], 5), unlabelled, record(&[10, 20, 0], 5), record(&[0, 35, 0], 0)];
        let expected = Frequencies {
            pixels: vec![40, 55, 0],
            image_pixels: vec![70, 70, 0],
            image_labelled: vec![60, 65, 0],
            images: vec![2, 2, 0],
            labelled: 95,
            ignored: 10,
        };
        assert_eq!(Frequencies::of(&records, 3), Ok(expected));
    }

    #[test]
    fn an_image_of_another_catalog_is_named() {
        let err = Frequencies::of(&[record(&[35], 0)], 3).expect_err("one class");
        assert_eq!(err.to_string(), "the manifest counts 1 classes in image `a`, the catalog has 3");
    }
}
