//! What is built: houses with windows and doors, walls, fences, and the far end of the street.

use segbench_types::Rng;

use super::camera::Place;
use super::color::{Color, blend, pick, rgb, scaled};
use super::geometry::{Point, envelope, hull, stroke};
use super::label::Label;
use super::noise::{cloudy, hash, smooth};
use super::painter::Painter;

/// How the front of a house is made.
#[derive(Debug, Clone)]
pub(super) struct House {
    plaster: Color,
    trim: Color,
    roof: Color,
    height: f32,
    storey: f32,
    bay: f32,
    window: [f32; 2],
    brick: bool,
    shops: bool,
    balconies: bool,
    seed: u32,
}

impl House {
    /// A house of some height.
    pub(super) fn new(rng: &mut Rng) -> Self {
        let storey = rng.range(2.9, 3.6);
        let modern = rng.chance(0.25);
        Self {
            plaster: pick(
                rng,
                &[
                    0xC9BCA0, 0xB8A98C, 0xD8CDB8, 0x9C5A44, 0xA86A52, 0xB0ACA4, 0x8E8A84, 0xD2B98A, 0xC4A29A,
                    0x9FAAB2, 0xC7C9C4, 0x7C6A5C, 0xDAD6CC, 0xB98E5E,
                ],
            ),
            trim: pick(rng, &[0xE4E0D6, 0xCFC8BA, 0x6F675E, 0xF0EEE8]),
            roof: pick(rng, &[0x7A3B2C, 0x5C4038, 0x4B4C50, 0x6B5548, 0x3E3F44]),
            height: storey * rng.range(3.0, 6.9).floor() + rng.range(0.6, 1.4),
            storey,
            bay: if modern { rng.range(2.6, 4.2) } else { rng.range(1.9, 2.9) },
            window: if modern { [0.82, 0.68] } else { [rng.range(0.42, 0.58), rng.range(0.5, 0.62)] },
            brick: rng.chance(0.3),
            shops: rng.chance(0.45),
            balconies: rng.chance(0.25),
            seed: rng.bits() as u32,
        }
    }

    /// Height of its eaves in meters.
    pub(super) fn height(&self) -> f32 {
        self.height
    }

    /// The color of the front at a place along it and a height, and the size of a pixel there in meters.
    fn front(&self, along: f32, up: f32, pixel: f32, zenith: Color) -> Color {
        let stains = 1.0 + (cloudy(along * 0.35, up * 0.5, self.seed) - 0.5) * 0.16 - 0.12 / (1.0 + up * up);
        let mut wall = scaled(self.plaster, stains);
        if self.brick {
            let row = (up / 0.16).floor();
            let fine = (1.4 - pixel / 0.16).clamp(0.0, 1.0);
            let brick = hash((along / 0.4 + row * 0.5).floor() as i32, row as i32, self.seed);
            let joint = (up / 0.16).fract() < 0.16;
            wall = scaled(wall, 1.0 + ((brick - 0.5) * 0.22 - if joint { 0.14 } else { 0.0 }) * fine);
        }
        let floor = (up / self.storey).floor();
        let bay = (along / self.bay).floor();
        let (part_x, part_y) = (along / self.bay - bay, up / self.storey - floor);
        if up > self.height - 0.45 {
            return scaled(self.trim, stains);
        }
        if floor >= 1.0 && part_y < 0.07 {
            return scaled(self.trim, stains * 0.93);
        }
        let draw = hash(bay as i32, floor as i32, self.seed ^ 21);
        let glass = |depth: f32| {
            let dark =
                blend(rgb(0x20282E), zenith, 0.16 + 0.3 * hash(bay as i32, floor as i32, self.seed ^ 4));
            scaled(dark, 0.8 + 0.35 * depth)
        };
        if floor == 0.0 {
            return self.ground_floor(wall, [part_x, part_y], draw, bay as i32, glass);
        }
        if (floor + 1.0) * self.storey > self.height - 0.3 {
            return wall;
        }
        let [wide, tall] = self.window;
        let (dx, dy) = ((part_x - 0.5).abs() * 2.0 / wide, (part_y - 0.54).abs() * 2.0 / tall);
        if self.balconies && bay as i32 % 2 == 0 && part_y < 0.32 && dx < 1.25 {
            let rail = (along * 9.0).fract() < 0.45 || part_y > 0.29;
            return if rail { rgb(0x3A3B3D) } else { scaled(wall, 0.7) };
        }
        if dx < 1.0 && dy < 1.0 {
            let frame = dx > 0.86 || dy > 0.9 || (part_x - 0.5).abs() < 0.018 / self.bay * 2.2;
            if frame {
                return scaled(self.trim, 0.95);
            }
            // A curtain or a blind behind some windows.
            if draw < 0.3 && part_y > 0.54 + (draw - 0.15) {
                return blend(rgb(0xD8D2C4), glass(0.0), 0.25);
            }
            return glass(part_y);
        }
        if dx < 1.2 && dy < 1.14 {
            return scaled(self.trim, stains * 0.95);
        }
        wall
    }

    fn ground_floor(
        &self,
        wall: Color,
        [x, y]: Point,
        draw: f32,
        bay: i32,
        glass: impl Fn(f32) -> Color,
    ) -> Color {
        if self.shops && draw < 0.8 {
            let sign = [0xB02A2A, 0x2A5AA0, 0xD8B030, 0x2F7A4A, 0xE8E6DE, 0x30302F]
                [(hash(bay / 3, 7, self.seed) * 6.0) as usize % 6];
            return match y {
                y if y > 0.95 => scaled(self.trim, 0.9),
                y if y > 0.78 => rgb(sign),
                y if y < 0.1 => scaled(wall, 0.7),
                _ if !(0.06..=0.94).contains(&x) => scaled(wall, 0.6),
                y => blend(glass(y), rgb(0xE6C890), 0.3 * (1.0 - y)),
            };
        }
        if draw > 0.86 {
            let door = [0x5A3A26, 0x2E4638, 0x3A3F4A, 0x6E2A24][(draw * 400.0) as usize % 4];
            if (x - 0.5).abs() < 0.24 && y < 0.72 {
                let panel = (x - 0.5).abs() < 0.015 || (y - 0.38).abs() < 0.012;
                return scaled(rgb(door), if panel { 0.6 } else { 1.0 });
            }
            return wall;
        }
        let inside = (x - 0.5).abs() < self.window[0] * 0.5 && (y - 0.56).abs() < 0.24;
        match inside {
            true if (x - 0.5).abs() > self.window[0] * 0.43 || (y - 0.56).abs() > 0.215 => self.trim,
            true => glass(y),
            false if y < 0.14 => scaled(wall, 0.72),
            false => wall,
        }
    }

    /// Draws a house whose front stands along the road at `x` from `z[0]` to `z[1]`; it reaches away from the road.
    pub(super) fn draw(&self, painter: &mut Painter, x: f32, z: [f32; 2]) {
        let camera = painter.camera.clone();
        let light = painter.light.clone();
        let away = x.signum();
        let (deep, ridge) = (x + away * 11.0, self.height + 2.6);
        let near = z[0].max(0.7);
        let front = camera.strip_up(x, [near, z[1]], [0.0, self.height]);
        let gable: Vec<Place> =
            vec![[x, 0.0, near], [deep, 0.0, near], [deep, self.height, near], [x, self.height, near]];
        let side = camera.outline(&gable);
        let slope = [
            [x - away * 0.3, self.height, near],
            [x - away * 0.3, self.height, z[1]],
            [x + away * 4.0, ridge, z[1]],
            [x + away * 4.0, ridge, near],
        ];
        let roof = hull(&camera.outline(&slope));
        let outline = envelope(&[hull(&front), hull(&side), roof.clone()]);
        if !painter.object(Label::Building, &outline, near) {
            return;
        }
        painter.flat(&outline, scaled(self.roof, light.on([0.0, 0.9, -0.3])));
        let tiles = scaled(self.roof, light.on([-away * 0.4, 0.9, 0.0]));
        painter.paint(&roof, |[u, v]| scaled(tiles, 0.92 + 0.16 * hash(u as i32, v as i32, 3)));
        if z[0] > 0.7 {
            let lit = light.on([0.0, 0.0, -1.0]);
            painter.paint(&side, |point| {
                let (across, up) = (camera.across(point, near), camera.up(point, near));
                let blind =
                    scaled(self.plaster, 0.93 + 0.12 * (cloudy(across * 0.6, up * 0.6, self.seed) - 0.5));
                let (column, row) = ((across / 3.4).floor(), (up / self.storey).floor());
                let (part_x, part_y) = (across / 3.4 - column, up / self.storey - row);
                let window = hash(column as i32, row as i32, self.seed ^ 91) < 0.4
                    && (part_x - 0.5).abs() < 0.16
                    && (part_y - 0.55).abs() < 0.22;
                scaled(if window { rgb(0x2A3238) } else { blind }, lit)
            });
        }
        let lit = light.on([-away, 0.0, 0.0]);
        painter.paint_deep(&front, |point| {
            let [along, up] = camera.along(point, x);
            let pixel = along * along / (camera.focal * x.abs().max(1.0));
            let detailed = self.front(along - z[0], up, along / camera.focal, light.zenith);
            let plain = scaled(self.plaster, 0.85);
            // Windows that are narrower than a pixel would only flicker.
            (scaled(blend(detailed, plain, (pixel / self.bay - 0.25).clamp(0.0, 0.75)), lit), along)
        });
    }
}

impl super::camera::Camera {
    /// A strip of an upright plane along the road.
    pub(super) fn strip_up(&self, x: f32, [from, to]: [f32; 2], up: [f32; 2]) -> Vec<Point> {
        let count = if self.bend == 0.0 { 1 } else { 5 };
        let distances: Vec<f32> =
            (0..=count).map(|index| from + (to - from) * index as f32 / count as f32).collect();
        let low = distances.iter().map(|z| self.project([x, up[0], *z]));
        let high = distances.iter().rev().map(|z| self.project([x, up[1], *z]));
        low.chain(high).collect()
    }
}

/// A wall of stone or concrete along the road.
pub(super) fn wall(painter: &mut Painter, rng: &mut Rng, x: f32, z: [f32; 2]) {
    let (camera, light) = (painter.camera.clone(), painter.light.clone());
    let height = rng.range(1.7, 3.0);
    let stone = pick(rng, &[0x8E8878, 0x9A948C, 0x7E7468, 0xA39C90, 0x8C8F8E]);
    let rough = rng.chance(0.6);
    let seed = rng.bits() as u32;
    let near = z[0].max(0.7);
    let front = camera.strip_up(x, [near, z[1]], [0.0, height]);
    if !painter.object(Label::Wall, &front, near) {
        return;
    }
    let lit = light.on([-x.signum(), 0.1, 0.0]);
    painter.paint_deep(&front, |point| {
        let [along, up] = camera.along(point, x);
        let fine = (1.6 - along * along / (camera.focal * x.abs().max(1.0)) / 0.5).clamp(0.0, 1.0);
        let mut color = scaled(stone, 0.9 + 0.3 * (cloudy(along * 0.6, up, seed) - 0.4));
        if up > height - 0.2 {
            return (scaled(stone, 1.2 * lit), along);
        }
        if rough {
            let row = (up / 0.38).floor();
            let block = along / 0.75 + hash(row as i32, 0, seed);
            let tone = hash(block.floor() as i32, row as i32, seed) - 0.5;
            let joint = block.fract() < 0.09 || (up / 0.38).fract() < 0.14;
            color = scaled(color, 1.0 + (tone * 0.4 - if joint { 0.34 } else { 0.0 }) * fine);
        } else {
            let joint = (along / 2.5).fract() < 0.03;
            let streak = smooth(along * 2.0, up * 0.3, seed ^ 2) * 0.2;
            color = scaled(color, 1.05 - streak - if joint { 0.35 * fine } else { 0.0 });
        }
        (scaled(color, lit), along)
    });
}

/// A fence of bars or boards along the road. Between the bars one sees through it, but the pixels are the fence's.
pub(super) fn fence(painter: &mut Painter, rng: &mut Rng, x: f32, z: [f32; 2]) {
    let camera = painter.camera.clone();
    let height = rng.range(1.1, 1.9);
    let boards = rng.chance(0.35);
    let color = if boards {
        pick(rng, &[0x8A6A48, 0x6B5238, 0xA58B68])
    } else {
        pick(rng, &[0x2E4438, 0x3A3C40, 0x8C9092, 0xC9CCCC])
    };
    let near = z[0].max(0.7);
    let front = camera.strip_up(x, [near, z[1]], [0.0, height]);
    if !painter.object(Label::Fence, &front, near) {
        return;
    }
    let lit = painter.light.on([-x.signum(), 0.2, -0.3]).max(0.6);
    let pitch = if boards { 0.24 } else { 0.32 };
    painter.dim(&front, 0.82);
    let mut at = near;
    while at < z[1] {
        let (foot, top) = (camera.project([x, 0.0, at]), camera.project([x, height, at]));
        let post = ((at - near) / pitch).round() as i32 % 8 == 0;
        let thick = if boards {
            0.19
        } else if post {
            0.12
        } else {
            0.05
        };
        // How wide a bar looks depends on how obliquely one sees the fence.
        let next = camera.project([x, 0.0, at + thick]);
        let width = (next[0] - foot[0])
            .abs()
            .max(if boards { 0.25 } else { thick * 0.6 * camera.scale(at) })
            .max(0.35);
        let tone = 0.85 + 0.3 * hash((at * 10.0) as i32, 0, 17);
        painter.paint_deep(&stroke(foot, top, width), |_| (scaled(color, lit * tone), at));
        // Where bars melt together, every second one is enough.
        at += pitch * if camera.focal * x.abs() * pitch / (at * at) < 0.6 { 4.0 } else { 1.0 };
    }
    for (low, high) in [(0.12, 0.2), (height - 0.14, height - 0.04)] {
        let rail = camera.strip_up(x, [near, z[1]], [low, high]);
        painter.paint_deep(&rail, |point| (scaled(color, lit), camera.along(point, x)[0]));
    }
}

/// Houses across the far end of the street.
pub(super) fn skyline(painter: &mut Painter, rng: &mut Rng, z: f32) {
    let camera = painter.camera.clone();
    let mut x = -90.0;
    while x < 90.0 {
        let house = House::new(rng);
        let wide = rng.range(9.0, 20.0);
        let left = x;
        x += wide;
        let low = camera.project([left, -0.5, z]);
        let high = camera.project([x, house.height, z]);
        let outline = super::geometry::rectangle(low[0], high[1], high[0], low[1]);
        if !painter.object(Label::Building, &outline, z) {
            continue;
        }
        let lit = painter.light.on([0.0, 0.0, -1.0]);
        let zenith = painter.light.zenith;
        let pixel = z / camera.focal;
        painter.paint(&outline, |point| {
            let detailed = house.front(camera.across(point, z) - left, camera.up(point, z), pixel, zenith);
            scaled(blend(detailed, house.plaster, 0.25), lit)
        });
    }
}
