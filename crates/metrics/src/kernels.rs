//! The comparison of 64 neighboring pixels with those before them, for each instruction set, and the choice at run time.

#![allow(
    unsafe_code,
    reason = "calling a function compiled for an instruction set needs the check that the CPU has it"
)]

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// Pixels compared at once.
pub(crate) const BLOCK: usize = 64;

/// Labels of neighboring pixels.
pub(crate) type Labels = [u8; BLOCK];

/// A way to find where runs of equal pairs begin.
pub(crate) trait Compare: Copy {
    /// A bit per place, the first one lowest: whether the two maps' labels there and one pixel before are not the same pair. Each map
    /// is given as its labels one pixel before and its labels.
    fn starts(self, ground_truth: [&Labels; 2], predicted: [&Labels; 2]) -> u64;
}

/// Work that compares blocks. Implementations mark `run` and all it calls `#[inline(always)]`, so that it is compiled once per
/// instruction set.
pub(crate) trait Work {
    /// Does the work.
    fn run(self, compare: impl Compare);
}

/// Does the work with the widest comparison that this CPU has.
pub(crate) fn dispatch(work: impl Work) {
    #[cfg(target_arch = "x86_64")]
    {
        if std::arch::is_x86_feature_detected!("avx512bw") && std::arch::is_x86_feature_detected!("bmi2") {
            // SAFETY: the CPU has AVX-512BW, and with it AVX-512F and AVX2, and BMI2, and with it BMI1 and POPCNT.
            return unsafe { avx512(work) };
        }
        if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("bmi2") {
            // SAFETY: the CPU has AVX2 and BMI2, and with it BMI1 and POPCNT.
            return unsafe { avx2(work) };
        }
    }
    work.run(Portable);
}

/// Eight pixels at a time in ordinary registers.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

impl Compare for Portable {
    #[inline(always)]
    fn starts(self, ground_truth: [&Labels; 2], predicted: [&Labels; 2]) -> u64 {
        const LOW: u64 = 0x7F7F_7F7F_7F7F_7F7F;
        let mut starts = 0;
        for word in 0..BLOCK / 8 {
            let change = |[before, labels]: [&Labels; 2]| {
                let at =
                    |map: &Labels| map.as_chunks().0.get(word).map_or(0, |bytes| u64::from_le_bytes(*bytes));
                at(before) ^ at(labels)
            };
            // A byte of `change` is not zero where a pixel differs from the one before it.
            let change = change(ground_truth) | change(predicted);
            let high_bits = (((change & LOW) + LOW) | change) & !LOW;
            // The product gathers the eight high bits in the top byte.
            starts |= ((high_bits >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * word);
        }
        starts
    }
}

/// 64 pixels in one register. A value of this type exists on CPUs with AVX-512BW only.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
struct Avx512(());

#[cfg(target_arch = "x86_64")]
impl Compare for Avx512 {
    #[inline(always)]
    fn starts(self, ground_truth: [&Labels; 2], predicted: [&Labels; 2]) -> u64 {
        // SAFETY: the CPU has AVX-512BW, because `self` exists; every array holds 64 bytes.
        unsafe {
            let differs = |[before, labels]: [&Labels; 2]| {
                let before = _mm512_loadu_si512(before.as_ptr().cast());
                _mm512_cmpneq_epi8_mask(before, _mm512_loadu_si512(labels.as_ptr().cast()))
            };
            differs(ground_truth) | differs(predicted)
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx2,bmi1,bmi2,popcnt")]
fn avx512(work: impl Work) {
    work.run(Avx512(()));
}

/// 32 pixels in one register. A value of this type exists on CPUs with AVX2 only.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
struct Avx2(());

#[cfg(target_arch = "x86_64")]
impl Compare for Avx2 {
    #[inline(always)]
    fn starts(self, ground_truth: [&Labels; 2], predicted: [&Labels; 2]) -> u64 {
        // SAFETY: the CPU has AVX2, because `self` exists; 32 bytes from byte 32 at most lie within 64.
        unsafe {
            let equal = |[before, labels]: [&Labels; 2], half: usize| {
                let before = _mm256_loadu_si256(before.as_ptr().add(half).cast());
                _mm256_cmpeq_epi8(before, _mm256_loadu_si256(labels.as_ptr().add(half).cast()))
            };
            let starts = |half| {
                let both = _mm256_and_si256(equal(ground_truth, half), equal(predicted, half));
                u64::from(!(_mm256_movemask_epi8(both) as u32))
            };
            starts(0) | starts(BLOCK / 2) << (BLOCK / 2)
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn avx2(work: impl Work) {
    work.run(Avx2(()));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn labels() -> impl Strategy<Value = Labels> {
        prop::collection::vec(prop_oneof![4 => Just(7_u8), 1 => any::<u8>()], BLOCK)
            .prop_map(|bytes| std::array::from_fn(|index| bytes[index]))
    }

    proptest! {
        #[test]
        fn every_instruction_set_finds_the_same_starts(maps in [labels(), labels(), labels(), labels()]) {
            let [ground_truth, predicted] = [[&maps[0], &maps[1]], [&maps[2], &maps[3]]];
            let differs = |pixel: &usize| {
                [ground_truth, predicted].iter().any(|[before, labels]| before[*pixel] != labels[*pixel])
            };
            let expected = (0..BLOCK).filter(differs).fold(0, |bits, pixel| bits | 1 << pixel);
            prop_assert_eq!(Portable.starts(ground_truth, predicted), expected);
            #[cfg(target_arch = "x86_64")]
            {
                if std::arch::is_x86_feature_detected!("avx2") {
                    prop_assert_eq!(Avx2(()).starts(ground_truth, predicted), expected);
                }
                if std::arch::is_x86_feature_detected!("avx512bw") {
                    prop_assert_eq!(Avx512(()).starts(ground_truth, predicted), expected);
                }
            }
        }
    }
}
