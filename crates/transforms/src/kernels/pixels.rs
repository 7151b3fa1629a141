//! Steps of OpenCV's resize on pixels of three samples, 8 bits each.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// Samples of a pixel.
const CHANNELS: usize = 3;
/// Samples that a kernel may write beyond the last pixel of a line.
const SPARE: usize = 8;
/// Bits of a product that OpenCV drops before it mixes rows.
const DROPPED: u32 = 4;

/// Per target pixel of a row, two neighboring source pixels and their weights.
#[derive(Debug, Clone)]
pub(crate) struct PixelPairs {
    /// First samples of the two source pixels.
    places: Vec<[u32; 2]>,
    /// The two weights, once per sample; the last two stay 0.
    weights: Vec<[i16; 8]>,
    /// So many pairs, from the first on, lie side by side with two samples behind them (or give the second pixel no weight).
    wide: usize,
}

impl PixelPairs {
    /// The pairs of a row of `width` source pixels.
    ///
    /// # Panics
    /// If a pair lies outside the row.
    pub(crate) fn new(width: usize, pairs: impl Iterator<Item = ([usize; 2], [i16; 2])>) -> Self {
        let (mut places, mut weights) = (Vec::new(), Vec::new());
        let mut wide = 0;
        for (pixels, [first, second]) in pairs {
            assert!(pixels.iter().all(|&pixel| pixel < width), "a pair within the row");
            let place = pixels.map(|pixel| CHANNELS * pixel);
            let is_side_by_side = pixels[1] == pixels[0] + 1 || second == 0;
            if wide == places.len() && is_side_by_side && place[0] + 8 <= CHANNELS * width {
                wide += 1;
            }
            places.push(place.map(|sample| sample as u32));
            weights.push([first, second, first, second, first, second, 0, 0]);
        }
        Self { places, weights, wide }
    }

    /// Number of target pixels.
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// An empty line of target pixels.
    pub(crate) fn line(&self) -> Vec<i16> {
        vec![0; CHANNELS * self.len() + SPARE]
    }

    /// The pixels from `start` on, one sample after the other.
    #[inline(always)]
    pub(super) fn mix(&self, start: usize, source: &[u8], line: &mut [i16]) {
        let pixels = line[CHANNELS * start..].chunks_exact_mut(CHANNELS);
        for ((out, places), weights) in pixels.zip(&self.places[start..]).zip(&self.weights[start..]) {
            let [first, second] = places.map(|place| &source[place as usize..][..CHANNELS]);
            for ((out, &first), &second) in out.iter_mut().zip(first).zip(second) {
                let sum =
                    i32::from(first) * i32::from(weights[0]) + i32::from(second) * i32::from(weights[1]);
                *out = (sum >> DROPPED) as i16;
            }
        }
    }

    /// The same for as many pixels as have eight samples to read; returns how many.
    ///
    /// # Safety
    /// The CPU has AVX2.
    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) unsafe fn mix_avx2(&self, source: &[u8], line: &mut [i16]) -> usize {
        let count = self.wide / 2 * 2;
        let end = self.places[..count].iter().map(|place| place[0] as usize + 8).max().unwrap_or(0);
        assert!(source.len() >= end && line.len() >= CHANNELS * count + SPARE, "lines of the pairs' sizes");
        // SAFETY: all reads of `source` end at or before `end`; the write for a pixel ends one sample beyond it; both were
        // checked. `weights` has an element of 16 bytes per place.
        unsafe {
            let pairs = _mm256_broadcastsi128_si256(_mm_setr_epi8(
                0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1,
            ));
            let (mut place, mut weight) = (self.places.as_ptr(), self.weights.as_ptr());
            let mut out = line.as_mut_ptr();
            for _ in 0..count / 2 {
                let [first, _] = *place;
                let [second, _] = *place.add(1);
                let first = _mm_loadl_epi64(source.as_ptr().add(first as usize).cast());
                let second = _mm_loadl_epi64(source.as_ptr().add(second as usize).cast());
                let pixels = _mm256_shuffle_epi8(_mm256_set_m128i(second, first), pairs);
                let sums = _mm256_madd_epi16(pixels, _mm256_loadu_si256(weight.cast()));
                let sums = _mm256_srai_epi32::<{ DROPPED as i32 }>(sums);
                let short = _mm256_packs_epi32(sums, sums);
                _mm_storel_epi64(out.cast(), _mm256_castsi256_si128(short));
                _mm_storel_epi64(out.add(CHANNELS).cast(), _mm256_extracti128_si256::<1>(short));
                (place, weight, out) = (place.add(2), weight.add(2), out.add(2 * CHANNELS));
            }
        }
        count
    }
}

/// The means of 2x2 pixels from target sample `start` on: `upper` and `lower` are twice as long as `out`.
#[inline(always)]
pub(super) fn halve(start: usize, upper: &[u8], lower: &[u8], out: &mut [u8]) {
    let (upper, lower) = (upper[2 * start..].as_chunks::<6>().0, lower[2 * start..].as_chunks::<6>().0);
    for ((out, upper), lower) in out[start..].as_chunks_mut::<CHANNELS>().0.iter_mut().zip(upper).zip(lower) {
        for (channel, out) in out.iter_mut().enumerate() {
            let sum = [upper[channel], upper[channel + 3], lower[channel], lower[channel + 3]]
                .map(u16::from)
                .iter()
                .sum::<u16>();
            *out = ((sum + 2) >> 2) as u8;
        }
    }
}

/// The same for as many pixels as have 28 samples to read; returns how many samples were written.
///
/// # Safety
/// The CPU has AVX2.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx2")]
pub(super) unsafe fn halve_avx2(upper: &[u8], lower: &[u8], out: &mut [u8]) -> usize {
    /// Target pixels at once, and their samples.
    const PIXELS: usize = 4;
    const SAMPLES: usize = PIXELS * CHANNELS;
    let readable = upper.len().min(lower.len()).saturating_sub(28) / (2 * SAMPLES) + 1;
    let count = if upper.len().min(lower.len()) < 28 {
        0
    } else {
        readable.min(out.len().saturating_sub(4) / SAMPLES)
    };
    // SAFETY: round `i` reads 28 samples from `24 i` and writes 16 from `12 i`, of which the last 4 are written again by the next
    // round or the caller; `count` keeps both inside.
    unsafe {
        let pairs =
            _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11, -1, -1, -1, -1));
        let together = _mm_setr_epi8(0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13, -1, -1, -1, -1);
        let ones = _mm256_set1_epi8(1);
        for round in 0..count {
            let sums = |row: &[u8]| {
                let samples = row.as_ptr().add(2 * SAMPLES * round);
                let first = _mm_loadu_si128(samples.cast());
                let second = _mm_loadu_si128(samples.add(SAMPLES).cast());
                _mm256_maddubs_epi16(_mm256_shuffle_epi8(_mm256_set_m128i(second, first), pairs), ones)
            };
            let sum = _mm256_add_epi16(_mm256_add_epi16(sums(upper), sums(lower)), _mm256_set1_epi16(2));
            let means = _mm256_srli_epi16::<2>(sum);
            let means = _mm_packus_epi16(_mm256_castsi256_si128(means), _mm256_extracti128_si256::<1>(means));
            _mm_storeu_si128(out.as_mut_ptr().add(SAMPLES * round).cast(), _mm_shuffle_epi8(means, together));
        }
    }
    count * SAMPLES
}
