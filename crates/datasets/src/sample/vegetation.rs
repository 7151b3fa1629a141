//! Trees, bushes and hedges: lumpy outlines filled with leaves in light and shade.

use std::f32::consts::TAU;

use segbench_types::Rng;

use super::color::{Color, blend, pick, rgb, scaled};
use super::geometry::Point;
use super::label::Label;
use super::noise::{cloudy, hash, smooth};
use super::painter::Painter;
use super::sprite::{Part, Sprite, paint_parts};

const GREENS: [u32; 8] = [0x4E6B2C, 0x5C7A34, 0x3F5A2A, 0x6B8038, 0x76833A, 0x4A6438, 0x587038, 0x84853C];

/// A tree with a trunk and a crown, both vegetation.
pub(super) fn tree(painter: &mut Painter, rng: &mut Rng, [x, z]: [f32; 2], floor: f32, height: f32) {
    let sprite = Sprite::new(&painter.camera, [x, floor, z], false);
    let leaf = pick(rng, &GREENS);
    let bark = pick(rng, &[0x4A3C30, 0x5C5044, 0x3C342C, 0x6E675C]);
    let seed = rng.bits() as u32;
    let conifer = rng.chance(0.15);
    let clear = if conifer { 0.5 } else { height * rng.range(0.24, 0.36) };
    let radius = height * if conifer { rng.range(0.16, 0.22) } else { rng.range(0.26, 0.36) };
    let thick = (height * 0.035).max(0.14);
    let trunk = sprite.outline(&[
        [-thick, 0.0],
        [thick, 0.0],
        [thick * 0.7, clear + 0.8],
        [-thick * 0.7, clear + 0.8],
    ]);
    if painter.object(Label::Vegetation, &trunk, z) {
        paint_parts(painter, &[Part { outline: trunk, color: bark }]);
    }
    let middle = 0.5 * (clear + height);
    let tall = 0.5 * (height - clear);
    let corners = 56;
    let crown: Vec<Point> = (0..corners)
        .map(|corner| {
            let angle = corner as f32 / corners as f32 * TAU;
            let (sin, cos) = angle.sin_cos();
            let lump = 0.78
                + 0.44 * smooth(cos * 2.2 + 7.0, sin * 2.2 + 7.0, seed)
                + 0.13 * (hash(corner, 1, seed) - 0.5);
            let narrow = if conifer { (0.55 - 0.5 * sin).clamp(0.08, 1.0) } else { 1.0 };
            [cos * radius * lump * narrow, middle + sin * tall * if conifer { 1.0 } else { lump.min(1.08) }]
        })
        .collect();
    let outline = sprite.outline(&crown);
    if painter.object(Label::Vegetation, &outline, z) {
        let sun = -painter.light.shadow[0].signum();
        let (contrast, lit) = leaf_light(painter);
        painter.paint(&outline, |point| {
            let [right, up] = sprite.local(point);
            let side = (right / radius * sun * 0.5 + (up - middle) / tall * 0.6).clamp(-1.0, 1.0);
            leaves(leaf, [right + x * 3.1, up], side, contrast, seed).map(|channel| channel * lit)
        });
    }
}

/// A hedge or a thicket along the road at `x`, reaching away from it.
pub(super) fn hedge(painter: &mut Painter, rng: &mut Rng, x: f32, z: [f32; 2], height: f32) {
    let camera = painter.camera.clone();
    let leaf = pick(rng, &GREENS);
    let seed = rng.bits() as u32;
    let near = z[0].max(0.7);
    let wild = if height > 2.5 { 0.35 } else { 0.12 };
    let steps = (((z[1] - near) / 0.8) as usize).clamp(6, 40);
    let top = (0..=steps).rev().map(|index| {
        let at = near + (z[1] - near) * index as f32 / steps as f32;
        let lump = 1.0 - wild
            + 2.0 * wild * smooth(at * 0.55, 0.0, seed)
            + 0.06 * (hash(index as i32, 5, seed) - 0.5);
        camera.project([x, height * lump, at])
    });
    let foot = [camera.project([x, 0.0, near]), camera.project([x, 0.0, z[1]])];
    let outline: Vec<Point> = foot.into_iter().chain(top).collect();
    // Its near end, as deep as it is high.
    let end = x + x.signum() * height.max(1.2);
    let face =
        camera.outline(&[[x, 0.0, near], [end, 0.0, near], [end, height * 0.9, near], [x, height, near]]);
    let (contrast, lit) = leaf_light(painter);
    if z[0] > 0.7 && painter.object(Label::Vegetation, &face, near) {
        painter.paint(&face, |point| {
            let (right, up) = (camera.across(point, near), camera.up(point, near));
            scaled(leaves(leaf, [right, up], up / height - 0.7, contrast, seed), lit)
        });
    }
    if painter.object(Label::Vegetation, &outline, near) {
        painter.paint_deep(&outline, |point| {
            let [along, up] = camera.along(point, x);
            (
                scaled(leaves(leaf, [along, up], (up / height * 1.3 - 0.6).min(0.8), contrast, seed), lit),
                along,
            )
        });
    }
}

/// Woods across the far end of the street.
pub(super) fn woods(painter: &mut Painter, rng: &mut Rng, z: f32) {
    let camera = painter.camera.clone();
    let leaf = blend(pick(rng, &GREENS), rgb(0x50604A), 0.3);
    let seed = rng.bits() as u32;
    let height = rng.range(7.0, 14.0);
    let mut outline: Vec<Point> = vec![camera.project([90.0, -0.5, z]), camera.project([-90.0, -0.5, z])];
    outline.extend((-60..=60).map(|index| {
        let lump = 0.55 + 0.6 * smooth(index as f32 * 0.23, 0.0, seed) + 0.14 * hash(index, 3, seed);
        camera.project([index as f32 * 1.5, height * lump, z])
    }));
    if painter.object(Label::Vegetation, &outline, z) {
        let (contrast, lit) = leaf_light(painter);
        painter.paint(&outline, |point| {
            let (right, up) = (camera.across(point, z), camera.up(point, z));
            scaled(leaves(leaf, [right * 0.4, up * 0.4], up / height - 0.5, contrast, seed), lit)
        });
    }
}

fn leaf_light(painter: &Painter) -> (f32, f32) {
    if painter.light.overcast { (0.55, 0.86) } else { (1.0, 0.98) }
}

/// The color of leaves at a place in meters; `side` runs from -1 in the shade to 1 in the light.
fn leaves(leaf: Color, [x, y]: Point, side: f32, contrast: f32, seed: u32) -> Color {
    let clumps = cloudy(x * 1.1, y * 1.1, seed) - 0.5;
    let twigs = smooth(x * 5.0, y * 5.0, seed ^ 9) - 0.5;
    let spark = smooth(x * 12.0, y * 12.0, seed ^ 17) - 0.5;
    let light = 0.86 + contrast * (0.34 * side + 0.75 * clumps) + 0.3 * twigs + 0.36 * spark;
    let warm = blend(leaf, rgb(0xA3A548), (0.3 * (side + clumps)).clamp(0.0, 0.3));
    scaled(warm, light.max(0.22))
}
