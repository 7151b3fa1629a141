//! The plan of one street: where its lanes run, what stands on either side, and who is on it.

use segbench_types::Rng;

use super::ground::Surface;
use super::heavy::Kind;

/// Width of a lane in meters.
pub(super) const LANE: f32 = 3.2;
/// Width of a row of parked cars.
pub(super) const PARKING: f32 = 2.2;
/// How far the street reaches.
pub(super) const FAR: f32 = 140.0;
/// Height of a sidewalk over the road.
pub(super) const CURB: f32 = 0.13;

/// What stands beyond a sidewalk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Frontage {
    /// Houses at the sidewalk.
    City,
    /// Walls, fences or hedges, gardens, houses behind.
    Gardens,
    /// Grass and trees.
    Park,
}

/// What closes a garden off from the sidewalk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Barrier {
    /// Stone or concrete.
    Wall,
    /// Bars or boards.
    Fence,
    /// Bushes.
    Hedge,
}

/// One side of the street, from the curb outwards.
#[derive(Debug, Clone)]
pub(super) struct Roadside {
    /// -1 on the left, 1 on the right.
    pub(super) sign: f32,
    /// x of the curb.
    pub(super) curb: f32,
    /// Width of a strip of grass between curb and sidewalk; zero without one.
    pub(super) verge: f32,
    /// Width of the sidewalk.
    pub(super) walk: f32,
    /// Whether cars are parked along the curb.
    pub(super) parking: bool,
    /// What comes behind.
    pub(super) frontage: Frontage,
    /// What closes gardens off.
    pub(super) barrier: Barrier,
}

impl Roadside {
    /// x at some distance outwards from the curb.
    pub(super) fn out(&self, meters: f32) -> f32 {
        self.curb + self.sign * meters
    }

    /// x of the line where the sidewalk ends.
    pub(super) fn front(&self) -> f32 {
        self.out(self.verge + self.walk)
    }
}

/// The plan of a street.
#[derive(Debug, Clone)]
pub(super) struct Street {
    /// The carriageway.
    pub(super) surface: Surface,
    /// Middles of the lanes of oncoming traffic, nearest first.
    pub(super) oncoming: Vec<f32>,
    /// Middles of the lanes in the camera's direction, its own first.
    pub(super) forward: Vec<f32>,
    /// Left and right.
    pub(super) sides: [Roadside; 2],
    /// The rare vehicle this picture is sure to show.
    pub(super) feature: Feature,
}

/// What a picture is sure to show, so that rare classes are not too rare to learn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Feature {
    /// A bus, truck or tram.
    Heavy(Kind),
    /// A motorcycle.
    Motorcycle,
}

impl Street {
    /// Plans the street of picture number `index`.
    pub(super) fn new(rng: &mut Rng, index: u64) -> Self {
        let feature = match index % 4 {
            0 => Feature::Heavy(Kind::Bus),
            1 => Feature::Heavy(Kind::Truck),
            2 => Feature::Heavy(Kind::Train),
            _ => Feature::Motorcycle,
        };
        let tram = feature == Feature::Heavy(Kind::Train) || rng.chance(0.06);
        let one_way = !tram && rng.chance(0.12);
        let shift = rng.range(-0.35, 0.35);
        let oncoming_lanes = if one_way {
            0
        } else if tram {
            2
        } else {
            1 + usize::from(rng.chance(0.3))
        };
        let forward_lanes = 1 + usize::from(rng.chance(0.28));
        let oncoming: Vec<f32> = (0..oncoming_lanes).map(|lane| shift - LANE * (lane as f32 + 1.0)).collect();
        let forward: Vec<f32> = (0..forward_lanes).map(|lane| shift + LANE * lane as f32).collect();
        let mut side = |sign: f32, edge: f32, garden: Option<Barrier>| {
            let parking = rng.chance(0.45);
            let verge = if rng.chance(0.3) { rng.range(0.9, 2.0) } else { 0.0 };
            let frontage = match garden {
                Some(_) => Frontage::Gardens,
                None if rng.chance(0.85) => Frontage::City,
                None if rng.chance(0.4) => Frontage::Gardens,
                None => Frontage::Park,
            };
            let barriers = [Barrier::Wall, Barrier::Fence, Barrier::Hedge];
            Roadside {
                sign,
                curb: edge + sign * if parking { PARKING } else { rng.range(0.3, 0.8) },
                verge,
                walk: rng.range(2.4, 5.2),
                parking,
                frontage,
                barrier: garden.unwrap_or(barriers[rng.below(3)]),
            }
        };
        // Walls and fences are rare by nature: two of three pictures have one or the other for sure.
        let barrier = match index % 3 {
            0 => Some(Barrier::Wall),
            1 => Some(Barrier::Fence),
            _ => None,
        };
        let on_left = (index / 3).is_multiple_of(2);
        let left_edge = shift - LANE * (oncoming_lanes as f32 + 0.5);
        let right_edge = shift + LANE * (forward_lanes as f32 - 0.5);
        let left = side(-1.0, left_edge, barrier.filter(|_| on_left));
        let right = side(1.0, right_edge, barrier.filter(|_| !on_left));
        let mut surface = Surface::new(rng, [left.curb, right.curb]);
        let middle = shift - LANE * 0.5;
        if rng.chance(0.85) {
            for lane in 1..oncoming_lanes {
                surface.dashed.push(middle - LANE * lane as f32);
            }
            for lane in 1..forward_lanes {
                surface.dashed.push(middle + LANE * lane as f32);
            }
            if oncoming_lanes > 0 {
                if rng.chance(0.3) { surface.solid.push(middle) } else { surface.dashed.push(middle) }
            }
            if rng.chance(0.5) {
                surface.solid.extend([left_edge, right_edge]);
            }
        }
        if tram {
            surface.rails = oncoming.last().copied();
        }
        if rng.chance(0.45) {
            let start = rng.range(9.0, 26.0);
            surface.crosswalk = Some(start);
            if rng.chance(0.55) {
                surface.crossing = Some([start + 4.5, start + 4.5 + rng.range(7.0, 10.0)]);
            }
        }
        Self { surface, oncoming, forward, sides: [left, right], feature }
    }

    /// Whether a thing at `z` would stand in the crossing street.
    pub(super) fn is_crossing(&self, z: f32, margin: f32) -> bool {
        self.surface.crossing.is_some_and(|[from, to]| z > from - margin && z < to + margin)
    }

    /// Whether a parked car at `z` would stand on the crosswalk or in the crossing.
    pub(super) fn is_kept_clear(&self, z: f32) -> bool {
        self.surface.crosswalk.is_some_and(|start| z > start - 5.0 && z < start + 6.5)
            || self.is_crossing(z, 4.5)
    }
}
