//! Builds a whole street scene from back to front.

use segbench_types::Rng;

use super::buildings::{House, fence, skyline, wall};
use super::camera::{Camera, Light};
use super::color::{pick, scaled};
use super::geometry::{Point, hull, rectangle};
use super::ground;
use super::label::Label;
use super::painter::Painter;
use super::street::{Barrier, CURB, FAR, Frontage, Roadside, Street};
use super::traffic::{Prop, populate};
use super::vegetation::{hedge, tree, woods};

/// Draws picture number `index` of a split.
pub(super) fn scene(rng: &mut Rng, index: u64, width: u32, height: u32) -> Painter {
    let camera = Camera::new(rng, width, height);
    let light = Light::new(rng);
    // Small pictures are drawn at twice the size, so that thin things are seen as a camera sees them.
    let detail = if u64::from(width) * u64::from(height) <= 600_000 { 2 } else { 1 };
    let mut painter = Painter::new(camera, light, detail);
    let street = Street::new(rng, index);
    ground::sky(&mut painter, rng);
    if rng.chance(0.45) {
        woods(&mut painter, rng, FAR + 20.0);
    } else {
        skyline(&mut painter, rng, FAR + 10.0);
        if rng.chance(0.5) {
            woods(&mut painter, rng, FAR + 1.0);
        }
    }
    lay_ground(&mut painter, rng, &street);
    let fronts: Vec<Vec<Stand>> = street.sides.iter().map(|side| frontage(rng, &street, side)).collect();
    for (side, stands) in street.sides.iter().zip(&fronts) {
        cast_house_shadows(&mut painter, side, stands);
    }
    let props = populate(rng, &street);
    for prop in &props {
        cast_shadow(&mut painter, prop);
    }
    for (side, stands) in street.sides.iter().zip(fronts) {
        stand_behind(&mut painter, rng, side, stands);
    }
    for prop in props {
        (prop.draw)(&mut painter);
    }
    finish(&mut painter, rng);
    painter
}

fn lay_ground(painter: &mut Painter, rng: &mut Rng, street: &Street) {
    let camera = painter.camera.clone();
    let reach = [0.8, FAR + 30.0];
    for side in &street.sides {
        let (near, far) = (side.front(), side.sign * 150.0);
        let ground = camera.strip([near.min(far), near.max(far)], reach, 0.0);
        match side.frontage {
            Frontage::City => ground::yard(painter, &ground),
            _ => ground::terrain(painter, rng, &ground, 0.0),
        }
    }
    let [left, right] = street.surface.edges;
    let road = camera.strip([left, right], reach, 0.0);
    ground::road(painter, &street.surface, &road);
    for side in &street.sides {
        // Its inner edge is the foot of the curb, its outer edge lies behind the foot of what stands there.
        let paved =
            camera.ribbon([side.curb - side.sign * 0.06, 0.0], [side.front() + side.sign * 0.15, 0.0], reach);
        ground::sidewalk(painter, rng, &paved, side.curb, CURB);
        if side.verge > 0.0 {
            let grass = camera.ribbon([side.out(0.2), CURB], [side.out(side.verge), CURB], reach);
            ground::terrain(painter, rng, &grass, CURB);
        }
    }
    if let Some([from, to]) = street.surface.crossing {
        let crossing: Vec<Point> = camera.strip([-70.0, 70.0], [from, to], 0.0);
        ground::road(painter, &street.surface, &crossing);
    }
}

/// One thing of the frontage and where it begins and ends.
struct Stand {
    z: [f32; 2],
    what: What,
}

enum What {
    House(House),
    Garden(Option<House>),
    Trees,
}

/// Fills a side of the street from behind the camera to the far end.
fn frontage(rng: &mut Rng, street: &Street, side: &Roadside) -> Vec<Stand> {
    let mut stands = Vec::new();
    let mut z = rng.range(-6.0, 3.0);
    while z < FAR {
        if let Some([from, to]) = street.surface.crossing
            && z > from - 9.0
            && z < to + 1.0
        {
            z = to + 1.2;
        }
        let mut end = z + match side.frontage {
            Frontage::City => rng.range(8.0, 22.0),
            Frontage::Gardens => rng.range(12.0, 24.0),
            Frontage::Park => rng.range(10.0, 16.0),
        };
        if let Some([from, to]) = street.surface.crossing
            && end > from - 1.0
            && z < to
        {
            end = from - 1.0;
        }
        let what = match side.frontage {
            Frontage::City if rng.chance(0.08) => What::Garden(None),
            Frontage::City => What::House(House::new(rng)),
            Frontage::Gardens => What::Garden(rng.chance(0.75).then(|| House::new(rng))),
            Frontage::Park => What::Trees,
        };
        stands.push(Stand { z: [z, end], what });
        z = end + if side.frontage == Frontage::City && rng.chance(0.75) { 0.0 } else { rng.range(0.2, 3.0) };
    }
    stands.reverse();
    stands
}

/// Draws one side's frontage, far to near.
fn stand_behind(painter: &mut Painter, rng: &mut Rng, side: &Roadside, stands: Vec<Stand>) {
    for Stand { z, what } in stands {
        if z[1] < 1.5 {
            continue;
        }
        match what {
            What::House(house) => house.draw(painter, side.front(), z),
            What::Trees => {
                for place in (0..4).rev() {
                    let at = z[0].max(1.0) + (z[1] - z[0].max(1.0)) * (place as f32 + rng.unit()) * 0.25;
                    let x = side.front() + side.sign * rng.range(1.5, 14.0);
                    let height = rng.range(6.0, 12.0);
                    tree(painter, rng, [x, at], 0.0, height);
                }
                if rng.chance(0.3) {
                    let height = rng.range(0.7, 1.4);
                    hedge(painter, rng, side.front() + side.sign * 0.4, z, height);
                }
            }
            What::Garden(house) => {
                let back = side.front() + side.sign * rng.range(4.0, 9.0);
                match &house {
                    Some(house) => house.draw(painter, back, [z[0] + 1.0, z[1] - 1.5]),
                    None => {
                        let height = rng.range(3.0, 7.0);
                        hedge(painter, rng, back, z, height);
                    }
                }
                for _ in 0..rng.below(3) {
                    let at = rng.range(z[0].max(2.0), z[1]);
                    let height = rng.range(3.5, 8.0);
                    let x = side.front() + side.sign * rng.range(1.5, 3.5);
                    tree(painter, rng, [x, at], 0.0, height);
                }
                match side.barrier {
                    Barrier::Wall => wall(painter, rng, side.front(), z),
                    Barrier::Fence => fence(painter, rng, side.front(), z),
                    Barrier::Hedge => {
                        let height = rng.range(1.0, 2.2);
                        hedge(painter, rng, side.front(), z, height);
                    }
                }
            }
        }
    }
}

fn cast_house_shadows(painter: &mut Painter, side: &Roadside, stands: &[Stand]) {
    let reach = painter.light.shadow[0];
    if painter.light.overcast || reach * side.sign > 0.0 {
        return;
    }
    for stand in stands {
        let What::House(house) = &stand.what else { continue };
        let edge = side.front() + (reach * house.height()).clamp(-14.0, 14.0);
        let z = [stand.z[0].max(0.8), stand.z[1].max(1.0)];
        let shade = painter.light.shade;
        let outline = painter.camera.strip([side.front().min(edge), side.front().max(edge)], z, 0.0);
        painter.shadow(&outline, shade);
    }
}

fn cast_shadow(painter: &mut Painter, prop: &Prop) {
    let light = painter.light.clone();
    let on_ground = |points: &[[f32; 2]], painter: &Painter| {
        let places: Vec<[f32; 3]> = points.iter().map(|[x, z]| [*x, 0.0, *z]).collect();
        hull(&painter.camera.outline(&places))
    };
    if prop.footprint.is_empty() {
        return;
    }
    if !light.overcast {
        let shift = [light.shadow[0] * prop.height, light.shadow[1] * prop.height];
        let mut points = prop.footprint.clone();
        points.extend(prop.footprint.iter().map(|[x, z]| [x + shift[0], (z + shift[1]).max(0.5)]));
        let outline = on_ground(&points, painter);
        painter.shadow(&outline, light.shade);
    }
    // Under a thing it is dark in any light.
    let outline = on_ground(&prop.footprint, painter);
    painter.darken(&outline, if light.overcast { 0.6 } else { 0.55 });
}

/// What a label file has besides the street: the camera's own car, borders, and outlines that were taken back.
fn finish(painter: &mut Painter, rng: &mut Rng) {
    let (width, height) = (painter.camera.width, painter.camera.height);
    if rng.chance(0.4) {
        let top = height * rng.range(0.9, 0.95);
        let arch = height * 0.035;
        let mut hood: Vec<Point> = (0..=12)
            .map(|index| {
                let across = index as f32 / 12.0;
                [across * width, top + arch * (2.0 * across - 1.0).powi(2) * 1.6]
            })
            .collect();
        hood.extend([[width, height], [0.0, height]]);
        if painter.object(Label::EgoVehicle, &hood, 0.5) {
            let paint = pick(rng, &[0x17181B, 0x2B2D31, 0x8C9094, 0x26354F]);
            let zenith = painter.light.zenith;
            painter.paint(&hood, |[u, v]| {
                let gloss = (1.0 - (v - top) / (height - top)).clamp(0.0, 1.0)
                    * (1.0 - (2.0 * u / width - 1.0).abs() * 0.6);
                std::array::from_fn(|channel| scaled(paint, 0.8)[channel] + 0.35 * gloss * zenith[channel])
            });
        }
    }
    if rng.chance(0.3) {
        let edge = (width * 0.004).max(1.0);
        painter.record(Label::OutOfRoi, false, false, &rectangle(0.0, 0.0, width, edge));
        painter.record(Label::RectificationBorder, false, false, &rectangle(0.0, 0.0, edge, height));
        painter.record(
            Label::RectificationBorder,
            false,
            false,
            &rectangle(width - edge, 0.0, width, height),
        );
    }
    if rng.chance(0.25) {
        let (x, y) = (rng.range(0.3, 0.7) * width, painter.camera.center[1]);
        painter.record(Label::Car, false, true, &rectangle(x, y, x + width * 0.03, y + height * 0.04));
    }
}
