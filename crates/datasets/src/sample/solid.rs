//! Boxes on wheels: the geometry that all vehicles share.

use super::camera::{Camera, Place};
use super::geometry::{Point, hull};

/// Where a vehicle stands and where it heads; its own coordinates are meters forward from its tail, right of its middle, and up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    x: f32,
    z: f32,
    sin: f32,
    cos: f32,
}

impl Frame {
    /// A vehicle of some length whose middle is at x and z. A heading of zero looks away from the camera.
    pub(super) fn new(x: f32, z: f32, heading: f32, length: f32) -> Self {
        let (sin, cos) = heading.sin_cos();
        Self { x: x - sin * length * 0.5, z: z - cos * length * 0.5, sin, cos }
    }

    /// A place of the vehicle in road coordinates.
    pub(super) fn at(&self, forward: f32, right: f32, up: f32) -> Place {
        [self.x + forward * self.sin + right * self.cos, up, self.z + forward * self.cos - right * self.sin]
    }

    /// The rectangle it covers on the road.
    pub(super) fn footprint(&self, length: f32, width: f32) -> Vec<[f32; 2]> {
        [(0.0, -0.5), (length, -0.5), (length, 0.5), (0.0, 0.5)]
            .map(|(forward, right)| {
                let [x, _, z] = self.at(forward, right * width, 0.0);
                [x, z]
            })
            .to_vec()
    }
}

/// A side of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Behind.
    Rear,
    /// Ahead.
    Front,
    /// To the left of the driver.
    Left,
    /// To the right of the driver.
    Right,
    /// Above.
    Top,
}

/// A box whose top may be smaller than its bottom.
#[derive(Debug, Clone)]
pub(super) struct Block {
    /// Bottom then top; each rear left, front left, front right, rear right.
    corners: [Place; 8],
}

impl Block {
    /// From ranges forward and up, half widths at bottom and top, and the range forward at the top.
    pub(super) fn new(frame: &Frame, bottom: [f32; 2], top: [f32; 2], half: [f32; 2], up: [f32; 2]) -> Self {
        let ring = |forward: [f32; 2], half: f32, up: f32| {
            [(forward[0], -half), (forward[1], -half), (forward[1], half), (forward[0], half)]
                .map(|(forward, right)| frame.at(forward, right, up))
        };
        let (low, high) = (ring(bottom, half[0], up[0]), ring(top, half[1], up[1]));
        Self { corners: [low[0], low[1], low[2], low[3], high[0], high[1], high[2], high[3]] }
    }

    /// An upright box.
    pub(super) fn upright(frame: &Frame, forward: [f32; 2], half: f32, up: [f32; 2]) -> Self {
        Self::new(frame, forward, forward, [half, half], up)
    }

    /// What it covers in the picture.
    pub(super) fn hull(&self, camera: &Camera) -> Vec<Point> {
        hull(&self.corners.map(|corner| camera.project(corner)))
    }

    /// Its sides that the camera sees.
    pub(super) fn faces(&self, camera: &Camera) -> Vec<Face> {
        let sides = [
            (Side::Rear, [0, 3, 7, 4]),
            (Side::Front, [2, 1, 5, 6]),
            (Side::Left, [0, 1, 5, 4]),
            (Side::Right, [3, 2, 6, 7]),
            (Side::Top, [4, 7, 6, 5]),
        ];
        let middle = mean(&self.corners);
        let eye = [0.0, camera.eye, 0.0];
        sides
            .into_iter()
            .filter_map(|(side, indices)| {
                let corners = indices.map(|index| self.corners[index]);
                let (a, b) = (minus(corners[1], corners[0]), minus(corners[3], corners[0]));
                let cross = [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
                let center = mean(&corners);
                let outward = if dot(cross, minus(center, middle)) >= 0.0 { 1.0 } else { -1.0 };
                let length = dot(cross, cross).sqrt().max(1e-6);
                let normal = cross.map(|axis| axis * outward / length);
                (dot(normal, minus(eye, center)) > 0.0).then_some(Face { side, corners, normal })
            })
            .collect()
    }
}

/// One side of a block, with coordinates from 0 to 1: rightwards or forwards, and up.
#[derive(Debug, Clone)]
pub(super) struct Face {
    /// Which side.
    pub(super) side: Side,
    /// Where it looks.
    pub(super) normal: Place,
    corners: [Place; 4],
}

impl Face {
    /// A point of the face.
    pub(super) fn at(&self, camera: &Camera, [right, up]: Point) -> Point {
        camera.project(std::array::from_fn(|axis| {
            let low = self.corners[0][axis] + (self.corners[1][axis] - self.corners[0][axis]) * right;
            let high = self.corners[3][axis] + (self.corners[2][axis] - self.corners[3][axis]) * right;
            low + (high - low) * up
        }))
    }

    /// The whole face.
    pub(super) fn outline(&self, camera: &Camera) -> Vec<Point> {
        self.part(camera, [0.0, 1.0], [0.0, 1.0])
    }

    /// A rectangle of the face.
    pub(super) fn part(&self, camera: &Camera, right: [f32; 2], up: [f32; 2]) -> Vec<Point> {
        let corners = [[right[0], up[0]], [right[1], up[0]], [right[1], up[1]], [right[0], up[1]]];
        corners.iter().map(|corner| self.at(camera, *corner)).collect()
    }

    /// A round patch of the face.
    pub(super) fn disk(&self, camera: &Camera, center: Point, radius: Point) -> Vec<Point> {
        super::geometry::ellipse(center, radius, 14).iter().map(|point| self.at(camera, *point)).collect()
    }
}

fn mean(places: &[Place]) -> Place {
    std::array::from_fn(|axis| places.iter().map(|place| place[axis]).sum::<f32>() / places.len() as f32)
}

fn minus(a: Place, b: Place) -> Place {
    std::array::from_fn(|axis| a[axis] - b[axis])
}

fn dot(a: Place, b: Place) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}
