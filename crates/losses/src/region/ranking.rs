//! Sorting millions of numbers from the largest down.

/// Bits that a pass sorts by; three passes see all 32.
const BITS: u32 = 11;
const BUCKETS: usize = 1 << BITS;

/// A number of at least 0 and where it came from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Ranked(u64);

impl Ranked {
    /// `value` is at least 0, or no number, which counts as large.
    pub(super) fn new(value: f32, origin: u32) -> Self {
        // Floats of one sign are in the order of their bits.
        Self(u64::from(value.to_bits()) << 32 | u64::from(origin))
    }

    pub(super) fn value(self) -> f32 {
        f32::from_bits((self.0 >> 32) as u32)
    }

    pub(super) fn origin(self) -> u32 {
        self.0 as u32
    }

    /// Its bucket in a pass; larger values have smaller ones.
    fn bucket(self, pass: u32) -> usize {
        (!(self.0 >> 32) >> (pass * BITS)) as usize & (BUCKETS - 1)
    }
}

/// Sorts from the largest value down and keeps equal ones in their order; `room` is memory to use.
pub(super) fn sort_descending(items: &mut Vec<Ranked>, room: &mut Vec<Ranked>) {
    let mut counts = [[0_u32; BUCKETS]; 3];
    for item in items.iter() {
        for (pass, counts) in (0..).zip(&mut counts) {
            counts[item.bucket(pass)] += 1;
        }
    }
    room.clear();
    room.resize(items.len(), Ranked::default());
    for (pass, counts) in (0..).zip(&mut counts) {
        if counts.iter().any(|&count| count as usize == items.len()) {
            continue;
        }
        let mut next = 0;
        for count in counts.iter_mut() {
            next += std::mem::replace(count, next);
        }
        for &item in items.iter() {
            let place = &mut counts[item.bucket(pass)];
            room[*place as usize] = item;
            *place += 1;
        }
        std::mem::swap(items, room);
    }
}

#[cfg(test)]
mod tests {
    use segbench_types::Rng;

    use super::*;

    #[test]
    fn values_come_from_the_largest_down_and_equal_ones_in_their_order() {
        let mut rng = Rng::new(7, &[]);
        for length in [0, 1, 2, 5000] {
            let value = |rng: &mut Rng| [0.0, 0.5, 1.0, rng.unit(), 1e-30, 3e9 * rng.unit()][rng.below(6)];
            let values: Vec<f32> = (0..length).map(|_| value(&mut rng)).collect();
            let mut expected: Vec<(f32, u32)> = values.iter().copied().zip(0..).collect();
            expected.sort_by(|a, b| b.0.total_cmp(&a.0));
            let mut items: Vec<Ranked> =
                values.iter().zip(0..).map(|(&value, at)| Ranked::new(value, at)).collect();
            sort_descending(&mut items, &mut Vec::new());
            let got: Vec<(f32, u32)> = items.iter().map(|item| (item.value(), item.origin())).collect();
            assert_eq!(got, expected);
        }
    }
}
