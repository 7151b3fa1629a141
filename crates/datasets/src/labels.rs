//! From raw label ids to train ids, counting on the way.

use std::collections::BTreeMap;

use segbench_types::{ClassCatalog, IGNORE, LabelMap};

use crate::label_png::{RawLabels, Samples};

/// All values that a file can hold.
const VALUES: usize = 1 << 16;

/// Raw label id to train id.
#[derive(Debug, Clone)]
pub struct LabelTable {
    /// One per value; [`IGNORE`] also for values that nobody knows.
    train_ids: Box<[u8; VALUES]>,
    known: Box<[bool; VALUES]>,
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
        let mut table = Self::unknowing(catalog.len());
        for &id in &catalog.ignored_source_ids {
            table.learn(id, IGNORE);
        }
        for (train_id, class) in (0..IGNORE).zip(&catalog.classes) {
            table.learn(class.source_id, train_id);
        }
        table
    }

    fn unknowing(classes: usize) -> Self {
        Self { train_ids: Box::new([IGNORE; VALUES]), known: Box::new([false; VALUES]), classes }
    }

    fn learn(&mut self, raw: u16, train_id: u8) {
        self.train_ids[usize::from(raw)] = train_id;
        self.known[usize::from(raw)] = true;
    }

    /// The table for files whose values are replaced first: by `map`, else by `otherwise`, else not at all.
    #[must_use]
    pub fn translated(&self, map: &BTreeMap<u16, u16>, otherwise: Option<u16>) -> Self {
        let mut table = Self::unknowing(self.classes);
        for raw in 0..=u16::MAX {
            let id = usize::from(map.get(&raw).copied().or(otherwise).unwrap_or(raw));
            if self.known[id] {
                table.learn(raw, self.train_ids[id]);
            }
        }
        table
    }

    /// The same table, which also knows that `raw` means "no class".
    #[must_use]
    pub fn with_ignored(mut self, raw: u16) -> Self {
        self.learn(raw, IGNORE);
        self
    }

    /// The table to the train ids of other classes: `train_ids` says what becomes of each train id.
    #[must_use]
    pub fn composed(mut self, train_ids: &[u8], classes: usize) -> Self {
        for train_id in self.train_ids.iter_mut() {
            *train_id = train_ids.get(usize::from(*train_id)).copied().unwrap_or(IGNORE);
        }
        self.classes = classes;
        self
    }

    /// Maps and counts all pixels, in the memory of `raw` where its samples are bytes.
    ///
    /// # Errors
    /// Pixels per unknown raw value, if there is any.
    pub fn map(&self, raw: RawLabels) -> Result<CountedLabels, BTreeMap<u16, u64>> {
        let (counted, unknown) = self.map_leniently(raw);
        if unknown.is_empty() { Ok(counted) } else { Err(unknown) }
    }

    /// As [`Self::map`], where unknown values become [`IGNORE`] and are counted beside.
    pub fn map_leniently(&self, raw: RawLabels) -> (CountedLabels, BTreeMap<u16, u64>) {
        let (width, height) = (raw.width, raw.height);
        let mut unknown = BTreeMap::new();
        let mut class_pixels = vec![0; self.classes];
        let mut ignored_pixels = 0;
        let mut count = |train_id: u8, pixels: u64| match class_pixels.get_mut(usize::from(train_id)) {
            Some(sum) => *sum += pixels,
            None => ignored_pixels += pixels,
        };
        let labels = match raw.samples {
            Samples::Bytes(mut bytes) => {
                for ((raw, pixels), (&train_id, known)) in
                    (0..).zip(self.map_bytes(&mut bytes)).zip(self.train_ids.iter().zip(self.known.iter()))
                {
                    count(train_id, pixels);
                    if pixels > 0 && !known {
                        unknown.insert(raw, pixels);
                    }
                }
                bytes
            }
            Samples::Words(words) => {
                let map = |word: u16| {
                    let train_id = self.train_ids[usize::from(word)];
                    count(train_id, 1);
                    if !self.known[usize::from(word)] {
                        *unknown.entry(word).or_insert(0) += 1;
                    }
                    train_id
                };
                words.into_iter().map(map).collect()
            }
        };
        // The decoder gives as many samples as the size asks for.
        let labels =
            LabelMap::new(width, height, labels).unwrap_or_else(|_| LabelMap::filled(width, height, IGNORE));
        (CountedLabels { labels, class_pixels, ignored_pixels }, unknown)
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

    #[test]
    fn unknown_values_become_ignored_where_that_is_wanted() {
        let (counted, unknown) = table().map_leniently(raw(2, 2, Samples::Bytes(vec![7, 4, 4, 11])));
        assert_eq!(counted.labels.as_slice(), [0, 255, 255, 255]);
        assert_eq!((counted.class_pixels, counted.ignored_pixels), (vec![1, 0], 3));
        assert_eq!(unknown, BTreeMap::from([(4, 2)]));
    }

    #[test]
    fn values_are_replaced_before_the_table_is_asked() {
        let map = BTreeMap::from([(774, 7), (3, 0)]);
        let words = || raw(5, 1, Samples::Words(vec![774, 3, 7, 9, 11]));
        let (counted, unknown) = table().translated(&map, None).map_leniently(words());
        assert_eq!((counted.labels.as_slice(), unknown.len()), (&[0, 255, 0, 255, 255][..], 1));
        // Everything else is raw 3, so also raw 7.
        let (counted, unknown) = table().translated(&map, Some(3)).map_leniently(words());
        assert_eq!((counted.labels.as_slice(), unknown.len()), (&[0, 255, 1, 1, 1][..], 0));
    }

    #[test]
    fn other_classes_merge_and_drop_train_ids() {
        let counted = table().composed(&[255, 1], 2).map(raw(4, 1, Samples::Bytes(vec![7, 3, 0, 3])));
        let counted = counted.expect("known values");
        assert_eq!(counted.labels.as_slice(), [255, 1, 255, 1]);
        assert_eq!((counted.class_pixels, counted.ignored_pixels), (vec![0, 2], 2));
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
