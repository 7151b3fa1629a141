//! Sixteen neighboring columns in the registers of each instruction set, and the choice at run time.

#![allow(
    unsafe_code,
    reason = "calling a function compiled for an instruction set needs the check that the CPU has it"
)]

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// Columns of a strip.
pub(super) const LANES: usize = 16;

/// One number for each column of a strip, in one line of the cache.
#[derive(Clone, Copy, Default)]
#[repr(C, align(64))]
pub(super) struct Lanes(pub(super) [i32; LANES]);

/// One step count for each column of a strip.
#[derive(Clone, Copy)]
#[repr(C, align(32))]
pub(super) struct Steps(pub(super) [u16; LANES]);

/// One label for each column of a strip.
#[derive(Clone, Copy)]
#[repr(C, align(16))]
pub(super) struct Labels(pub(super) [u8; LANES]);

/// Arithmetic on a part of a strip's columns: as many as a register holds.
pub(super) trait Vector: Copy {
    /// Registers that hold all columns.
    const PARTS: usize;
    /// One register.
    type Part: Copy;

    /// The same number in every column.
    fn splat(self, value: i32) -> Self::Part;
    /// Numbers of part `part`, which is below [`Vector::PARTS`] in all functions.
    fn load(self, lanes: &Lanes, part: usize) -> Self::Part;
    /// Writes part `part`.
    fn store(self, lanes: &mut Lanes, part: usize, values: Self::Part);
    /// The sum.
    fn add(self, a: Self::Part, b: Self::Part) -> Self::Part;
    /// The difference.
    fn subtract(self, a: Self::Part, b: Self::Part) -> Self::Part;
    /// The smaller number.
    fn min(self, a: Self::Part, b: Self::Part) -> Self::Part;
    /// `yes` where `a < b`, and `no` elsewhere.
    fn where_less(self, a: Self::Part, b: Self::Part, yes: Self::Part, no: Self::Part) -> Self::Part;
    /// The smallest and the largest number, neither negative.
    fn range(self, values: Self::Part) -> (i32, i32);
    /// The squares of numbers below 2^15.
    fn squares(self, steps: &Steps, part: usize) -> Self::Part;
    /// `values` where the label is `class`, and 0 elsewhere.
    fn where_class(self, labels: &Labels, class: u8, part: usize, values: Self::Part) -> Self::Part;
}

/// Work on vectors. Implementations mark `run` and all it calls `#[inline(always)]`, so that it is compiled once per instruction set.
pub(super) trait Work {
    /// What it returns.
    type Output;

    /// Does the work.
    fn run<V: Vector>(self, vector: V) -> Self::Output;
}

/// Which instructions distances are computed with. All give the same maps; this is for tests and benches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Instructions {
    /// The widest of this CPU: AVX-512, AVX2 or those of every CPU.
    #[default]
    Best,
    /// AVX2, where this CPU has it.
    Avx2,
    /// Those of every CPU.
    Baseline,
}

/// Does the work with the chosen instructions.
pub(super) fn dispatch<W: Work>(instructions: Instructions, work: W) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    {
        if instructions == Instructions::Best && Avx512::is_available() {
            // SAFETY: the CPU has these instructions.
            return unsafe { avx512(work, Avx512(())) };
        }
        if instructions != Instructions::Baseline && Avx2::is_available() {
            // SAFETY: the CPU has these instructions.
            return unsafe { avx2(work, Avx2(())) };
        }
    }
    let _ = instructions;
    work.run(Portable)
}

/// Four columns at a time, as any compiler's baseline has them.
#[derive(Clone, Copy)]
pub(super) struct Portable;

const QUARTER: usize = LANES / 4;

impl Vector for Portable {
    const PARTS: usize = 4;
    type Part = [i32; QUARTER];

    #[inline(always)]
    fn splat(self, value: i32) -> Self::Part {
        [value; QUARTER]
    }

    #[inline(always)]
    fn load(self, lanes: &Lanes, part: usize) -> Self::Part {
        std::array::from_fn(|lane| lanes.0[part * QUARTER + lane])
    }

    #[inline(always)]
    fn store(self, lanes: &mut Lanes, part: usize, values: Self::Part) {
        lanes.0[part * QUARTER..][..QUARTER].copy_from_slice(&values);
    }

    #[inline(always)]
    fn add(self, a: Self::Part, b: Self::Part) -> Self::Part {
        std::array::from_fn(|lane| a[lane] + b[lane])
    }

    #[inline(always)]
    fn subtract(self, a: Self::Part, b: Self::Part) -> Self::Part {
        std::array::from_fn(|lane| a[lane] - b[lane])
    }

    #[inline(always)]
    fn min(self, a: Self::Part, b: Self::Part) -> Self::Part {
        self.where_less(a, b, a, b)
    }

    #[inline(always)]
    fn where_less(self, a: Self::Part, b: Self::Part, yes: Self::Part, no: Self::Part) -> Self::Part {
        std::array::from_fn(|lane| if a[lane] < b[lane] { yes[lane] } else { no[lane] })
    }

    #[inline(always)]
    fn range(self, values: Self::Part) -> (i32, i32) {
        values.iter().fold((i32::MAX, 0), |(least, most), &value| (least.min(value), most.max(value)))
    }

    #[inline(always)]
    fn squares(self, steps: &Steps, part: usize) -> Self::Part {
        std::array::from_fn(|lane| i32::from(steps.0[part * QUARTER + lane]).pow(2))
    }

    #[inline(always)]
    fn where_class(self, labels: &Labels, class: u8, part: usize, values: Self::Part) -> Self::Part {
        std::array::from_fn(|lane| if labels.0[part * QUARTER + lane] == class { values[lane] } else { 0 })
    }
}

/// Eight columns in one register. A value of this type exists on CPUs with AVX2 only.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
struct Avx2(());

#[cfg(target_arch = "x86_64")]
impl Avx2 {
    fn is_available() -> bool {
        std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("bmi2")
    }
}

#[cfg(target_arch = "x86_64")]
impl Vector for Avx2 {
    const PARTS: usize = 2;
    type Part = __m256i;

    #[inline(always)]
    fn splat(self, value: i32) -> __m256i {
        // SAFETY: `self` exists, so the CPU has AVX2; so in all functions of this implementation.
        unsafe { _mm256_set1_epi32(value) }
    }

    #[inline(always)]
    fn load(self, lanes: &Lanes, part: usize) -> __m256i {
        // SAFETY: the half of an aligned array of 16 is 8 aligned numbers.
        unsafe { _mm256_load_si256(lanes.0[part * 8..][..8].as_ptr().cast()) }
    }

    #[inline(always)]
    fn store(self, lanes: &mut Lanes, part: usize, values: __m256i) {
        // SAFETY: the half of an aligned array of 16 is 8 aligned numbers.
        unsafe { _mm256_store_si256(lanes.0[part * 8..][..8].as_mut_ptr().cast(), values) }
    }

    #[inline(always)]
    fn add(self, a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: registers only.
        unsafe { _mm256_add_epi32(a, b) }
    }

    #[inline(always)]
    fn subtract(self, a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: registers only.
        unsafe { _mm256_sub_epi32(a, b) }
    }

    #[inline(always)]
    fn min(self, a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: registers only.
        unsafe { _mm256_min_epi32(a, b) }
    }

    #[inline(always)]
    fn where_less(self, a: __m256i, b: __m256i, yes: __m256i, no: __m256i) -> __m256i {
        // SAFETY: registers only.
        unsafe { _mm256_blendv_epi8(no, yes, _mm256_cmpgt_epi32(b, a)) }
    }

    #[inline(always)]
    fn range(self, values: __m256i) -> (i32, i32) {
        // SAFETY: registers only.
        unsafe {
            let (low, high) = (_mm256_castsi256_si128(values), _mm256_extracti128_si256::<1>(values));
            let (least, most) = (_mm_min_epi32(low, high), _mm_max_epi32(low, high));
            let least = _mm_min_epi32(least, _mm_shuffle_epi32::<0b01_00_11_10>(least));
            let most = _mm_max_epi32(most, _mm_shuffle_epi32::<0b01_00_11_10>(most));
            let least = _mm_min_epi32(least, _mm_shuffle_epi32::<0b10_11_00_01>(least));
            let most = _mm_max_epi32(most, _mm_shuffle_epi32::<0b10_11_00_01>(most));
            (_mm_cvtsi128_si32(least), _mm_cvtsi128_si32(most))
        }
    }

    #[inline(always)]
    fn squares(self, steps: &Steps, part: usize) -> __m256i {
        // SAFETY: the half of an aligned array of 16 is 8 aligned numbers.
        unsafe {
            let steps = _mm256_cvtepu16_epi32(_mm_load_si128(steps.0[part * 8..][..8].as_ptr().cast()));
            // The upper halves are 0.
            _mm256_madd_epi16(steps, steps)
        }
    }

    #[inline(always)]
    fn where_class(self, labels: &Labels, class: u8, part: usize, values: __m256i) -> __m256i {
        // SAFETY: the half of an array of 16 is 8 labels.
        unsafe {
            let labels = _mm_loadl_epi64(labels.0[part * 8..][..8].as_ptr().cast());
            let equal = _mm_cmpeq_epi8(labels, _mm_set1_epi8(class.cast_signed()));
            _mm256_and_si256(_mm256_cvtepi8_epi32(equal), values)
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,fma,popcnt")]
fn avx2<W: Work>(work: W, vector: Avx2) -> W::Output {
    work.run(vector)
}

/// All columns in one register. A value of this type exists on CPUs with AVX-512 F, BW, DQ and VL only.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
struct Avx512(());

#[cfg(target_arch = "x86_64")]
impl Avx512 {
    fn is_available() -> bool {
        Avx2::is_available()
            && std::arch::is_x86_feature_detected!("avx512f")
            && std::arch::is_x86_feature_detected!("avx512bw")
            && std::arch::is_x86_feature_detected!("avx512dq")
            && std::arch::is_x86_feature_detected!("avx512vl")
    }
}

#[cfg(target_arch = "x86_64")]
impl Vector for Avx512 {
    const PARTS: usize = 1;
    type Part = __m512i;

    #[inline(always)]
    fn splat(self, value: i32) -> __m512i {
        // SAFETY: `self` exists, so the CPU has AVX-512; so in all functions of this implementation.
        unsafe { _mm512_set1_epi32(value) }
    }

    #[inline(always)]
    fn load(self, lanes: &Lanes, _: usize) -> __m512i {
        // SAFETY: an aligned array of 16 numbers.
        unsafe { _mm512_load_si512(lanes.0.as_ptr().cast()) }
    }

    #[inline(always)]
    fn store(self, lanes: &mut Lanes, _: usize, values: __m512i) {
        // SAFETY: an aligned array of 16 numbers.
        unsafe { _mm512_store_si512(lanes.0.as_mut_ptr().cast(), values) }
    }

    #[inline(always)]
    fn add(self, a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: registers only.
        unsafe { _mm512_add_epi32(a, b) }
    }

    #[inline(always)]
    fn subtract(self, a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: registers only.
        unsafe { _mm512_sub_epi32(a, b) }
    }

    #[inline(always)]
    fn min(self, a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: registers only.
        unsafe { _mm512_min_epi32(a, b) }
    }

    #[inline(always)]
    fn where_less(self, a: __m512i, b: __m512i, yes: __m512i, no: __m512i) -> __m512i {
        // SAFETY: registers only.
        unsafe { _mm512_mask_mov_epi32(no, _mm512_cmplt_epi32_mask(a, b), yes) }
    }

    #[inline(always)]
    fn range(self, values: __m512i) -> (i32, i32) {
        // SAFETY: registers only.
        unsafe { (_mm512_reduce_min_epi32(values), _mm512_reduce_max_epi32(values)) }
    }

    #[inline(always)]
    fn squares(self, steps: &Steps, _: usize) -> __m512i {
        // SAFETY: an aligned array of 16 numbers of 16 bits.
        unsafe {
            let steps = _mm512_cvtepu16_epi32(_mm256_load_si256(steps.0.as_ptr().cast()));
            // The upper halves are 0.
            _mm512_madd_epi16(steps, steps)
        }
    }

    #[inline(always)]
    fn where_class(self, labels: &Labels, class: u8, _: usize, values: __m512i) -> __m512i {
        // SAFETY: an aligned array of 16 labels.
        unsafe {
            let labels = _mm_load_si128(labels.0.as_ptr().cast());
            _mm512_maskz_mov_epi32(_mm_cmpeq_epi8_mask(labels, _mm_set1_epi8(class.cast_signed())), values)
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi1,bmi2,fma,popcnt")]
fn avx512<W: Work>(work: W, vector: Avx512) -> W::Output {
    work.run(vector)
}
