//! Cars and vans: a body, a cabin and four wheels.

use segbench_types::Rng;

use super::camera::Camera;
use super::color::{Color, blend, pick, rgb, scaled};
use super::geometry::{Point, envelope, hull};
use super::label::Label;
use super::noise::hash;
use super::painter::Painter;
use super::solid::{Block, Face, Frame, Side};

const GLASS: Color = rgb(0x28323A);
const TIRE: Color = rgb(0x17181A);

/// A car of some shape and color, not yet placed.
#[derive(Debug, Clone)]
pub(super) struct Car {
    length: f32,
    half: f32,
    height: f32,
    belt: f32,
    /// Cabin at the belt and at the roof, from the tail.
    cabin: [[f32; 2]; 2],
    paint: Color,
    lights_on: bool,
    seed: u32,
}

impl Car {
    /// A car as they come.
    pub(super) fn new(rng: &mut Rng) -> Self {
        let paint = pick(
            rng,
            &[
                0x1B1C20, 0x2A2C31, 0x6B7076, 0x9A9EA3, 0xB9BDC1, 0xE4E6E7, 0xF0F0EE, 0x1F3A6E, 0x28508F,
                0x8E1B1F, 0xB3262A, 0x2F4A3A, 0x5A4A3B, 0xC9B37A, 0x3E4650,
            ],
        );
        let (length, height, belt, cabin) = match rng.below(10) {
            0..=3 => (rng.range(3.8, 4.2), rng.range(1.42, 1.52), 0.88, [[0.05, 2.75], [0.45, 2.0]]),
            4..=6 => (rng.range(4.5, 4.8), rng.range(1.40, 1.47), 0.88, [[0.75, 3.25], [1.35, 2.45]]),
            7..=8 => (rng.range(4.3, 4.7), rng.range(1.58, 1.72), 0.98, [[0.03, 3.1], [0.3, 2.45]]),
            _ => (rng.range(4.8, 5.3), rng.range(1.9, 2.1), 1.1, [[0.0, 4.0], [0.08, 3.35]]),
        };
        Self {
            length,
            half: rng.range(0.86, 0.94),
            height,
            belt,
            cabin,
            paint,
            lights_on: rng.chance(0.25),
            seed: rng.bits() as u32,
        }
    }

    /// Length in meters.
    pub(super) fn length(&self) -> f32 {
        self.length
    }

    /// Height in meters.
    pub(super) fn height(&self) -> f32 {
        self.height
    }

    /// The rectangle it covers on the road.
    pub(super) fn footprint(&self, frame: &Frame) -> Vec<[f32; 2]> {
        frame.footprint(self.length, 2.0 * self.half)
    }

    fn blocks(&self, frame: &Frame) -> [Block; 2] {
        let body = Block::new(
            frame,
            [0.05, self.length - 0.05],
            [0.0, self.length - 0.12],
            [self.half, self.half],
            [0.22, self.belt],
        );
        let cabin = Block::new(
            frame,
            self.cabin[0],
            self.cabin[1],
            [self.half - 0.03, self.half - 0.22],
            [self.belt, self.height],
        );
        [body, cabin]
    }

    /// What it covers in the picture, in convex parts.
    pub(super) fn parts(&self, camera: &Camera, frame: &Frame) -> Vec<Vec<Point>> {
        let mut parts: Vec<Vec<Point>> = self.blocks(frame).iter().map(|block| block.hull(camera)).collect();
        parts.extend(wheels(camera, frame, &[0.75, self.length - 0.8], 0.33, self.half));
        parts
    }

    /// Draws it with its own outline.
    pub(super) fn draw(&self, painter: &mut Painter, frame: &Frame, distance: f32) {
        let outline = envelope(&self.parts(&painter.camera, frame));
        if painter.object(Label::Car, &outline, distance) {
            self.paint(painter, frame, &outline);
        }
    }

    /// Paints it on the current object.
    pub(super) fn paint(&self, painter: &mut Painter, frame: &Frame, outline: &[Point]) {
        let camera = painter.camera.clone();
        if outline.len() >= 3 {
            painter.flat(outline, rgb(0x101113));
        }
        let [body, cabin] = self.blocks(frame);
        for wheel in wheels(&camera, frame, &[0.75, self.length - 0.8], 0.33, self.half) {
            painter.flat(&wheel, TIRE);
        }
        for face in body.faces(&camera) {
            let light = painter.light.on(face.normal);
            painter.flat(&face.outline(&camera), scaled(self.paint, light));
            match face.side {
                Side::Rear => self.tail(painter, &face, light),
                Side::Front => self.nose(painter, &face, light),
                Side::Left | Side::Right => self.flank(painter, &face, light),
                Side::Top => painter.dim(&face.part(&camera, [0.1, 0.9], [0.0, 1.0]), 1.04),
            }
        }
        for face in cabin.faces(&camera) {
            let light = painter.light.on(face.normal);
            if face.side == Side::Top {
                painter.flat(&face.outline(&camera), scaled(self.paint, light * 1.05));
                continue;
            }
            painter.flat(&face.outline(&camera), scaled(self.paint, light * 0.95));
            let glass = blend(GLASS, painter.light.zenith, 0.12 + 0.2 * light);
            let pillars: &[[f32; 2]] = match face.side {
                Side::Left | Side::Right => &[[0.07, 0.46], [0.5, 0.93]],
                _ => &[[0.06, 0.94]],
            };
            for pillar in pillars {
                painter.flat(&face.part(&camera, *pillar, [0.06, 0.86]), glass);
                painter.flat(&face.part(&camera, *pillar, [0.06, 0.3]), scaled(glass, 0.75));
            }
        }
    }

    fn tail(&self, painter: &mut Painter, face: &Face, light: f32) {
        let camera = painter.camera.clone();
        painter.flat(&face.part(&camera, [0.0, 1.0], [0.0, 0.26]), scaled(rgb(0x2A2B2D), 0.6 + 0.4 * light));
        painter.flat(&face.part(&camera, [0.04, 0.96], [0.28, 0.4]), scaled(self.paint, light * 0.88));
        let lamp = if self.lights_on { rgb(0xFF3A2C) } else { scaled(rgb(0xB01818), 0.6 + 0.5 * light) };
        let high = if self.height > 1.85 { [0.35, 0.8] } else { [0.58, 0.88] };
        painter.flat(&face.part(&camera, [0.02, 0.2], high), lamp);
        painter.flat(&face.part(&camera, [0.8, 0.98], high), lamp);
        self.plate(painter, face, [0.44, 0.58]);
    }

    fn nose(&self, painter: &mut Painter, face: &Face, light: f32) {
        let camera = painter.camera.clone();
        painter
            .flat(&face.part(&camera, [0.05, 0.95], [0.0, 0.22]), scaled(rgb(0x2A2B2D), 0.6 + 0.4 * light));
        painter.flat(&face.part(&camera, [0.28, 0.72], [0.42, 0.72]), rgb(0x191A1C));
        painter.flat(&face.part(&camera, [0.3, 0.7], [0.58, 0.62]), rgb(0x8D9093));
        let lamp = if self.lights_on { rgb(0xFFFDF0) } else { rgb(0xC9D1D6) };
        painter.flat(&face.part(&camera, [0.03, 0.22], [0.56, 0.86]), lamp);
        painter.flat(&face.part(&camera, [0.78, 0.97], [0.56, 0.86]), lamp);
        self.plate(painter, face, [0.26, 0.38]);
    }

    /// The plate is an outline that label maps never show.
    fn plate(&self, painter: &mut Painter, face: &Face, up: [f32; 2]) {
        let plate = face.part(&painter.camera, [0.36, 0.64], up);
        painter.flat(&plate, rgb(0xE8E8E0));
    }

    /// The outline of the license plate that looks at the camera.
    pub(super) fn plate_outline(&self, camera: &Camera, frame: &Frame) -> Option<Vec<Point>> {
        let [body, _] = self.blocks(frame);
        let face =
            body.faces(camera).into_iter().find(|face| matches!(face.side, Side::Rear | Side::Front))?;
        let up = if face.side == Side::Rear { [0.44, 0.58] } else { [0.26, 0.38] };
        Some(face.part(camera, [0.36, 0.64], up))
    }

    fn flank(&self, painter: &mut Painter, face: &Face, light: f32) {
        let camera = painter.camera.clone();
        painter.flat(&face.part(&camera, [0.0, 1.0], [0.0, 0.2]), scaled(self.paint, light * 0.6));
        painter.flat(
            &face.part(&camera, [0.0, 1.0], [0.72, 0.8]),
            scaled(blend(self.paint, rgb(0xFFFFFF), 0.18), light),
        );
        for door in [0.34, 0.54, 0.72] {
            painter.flat(
                &face.part(&camera, [door, door + 0.008], [0.15, 0.98]),
                scaled(self.paint, light * 0.55),
            );
        }
        let rim = if hash(1, 2, self.seed) < 0.5 { rgb(0xA9ADB0) } else { rgb(0x55585B) };
        for wheel in [0.75 / self.length, 1.0 - 0.8 / self.length] {
            let across = 0.33 / self.length;
            let tall = 0.33 / (self.belt - 0.22);
            let center = [wheel, 0.11 / (self.belt - 0.22)];
            painter.flat(
                &face.disk(&camera, center, [across * 1.15, tall * 1.15]),
                scaled(self.paint, light * 0.3),
            );
            painter.flat(&face.disk(&camera, center, [across, tall]), TIRE);
            painter.flat(
                &face.disk(&camera, center, [across * 0.62, tall * 0.62]),
                scaled(rim, 0.5 + 0.5 * light),
            );
            painter.flat(&face.disk(&camera, center, [across * 0.2, tall * 0.2]), rgb(0x2B2D2F));
        }
    }
}

/// The wheels of a vehicle as they appear, each as wide as a tire.
pub(super) fn wheels(
    camera: &Camera,
    frame: &Frame,
    axles: &[f32],
    radius: f32,
    half: f32,
) -> Vec<Vec<Point>> {
    let wheel = |axle: f32, side: f32| {
        let rim = super::geometry::ellipse([axle, radius], [radius, radius], 12);
        let both = rim.iter().flat_map(|[forward, up]| {
            [half, half - 0.22].map(|right| camera.project(frame.at(*forward, right * side, *up)))
        });
        hull(&both.collect::<Vec<_>>())
    };
    axles.iter().flat_map(|axle| [wheel(*axle, -1.0), wheel(*axle, 1.0)]).collect()
}
