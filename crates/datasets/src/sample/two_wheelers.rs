//! Bicycles and motorcycles, parked or ridden, seen from the side or along their way.
//!
//! As in Cityscapes, the outline of a bicycle runs around its wheels, and what is seen between the spokes belongs to it.

use segbench_types::Rng;

use super::color::{Color, pick, rgb, scaled};
use super::geometry::{Point, envelope};
use super::label::Label;
use super::painter::Painter;
use super::people::{Person, head};
use super::sprite::{Part, Sprite, paint_parts};

const TIRE: Color = rgb(0x161718);

/// What is ridden.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Pedals.
    Bicycle,
    /// An engine.
    Motorcycle,
}

/// Whether it shows its side or its rear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    /// Crossing or parked at the curb.
    Side,
    /// Going the same way as the camera, or coming.
    Along,
}

/// A bicycle or motorcycle with or without a rider.
#[derive(Debug, Clone)]
pub(super) struct TwoWheeler {
    kind: Kind,
    view: View,
    rider: Option<Person>,
    helmet: bool,
    main: Color,
    mirrored: bool,
}

impl TwoWheeler {
    /// One of a kind.
    pub(super) fn new(rng: &mut Rng, kind: Kind, view: View, ridden: bool) -> Self {
        let colors: &[u32] = match kind {
            Kind::Bicycle => &[0x1C1D1F, 0x2F5F9A, 0xA32222, 0x2F6B46, 0xB7BBBE, 0x55346B, 0xC88A1E],
            Kind::Motorcycle => &[0xB51D1D, 0x16181B, 0x1E4FA3, 0xD2D4D5, 0xD0701A, 0x2C7A3C],
        };
        Self {
            kind,
            view,
            rider: ridden.then(|| Person::new(rng)),
            helmet: kind == Kind::Motorcycle || rng.chance(0.45),
            main: pick(rng, colors),
            mirrored: rng.chance(0.5),
        }
    }

    /// Draws the machine and then its rider.
    pub(super) fn draw(&self, painter: &mut Painter, x: f32, z: f32, floor: f32) {
        let sprite = Sprite::new(&painter.camera, [x, floor, z], self.mirrored);
        match (self.kind, self.view) {
            (Kind::Bicycle, View::Side) => self.bicycle_side(painter, &sprite),
            (Kind::Bicycle, View::Along) => self.bicycle_along(painter, &sprite),
            (Kind::Motorcycle, View::Side) => self.motorcycle_side(painter, &sprite),
            (Kind::Motorcycle, View::Along) => self.motorcycle_along(painter, &sprite),
        }
        if let Some(person) = &self.rider {
            let parts = match self.view {
                View::Side => self.rider_side(&sprite, person),
                View::Along => self.rider_along(&sprite, person),
            };
            draw_parts(painter, Label::Rider, &parts, z, Some(scaled(person.top, 0.6)));
        }
    }

    fn bicycle_side(&self, painter: &mut Painter, sprite: &Sprite) {
        let (rear, front, radius) = ([-0.52, 0.34], [0.55, 0.34], 0.34);
        let (crank, seat, bars) = ([-0.05, 0.3], [-0.22, 0.95], [0.38, 1.02]);
        let parts = [
            sprite.disk(rear, [radius, radius]),
            sprite.disk(front, [radius, radius]),
            sprite.outline(&[rear, crank, front, [0.42, 0.8], [-0.2, 0.78]]),
            sprite.limb([-0.36, 0.95], [-0.08, 0.96], 0.09),
            sprite.limb([0.28, 1.03], [0.5, 1.0], 0.08),
            sprite.limb(seat, crank, 0.06),
            sprite.limb(bars, front, 0.06),
        ];
        if !painter.object(Label::Bicycle, &envelope(&parts), sprite.distance) {
            return;
        }
        for center in [rear, front] {
            self.spokes(painter, sprite, center, radius);
        }
        let thin = (1.1 / sprite.scale).max(0.045);
        let tubes = [
            (rear, crank),
            (rear, [-0.2, 0.74]),
            (crank, seat),
            (crank, [0.4, 0.74]),
            ([-0.2, 0.74], [0.4, 0.8]),
            (front, bars),
        ];
        for (from, to) in tubes {
            painter.flat(&sprite.limb(from, to, thin), self.main);
        }
        painter.flat(&sprite.limb([-0.36, 0.96], [-0.08, 0.97], 0.075), TIRE);
        painter.flat(&sprite.limb([0.28, 1.03], [0.5, 1.0], thin), rgb(0x2A2B2C));
        painter.flat(&sprite.disk(crank, [0.09, 0.09]), rgb(0x3A3C3E));
    }

    /// A tire and a rim with light between them.
    fn spokes(&self, painter: &mut Painter, sprite: &Sprite, center: Point, radius: f32) {
        let thick = (1.2 / sprite.scale).clamp(0.035, 0.12);
        painter.dim(&sprite.disk(center, [radius, radius]), 0.88);
        let ring: Vec<Point> = super::geometry::ellipse(center, [radius - thick * 0.5; 2], 16);
        for (a, b) in ring.iter().zip(ring.iter().cycle().skip(1)) {
            painter.flat(&sprite.limb(*a, *b, thick * 1.1), TIRE);
        }
        for spoke in 0..4 {
            let (a, b) = (ring[spoke * 2], ring[spoke * 2 + 8]);
            painter.flat(&sprite.limb(a, b, thick * 0.22), rgb(0x86898C));
        }
        painter.flat(&sprite.disk(center, [0.04, 0.04]), rgb(0x707376));
    }

    fn bicycle_along(&self, painter: &mut Painter, sprite: &Sprite) {
        let parts = [
            Part { outline: sprite.limb([0.0, 0.0], [0.0, 0.7], 0.09), color: TIRE },
            Part { outline: sprite.limb([0.0, 0.4], [0.0, 0.95], 0.1), color: self.main },
            Part { outline: sprite.limb([-0.1, 0.28], [0.1, 0.28], 0.08), color: rgb(0x2E3032) },
            Part { outline: sprite.limb([-0.1, 0.93], [0.1, 0.93], 0.1), color: TIRE },
            Part { outline: sprite.limb([-0.28, 1.02], [0.28, 1.02], 0.06), color: rgb(0x2A2B2C) },
            Part { outline: sprite.disk([0.0, 0.62], [0.05, 0.05]), color: rgb(0xC02018) },
        ];
        draw_parts(painter, Label::Bicycle, &parts, sprite.distance, None);
    }

    fn motorcycle_side(&self, painter: &mut Painter, sprite: &Sprite) {
        let (rear, front) = ([-0.68, 0.31], [0.74, 0.31]);
        let part = |outline: Vec<Point>, color: Color| Part { outline, color };
        let mut parts = Vec::new();
        for center in [rear, front] {
            parts.push(part(sprite.disk(center, [0.33, 0.33]), TIRE));
            parts.push(part(sprite.disk(center, [0.18, 0.18]), rgb(0x7D8083)));
            parts.push(part(sprite.disk(center, [0.1, 0.1]), rgb(0x3A3C3E)));
        }
        parts.push(part(
            sprite.outline(&[[-0.35, 0.2], [0.35, 0.2], [0.38, 0.58], [-0.3, 0.62]]),
            rgb(0x4C4F52),
        ));
        parts.push(part(sprite.limb([-0.95, 0.28], [0.1, 0.24], 0.11), rgb(0xA9ACAE)));
        parts.push(part(sprite.limb(front, [0.45, 1.0], 0.1), rgb(0x8B8E91)));
        parts
            .push(part(sprite.outline(&[[-0.95, 0.72], [-0.1, 0.62], [0.0, 0.8], [-0.98, 0.88]]), self.main));
        parts.push(part(
            sprite.outline(&[[-0.12, 0.62], [0.42, 0.6], [0.44, 0.9], [0.1, 0.98], [-0.1, 0.82]]),
            self.main,
        ));
        parts.push(part(sprite.outline(&[[0.4, 0.55], [0.72, 0.72], [0.62, 1.12], [0.42, 1.05]]), self.main));
        parts.push(part(
            sprite.outline(&[[0.5, 1.08], [0.62, 1.1], [0.48, 1.3], [0.42, 1.24]]),
            rgb(0x59656E),
        ));
        parts.push(part(sprite.limb([-0.85, 0.86], [-0.06, 0.84], 0.11), rgb(0x1B1B1D)));
        parts.push(part(sprite.limb([0.28, 1.08], [0.5, 1.02], 0.07), rgb(0x1D1E20)));
        parts.push(part(sprite.disk([0.69, 0.86], [0.06, 0.09]), rgb(0xF4F0D8)));
        draw_parts(painter, Label::Motorcycle, &parts, sprite.distance, Some(rgb(0x1A1B1D)));
    }

    fn motorcycle_along(&self, painter: &mut Painter, sprite: &Sprite) {
        let part = |outline: Vec<Point>, color: Color| Part { outline, color };
        let parts = [
            part(sprite.limb([0.0, 0.0], [0.0, 0.66], 0.19), TIRE),
            part(sprite.outline(&[[-0.2, 0.3], [0.2, 0.3], [0.24, 0.6], [-0.24, 0.6]]), rgb(0x4C4F52)),
            part(sprite.limb([0.17, 0.24], [0.22, 0.45], 0.12), rgb(0xA9ACAE)),
            part(sprite.outline(&[[-0.27, 0.58], [0.27, 0.58], [0.31, 0.86], [-0.31, 0.86]]), self.main),
            part(sprite.limb([-0.12, 0.72], [0.12, 0.72], 0.09), rgb(0xC81C16)),
            part(sprite.outline(&[[-0.09, 0.48], [0.09, 0.48], [0.09, 0.6], [-0.09, 0.6]]), rgb(0xE6E6DC)),
            part(sprite.limb([-0.4, 1.05], [0.4, 1.05], 0.08), rgb(0x1D1E20)),
            part(
                sprite.outline(&[[-0.22, 0.84], [0.22, 0.84], [0.18, 1.2], [-0.18, 1.2]]),
                scaled(self.main, 0.8),
            ),
            part(sprite.disk([-0.42, 1.14], [0.08, 0.06]), rgb(0x2A2B2D)),
            part(sprite.disk([0.42, 1.14], [0.08, 0.06]), rgb(0x2A2B2D)),
        ];
        draw_parts(painter, Label::Motorcycle, &parts, sprite.distance, Some(rgb(0x1A1B1D)));
    }

    fn headgear(&self, person: &Person) -> Color {
        match (self.helmet, self.kind) {
            (true, Kind::Motorcycle) => scaled(self.main, 0.95),
            (true, Kind::Bicycle) => rgb(0xD8D8D2),
            (false, _) => person.hair,
        }
    }

    fn rider_side(&self, sprite: &Sprite, person: &Person) -> Vec<Part> {
        let motor = self.kind == Kind::Motorcycle;
        let (seat, hands, foot) = if motor {
            ([-0.28, 0.92], [0.4, 1.08], [-0.08, 0.32])
        } else {
            ([-0.22, 1.0], [0.4, 1.06], [0.0, 0.2])
        };
        let shoulder = if motor { [0.02, 1.42] } else { [0.08, 1.48] };
        let knee = if motor { [0.18, 0.72] } else { [0.2, 0.68] };
        let other = if motor { [-0.1, 0.4] } else { [-0.1, 0.42] };
        let part = |outline: Vec<Point>, color: Color| Part { outline, color };
        let mut parts = vec![
            part(sprite.limb(seat, [0.24, 0.8], 0.15), scaled(person.bottom, 0.7)),
            part(sprite.limb([0.24, 0.8], other, 0.11), scaled(person.bottom, 0.7)),
            part(sprite.limb(seat, knee, 0.17), person.bottom),
            part(sprite.limb(knee, foot, 0.12), person.bottom),
            part(
                sprite.limb([foot[0] - 0.08, foot[1] - 0.04], [foot[0] + 0.16, foot[1] - 0.04], 0.08),
                scaled(person.bottom, 0.5),
            ),
            part(
                sprite.outline(&[
                    [seat[0] - 0.15, seat[1] - 0.04],
                    [seat[0] + 0.12, seat[1] - 0.06],
                    [shoulder[0] + 0.14, shoulder[1] - 0.06],
                    [shoulder[0] + 0.06, shoulder[1] + 0.08],
                    [shoulder[0] - 0.14, shoulder[1] + 0.02],
                    [seat[0] - 0.18, seat[1] + 0.22],
                ]),
                person.top,
            ),
            part(sprite.limb(shoulder, [0.24, 1.2], 0.1), scaled(person.top, 0.88)),
            part(sprite.limb([0.24, 1.2], hands, 0.09), scaled(person.top, 0.88)),
            part(sprite.disk(hands, [0.05, 0.05]), if motor { TIRE } else { person.skin }),
        ];
        let center = [shoulder[0] + 0.1, shoulder[1] + 0.2];
        parts.extend(head(sprite, center, 1.75, person.skin, self.headgear(person)));
        if motor {
            parts.push(part(sprite.disk(center, [0.135, 0.145]), self.headgear(person)));
            parts.push(part(
                sprite.limb([center[0] + 0.03, center[1]], [center[0] + 0.13, center[1]], 0.08),
                rgb(0x14171A),
            ));
        }
        parts
    }

    fn rider_along(&self, sprite: &Sprite, person: &Person) -> Vec<Part> {
        let motor = self.kind == Kind::Motorcycle;
        let (seat, wide) = if motor { (0.84, 0.3) } else { (0.95, 0.2) };
        let shoulder = seat + 0.52;
        let part = |outline: Vec<Point>, color: Color| Part { outline, color };
        let mut parts = Vec::new();
        for (side, low) in [(-1.0, 0.2), (1.0, 0.42)] {
            let foot = if motor { [side * 0.27, 0.34] } else { [side * 0.13, low] };
            let knee = [side * wide, seat - 0.26];
            parts.push(part(sprite.limb([side * 0.1, seat], knee, 0.17), scaled(person.bottom, 0.9)));
            parts.push(part(sprite.limb(knee, foot, 0.12), person.bottom));
            parts.push(part(
                sprite.limb([foot[0], foot[1] - 0.05], [foot[0], foot[1] + 0.06], 0.1),
                scaled(person.bottom, 0.5),
            ));
            let elbow = [side * 0.31, seat + 0.3];
            parts.push(part(
                sprite.limb([side * 0.19, shoulder - 0.04], elbow, 0.11),
                scaled(person.top, 0.85),
            ));
            parts.push(part(sprite.limb(elbow, [side * 0.28, 1.06], 0.09), scaled(person.top, 0.8)));
        }
        parts.push(part(
            sprite.outline(&[
                [-0.17, seat - 0.06],
                [0.17, seat - 0.06],
                [0.2, seat + 0.25],
                [0.22, shoulder],
                [0.1, shoulder + 0.07],
                [-0.1, shoulder + 0.07],
                [-0.22, shoulder],
                [-0.2, seat + 0.25],
            ]),
            person.top,
        ));
        let center = [0.0, shoulder + 0.2];
        parts.extend(head(sprite, center, 1.75, person.skin, self.headgear(person)));
        if motor || self.helmet {
            parts.push(part(sprite.disk([0.0, center[1] + 0.01], [0.125, 0.14]), self.headgear(person)));
        }
        parts
    }
}

fn draw_parts(painter: &mut Painter, label: Label, parts: &[Part], distance: f32, base: Option<Color>) {
    let outlines: Vec<Vec<Point>> = parts.iter().map(|part| part.outline.clone()).collect();
    let outline = envelope(&outlines);
    if painter.object(label, &outline, distance) {
        if let Some(base) = base {
            painter.flat(&outline, base);
        }
        paint_parts(painter, parts);
    }
}
