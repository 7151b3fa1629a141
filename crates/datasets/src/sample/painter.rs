//! A picture and the outlines of what is in it, made together.
//!
//! An object is an outline with a label; the outline decides which pixels are its own. Everything painted until the next object
//! stays on those pixels, so the picture never disagrees with the labels by more than the rounding of corners.

use super::camera::{Camera, Light};
use super::color::Color;
use super::geometry::{Point, area, clip};
use super::label::Label;

/// An outline as it stands in `polygons.json`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Object {
    /// What it shows.
    pub(super) label: Label,
    /// Whether it stands for several objects that cannot be told apart.
    pub(super) group: bool,
    /// Whether the annotator took it back; it is then never drawn.
    pub(super) deleted: bool,
    /// Corners in pixels.
    pub(super) polygon: Vec<[i32; 2]>,
}

/// The canvas, larger than the picture by `detail`, and the objects so far.
pub(super) struct Painter {
    /// The camera.
    pub(super) camera: Camera,
    /// The light.
    pub(super) light: Light,
    /// Pixels of the canvas per pixel of the picture, along each side.
    pub(super) detail: usize,
    /// Width of the canvas.
    pub(super) width: usize,
    /// Height of the canvas.
    pub(super) height: usize,
    /// The canvas, row after row.
    pub(super) pixels: Vec<Color>,
    /// The objects in painter's order.
    pub(super) objects: Vec<Object>,
    owners: Vec<u16>,
    shaded: Vec<bool>,
    distance: f32,
}

impl Painter {
    /// An empty canvas.
    pub(super) fn new(camera: Camera, light: Light, detail: usize) -> Self {
        let (width, height) = (camera.width as usize * detail, camera.height as usize * detail);
        Self {
            pixels: vec![light.haze; width * height],
            owners: vec![0; width * height],
            shaded: vec![false; width * height],
            objects: Vec::new(),
            distance: 1.0,
            camera,
            light,
            detail,
            width,
            height,
        }
    }

    /// Begins an object at a distance. False if too little of it is in the picture, and then nothing may be painted on it.
    pub(super) fn object(&mut self, label: Label, outline: &[Point], distance: f32) -> bool {
        self.begin(label, false, outline, distance)
    }

    /// As [`Painter::object`] for several objects in one outline.
    pub(super) fn group(&mut self, label: Label, outline: &[Point], distance: f32) -> bool {
        self.begin(label, true, outline, distance)
    }

    fn begin(&mut self, label: Label, group: bool, outline: &[Point], distance: f32) -> bool {
        let seen = area(&clip(outline, [0.0, 0.0, self.camera.width, self.camera.height]));
        if seen < 2.5 || self.objects.len() >= usize::from(u16::MAX) {
            return false;
        }
        self.record(label, group, false, outline);
        self.distance = distance;
        // A thing thinner than a pixel has no outline. It is painted on what came before it and keeps that label, as a far twig
        // does for an annotator.
        let owner = self.objects.len() as u16;
        let (owners, width) = (&mut self.owners, self.width);
        scan(outline, self.detail, self.width, self.height, |row, from, to| {
            owners[row * width + from..row * width + to].fill(owner);
        });
        true
    }

    /// Adds an outline that leaves no trace in the picture, unless it shrinks to a line when its corners are rounded.
    pub(super) fn record(&mut self, label: Label, group: bool, deleted: bool, outline: &[Point]) {
        let (width, height) = (self.camera.width, self.camera.height);
        // A margin beyond the picture's edge, as annotators leave it: corners may lie outside.
        let margin = width * 0.02;
        let inside = clip(outline, [-margin, -margin, width + margin, height + margin]);
        let polygon = corners(&inside);
        if polygon.len() >= 3 {
            self.objects.push(Object { label, group, deleted, polygon });
        }
    }

    /// Paints part of the current object.
    pub(super) fn paint(&mut self, outline: &[Point], shader: impl Fn(Point) -> Color) {
        let distance = self.distance;
        self.paint_deep(outline, |point| (shader(point), distance));
    }

    /// Paints part of the current object in one color.
    pub(super) fn flat(&mut self, outline: &[Point], color: Color) {
        let color = self.light.hazed(color, self.distance);
        self.each(outline, |pixel, _| *pixel = color);
    }

    /// Paints part of the current object, whose distance the shader tells with the color.
    pub(super) fn paint_deep(&mut self, outline: &[Point], shader: impl Fn(Point) -> (Color, f32)) {
        let light = self.light.clone();
        self.each(outline, |pixel, point| {
            let (color, distance) = shader(point);
            *pixel = light.hazed(color, distance);
        });
    }

    /// Makes part of the current object darker or lighter.
    pub(super) fn dim(&mut self, outline: &[Point], factor: f32) {
        self.each(outline, |pixel, _| *pixel = pixel.map(|channel| channel * factor));
    }

    fn each(&mut self, outline: &[Point], paint: impl Fn(&mut Color, Point)) {
        let owner = self.objects.len() as u16;
        let (pixels, owners, width, step) =
            (&mut self.pixels, &self.owners, self.width, 1.0 / self.detail as f32);
        scan(outline, self.detail, self.width, self.height, |row, from, to| {
            let y = (row as f32 + 0.5) * step;
            for column in from..to {
                let index = row * width + column;
                if owners[index] == owner {
                    paint(&mut pixels[index], [(column as f32 + 0.5) * step, y]);
                }
            }
        });
    }

    /// Takes the sun away, before things are put there. Two shadows on one place are no darker than one.
    pub(super) fn shadow(&mut self, outline: &[Point], factor: f32) {
        let (pixels, shaded, width) = (&mut self.pixels, &mut self.shaded, self.width);
        scan(outline, self.detail, self.width, self.height, |row, from, to| {
            let run = row * width + from..row * width + to;
            for (pixel, shaded) in pixels[run.clone()].iter_mut().zip(&mut shaded[run]) {
                if !*shaded {
                    *pixel = pixel.map(|channel| channel * factor);
                    *shaded = true;
                }
            }
        });
    }

    /// Darkens whatever is there, before things are put on it.
    pub(super) fn darken(&mut self, outline: &[Point], factor: f32) {
        let (pixels, width) = (&mut self.pixels, self.width);
        scan(outline, self.detail, self.width, self.height, |row, from, to| {
            for pixel in &mut pixels[row * width + from..row * width + to] {
                *pixel = pixel.map(|channel| channel * factor);
            }
        });
    }
}

/// The corners of the label's polygon: the fill includes its outline, so the outline runs through the outermost pixels' centers.
fn corners(outline: &[Point]) -> Vec<[i32; 2]> {
    let (mut low, mut high) = ([f32::MAX; 2], [f32::MIN; 2]);
    for point in outline {
        for axis in 0..2 {
            low[axis] = low[axis].min(point[axis]);
            high[axis] = high[axis].max(point[axis]);
        }
    }
    let rounded = outline.iter().map(|point| {
        std::array::from_fn(|axis| {
            let from_middle = point[axis] - 0.5 * (low[axis] + high[axis]);
            (point[axis] - 0.5 - 0.5 * from_middle.clamp(-1.0, 1.0)).round() as i32
        })
    });
    let mut polygon: Vec<[i32; 2]> = rounded.collect();
    polygon.dedup();
    polygon
}

/// Calls `run(row, first, end)` for all pixels of the canvas with their middle inside the polygon.
fn scan(
    outline: &[Point],
    detail: usize,
    width: usize,
    height: usize,
    mut run: impl FnMut(usize, usize, usize),
) {
    let scale = detail as f32;
    let tops = outline.iter().map(|point| point[1]).fold(f32::MAX, f32::min);
    let bottoms = outline.iter().map(|point| point[1]).fold(f32::MIN, f32::max);
    if outline.len() < 3 || tops.is_nan() || bottoms.is_nan() {
        return;
    }
    let first = (tops * scale - 0.5).ceil().max(0.0) as usize;
    let end = ((bottoms * scale - 0.5).floor() + 1.0).clamp(0.0, height as f32) as usize;
    let mut crossings: Vec<f32> = Vec::with_capacity(8);
    for row in first..end {
        let y = (row as f32 + 0.5) / scale;
        crossings.clear();
        for (a, b) in outline.iter().zip(outline.iter().cycle().skip(1)) {
            if (a[1] <= y) != (b[1] <= y) {
                crossings.push((a[0] + (b[0] - a[0]) * (y - a[1]) / (b[1] - a[1])) * scale);
            }
        }
        crossings.sort_by(f32::total_cmp);
        for pair in crossings.chunks_exact(2) {
            let from = (pair[0] - 0.5).ceil().max(0.0) as usize;
            let to = ((pair[1] - 0.5).floor() + 1.0).clamp(0.0, width as f32) as usize;
            if from < to {
                run(row, from, to);
            }
        }
    }
}
