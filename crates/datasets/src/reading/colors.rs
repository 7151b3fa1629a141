//! Label files in colors.

use std::collections::BTreeMap;

use super::Reading;
use crate::DecodeError;
use crate::catalog::NamedValue;
use crate::label_png::{self, RawLabels, Samples};

/// What a pixel of a color that nobody knows holds.
pub(crate) const UNKNOWN_COLOR: u16 = u16::MAX;

pub(super) fn read(bytes: &[u8], values: &[NamedValue]) -> Result<Reading, DecodeError> {
    let image = label_png::decode_colors(bytes)?;
    // The first value of a color counts, as in the order of the table.
    let mut ids: BTreeMap<[u8; 3], u16> = BTreeMap::new();
    for value in values {
        if let Some(color) = value.color {
            ids.entry(color).or_insert(value.id);
        }
    }
    let mut unknown_colors = BTreeMap::new();
    let mut last = ([0; 3], ids.get(&[0; 3]).copied());
    let word = |pixel: &[u8; 3]| {
        // Neighbors mostly have the same color.
        if last.0 != *pixel {
            last = (*pixel, ids.get(pixel).copied());
        }
        last.1.unwrap_or_else(|| {
            *unknown_colors.entry(*pixel).or_insert(0) += 1;
            UNKNOWN_COLOR
        })
    };
    let words = image.as_raw().as_chunks::<3>().0.iter().map(word).collect();
    let raw = RawLabels { width: image.width(), height: image.height(), samples: Samples::Words(words) };
    Ok(Reading { unknown_colors, ..raw.into() })
}

#[cfg(test)]
mod tests {
    use segbench_testkit::{grey8, rgb8, rgba8};

    use super::*;

    fn values() -> Vec<NamedValue> {
        let value = |id, color| NamedValue { id, name: String::new(), color: Some(color) };
        vec![value(3, [128, 64, 128]), value(7, [0, 0, 0]), value(9, [128, 64, 128])]
    }

    #[test]
    fn colors_become_ids_and_strays_are_counted() {
        let pixels = [[128, 64, 128], [0, 0, 0], [1, 2, 3], [1, 2, 3], [128, 64, 127]];
        let reading = read(&rgb8(5, 1, pixels.as_flattened()), &values()).expect("decoded");
        assert_eq!(
            reading.raw.samples,
            Samples::Words(vec![3, 7, UNKNOWN_COLOR, UNKNOWN_COLOR, UNKNOWN_COLOR])
        );
        assert_eq!(reading.unknown_colors, BTreeMap::from([([1, 2, 3], 2), ([128, 64, 127], 1)]));
    }

    #[test]
    fn transparency_does_not_matter_but_a_map_of_ids_is_refused() {
        let reading = read(&rgba8(1, 1, &[128, 64, 128, 0]), &values()).expect("decoded");
        assert_eq!(reading.raw.samples, Samples::Words(vec![3]));
        assert!(read(&grey8(1, 1, &[3]), &values()).is_err());
    }
}
