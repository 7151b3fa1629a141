//! The sky and what lies flat: road with its markings, sidewalks, grass, rails.

use segbench_types::Rng;

use super::camera::Camera;
use super::color::{Color, blend, pick, rgb, scaled};
use super::geometry::{Point, rectangle};
use super::label::Label;
use super::noise::{cloudy, hash, smooth, step};
use super::painter::Painter;

/// How a road looks from above; x in meters right of the camera.
#[derive(Debug, Clone)]
pub(super) struct Surface {
    /// Left and right curb.
    pub(super) edges: [f32; 2],
    /// Dashed lines between lanes.
    pub(super) dashed: Vec<f32>,
    /// Unbroken lines.
    pub(super) solid: Vec<f32>,
    /// Where a crosswalk begins, ahead.
    pub(super) crosswalk: Option<f32>,
    /// Where a crossing street begins and ends, ahead.
    pub(super) crossing: Option<[f32; 2]>,
    /// Middle of the tram's rails.
    pub(super) rails: Option<f32>,
    asphalt: Color,
    wear: f32,
    seed: u32,
}

impl Surface {
    /// A road between two curbs.
    pub(super) fn new(rng: &mut Rng, edges: [f32; 2]) -> Self {
        Self {
            edges,
            dashed: Vec::new(),
            solid: Vec::new(),
            crosswalk: None,
            crossing: None,
            rails: None,
            asphalt: pick(rng, &[0x6A6A6C, 0x5C5D60, 0x77767A, 0x66625F, 0x504F52]),
            wear: rng.range(0.3, 1.0),
            seed: rng.bits() as u32,
        }
    }

    fn color(&self, [x, z]: [f32; 2], footprint: f32) -> Color {
        let near = fade(footprint, 0.35);
        let grain =
            (hash((x * 28.0) as i32, (z * 28.0) as i32, self.seed) - 0.5) * 0.1 * fade(footprint, 0.05);
        let patches = (cloudy(x * 0.55, z * 0.16, self.seed) - 0.5) * 0.24;
        let lane = (x / 3.5).fract().abs();
        let tracks = ((lane - 0.5).abs() - 0.25) * -0.08;
        let mut color = scaled(self.asphalt, 1.0 + grain + patches * self.wear + tracks);
        // Repairs: rectangles of other asphalt.
        let (tile_x, tile_z) = ((x / 2.6).floor(), (z / 5.5).floor());
        let repair = hash(tile_x as i32, tile_z as i32, self.seed ^ 77);
        let (part_x, part_z) = (x / 2.6 - tile_x, z / 5.5 - tile_z);
        if repair < 0.09 && part_x > 0.12 && part_x < 0.8 && part_z > 0.15 && part_z < 0.85 {
            color = scaled(color, 0.8 + repair * 3.4);
        }
        let crack = (smooth(x * 0.9, z * 0.35, self.seed ^ 5) - 0.5).abs();
        if crack < 0.011 * self.wear && near > 0.4 && smooth(x * 0.3 + 40.0, z * 0.12, self.seed ^ 6) > 0.68 {
            color = scaled(color, 0.7);
        }
        color
    }

    /// How much of a pixel of a given width is covered by paint.
    fn marking(&self, [x, z]: [f32; 2], width: f32, depth: f32) -> f32 {
        let line =
            |at: f32, half: f32| ((half + width * 0.5 - (x - at).abs()) / width.max(0.03)).clamp(0.0, 1.0);
        if let Some([from, to]) = self.crossing
            && z > from
            && z < to
        {
            return 0.0;
        }
        let mut paint: f32 = 0.0;
        if let Some(start) = self.crosswalk {
            let inside = z > start && z < start + 3.2 && x > self.edges[0] + 0.3 && x < self.edges[1] - 0.3;
            if inside {
                let stripe = ((x / 1.0).fract() + 1.0).fract();
                paint = paint.max(if stripe < 0.5 { 1.0 } else { 0.0 });
            }
            let stop = z > start - 1.7 && z < start - 1.25 && x > -1.7 && x < self.edges[1] - 0.3;
            paint = paint.max(if stop { 1.0 } else { 0.0 });
            if z > start - 1.8 && z < start + 3.6 {
                return paint;
            }
        }
        for at in &self.solid {
            paint = paint.max(line(*at, 0.065));
        }
        // Far away dashes run together.
        let dash = ((z / 6.0).fract() < 0.5) as u8 as f32;
        let dash = dash + (0.5 - dash) * step(2.0, 6.0, depth);
        for at in &self.dashed {
            paint = paint.max(line(*at, 0.075) * dash);
        }
        paint
    }
}

/// Fine detail disappears where a pixel covers more than `size` meters.
fn fade(footprint: f32, size: f32) -> f32 {
    (1.5 - footprint / size).clamp(0.0, 1.0)
}

/// What a pixel on the ground covers, in meters across and along.
fn covers(camera: &Camera, z: f32) -> [f32; 2] {
    [z / camera.focal, z * z / (camera.focal * camera.eye)]
}

/// Paints the sky over the whole picture; everything else goes on top.
pub(super) fn sky(painter: &mut Painter, rng: &mut Rng) {
    let camera = painter.camera.clone();
    let light = painter.light.clone();
    let seed = rng.bits() as u32;
    let drift = rng.range(0.0, 50.0);
    let horizon = camera.center[1] + camera.height * 0.02;
    let outline = rectangle(0.0, 0.0, camera.width, horizon);
    painter.object(Label::Sky, &outline, 0.0);
    let sun = camera.center[0] - light.shadow[0] * camera.width * 0.5;
    painter.paint(&outline, |[u, v]| {
        let up = ((horizon - v) / horizon).clamp(0.0, 1.0);
        let clear = blend(light.haze, light.zenith, (up * 1.5).min(1.0).sqrt());
        let spread = 1.0 / (0.18 + up);
        let (x, y) = ((u - camera.center[0]) / camera.width * 5.0 * spread + drift, spread * 2.4);
        let cloud = step(1.05 - light.clouds, 1.35 - light.clouds * 0.9, cloudy(x, y, seed) + 0.2);
        let body = if light.overcast { 0.9 } else { 1.04 } - 0.12 * cloudy(x * 2.0 + 9.0, y * 2.0, seed ^ 3);
        let color = blend(clear, [body, body, body * 1.01], cloud * 0.85);
        let glow = if light.overcast { 0.0 } else { 0.12 / (1.0 + ((u - sun) / camera.width * 5.0).powi(2)) };
        color.map(|channel| (channel + glow * up).min(1.15))
    });
}

/// Lays the road over a strip of ground.
pub(super) fn road(painter: &mut Painter, surface: &Surface, outline: &[Point]) {
    let camera = painter.camera.clone();
    let light = painter.light.on([0.0, 1.0, 0.0]);
    let white = rgb(0xDEDEDA);
    if !painter.object(Label::Road, outline, 1.0) {
        return;
    }
    painter.paint_deep(outline, |point| {
        let [x, z] = camera.ground(point);
        let [across, along] = covers(&camera, z);
        let mut color = surface.color([x, z], along.min(across * 4.0));
        if let Some(rails) = surface.rails {
            let bed = ((x - rails).abs() < 1.3) as u8 as f32;
            color = blend(
                color,
                scaled(rgb(0x8B867E), 0.9 + 0.2 * hash((x * 4.0) as i32, (z * 3.0) as i32, 9)),
                bed * 0.8,
            );
            let rail = (0.06 + across * 0.5 - ((x - rails).abs() - 0.72).abs()) / across.max(0.03);
            color = blend(color, rgb(0x4A4744), rail.clamp(0.0, 1.0));
        }
        let paint = surface.marking([x, z], across, along);
        let worn = 0.95 - 0.35 * surface.wear * smooth(x * 6.0, z * 3.0, surface.seed ^ 11);
        (scaled(blend(color, white, paint * worn), light), z)
    });
}

/// Paves a strip of ground for people on foot; `curb` is the x of its edge to the road.
pub(super) fn sidewalk(painter: &mut Painter, rng: &mut Rng, outline: &[Point], curb: f32, floor: f32) {
    let camera = Camera { eye: painter.camera.eye - floor, ..painter.camera.clone() };
    let light = painter.light.on([0.0, 1.0, 0.0]);
    let stone = pick(rng, &[0xA9A49C, 0x9C9894, 0xB5ADA0, 0xA89388, 0x8F8D8C, 0xB09A90]);
    let seed = rng.bits() as u32;
    let tile = if rng.chance(0.5) { 0.5 } else { 1.0 };
    if !painter.object(Label::Sidewalk, outline, 1.0) {
        return;
    }
    painter.paint_deep(outline, |point| {
        let [x, z] = camera.ground(point);
        let [across, along] = covers(&camera, z);
        let edge = (x - curb).abs();
        if edge < 0.2 {
            let joint = if (z / 1.2).fract() < 0.04 && along < 0.3 { 0.75 } else { 1.0 };
            return (scaled(rgb(0xC6C4BE), light * joint), z);
        }
        let (column, row) = ((x / tile).floor(), (z / tile).floor());
        let fine = fade(along, tile * 0.6);
        let stone_light = 1.0 + (hash(column as i32, row as i32, seed) - 0.5) * 0.2 * fine;
        let (part_x, part_z) = (x / tile - column, z / tile - row);
        let joint = part_x < 0.05 + across / tile * 0.4 || part_z < 0.06;
        let shade = if joint { 1.0 - 0.22 * fine } else { 1.0 };
        let stains = 1.0 + (cloudy(x * 0.7, z * 0.3, seed ^ 1) - 0.5) * 0.25;
        (scaled(stone, stone_light * shade * stains * light), z)
    });
    // The curb's own face, a step down to the road.
    let face = painter.camera.strip([curb - 0.02, curb + 0.02], [0.9, 90.0], floor * 0.5);
    painter.dim(&face, 0.7);
}

/// Grass, or earth where nothing grows.
pub(super) fn terrain(painter: &mut Painter, rng: &mut Rng, outline: &[Point], floor: f32) {
    let camera = Camera { eye: painter.camera.eye - floor, ..painter.camera.clone() };
    let light = painter.light.on([0.0, 1.0, 0.0]);
    let grass = pick(rng, &[0x7C9348, 0x6D8A3E, 0x8E9A55, 0x7E8E4C]);
    let earth = pick(rng, &[0x9A8A66, 0x8C7A58]);
    let seed = rng.bits() as u32;
    if !painter.object(Label::Terrain, outline, 1.0) {
        return;
    }
    painter.paint_deep(outline, |point| {
        let [x, z] = camera.ground(point);
        let [_, along] = covers(&camera, z);
        let bald = step(0.55, 0.8, cloudy(x * 0.5, z * 0.25, seed));
        let blades = (hash((x * 17.0) as i32, (z * 9.0) as i32, seed) - 0.5) * 0.45 * fade(along, 0.5);
        let tufts = (cloudy(x * 2.2, z * 0.9, seed ^ 8) - 0.5) * 0.5;
        (scaled(blend(grass, earth, bald * 0.7), light * (1.0 + blades + tufts)), z)
    });
}

/// Gravel, paving or yards behind the first line, which have no class of their own.
pub(super) fn yard(painter: &mut Painter, outline: &[Point]) {
    let camera = painter.camera.clone();
    let light = painter.light.on([0.0, 1.0, 0.0]);
    if painter.object(Label::Ground, outline, 1.0) {
        painter.paint_deep(outline, |point| {
            let [x, z] = camera.ground(point);
            (scaled(rgb(0x8E887E), light * (0.85 + 0.3 * cloudy(x, z * 0.5, 4))), z)
        });
    }
}
