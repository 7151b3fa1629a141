//! The camera on the windscreen, the road it looks along, and the light.
//!
//! Places are in meters in *road coordinates*: x to the right of the camera, y up from the road, z ahead. A bend of the road shifts
//! everything sideways by the square of its distance, so that all things follow it.

use segbench_types::Rng;

use super::color::{Color, blend, rgb, scaled};
use super::geometry::Point;

/// A place: right, up, ahead, in meters.
pub(super) type Place = [f32; 3];

/// Things nearer than this are cut off.
const NEAR: f32 = 0.6;

/// A pinhole camera that looks along the road.
#[derive(Debug, Clone)]
pub(super) struct Camera {
    /// Width of the picture in pixels.
    pub(super) width: f32,
    /// Height of the picture in pixels.
    pub(super) height: f32,
    /// Pixels per meter at a distance of one meter.
    pub(super) focal: f32,
    /// Vanishing point of the straight road.
    pub(super) center: Point,
    /// Meters above the road.
    pub(super) eye: f32,
    /// Sideways shift per squared meter ahead.
    pub(super) bend: f32,
}

impl Camera {
    /// A camera of a car in the usual range of mountings.
    pub(super) fn new(rng: &mut Rng, width: u32, height: u32) -> Self {
        let (width, height) = (width as f32, height as f32);
        let bend = if rng.chance(0.4) { rng.range(-6e-4, 6e-4) } else { 0.0 };
        Self {
            width,
            height,
            focal: height * rng.range(1.95, 2.4),
            center: [width * rng.range(0.44, 0.56), height * rng.range(0.40, 0.48)],
            eye: rng.range(1.15, 1.5),
            bend,
        }
    }

    /// Where a place appears. Places beside or behind the camera are moved to just before it; see [`Camera::outline`].
    pub(super) fn project(&self, [x, y, z]: Place) -> Point {
        let z = z.max(NEAR * 0.5);
        let scale = self.focal / z;
        [self.center[0] + (x + self.bend * z * z) * scale, self.center[1] + (self.eye - y) * scale]
    }

    /// Pixels per meter at a distance.
    pub(super) fn scale(&self, z: f32) -> f32 {
        self.focal / z.max(NEAR)
    }

    /// The outline of a polygon in space, cut where it comes too near.
    pub(super) fn outline(&self, places: &[Place]) -> Vec<Point> {
        let mut points = Vec::with_capacity(places.len() + 2);
        for (index, place) in places.iter().enumerate() {
            let before = places[(index + places.len() - 1) % places.len()];
            if (before[2] >= NEAR) != (place[2] >= NEAR) {
                let part = (NEAR - before[2]) / (place[2] - before[2]);
                let cut: Place =
                    std::array::from_fn(|axis| before[axis] + (place[axis] - before[axis]) * part);
                points.push(self.project(cut));
            }
            if place[2] >= NEAR {
                points.push(self.project(*place));
            }
        }
        points
    }

    /// The strip of ground between two lines along the road, as an outline.
    pub(super) fn strip(&self, [left, right]: [f32; 2], reach: [f32; 2], height: f32) -> Vec<Point> {
        self.ribbon([left, height], [right, height], reach)
    }

    /// The strip between two lines along the road, each given by its x and its height.
    pub(super) fn ribbon(&self, [x0, y0]: [f32; 2], [x1, y1]: [f32; 2], [from, to]: [f32; 2]) -> Vec<Point> {
        let count = if self.bend == 0.0 { 1 } else { 14 };
        let distances: Vec<f32> =
            (0..=count).map(|index| from * (to / from).powf(index as f32 / count as f32)).collect();
        let lefts = distances.iter().map(|z| self.project([x0, y0, *z]));
        let rights = distances.iter().rev().map(|z| self.project([x1, y1, *z]));
        lefts.chain(rights).collect()
    }

    /// The place on the ground under a pixel below the horizon: x and z.
    pub(super) fn ground(&self, point: Point) -> [f32; 2] {
        let z = (self.focal * self.eye / (point[1] - self.center[1]).max(0.02)).min(2000.0);
        [self.across(point, z), z]
    }

    /// The x of a pixel at distance `z`.
    pub(super) fn across(&self, point: Point, z: f32) -> f32 {
        (point[0] - self.center[0]) / self.focal * z - self.bend * z * z
    }

    /// The place of a pixel on the upright plane along the road at `x`: z and y.
    pub(super) fn along(&self, point: Point, x: f32) -> [f32; 2] {
        let slope = (point[0] - self.center[0]) / self.focal;
        // x + bend z^2 = slope z, in the form that survives a bend of zero.
        let root = (slope * slope - 4.0 * self.bend * x).max(0.0).sqrt();
        let z = (2.0 * x / (slope + root.copysign(slope))).clamp(NEAR, 400.0);
        [z, self.up(point, z)]
    }

    /// The height of a pixel at distance `z`.
    pub(super) fn up(&self, point: Point, z: f32) -> f32 {
        self.eye - (point[1] - self.center[1]) * z / self.focal
    }
}

/// Sun, sky and air.
#[derive(Debug, Clone)]
pub(super) struct Light {
    /// Direction in which shadows fall, in meters per meter of height: right and ahead.
    pub(super) shadow: [f32; 2],
    /// What is left of the light in a shadow.
    pub(super) shade: f32,
    /// Light of the sky alone, where the sun's is 1.
    pub(super) ambient: f32,
    /// Brightness and tint of everything.
    pub(super) tint: Color,
    /// Color of far things.
    pub(super) haze: Color,
    /// Haze per meter.
    pub(super) density: f32,
    /// Color of the sky above.
    pub(super) zenith: Color,
    /// Share of the sky under clouds.
    pub(super) clouds: f32,
    /// Whether the sun is hidden.
    pub(super) overcast: bool,
}

impl Light {
    /// Some weather at some hour.
    pub(super) fn new(rng: &mut Rng) -> Self {
        let overcast = rng.chance(0.4);
        let side = if rng.chance(0.5) { 1.0 } else { -1.0 };
        let low = rng.unit();
        let warm = blend(rgb(0xFFFFFF), rgb(0xFFE2BE), if overcast { 0.15 } else { low * 0.8 });
        let white = blend(rgb(0xE4E8EC), rgb(0xF6EBDC), low);
        Self {
            shadow: [side * rng.range(0.25, 1.3), rng.range(-0.5, 0.9)],
            shade: if overcast { 0.86 } else { rng.range(0.52, 0.66) },
            ambient: if overcast { 0.82 } else { rng.range(0.48, 0.6) },
            tint: scaled(warm, if overcast { rng.range(0.72, 0.98) } else { rng.range(0.85, 1.12) }),
            haze: scaled(white, if overcast { 0.86 } else { 0.95 }),
            density: if rng.chance(0.2) { rng.range(0.006, 0.011) } else { rng.range(0.0015, 0.005) },
            zenith: if overcast {
                scaled(rgb(0xC3CCD6), rng.range(0.8, 1.0))
            } else {
                blend(rgb(0x5E9BE0), rgb(0x8FB8E0), rng.unit())
            },
            clouds: if overcast { 0.85 } else { rng.range(0.0, 0.7) },
            overcast,
        }
    }

    /// Light on a surface that looks towards `normal` (right, up, ahead).
    pub(super) fn on(&self, [right, up, ahead]: Place) -> f32 {
        let length = (self.shadow[0].powi(2) + self.shadow[1].powi(2) + 1.0).sqrt();
        let sun = (up - right * self.shadow[0] - ahead * self.shadow[1]) / length;
        // A little more from above, where the sky is.
        self.ambient * (0.92 + 0.08 * up) + (1.0 - self.ambient) * sun.max(0.0) * 1.15
    }

    /// A color seen through the air.
    pub(super) fn hazed(&self, color: Color, distance: f32) -> Color {
        let lit: Color = std::array::from_fn(|channel| color[channel] * self.tint[channel]);
        blend(lit, self.haze, 1.0 - 1.0 / (1.0 + distance * self.density))
    }
}
