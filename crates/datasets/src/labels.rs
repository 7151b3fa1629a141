//! From raw label ids to train ids, counting on the way.

use std::collections::BTreeMap;

use segbench_types::{ClassCatalog, IGNORE, LabelMap};

use crate::label_png::{RawLabels, Samples};

/// Raw label id to train id, for the ids 0 to 255.
#[derive(Debug, Clone)]
pub struct LabelTable {
    train_ids: [u8; 256],
    known: [bool; 256],
    classes: usize,
}

/// A label map with its pixel counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountedLabels {
    /// The train ids.
    pub labels: LabelMap,
    /// Pixels per train id.
    pub class_pixels: Vec<u64>,
    /// Pixels that became "ignore".
    pub ignored_pixels: u64,
}

impl LabelTable {
    /// The table of a data set.
    pub fn new(catalog: &ClassCatalog) -> Self {
        let mut table = Self { train_ids: [IGNORE; 256], known: [false; 256], classes: catalog.len() };
        for &id in &catalog.ignored_source_ids {
            table.learn(id, IGNORE);
        }
        for (train_id, class) in (0..IGNORE).zip(&catalog.classes) {
            table.learn(class.source_id, train_id);
        }
        table
    }

    fn learn(&mut self, raw: u16, train_id: u8) {
        let raw = usize::from(raw);
        if let (Some(slot), Some(known)) = (self.train_ids.get_mut(raw), self.known.get_mut(raw)) {
            *slot = train_id;
            *known = true;
        }
    }

    /// Maps and counts all pixels, in the memory of `raw`.
    ///
    /// # Errors
    /// Pixels per unknown raw value, if there is any.
    pub fn map(&self, raw: RawLabels) -> Result<CountedLabels, BTreeMap<u16, u64>> {
        let (width, height) = (raw.width, raw.height);
        let mut unknown = BTreeMap::new();
        let mut bytes = match raw.samples {
            Samples::Bytes(bytes) => bytes,
            Samples::Words(words) => {
                for &word in words.iter().filter(|word| **word > 255) {
                    *unknown.entry(word).or_insert(0) += 1;
                }
                words.into_iter().map(|word| word.min(255) as u8).collect()
            }
        };
        let large: u64 = unknown.values().sum();
        let mut counts = self.map_bytes(&mut bytes);
        // Words beyond a byte were counted one by one already.
        counts[255] -= large;
        for ((raw, &pixels), known) in (0..).zip(&counts).zip(self.known) {
            if pixels > 0 && !known {
                unknown.insert(raw, pixels);
            }
        }
        if !unknown.is_empty() {
            return Err(unknown);
        }
        let mut class_pixels = vec![0; self.classes];
        let mut ignored_pixels = 0;
        for (&train_id, pixels) in self.train_ids.iter().zip(counts) {
            match class_pixels.get_mut(usize::from(train_id)) {
                Some(sum) => *sum += pixels,
                None => ignored_pixels += pixels,
            }
        }
        // The decoder gives as many samples as the size asks for.
        let labels =
            LabelMap::new(width, height, bytes).unwrap_or_else(|_| LabelMap::filled(width, height, IGNORE));
        Ok(CountedLabels { labels, class_pixels, ignored_pixels })
    }

    /// Maps in place and returns the pixels per raw value.
    ///
    /// Label maps are mostly areas of one value, so 16 pixels are compared with their first at once.
    fn map_bytes(&self, bytes: &mut [u8]) -> [u64; 256] {
        const ONES: u128 = u128::from_ne_bytes([1; 16]);
        let mut counts = [0; 256];
        let (blocks, rest) = bytes.as_chunks_mut::<16>();
        for block in blocks {
            let first = block[0];
            if u128::from_ne_bytes(*block) == u128::from(first) * ONES {
                counts[usize::from(first)] += 16;
                *block = [self.train_ids[usize::from(first)]; 16];
            } else {
                self.map_slowly(block, &mut counts);
            }
        }
        self.map_slowly(rest, &mut counts);
        counts
    }

    fn map_slowly(&self, bytes: &mut [u8], counts: &mut [u64; 256]) {
        for byte in bytes {
            counts[usize::from(*byte)] += 1;
            *byte = self.train_ids[usize::from(*byte)];
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use segbench_types::Class;

    use super::*;

    /// Raw 7 is class 0, raw 3 is class 1, raw 0 and 11 are ignored, everything else is unknown.
    fn table() -> LabelTable {
        let class = |name: &str, source_id| Class {
            name: name.into(),
            color: [0; 3],
            source_id,
            has_instances: false,
        };
        LabelTable::new(&ClassCatalog {
            name: "two".into(),
            classes: vec![class("road", 7), class("sky", 3)],
            ignored_source_ids: vec![0, 11],
        })
    }

    fn raw(width: u32, height: u32, samples: Samples) -> RawLabels {
        RawLabels { width, height, samples }
    }

    #[test]
    fn ids_are_mapped_and_counted() {
        let counted = table().map(raw(3, 2, Samples::Bytes(vec![7, 3, 0, 11, 3, 3]))).expect("known values");
        assert_eq!(counted.labels.as_slice(), [0, 1, 255, 255, 1, 1]);
        assert_eq!((counted.class_pixels, counted.ignored_pixels), (vec![1, 3], 2));
    }

    #[test]
    fn unknown_values_are_counted_also_those_beyond_a_byte() {
        let unknown = table()
            .map(raw(3, 2, Samples::Words(vec![7, 255, 24_001, 4, 24_001, 3])))
            .expect_err("unknown values");
        assert_eq!(unknown, BTreeMap::from([(4, 1), (255, 1), (24_001, 2)]));
    }

    proptest! {
        #[test]
        fn blocks_and_single_pixels_agree(values in prop::collection::vec((prop::sample::select(vec![0_u8, 3, 7, 11]), 1_usize..40), 1..20)) {
            let bytes: Vec<u8> = values.iter().flat_map(|&(value, run)| std::iter::repeat_n(value, run)).collect();
            let counted = table().map(raw(bytes.len() as u32, 1, Samples::Bytes(bytes.clone()))).expect("known values");
            let naive: Vec<u8> = bytes.iter().map(|raw| match raw { 7 => 0, 3 => 1, _ => 255 }).collect();
            prop_assert_eq!(counted.labels.as_slice(), &naive);
            for class in 0..2_u8 {
                prop_assert_eq!(counted.class_pixels[usize::from(class)], naive.iter().filter(|label| **label == class).count() as u64);
            }
            prop_assert_eq!(counted.ignored_pixels, naive.iter().filter(|label| **label == 255).count() as u64);
        }
    }
}
