//! What is made of the squared distance to the border of a class.

/// A map of distances to one class, of those outside of it and of those inside.
///
/// `d` is the distance of an element outside the class to the nearest element of the class, and of an element inside to the nearest
/// one outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DistanceMap {
    /// `d` outside, `-d` inside.
    Signed,
    /// `d` outside, `1 - d` inside: the level set of the boundary loss, 0 on the border pixels inside.
    ///
    /// # Source
    /// Kervadec et al., <https://arxiv.org/abs/1812.07032>, and the code of its authors.
    Level,
    /// `d` on both sides.
    Unsigned,
    /// `d^2` on both sides.
    Squared,
    /// `max(d) - d` on each side with the maximum of that side: large on the border.
    Penalty,
}

impl DistanceMap {
    /// The map's value for `d^2`, negative inside; [`DistanceMap::Penalty`] still lacks its maxima and is as signed here.
    #[inline(always)]
    pub(super) fn of_square(self, square: f32) -> f32 {
        let distance = square.abs().sqrt();
        let is_inside = square < 0.0;
        match self {
            Self::Signed | Self::Penalty => {
                if is_inside {
                    -distance
                } else {
                    distance
                }
            }
            Self::Level => {
                if is_inside {
                    1.0 - distance
                } else {
                    distance
                }
            }
            Self::Unsigned => distance,
            Self::Squared => square.abs(),
        }
    }

    /// What has to be known of a whole map before its values are final.
    pub(super) fn finish(self, map: &mut [f32]) {
        if self != Self::Penalty {
            return;
        }
        let (lowest, highest) =
            map.iter().fold((0.0_f32, 0.0_f32), |(low, high), &value| (low.min(value), high.max(value)));
        for value in map {
            *value = if *value < 0.0 { *value - lowest } else { highest - *value };
        }
    }
}
