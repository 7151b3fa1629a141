//! The same code compiled once per instruction set, the comparison of classes in wide registers, and the choice at run time.
//!
//! Interpolation uses fused multiply-adds, as the reference does. Without the instruction for them, the portable variant calls a
//! slow function that gives the same bits.

#![allow(
    unsafe_code,
    reason = "calling a function compiled for an instruction set needs the check that the CPU has it"
)]

mod pixels;

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

pub(crate) use self::pixels::PixelPairs;

/// Columns that are compared at once.
pub(crate) const LANES: usize = 16;
/// Rows that are compared at once, so that one row need not wait for the other.
pub(crate) const ROWS: usize = 4;

/// The two source rows of an output row, one class, interpolated to the output's columns.
pub(crate) type Lines = [[f32; LANES]; 2];

/// A set of instructions.
pub(crate) trait Simd: Copy {
    /// Mixes two source pixels into every pixel of a line, as OpenCV does before it mixes rows.
    #[inline(always)]
    fn mix_pixels(self, source: &[u8], pairs: &PixelPairs, line: &mut [i16]) {
        pairs.mix(0, source, line);
    }

    /// The means of 2x2 pixels: `upper` and `lower` are twice as long as `out`.
    #[inline(always)]
    fn halve(self, upper: &[u8], lower: &[u8], out: &mut [u8]) {
        pixels::halve(0, upper, lower, out);
    }

    /// The winning class of every pixel: row `i` mixes each class's two lines by `weights[i]`, and the first of equals wins.
    fn challenge(self, classes: &[u8], lines: &[Lines], weights: [f32; ROWS]) -> [[i32; LANES]; ROWS];
}

/// Work whose innermost loops gain from wide registers. Implementations mark `run` and all it calls `#[inline(always)]`, so that
/// the loops are compiled inside the variant.
pub(crate) trait Work {
    /// Does the work.
    fn run(self, simd: impl Simd);
}

/// Runs the work in the best variant that this CPU has.
pub(crate) fn dispatch(work: impl Work) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("fma") {
        if std::arch::is_x86_feature_detected!("avx512f") && std::arch::is_x86_feature_detected!("avx512bw") {
            // SAFETY: the CPU has AVX-512F, AVX-512BW and FMA.
            return unsafe { avx512(work) };
        } else if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the CPU has AVX2 and FMA.
            return unsafe { avx2(work) };
        }
    }
    portable(work);
}

/// 16 lanes. A value of this type exists on CPUs with AVX-512F only.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
struct Avx512(());

#[cfg(target_arch = "x86_64")]
impl Simd for Avx512 {
    #[inline(always)]
    fn challenge(self, classes: &[u8], lines: &[Lines], weights: [f32; ROWS]) -> [[i32; LANES]; ROWS] {
        // SAFETY: the CPU has AVX-512F, because `self` exists; every array that is read or written holds 16 lanes.
        unsafe {
            let weights = weights.map(|weight| (_mm512_set1_ps(1.0 - weight), _mm512_set1_ps(weight)));
            let mut best = [_mm512_set1_ps(f32::NEG_INFINITY); ROWS];
            let mut winner = [_mm512_setzero_si512(); ROWS];
            for (&class, [upper, lower]) in classes.iter().zip(lines) {
                let class = _mm512_set1_epi32(i32::from(class));
                let (upper, lower) = (_mm512_loadu_ps(upper.as_ptr()), _mm512_loadu_ps(lower.as_ptr()));
                for row in 0..ROWS {
                    let value = _mm512_fmadd_ps(upper, weights[row].0, _mm512_mul_ps(lower, weights[row].1));
                    let is_greater = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(value, best[row]);
                    best[row] = _mm512_mask_mov_ps(best[row], is_greater, value);
                    winner[row] = _mm512_mask_mov_epi32(winner[row], is_greater, class);
                }
            }
            let mut out = [[0; LANES]; ROWS];
            for (out, winner) in out.iter_mut().zip(winner) {
                _mm512_storeu_si512(out.as_mut_ptr().cast(), winner);
            }
            out
        }
    }

    #[inline(always)]
    fn mix_pixels(self, source: &[u8], pairs: &PixelPairs, line: &mut [i16]) {
        // SAFETY: the CPU has AVX2, because `self` exists.
        let done = unsafe { pairs.mix_avx2(source, line) };
        pairs.mix(done, source, line);
    }

    #[inline(always)]
    fn halve(self, upper: &[u8], lower: &[u8], out: &mut [u8]) {
        // SAFETY: the CPU has AVX2, because `self` exists.
        let done = unsafe { pixels::halve_avx2(upper, lower, out) };
        pixels::halve(done, upper, lower, out);
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx2,fma")]
fn avx512(work: impl Work) {
    work.run(Avx512(()));
}

/// Twice 8 lanes. A value of this type exists on CPUs with AVX2 and FMA only.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
struct Avx2(());

#[cfg(target_arch = "x86_64")]
impl Simd for Avx2 {
    #[inline(always)]
    fn challenge(self, classes: &[u8], lines: &[Lines], weights: [f32; ROWS]) -> [[i32; LANES]; ROWS] {
        const HALF: usize = LANES / 2;
        let mut out = [[0; LANES]; ROWS];
        // SAFETY: the CPU has AVX2 and FMA, because `self` exists; 8 lanes from lane 8 at most lie within 16.
        unsafe {
            let weights = weights.map(|weight| (_mm256_set1_ps(1.0 - weight), _mm256_set1_ps(weight)));
            for half in [0, HALF] {
                let mut best = [_mm256_set1_ps(f32::NEG_INFINITY); ROWS];
                let mut winner = [_mm256_setzero_ps(); ROWS];
                for (&class, [upper, lower]) in classes.iter().zip(lines) {
                    let class = _mm256_castsi256_ps(_mm256_set1_epi32(i32::from(class)));
                    let upper = _mm256_loadu_ps(upper.as_ptr().add(half));
                    let lower = _mm256_loadu_ps(lower.as_ptr().add(half));
                    for row in 0..ROWS {
                        let value =
                            _mm256_fmadd_ps(upper, weights[row].0, _mm256_mul_ps(lower, weights[row].1));
                        let is_greater = _mm256_cmp_ps::<_CMP_GT_OQ>(value, best[row]);
                        best[row] = _mm256_blendv_ps(best[row], value, is_greater);
                        winner[row] = _mm256_blendv_ps(winner[row], class, is_greater);
                    }
                }
                for (out, winner) in out.iter_mut().zip(winner) {
                    _mm256_storeu_si256(out.as_mut_ptr().add(half).cast(), _mm256_castps_si256(winner));
                }
            }
        }
        out
    }

    #[inline(always)]
    fn mix_pixels(self, source: &[u8], pairs: &PixelPairs, line: &mut [i16]) {
        // SAFETY: the CPU has AVX2, because `self` exists.
        let done = unsafe { pairs.mix_avx2(source, line) };
        pairs.mix(done, source, line);
    }

    #[inline(always)]
    fn halve(self, upper: &[u8], lower: &[u8], out: &mut [u8]) {
        // SAFETY: the CPU has AVX2, because `self` exists.
        let done = unsafe { pixels::halve_avx2(upper, lower, out) };
        pixels::halve(done, upper, lower, out);
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2(work: impl Work) {
    work.run(Avx2(()));
}

/// One lane at a time.
#[derive(Clone, Copy)]
struct Portable;

impl Simd for Portable {
    #[inline(always)]
    fn challenge(self, classes: &[u8], lines: &[Lines], weights: [f32; ROWS]) -> [[i32; LANES]; ROWS] {
        let mut best = [[f32::NEG_INFINITY; LANES]; ROWS];
        let mut winner = [[0; LANES]; ROWS];
        for (&class, [upper, lower]) in classes.iter().zip(lines) {
            for ((best, winner), weight) in best.iter_mut().zip(&mut winner).zip(weights) {
                for lane in 0..LANES {
                    let value = upper[lane].mul_add(1.0 - weight, lower[lane] * weight);
                    if value > best[lane] {
                        (best[lane], winner[lane]) = (value, i32::from(class));
                    }
                }
            }
        }
        winner
    }
}

/// The variant for every CPU.
pub(crate) fn portable(work: impl Work) {
    work.run(Portable);
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
        fn run(self, _: impl Simd) {
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

        #[test]
        fn every_variant_finds_the_winners_of_the_portable_one(
            values in prop::collection::vec(prop_oneof![-2_i8..3, any::<i8>()], 5 * 2 * LANES),
            weights in prop::array::uniform4(0.0_f32..1.0),
            holes: bool,
        ) {
            let at = |class: usize, line: usize, lane: usize| match values[(class * 2 + line) * LANES + lane] {
                7 if holes => f32::NAN,
                value => f32::from(value),
            };
            let lines: [Lines; 5] =
                std::array::from_fn(|class| [0, 1].map(|line| std::array::from_fn(|lane| at(class, line, lane))));
            let classes = [2, 3, 11, 150, 254];
            let expected = Portable.challenge(&classes, &lines, weights);
            #[cfg(target_arch = "x86_64")]
            if std::arch::is_x86_feature_detected!("fma") {
                if std::arch::is_x86_feature_detected!("avx512f") {
                    prop_assert_eq!(Avx512(()).challenge(&classes, &lines, weights), expected);
                }
                if std::arch::is_x86_feature_detected!("avx2") {
                    prop_assert_eq!(Avx2(()).challenge(&classes, &lines, weights), expected);
                }
            }
        }
    }
}
