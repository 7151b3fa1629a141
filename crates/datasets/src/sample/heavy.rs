//! Buses, trucks and trams, drawn so that each has what only it has: a bus its windows along the whole side, a truck its cab and
//! cargo box, a tram its length, its two colors and its skirt down to the rails.

use segbench_types::Rng;

use super::car::wheels;
use super::color::{Color, blend, pick, rgb, scaled};
use super::geometry::{Point, envelope};
use super::label::Label;
use super::painter::Painter;
use super::solid::{Block, Face, Frame, Side};

const GLASS: Color = rgb(0x222B33);
const TIRE: Color = rgb(0x151617);

/// A long vehicle, not yet placed.
#[derive(Debug, Clone)]
pub(super) struct Heavy {
    kind: Kind,
    length: f32,
    half: f32,
    height: f32,
    main: Color,
    second: Color,
}

/// What kind of long vehicle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A city bus.
    Bus,
    /// A truck with a cargo box.
    Truck,
    /// A tram.
    Train,
}

impl Heavy {
    /// One of a kind.
    pub(super) fn new(rng: &mut Rng, kind: Kind) -> Self {
        let white = rgb(0xE9E9E4);
        match kind {
            Kind::Bus => Self {
                kind,
                length: rng.range(10.5, 12.5),
                half: 1.27,
                height: rng.range(3.0, 3.25),
                main: pick(rng, &[0xE3B31C, 0xC9281F, 0xD98A1E, 0x2C7FB8, 0xE2B91F, 0xC5301F]),
                second: rgb(0x2A2C2E),
            },
            Kind::Truck => Self {
                kind,
                length: rng.range(7.0, 9.5),
                half: 1.25,
                height: rng.range(3.3, 3.9),
                main: pick(rng, &[0xD9DADA, 0xC8C6BE, 0xE6E4DC, 0xB9C0C4, 0x4C6E8F, 0x7B8A5A]),
                second: pick(rng, &[0xF0F0EC, 0x2B5A9E, 0xA83226, 0xD0D2D3, 0x35614A, 0xC7792B]),
            },
            Kind::Train => Self {
                kind,
                length: rng.range(24.0, 32.0),
                half: 1.25,
                height: rng.range(3.4, 3.6),
                main: white,
                second: pick(rng, &[0xA3172A, 0x14624A, 0x1D4A86, 0x9A1B2F, 0x0F6A5C]),
            },
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

    /// Draws it.
    pub(super) fn draw(&self, painter: &mut Painter, frame: &Frame, distance: f32) {
        match self.kind {
            Kind::Bus => self.bus(painter, frame, distance),
            Kind::Truck => self.truck(painter, frame, distance),
            Kind::Train => self.train(painter, frame, distance),
        }
    }

    fn bus(&self, painter: &mut Painter, frame: &Frame, distance: f32) {
        let camera = painter.camera.clone();
        let shell = Block::upright(frame, [0.0, self.length], self.half, [0.3, self.height]);
        let axles = [2.9, self.length - 2.6];
        let mut parts = vec![shell.hull(&camera)];
        parts.extend(wheels(&camera, frame, &axles, 0.48, self.half));
        if !painter.object(Label::Bus, &envelope(&parts), distance) {
            return;
        }
        self.underside(painter, &parts);
        for face in shell.faces(&camera) {
            let light = painter.light.on(face.normal);
            painter.flat(&face.outline(&camera), scaled(self.main, light));
            match face.side {
                Side::Left | Side::Right => {
                    windows(painter, &face, [0.42, 0.82], &posts(0.015, 0.985, 8), light);
                    painter
                        .flat(&face.part(&camera, [0.0, 1.0], [0.9, 1.0]), scaled(self.main, light * 0.85));
                    painter.flat(&face.part(&camera, [0.0, 1.0], [0.0, 0.07]), scaled(self.second, light));
                    for door in [[0.47, 0.57], [0.88, 0.97]] {
                        if face.side == Side::Right {
                            painter.flat(&face.part(&camera, door, [0.03, 0.84]), scaled(self.second, light));
                            windows(
                                painter,
                                &face,
                                [0.08, 0.8],
                                &[[door[0] + 0.008, door[0] + 0.045], [door[0] + 0.055, door[1] - 0.008]],
                                light,
                            );
                        }
                    }
                    self.wheels_on(painter, &face, &axles, 0.48, 0.3, light);
                }
                Side::Front => {
                    painter.flat(
                        &face.part(&camera, [0.05, 0.95], [0.36, 0.82]),
                        scaled(GLASS, 0.8 + 0.4 * light),
                    );
                    painter.flat(&face.part(&camera, [0.05, 0.95], [0.36, 0.48]), scaled(GLASS, 0.6));
                    painter.flat(&face.part(&camera, [0.12, 0.88], [0.85, 0.97]), rgb(0x141516));
                    painter.flat(&face.part(&camera, [0.22, 0.78], [0.88, 0.94]), rgb(0xFFB43A));
                    lamps(painter, &face, [0.12, 0.2], rgb(0xF4F2E4));
                    painter.flat(&face.part(&camera, [0.0, 1.0], [0.0, 0.07]), scaled(self.second, light));
                }
                Side::Rear => {
                    painter.flat(
                        &face.part(&camera, [0.14, 0.86], [0.5, 0.82]),
                        scaled(GLASS, 0.8 + 0.4 * light),
                    );
                    painter.flat(&face.part(&camera, [0.62, 0.9], [0.86, 0.95]), rgb(0xFFB43A));
                    for slat in 0..5 {
                        let up = 0.16 + slat as f32 * 0.05;
                        painter.flat(
                            &face.part(&camera, [0.22, 0.78], [up, up + 0.025]),
                            scaled(self.second, light),
                        );
                    }
                    lamps(painter, &face, [0.18, 0.4], rgb(0xB41A16));
                    painter.flat(&face.part(&camera, [0.0, 1.0], [0.0, 0.07]), scaled(self.second, light));
                }
                Side::Top => {}
            }
        }
    }

    fn truck(&self, painter: &mut Painter, frame: &Frame, distance: f32) {
        let camera = painter.camera.clone();
        let nose = self.length - 2.1;
        let cargo = Block::upright(frame, [0.0, nose - 0.25], self.half, [0.95, self.height]);
        let chassis = Block::upright(frame, [0.15, nose], self.half * 0.75, [0.5, 0.95]);
        let cab = Block::new(
            frame,
            [nose, self.length],
            [nose, self.length - 0.25],
            [self.half - 0.04, self.half - 0.12],
            [0.42, self.height.min(2.75)],
        );
        let axles = [1.3, 2.4, self.length - 1.25];
        let mut parts = vec![cargo.hull(&camera), chassis.hull(&camera), cab.hull(&camera)];
        parts.extend(wheels(&camera, frame, &axles, 0.5, self.half - 0.03));
        if !painter.object(Label::Truck, &envelope(&parts), distance) {
            return;
        }
        self.underside(painter, &parts);
        // The nearer of cab and box comes last.
        let cab_first = frame.at(0.0, 0.0, 0.0)[2] < frame.at(self.length, 0.0, 0.0)[2];
        if cab_first {
            self.cab(painter, &cab);
        }
        for face in chassis.faces(&camera) {
            painter.flat(&face.outline(&camera), rgb(0x232527));
        }
        self.cargo(painter, &cargo);
        if !cab_first {
            self.cab(painter, &cab);
        }
        let side = Block::upright(frame, [0.0, self.length], self.half, [0.0, 1.0]);
        for face in side.faces(&camera) {
            if matches!(face.side, Side::Left | Side::Right) {
                let light = painter.light.on(face.normal);
                self.wheels_on(painter, &face, &axles, 0.5, 0.0, light);
            }
        }
    }

    fn cab(&self, painter: &mut Painter, cab: &Block) {
        let camera = painter.camera.clone();
        for face in cab.faces(&camera) {
            let light = painter.light.on(face.normal);
            painter.flat(&face.outline(&camera), scaled(self.second, light));
            let glass = scaled(blend(GLASS, painter.light.zenith, 0.2), 0.7 + 0.4 * light);
            match face.side {
                Side::Front => {
                    painter.flat(&face.part(&camera, [0.07, 0.93], [0.52, 0.86]), glass);
                    painter.flat(&face.part(&camera, [0.14, 0.86], [0.2, 0.42]), rgb(0x1D1E20));
                    for slat in [0.25, 0.31, 0.37] {
                        painter.flat(&face.part(&camera, [0.16, 0.84], [slat, slat + 0.02]), rgb(0x84888B));
                    }
                    lamps(painter, &face, [0.06, 0.16], rgb(0xEDEBDD));
                }
                Side::Left | Side::Right => {
                    painter.flat(&face.part(&camera, [0.34, 0.94], [0.52, 0.84]), glass);
                    painter.flat(
                        &face.part(&camera, [0.3, 0.315], [0.08, 0.95]),
                        scaled(self.second, light * 0.5),
                    );
                }
                Side::Rear | Side::Top => {}
            }
        }
    }

    fn cargo(&self, painter: &mut Painter, cargo: &Block) {
        let camera = painter.camera.clone();
        for face in cargo.faces(&camera) {
            let light = painter.light.on(face.normal);
            painter.flat(&face.outline(&camera), scaled(self.main, light));
            match face.side {
                Side::Left | Side::Right => {
                    // Ribs of the tarpaulin, and a firm's stripe.
                    for rib in 0..14 {
                        let right = (rib as f32 + 0.4) / 14.0;
                        painter.flat(
                            &face.part(&camera, [right, right + 0.018], [0.02, 0.98]),
                            scaled(self.main, light * 0.84),
                        );
                    }
                    painter.flat(
                        &face.part(&camera, [0.12, 0.88], [0.42, 0.62]),
                        scaled(self.second, light * 0.95),
                    );
                }
                Side::Rear => {
                    painter.flat(
                        &face.part(&camera, [0.485, 0.515], [0.0, 1.0]),
                        scaled(self.main, light * 0.5),
                    );
                    for bar in [0.2, 0.35, 0.65, 0.8] {
                        painter.flat(
                            &face.part(&camera, [bar, bar + 0.025], [0.02, 0.98]),
                            scaled(self.main, light * 0.66),
                        );
                    }
                    for edge in [[0.0, 0.04], [0.96, 1.0]] {
                        painter.flat(&face.part(&camera, edge, [0.0, 1.0]), scaled(self.main, light * 0.7));
                    }
                    for stripe in 0..8 {
                        let right = stripe as f32 / 8.0;
                        let color = if stripe % 2 == 0 { rgb(0xC8201C) } else { rgb(0xF2F2EE) };
                        painter.flat(
                            &face.part(&camera, [right, right + 0.125], [-0.08, -0.02]),
                            scaled(color, light),
                        );
                    }
                    for lamp in [[0.03, 0.14], [0.86, 0.97]] {
                        painter.flat(&face.part(&camera, lamp, [-0.15, -0.09]), rgb(0xC01B18));
                    }
                }
                Side::Front | Side::Top => {}
            }
        }
    }

    fn train(&self, painter: &mut Painter, frame: &Frame, distance: f32) {
        let camera = painter.camera.clone();
        let snout = 1.1;
        let shell = Block::new(
            frame,
            [0.25, self.length - 0.25],
            [snout, self.length - snout],
            [self.half, self.half - 0.1],
            [0.12, self.height],
        );
        let roof = Block::upright(
            frame,
            [self.length * 0.3, self.length * 0.7],
            0.7,
            [self.height, self.height + 0.35],
        );
        let parts = vec![shell.hull(&camera), roof.hull(&camera)];
        if !painter.object(Label::Train, &envelope(&parts), distance) {
            return;
        }
        self.underside(painter, &parts);
        for face in roof.faces(&camera) {
            painter.flat(&face.outline(&camera), scaled(rgb(0x6C7175), painter.light.on(face.normal)));
        }
        for face in shell.faces(&camera) {
            let light = painter.light.on(face.normal);
            painter.flat(&face.outline(&camera), scaled(self.main, light));
            painter.flat(&face.part(&camera, [0.0, 1.0], [0.0, 0.36]), scaled(self.second, light));
            painter.flat(&face.part(&camera, [0.0, 1.0], [0.0, 0.05]), rgb(0x1B1C1D));
            match face.side {
                Side::Left | Side::Right => {
                    painter.flat(&face.part(&camera, [0.01, 0.99], [0.43, 0.78]), rgb(0x181B1E));
                    windows(painter, &face, [0.46, 0.75], &posts(0.03, 0.97, 15), light);
                    for joint in [1.0 / 3.0, 2.0 / 3.0] {
                        painter.flat(
                            &face.part(&camera, [joint - 0.012, joint + 0.012], [0.03, 0.95]),
                            rgb(0x26282A),
                        );
                    }
                    for door in [0.12, 0.27, 0.44, 0.56, 0.73, 0.88] {
                        painter.flat(
                            &face.part(&camera, [door - 0.018, door + 0.018], [0.06, 0.8]),
                            scaled(self.second, light * 0.75),
                        );
                        painter.flat(&face.part(&camera, [door - 0.013, door + 0.013], [0.3, 0.76]), GLASS);
                    }
                    painter.flat(&face.part(&camera, [0.0, 1.0], [0.86, 0.9]), scaled(self.second, light));
                }
                Side::Front | Side::Rear => {
                    painter.flat(&face.part(&camera, [0.07, 0.93], [0.4, 0.8]), rgb(0x14171A));
                    painter.flat(
                        &face.part(&camera, [0.12, 0.88], [0.44, 0.78]),
                        scaled(blend(GLASS, painter.light.zenith, 0.25), 0.7 + 0.3 * light),
                    );
                    painter.flat(&face.part(&camera, [0.2, 0.8], [0.83, 0.94]), rgb(0x111213));
                    painter.flat(&face.part(&camera, [0.3, 0.7], [0.85, 0.92]), rgb(0xFFC247));
                    let lamp = if face.side == Side::Front { rgb(0xFFF8E0) } else { rgb(0xC81E18) };
                    painter.flat(&face.disk(&camera, [0.2, 0.22], [0.07, 0.05]), lamp);
                    painter.flat(&face.disk(&camera, [0.8, 0.22], [0.07, 0.05]), lamp);
                    painter.flat(&face.part(&camera, [0.3, 0.7], [0.05, 0.14]), rgb(0x2A2C2E));
                }
                Side::Top => painter.flat(&face.outline(&camera), scaled(rgb(0x8A8E90), light)),
            }
        }
    }

    fn underside(&self, painter: &mut Painter, parts: &[Vec<Point>]) {
        for part in parts {
            painter.flat(part, TIRE);
        }
    }

    fn wheels_on(
        &self,
        painter: &mut Painter,
        face: &Face,
        axles: &[f32],
        radius: f32,
        floor: f32,
        light: f32,
    ) {
        let camera = painter.camera.clone();
        let tall = if floor > 0.0 { self.height - floor } else { 1.0 };
        for axle in axles {
            let center = [axle / self.length, (radius - floor) / tall];
            let size = |factor: f32| [radius * factor / self.length, radius * factor / tall];
            painter.flat(&face.disk(&camera, center, size(1.12)), rgb(0x0C0D0E));
            painter.flat(&face.disk(&camera, center, size(0.95)), TIRE);
            painter.flat(&face.disk(&camera, center, size(0.55)), scaled(rgb(0x8E9194), 0.5 + 0.5 * light));
            painter.flat(&face.disk(&camera, center, size(0.22)), rgb(0x2C2E30));
        }
    }
}

fn posts(from: f32, to: f32, count: usize) -> Vec<[f32; 2]> {
    let pitch = (to - from) / count as f32;
    (0..count)
        .map(|index| from + index as f32 * pitch)
        .map(|left| [left + pitch * 0.06, left + pitch * 0.94])
        .collect()
}

fn windows(painter: &mut Painter, face: &Face, up: [f32; 2], spans: &[[f32; 2]], light: f32) {
    let camera = painter.camera.clone();
    let glass = scaled(blend(GLASS, painter.light.zenith, 0.16), 0.75 + 0.4 * light);
    for span in spans {
        painter.flat(&face.part(&camera, *span, up), glass);
        let low = [up[0], up[0] + (up[1] - up[0]) * 0.4];
        painter.flat(&face.part(&camera, *span, low), scaled(glass, 0.72));
    }
}

fn lamps(painter: &mut Painter, face: &Face, up: [f32; 2], color: Color) {
    let camera = painter.camera.clone();
    for span in [[0.03, 0.16], [0.84, 0.97]] {
        painter.flat(&face.part(&camera, span, up), color);
    }
}
