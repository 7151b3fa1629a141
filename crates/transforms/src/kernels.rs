//! The same code compiled once per instruction set, and the choice at run time.
//!
//! Interpolation uses fused multiply-adds, as the reference does. Without the instruction for them, the portable variant calls a
//! slow function that gives the same bits.

#![allow(
    unsafe_code,
    reason = "calling a function compiled for an instruction set needs the check that the CPU has it"
)]

/// Work whose innermost loops gain from wide registers. Implementations mark `run` and all it calls `#[inline(always)]`, so that
/// the loops are compiled inside the variant.
pub(crate) trait Work {
    /// Does the work.
    fn run(self);
}

/// Runs the work in the best variant that this CPU has.
pub(crate) fn dispatch(work: impl Work) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("fma") {
        if std::arch::is_x86_feature_detected!("avx512f") {
            // SAFETY: the CPU has AVX-512F and FMA.
            return unsafe { avx512(work) };
        } else if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the CPU has AVX2 and FMA.
            return unsafe { avx2(work) };
        }
    }
    portable(work);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
fn avx512(work: impl Work) {
    work.run();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2(work: impl Work) {
    work.run();
}

/// The variant for every CPU.
pub(crate) fn portable(work: impl Work) {
    work.run();
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Mix<'a> {
        values: &'a mut [f32],
        weight: f32,
    }

    impl Work for Mix<'_> {
        #[inline(always)]
        fn run(self) {
            for value in self.values {
                *value = value.mul_add(self.weight, *value * 0.3);
            }
        }
    }

    proptest! {
        #[test]
        fn every_variant_gives_the_bits_of_the_portable_one(
            values in prop::collection::vec(-9.0_f32..9.0, 0..99),
            weight in -2.0_f32..2.0,
        ) {
            let (mut ours, mut expected) = (values.clone(), values);
            dispatch(Mix { values: &mut ours, weight });
            portable(Mix { values: &mut expected, weight });
            prop_assert_eq!(ours, expected);
        }
    }
}
