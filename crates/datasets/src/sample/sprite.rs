//! Upright things that are drawn flat, facing the camera: in meters right of and above the place where they stand.

use super::camera::Camera;
use super::color::{Color, scaled};
use super::geometry::{Point, ellipse, stroke};
use super::painter::Painter;

/// A flat thing at a place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sprite {
    /// Where it stands in the picture.
    foot: Point,
    /// Pixels per meter.
    pub(super) scale: f32,
    /// Meters ahead.
    pub(super) distance: f32,
    /// 1, or -1 for the mirror image.
    mirror: f32,
}

impl Sprite {
    /// A thing that stands at x and z, at a height.
    pub(super) fn new(camera: &Camera, [x, y, z]: [f32; 3], mirrored: bool) -> Self {
        let mirror = if mirrored { -1.0 } else { 1.0 };
        Self { foot: camera.project([x, y, z]), scale: camera.scale(z), distance: z, mirror }
    }

    /// A point of it in the picture.
    pub(super) fn at(&self, [right, up]: Point) -> Point {
        [self.foot[0] + right * self.mirror * self.scale, self.foot[1] - up * self.scale]
    }

    /// A point of the picture in its meters.
    pub(super) fn local(&self, point: Point) -> Point {
        [(point[0] - self.foot[0]) * self.mirror / self.scale, (self.foot[1] - point[1]) / self.scale]
    }

    /// An outline of it in the picture.
    pub(super) fn outline(&self, points: &[Point]) -> Vec<Point> {
        points.iter().map(|point| self.at(*point)).collect()
    }

    /// A limb or bar of some thickness.
    pub(super) fn limb(&self, from: Point, to: Point, thickness: f32) -> Vec<Point> {
        stroke(self.at(from), self.at(to), thickness * self.scale)
    }

    /// A round part.
    pub(super) fn disk(&self, center: Point, radius: Point) -> Vec<Point> {
        ellipse(self.at(center), [radius[0] * self.scale, radius[1] * self.scale], 12)
    }
}

/// A convex part of a flat thing, with its color.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// In pixels.
    pub(super) outline: Vec<Point>,
    /// Without light.
    pub(super) color: Color,
}

/// Paints parts in order on the current object, lit from one side.
pub(super) fn paint_parts(painter: &mut Painter, parts: &[Part]) {
    let right = -painter.light.shadow[0];
    let lit = painter.light.on([0.0, 0.3, -0.95]).max(0.62);
    let contrast = if painter.light.overcast { 0.08 } else { 0.22 };
    for part in parts {
        let low = part.outline.iter().map(|point| point[0]).fold(f32::MAX, f32::min);
        let high = part.outline.iter().map(|point| point[0]).fold(f32::MIN, f32::max);
        let (middle, half) = (0.5 * (low + high), (0.5 * (high - low)).max(0.5));
        let color = part.color;
        painter.paint(&part.outline, |point| {
            scaled(color, lit * (1.0 + contrast * right.signum() * (point[0] - middle) / half))
        });
    }
}
