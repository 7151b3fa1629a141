//! What stands along a street: lamps, poles, traffic lights, traffic signs, bins.

use segbench_types::Rng;

use super::color::{Color, pick, rgb, scaled};
use super::geometry::{Point, ellipse};
use super::label::Label;
use super::painter::Painter;
use super::sprite::{Part, Sprite, paint_parts};

const STEEL: Color = rgb(0x7F8487);
const WHITE: Color = rgb(0xF1F1EE);
const RED: Color = rgb(0xC6191F);
const BLUE: Color = rgb(0x1557A8);
const YELLOW: Color = rgb(0xF2C318);
const BLACK: Color = rgb(0x131415);

/// A pole of some width from the ground up.
fn pole(painter: &mut Painter, sprite: &Sprite, x: f32, up: [f32; 2], width: f32, color: Color) {
    let outline = sprite.limb([x, up[0]], [x, up[1]], width.max(1.1 / sprite.scale));
    if painter.object(Label::Pole, &outline, sprite.distance) {
        paint_parts(painter, &[Part { outline, color }]);
    }
}

/// A street lamp whose arm reaches over the road.
pub(super) fn lamp(painter: &mut Painter, rng: &mut Rng, [x, z]: [f32; 2], floor: f32) {
    let sprite = Sprite::new(&painter.camera, [x, floor, z], x > 0.0);
    let (height, reach) = (rng.range(6.0, 8.5), rng.range(0.8, 1.8));
    let color = pick(rng, &[0x7F8487, 0x4A4F52, 0x2F4038, 0x9B9FA1]);
    pole(painter, &sprite, 0.0, [0.0, height], 0.17, color);
    let arm = sprite.limb([0.0, height - 0.06], [reach, height + 0.15], 0.1_f32.max(1.0 / sprite.scale));
    if painter.object(Label::Pole, &arm, z) {
        paint_parts(painter, &[Part { outline: arm, color }]);
    }
    let head = sprite.outline(&[
        [reach - 0.1, height + 0.1],
        [reach + 0.6, height + 0.2],
        [reach + 0.5, height + 0.34],
        [reach, height + 0.3],
    ]);
    if painter.object(Label::Static, &head, z) {
        paint_parts(painter, &[Part { outline: head, color: scaled(STEEL, 0.8) }]);
    }
}

/// A traffic light on its pole; it shows the camera its lamps or its back.
pub(super) fn traffic_light(painter: &mut Painter, rng: &mut Rng, [x, z]: [f32; 2], floor: f32, arm: bool) {
    let sprite = Sprite::new(&painter.camera, [x, floor, z], x > 0.0);
    let color = pick(rng, &[0x6E7376, 0x8B8F91, 0x3E4448]);
    let lit = rng.below(3);
    let back = rng.chance(0.15);
    pole(painter, &sprite, 0.0, [0.0, if arm { 5.6 } else { 3.4 }], 0.15, color);
    if arm {
        let beam = sprite.limb([0.0, 5.45], [3.6, 5.55], 0.12);
        if painter.object(Label::Pole, &beam, z) {
            paint_parts(painter, &[Part { outline: beam, color }]);
        }
        head(painter, &sprite, [3.4, 5.1], lit, back);
    }
    head(painter, &sprite, [0.05, 2.9], lit, back);
}

fn head(painter: &mut Painter, sprite: &Sprite, [x, y]: Point, lit: usize, back: bool) {
    let shell = |grow: f32| {
        sprite.outline(&[
            [x - 0.21 - grow, y - 0.56 - grow],
            [x + 0.21 + grow, y - 0.56 - grow],
            [x + 0.21 + grow, y + 0.56 + grow],
            [x - 0.21 - grow, y + 0.56 + grow],
        ])
    };
    if !painter.object(Label::TrafficLight, &shell(0.04), sprite.distance) {
        return;
    }
    painter.flat(&shell(0.04), if back { rgb(0x3A4640) } else { rgb(0xB9BBB6) });
    painter.flat(&shell(-0.01), if back { rgb(0x2C3531) } else { rgb(0x15191A) });
    if back {
        return;
    }
    let lamps = [
        (0.36, rgb(0xFF2A1C), rgb(0x3A0C0A)),
        (0.0, rgb(0xFFB01E), rgb(0x3A2A0A)),
        (-0.36, rgb(0x22F09A), rgb(0x0A3020)),
    ];
    for (index, (up, bright, dark)) in lamps.into_iter().enumerate() {
        painter.flat(&sprite.disk([x, y + up], [0.155, 0.155]), if index == lit { bright } else { dark });
        if index == lit {
            painter.flat(&sprite.disk([x, y + up], [0.07, 0.07]), rgb(0xFFFFFF));
        }
    }
}

/// A sign post with one or two signs.
pub(super) fn sign(painter: &mut Painter, rng: &mut Rng, [x, z]: [f32; 2], floor: f32) {
    let sprite = Sprite::new(&painter.camera, [x, floor, z], false);
    let height = rng.range(2.2, 2.7);
    pole(painter, &sprite, 0.0, [0.0, height + 0.1], 0.08, STEEL);
    let kind = rng.below(9);
    plate(painter, &sprite, [0.0, height], kind, rng);
    if rng.chance(0.35) {
        let low =
            [[-0.32, height - 0.82], [0.32, height - 0.82], [0.32, height - 0.47], [-0.32, height - 0.47]];
        let outline = sprite.outline(&low);
        if painter.object(Label::TrafficSign, &outline, z) {
            painter.flat(&outline, scaled(WHITE, 0.92));
            painter.flat(&sprite.limb([-0.2, height - 0.64], [0.2, height - 0.64], 0.07), BLACK);
        }
    }
}

/// A large sign over two posts that tells the way.
pub(super) fn guide(painter: &mut Painter, rng: &mut Rng, [x, z]: [f32; 2], floor: f32) {
    let sprite = Sprite::new(&painter.camera, [x, floor, z], false);
    let (half, base) = (rng.range(0.8, 1.3), rng.range(1.6, 2.3));
    for side in [-0.8, 0.8] {
        pole(painter, &sprite, side * half, [0.0, base + 0.1], 0.09, STEEL);
    }
    let (ground, text) = if rng.chance(0.5) {
        (YELLOW, BLACK)
    } else if rng.chance(0.5) {
        (BLUE, WHITE)
    } else {
        (WHITE, BLACK)
    };
    let outline = sprite.outline(&[[-half, base], [half, base], [half, base + 1.1], [-half, base + 1.1]]);
    if !painter.object(Label::TrafficSign, &outline, z) {
        return;
    }
    painter.flat(&outline, text);
    painter.flat(
        &sprite.outline(&[
            [-half + 0.05, base + 0.05],
            [half - 0.05, base + 0.05],
            [half - 0.05, base + 1.05],
            [-half + 0.05, base + 1.05],
        ]),
        ground,
    );
    for line in 0..3 {
        let up = base + 0.25 + line as f32 * 0.3;
        painter.flat(&sprite.limb([-half * 0.75, up], [half * rng.range(-0.1, 0.5), up], 0.12), text);
        painter.flat(&sprite.limb([half * 0.62, up], [half * 0.8, up], 0.12), text);
    }
}

fn plate(painter: &mut Painter, sprite: &Sprite, center: Point, kind: usize, rng: &mut Rng) {
    let r = 0.39;
    let shape = |corners: usize, turn: f32, grow: f32| {
        let points: Vec<Point> = (0..corners)
            .map(|corner| {
                let (sin, cos) = ((corner as f32 + turn) / corners as f32 * std::f32::consts::TAU).sin_cos();
                [center[0] + sin * (r + grow), center[1] + cos * (r + grow)]
            })
            .collect();
        sprite.outline(&points)
    };
    let at = |dx: f32, dy: f32| [center[0] + dx, center[1] + dy];
    let bar = |from: Point, to: Point, width: f32| sprite.limb(at(from[0], from[1]), at(to[0], to[1]), width);
    let outline = match kind {
        0..=3 => ellipse(sprite.at(center), [r * sprite.scale; 2], 18),
        4 => shape(3, 0.0, 0.1),
        5 => shape(3, 1.5, 0.1),
        6 => shape(8, 0.5, 0.02),
        7 => shape(4, 0.0, 0.1),
        _ => shape(4, 0.5, 0.12),
    };
    if !painter.object(Label::TrafficSign, &outline, sprite.distance) {
        return;
    }
    if rng.chance(0.12) {
        painter.flat(&outline, rgb(0x8E9294));
        return;
    }
    let disk = |radius: f32| sprite.disk(center, [radius, radius]);
    match kind {
        0 => {
            painter.flat(&outline, RED);
            painter.flat(&disk(0.28), WHITE);
            painter.flat(&bar([-0.13, -0.11], [-0.13, 0.13], 0.07), BLACK);
            painter.flat(&bar([0.1, -0.11], [0.1, 0.13], 0.16), BLACK);
            painter.flat(&bar([0.1, -0.05], [0.1, 0.07], 0.05), WHITE);
        }
        1 => {
            painter.flat(&outline, RED);
            painter.flat(&bar([-0.27, 0.0], [0.27, 0.0], 0.14), WHITE);
        }
        2 => {
            painter.flat(&outline, BLUE);
            painter.flat(&bar([-0.2, -0.2], [0.16, 0.16], 0.08), WHITE);
            painter.flat(&bar([-0.04, 0.2], [0.22, 0.2], 0.08), WHITE);
            painter.flat(&bar([0.2, 0.22], [0.2, -0.04], 0.08), WHITE);
        }
        3 => {
            painter.flat(&outline, RED);
            painter.flat(&disk(0.3), BLUE);
            painter.flat(&bar([-0.24, 0.24], [0.24, -0.24], 0.09), RED);
        }
        4 => {
            painter.flat(&outline, RED);
            painter.flat(&shape(3, 0.0, -0.1), WHITE);
            painter.flat(&bar([0.0, -0.02], [0.0, 0.14], 0.07), BLACK);
            painter.flat(&bar([0.0, -0.12], [0.0, -0.07], 0.07), BLACK);
        }
        5 => {
            painter.flat(&outline, RED);
            painter.flat(&shape(3, 1.5, -0.1), WHITE);
        }
        6 => {
            painter.flat(&outline, RED);
            for letter in [-0.24, -0.09, 0.06, 0.2] {
                painter.flat(&bar([letter, -0.09], [letter, 0.09], 0.07), WHITE);
            }
        }
        7 => {
            painter.flat(&outline, WHITE);
            painter.flat(&shape(4, 0.0, -0.08), YELLOW);
        }
        _ => {
            painter.flat(&outline, BLUE);
            painter.flat(&bar([-0.1, -0.24], [-0.1, 0.24], 0.09), WHITE);
            painter.flat(&bar([-0.06, 0.18], [0.1, 0.18], 0.1), WHITE);
            painter.flat(&bar([-0.06, 0.02], [0.1, 0.02], 0.1), WHITE);
            painter.flat(&bar([0.12, 0.02], [0.12, 0.2], 0.08), WHITE);
        }
    }
}

/// A bollard, a litter bin or a pile of bags: things without a class.
pub(super) fn clutter(painter: &mut Painter, rng: &mut Rng, [x, z]: [f32; 2], floor: f32) {
    let sprite = Sprite::new(&painter.camera, [x, floor, z], false);
    match rng.below(3) {
        0 => {
            let color = pick(rng, &[0x2F5F3F, 0x4A4D50, 0xC07A28]);
            let outline = sprite.outline(&[
                [-0.22, 0.0],
                [0.22, 0.0],
                [0.26, 0.95],
                [0.2, 1.05],
                [-0.2, 1.05],
                [-0.26, 0.95],
            ]);
            if painter.object(Label::Static, &outline, z) {
                paint_parts(
                    painter,
                    &[
                        Part { outline, color },
                        Part { outline: sprite.limb([-0.18, 0.85], [0.18, 0.85], 0.1), color: BLACK },
                    ],
                );
            }
        }
        1 => {
            let outline = sprite.limb([0.0, 0.0], [0.0, 0.95], 0.13);
            if painter.object(Label::Static, &outline, z) {
                paint_parts(
                    painter,
                    &[
                        Part { outline, color: rgb(0x5B5E60) },
                        Part { outline: sprite.limb([0.0, 0.72], [0.0, 0.84], 0.13), color: WHITE },
                    ],
                );
            }
        }
        _ => {
            let color = pick(rng, &[0x1F2430, 0x7A4A2A, 0x9A9488]);
            let outline = sprite.disk([0.0, 0.26], [0.36, 0.27]);
            if painter.object(Label::Dynamic, &outline, z) {
                paint_parts(painter, &[Part { outline, color }]);
            }
        }
    }
}
