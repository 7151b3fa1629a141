//! People on foot: a head, a torso, arms and legs at some phase of a step.

use segbench_types::Rng;

use super::color::{Color, pick, scaled};
use super::geometry::{Point, envelope};
use super::label::Label;
use super::painter::Painter;
use super::sprite::{Part, Sprite, paint_parts};

/// How someone looks.
#[derive(Debug, Clone)]
pub(super) struct Person {
    /// In meters.
    pub(super) height: f32,
    /// Skin.
    pub(super) skin: Color,
    /// Hair or a hat.
    pub(super) hair: Color,
    /// Jacket or shirt.
    pub(super) top: Color,
    /// Trousers or skirt.
    pub(super) bottom: Color,
    stride: f32,
    bag: bool,
    coat: bool,
    mirrored: bool,
}

impl Person {
    /// Someone.
    pub(super) fn new(rng: &mut Rng) -> Self {
        let child = rng.chance(0.1);
        Self {
            height: if child { rng.range(1.15, 1.4) } else { rng.range(1.58, 1.88) },
            skin: pick(rng, &[0xE0B090, 0xD9A07C, 0xC68863, 0x9A6644, 0x7A4E34]),
            hair: pick(rng, &[0x241C17, 0x3B2A1D, 0x5E4328, 0x8A6A3C, 0x777370, 0x1A1817]),
            top: pick(
                rng,
                &[
                    0x20242B, 0x2F3A55, 0x54585C, 0x8C2A2A, 0xB8433A, 0x2C6E6A, 0xC9C2B4, 0xE2DED6, 0x5E3B5E,
                    0xC99A2E, 0x3B5F3B, 0x2A6FB0,
                ],
            ),
            bottom: pick(rng, &[0x1C1E22, 0x27324A, 0x33425F, 0x4B4A48, 0x6B6152, 0x8A8170, 0x2B2522]),
            stride: rng.range(0.05, 0.36),
            bag: rng.chance(0.35),
            coat: rng.chance(0.3),
            mirrored: rng.chance(0.5),
        }
    }

    /// The parts of someone who stands or walks at a place.
    pub(super) fn parts(&self, painter: &Painter, x: f32, z: f32, floor: f32) -> Vec<Part> {
        let sprite = Sprite::new(&painter.camera, [x, floor, z], self.mirrored);
        let h = self.height;
        let part = |outline: Vec<Point>, color: Color| Part { outline, color };
        let (hip, shoulder, stride) = (0.5 * h, 0.815 * h, self.stride * h * 0.5);
        let shoe = scaled(self.bottom, 0.5);
        let mut parts = Vec::new();
        for (side, dark) in [(-1.0, 0.72), (1.0, 1.0)] {
            let foot = [side * stride + 0.03, 0.035 * h];
            let knee = [side * stride * 0.62 + 0.035, 0.27 * h];
            let leg = scaled(self.bottom, dark);
            parts.push(part(sprite.limb(foot, knee, 0.075 * h), leg));
            parts.push(part(sprite.limb(knee, [side * 0.035, hip + 0.03], 0.095 * h), leg));
            parts.push(part(
                sprite.limb([foot[0] - 0.05, 0.02 * h], [foot[0] + 0.1, 0.02 * h], 0.04 * h),
                shoe,
            ));
        }
        let arm = |side: f32, dark: f32| {
            let hand = [-side * stride * 0.8 + side * 0.08 * h, 0.47 * h];
            let elbow = [side * 0.125 * h, 0.64 * h];
            [
                part(sprite.limb([side * 0.1 * h, shoulder - 0.02], elbow, 0.06 * h), scaled(self.top, dark)),
                part(sprite.limb(elbow, hand, 0.05 * h), scaled(self.top, dark)),
                part(sprite.disk(hand, [0.025 * h, 0.028 * h]), self.skin),
            ]
        };
        parts.extend(arm(-1.0, 0.7));
        let hem = if self.coat { 0.36 * h } else { 0.47 * h };
        let torso = [
            [-0.09 * h, hem],
            [0.09 * h, hem],
            [0.105 * h, 0.62 * h],
            [0.125 * h, shoulder - 0.02],
            [0.06 * h, 0.845 * h],
            [-0.06 * h, 0.845 * h],
            [-0.125 * h, shoulder - 0.02],
            [-0.105 * h, 0.62 * h],
        ];
        parts.push(part(sprite.outline(&torso), self.top));
        parts.extend(arm(1.0, 0.88));
        if self.bag {
            parts.push(part(sprite.disk([-0.1 * h, 0.68 * h], [0.06 * h, 0.11 * h]), scaled(self.hair, 0.9)));
        }
        parts.extend(head(&sprite, [0.0, 0.93 * h], h, self.skin, self.hair));
        parts
    }

    /// Draws someone on foot.
    pub(super) fn draw(&self, painter: &mut Painter, x: f32, z: f32, floor: f32) {
        let parts = self.parts(painter, x, z, floor);
        let outlines: Vec<Vec<Point>> = parts.iter().map(|part| part.outline.clone()).collect();
        let outline = envelope(&outlines);
        if painter.object(Label::Person, &outline, z) {
            painter.flat(&outline, scaled(self.bottom, 0.6));
            paint_parts(painter, &parts);
        }
    }
}

/// Neck, face and hair.
pub(super) fn head(sprite: &Sprite, center: Point, h: f32, skin: Color, hair: Color) -> [Part; 3] {
    let [x, y] = center;
    [
        Part { outline: sprite.limb([x, y - 0.1 * h], [x, y], 0.05 * h), color: scaled(skin, 0.8) },
        Part { outline: sprite.disk(center, [0.048 * h, 0.066 * h]), color: skin },
        Part { outline: sprite.disk([x - 0.008 * h, y + 0.028 * h], [0.05 * h, 0.042 * h]), color: hair },
    ]
}

/// Draws several people who stand so close or so far that nobody outlines them one by one.
pub(super) fn draw_group(painter: &mut Painter, people: &[(Person, f32)], z: f32, floor: f32) {
    let parts: Vec<Part> =
        people.iter().flat_map(|(person, x)| person.parts(painter, *x, z, floor)).collect();
    let outlines: Vec<Vec<Point>> = parts.iter().map(|part| part.outline.clone()).collect();
    let outline = envelope(&outlines);
    if painter.group(Label::Person, &outline, z) {
        painter.flat(&outline, [0.15, 0.15, 0.17]);
        paint_parts(painter, &parts);
    }
}
