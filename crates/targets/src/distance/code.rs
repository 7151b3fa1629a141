//! Distances as integers of 16 bits, for storing.

use super::DistanceMap;

/// How distances become integers: in steps, up to a largest distance.
///
/// # Examples
/// ```
/// use segbench_targets::{DistanceCode, DistanceMap};
///
/// let code = DistanceCode::of(DistanceMap::Signed);
/// assert_eq!(code.decode(code.encode(-2.2)), -2.25);
/// assert_eq!(code.decode(code.encode(1000.0)), 127.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DistanceCode {
    /// The distance between two integers; a power of two, so that decoding is exact. No distance up to `clip` is wrong by more than half of it.
    pub step: f32,
    /// Larger distances become this one, on either side of the border.
    pub clip: f32,
}

impl DistanceCode {
    /// The code of a kind of map: a quarter of a pixel, up to 127 pixels; penalties, which are largest where it matters, as far as 16
    /// bits reach.
    pub fn of(kind: DistanceMap) -> Self {
        let step = 0.25;
        match kind {
            DistanceMap::Penalty | DistanceMap::Squared => Self { step, clip: f32::from(i16::MAX) * step },
            DistanceMap::Signed | DistanceMap::Level | DistanceMap::Unsigned => Self { step, clip: 127.0 },
        }
    }

    /// The integer of a distance.
    pub fn encode(&self, distance: f32) -> i16 {
        (distance.clamp(-self.clip, self.clip) / self.step).round() as i16
    }

    /// The distance of an integer.
    pub fn decode(&self, number: i16) -> f32 {
        f32::from(number) * self.step
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_distance_is_wrong_by_more_than_half_a_step(distance in -20_000.0_f32..20_000.0) {
            for kind in [DistanceMap::Signed, DistanceMap::Penalty] {
                let code = DistanceCode::of(kind);
                let decoded = code.decode(code.encode(distance));
                let wanted = distance.clamp(-code.clip, code.clip);
                prop_assert!((decoded - wanted).abs() <= code.step / 2.0, "{distance} {decoded}");
                prop_assert_eq!(code.encode(decoded), code.encode(distance));
            }
        }
    }
}
