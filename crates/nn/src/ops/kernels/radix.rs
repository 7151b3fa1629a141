//! Orders of rows: the order of floats as that of integers, which are sorted digit by digit.

use rayon::prelude::*;

/// Bits of a digit, and so eleven, eleven and ten of a key.
const DIGIT: u32 = 11;
/// Shorter rows are sorted by comparisons.
const SHORT: usize = 512;

/// The indices that `find` returns for each row, one after the other.
pub(in crate::ops) fn for_each_row(
    values: &[f32],
    columns: usize,
    find: impl Fn(&[f32]) -> Vec<u32> + Send + Sync,
) -> Vec<u32> {
    values.par_chunks_exact(columns).map(find).collect::<Vec<_>>().concat()
}

/// The indices of a row in ascending or descending order of its elements; equal ones keep their order.
pub(in crate::ops) fn sort(row: &[f32], descending: bool) -> Vec<u32> {
    let mut entries = entries(row, descending);
    if row.len() < SHORT {
        entries.sort_unstable()
    } else {
        entries = by_digits(entries)
    }
    entries.into_iter().map(|entry| entry as u32).collect()
}

/// The indices of the `count` largest elements of a row, the largest first; of equal ones the first comes first.
pub(in crate::ops) fn largest(row: &[f32], count: usize) -> Vec<u32> {
    let mut entries = entries(row, true);
    if count < entries.len() {
        entries.select_nth_unstable(count);
        entries.truncate(count);
    }
    entries.sort_unstable();
    entries.into_iter().map(|entry| entry as u32).collect()
}

/// For each element its key and below it its index, so that no two are equal.
fn entries(row: &[f32], descending: bool) -> Vec<u64> {
    let flip = if descending { u32::MAX } else { 0 };
    let entry = |(index, value): (usize, &f32)| u64::from(key(*value) ^ flip) << 32 | index as u64;
    row.iter().enumerate().map(entry).collect()
}

/// An integer that is ordered as the float is: both zeros are equal, and NaN is the largest.
fn key(value: f32) -> u32 {
    if value.is_nan() {
        return u32::MAX;
    }
    // Adding zero makes a positive zero of a negative one.
    let bits = (value + 0.0).to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

/// Sorts by the keys of the entries, from the last digit to the first, each time keeping the order of equal digits.
fn by_digits(mut entries: Vec<u64>) -> Vec<u64> {
    let mut sorted = vec![0; entries.len()];
    let digit = |entry: u64, shift: u32| (entry >> (32 + shift)) as usize & ((1 << DIGIT) - 1);
    for shift in [0, DIGIT, 2 * DIGIT] {
        let mut ends = vec![0usize; 1 << DIGIT];
        for &entry in &entries {
            ends[digit(entry, shift)] += 1;
        }
        if ends.contains(&entries.len()) {
            continue;
        }
        let mut start = 0;
        for place in &mut ends {
            start += std::mem::replace(place, start);
        }
        for &entry in &entries {
            let place = &mut ends[digit(entry, shift)];
            sorted[*place] = entry;
            *place += 1;
        }
        std::mem::swap(&mut entries, &mut sorted);
    }
    entries
}

#[cfg(test)]
mod tests {
    use segbench_types::Rng;

    use super::*;

    /// Many equal elements, both zeros and both infinities.
    fn row(seed: u64, length: usize) -> Vec<f32> {
        let special = [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, 1e-40, -1e-40];
        let mut rng = Rng::new(seed, &[]);
        let value = |rng: &mut Rng| match rng.range(0.0, 20.0) as usize {
            index if index < 6 => special[index],
            index if index < 14 => rng.range(-4.0, 4.0).round(),
            _ => rng.range(-1e4, 1e4),
        };
        (0..length).map(|_| value(&mut rng)).collect()
    }

    #[test]
    fn orders_are_those_of_a_stable_sort_by_comparison() {
        for length in [0, 1, 2, 37, 511, 512, 513, 20_011] {
            let row = row(length as u64, length);
            let mut expected: Vec<u32> = (0..length as u32).collect();
            expected.sort_by(|&a, &b| row[a as usize].partial_cmp(&row[b as usize]).unwrap());
            assert!(sort(&row, false) == expected, "{length}");
            expected.sort_by(|&a, &b| row[b as usize].partial_cmp(&row[a as usize]).unwrap().then(a.cmp(&b)));
            assert!(sort(&row, true) == expected, "{length}");
            for count in [0, 1, length / 3, length.saturating_sub(1), length] {
                let count = count.min(length);
                assert!(largest(&row, count) == expected[..count], "{count} of {length}");
            }
        }
    }

    #[test]
    fn nan_is_the_largest_whatever_its_sign() {
        let row = [f32::NAN, 1.0, -f32::NAN, f32::INFINITY];
        assert_eq!(sort(&row, false), [1, 3, 0, 2]);
        assert_eq!(sort(&row, true), [0, 2, 3, 1]);
    }
}
