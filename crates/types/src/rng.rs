//! Seeded random numbers that are the same on every machine.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// A random stream that is fixed by a seed and the place it is used at.
///
/// There is no stream to save and restore: the stream of image 17 in step 400 is found from the seed and those two numbers,
/// which makes resuming exact and leaves results independent of the number of threads.
#[derive(Debug, Clone)]
pub struct Rng(ChaCha8Rng);

impl Rng {
    /// The stream of `seed` at `place`, such as `[step, image]`.
    pub fn new(seed: u64, place: &[u64]) -> Self {
        // SplitMix64 over the coordinates; ChaCha does the rest.
        let mut state = seed;
        let mut key = mix(&mut state);
        for &coordinate in place {
            state ^= coordinate.wrapping_add(key);
            key = key.rotate_left(23) ^ mix(&mut state);
        }
        let mut bytes = [0; 32];
        for chunk in bytes.chunks_exact_mut(8) {
            chunk.copy_from_slice(&mix(&mut state).to_le_bytes());
        }
        Self(ChaCha8Rng::from_seed(bytes))
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in [0, 1), with 24 random bits.
    pub fn unit(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 * (1.0 / 16_777_216.0)
    }

    /// Uniform in [low, high).
    pub fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// Uniform in 0..bound; 0 for a bound of 0.
    pub fn below(&mut self, bound: usize) -> usize {
        // The high word of a product: bias below 2^-32 for any bound that fits memory.
        ((u128::from(self.bits()) * bound as u128) >> 64) as usize
    }

    /// True with the given probability.
    pub fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    /// Standard normal (Box-Muller).
    pub fn normal(&mut self) -> f32 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f32::consts::TAU * self.unit()).cos()
    }

    /// Shuffles in place (Fisher-Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

fn mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut x = *state;
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_place_gives_the_same_stream_and_another_place_another() {
        let draw = |seed, place: &[u64]| Rng::new(seed, place).bits();
        assert_eq!(draw(1, &[2, 3]), draw(1, &[2, 3]));
        for (seed, place) in [(1, [3, 2]), (2, [2, 3]), (1, [2, 4])] {
            assert_ne!(draw(1, &[2, 3]), draw(seed, &place));
        }
    }

    #[test]
    fn below_stays_below_and_reaches_every_value() {
        let mut rng = Rng::new(7, &[]);
        let mut seen = [false; 5];
        for _ in 0..200 {
            seen[rng.below(5)] = true;
        }
        assert_eq!(seen, [true; 5]);
        assert_eq!(rng.below(0), 0);
    }

    #[test]
    fn normal_has_mean_zero_and_variance_one() {
        let mut rng = Rng::new(3, &[]);
        let draws: Vec<f32> = (0..20_000).map(|_| rng.normal()).collect();
        let mean = draws.iter().sum::<f32>() / draws.len() as f32;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / draws.len() as f32;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.03, "{mean} {variance}");
    }
}
