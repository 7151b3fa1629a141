//! Plane geometry of outlines: clipping, hulls, envelopes and a few shapes.

use std::f32::consts::TAU;

/// A point of the picture, in pixels of the label map; pixel `i` covers `i..i + 1`.
pub(super) type Point = [f32; 2];

/// The part of a polygon inside a rectangle (Sutherland and Hodgman).
pub(super) fn clip(polygon: &[Point], [left, top, right, bottom]: [f32; 4]) -> Vec<Point> {
    let mut current = polygon.to_vec();
    for (axis, bound, sign) in [(0, left, 1.0), (0, right, -1.0), (1, top, 1.0), (1, bottom, -1.0)] {
        let inside = |point: &Point| (point[axis] - bound) * sign >= 0.0;
        let mut kept = Vec::with_capacity(current.len() + 4);
        for (index, point) in current.iter().enumerate() {
            let before = &current[(index + current.len() - 1) % current.len()];
            if inside(before) != inside(point) {
                let part = (bound - before[axis]) / (point[axis] - before[axis]);
                kept.push(between(*before, *point, part));
            }
            if inside(point) {
                kept.push(*point);
            }
        }
        current = kept;
    }
    current
}

/// The point at `part` of the way from `a` to `b`.
pub(super) fn between(a: Point, b: Point, part: f32) -> Point {
    [a[0] + (b[0] - a[0]) * part, a[1] + (b[1] - a[1]) * part]
}

/// Area of a polygon, whichever way it runs.
pub(super) fn area(polygon: &[Point]) -> f32 {
    let crosses = polygon.iter().zip(polygon.iter().cycle().skip(1)).map(|(a, b)| a[0] * b[1] - b[0] * a[1]);
    (crosses.sum::<f32>() * 0.5).abs()
}

/// The smallest convex polygon around points (Andrew's monotone chain).
pub(super) fn hull(points: &[Point]) -> Vec<Point> {
    let mut sorted = points.to_vec();
    sorted.sort_by(|a, b| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])));
    let mut chain: Vec<Point> = Vec::with_capacity(sorted.len() + 1);
    for pass in 0..2 {
        let floor = chain.len() + 1;
        for point in &sorted {
            while chain.len() > floor && turn(chain[chain.len() - 2], chain[chain.len() - 1], *point) <= 0.0 {
                chain.pop();
            }
            chain.push(*point);
        }
        chain.pop();
        if pass == 0 {
            sorted.reverse();
        }
    }
    chain
}

fn turn(a: Point, b: Point, c: Point) -> f32 {
    (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
}

/// The outline around convex parts that stand side by side and on each other: from the highest to the lowest part in every column.
pub(super) fn envelope(parts: &[Vec<Point>]) -> Vec<Point> {
    let mut columns: Vec<f32> = parts.iter().flatten().map(|point| point[0]).collect();
    columns.sort_by(f32::total_cmp);
    columns.dedup_by(|a, b| (*a - *b).abs() < 0.35);
    let (Some(&first), Some(&last)) = (columns.first(), columns.last()) else { return Vec::new() };
    // Both sides of every corner, because a part may begin there with a step.
    let step = ((last - first) * 0.004).clamp(0.02, 0.15);
    let sides: Vec<f32> = columns.iter().flat_map(|x| [x - step, x + step]).collect();
    let (mut upper, mut lower) = (Vec::new(), Vec::new());
    let mut before: Option<(f32, Extent)> = None;
    for x in sides {
        let here = extent(parts, x);
        if let (Some((x0, a)), Some(b)) = (&before, &here) {
            // Where one part rises above another there is a corner that neither of them has.
            upper.extend(crossing(parts, [*x0, x], [a.top.1, b.top.1], |span| span.0));
            lower.extend(crossing(parts, [*x0, x], [a.bottom.1, b.bottom.1], |span| span.1));
        }
        before = here.map(|extent| {
            upper.push([x, extent.top.0]);
            lower.push([x, extent.bottom.0]);
            (x, extent)
        });
    }
    lower.reverse();
    upper.extend(lower);
    simplified(&upper)
}

/// The highest and the lowest point in a column, each with the number of its part.
struct Extent {
    top: (f32, usize),
    bottom: (f32, usize),
}

fn extent(parts: &[Vec<Point>], x: f32) -> Option<Extent> {
    let spans = parts.iter().enumerate().filter_map(|(index, part)| {
        let (top, bottom) = column(part, x)?;
        Some(Extent { top: (top, index), bottom: (bottom, index) })
    });
    spans.reduce(|a, b| Extent {
        top: if b.top.0 < a.top.0 { b.top } else { a.top },
        bottom: if b.bottom.0 > a.bottom.0 { b.bottom } else { a.bottom },
    })
}

/// Where the edges of two parts cross between two columns.
fn crossing(
    parts: &[Vec<Point>],
    x: [f32; 2],
    [a, b]: [usize; 2],
    edge: impl Fn((f32, f32)) -> f32,
) -> Option<Point> {
    if a == b {
        return None;
    }
    let at = |part: usize, x: f32| column(&parts[part], x).map(&edge);
    let (a0, a1, b0, b1) = (at(a, x[0])?, at(a, x[1])?, at(b, x[0])?, at(b, x[1])?);
    let (gap0, gap1) = (a0 - b0, a1 - b1);
    (gap0 * gap1 < 0.0).then(|| between([x[0], a0], [x[1], a1], gap0 / (gap0 - gap1)))
}

/// Where the vertical line at `x` enters and leaves a convex polygon.
fn column(part: &[Point], x: f32) -> Option<(f32, f32)> {
    let mut span: Option<(f32, f32)> = None;
    for (a, b) in part.iter().zip(part.iter().cycle().skip(1)) {
        if (a[0] <= x) == (b[0] <= x) {
            continue;
        }
        let y = a[1] + (b[1] - a[1]) * (x - a[0]) / (b[0] - a[0]);
        span = Some(span.map_or((y, y), |(top, bottom)| (top.min(y), bottom.max(y))));
    }
    span
}

/// The polygon without points that lie on the line between their neighbors.
fn simplified(polygon: &[Point]) -> Vec<Point> {
    let mut kept: Vec<Point> = Vec::with_capacity(polygon.len());
    for (index, point) in polygon.iter().enumerate() {
        let next = polygon[(index + 1) % polygon.len()];
        let Some(&last) = kept.last() else {
            kept.push(*point);
            continue;
        };
        let length = (next[0] - last[0]).hypot(next[1] - last[1]).max(0.1);
        if turn(last, *point, next).abs() / length > 0.12 {
            kept.push(*point);
        }
    }
    kept
}

/// An ellipse of `corners` corners.
pub(super) fn ellipse(center: Point, radius: Point, corners: usize) -> Vec<Point> {
    (0..corners)
        .map(|corner| {
            let (sin, cos) = ((corner as f32 + 0.5) / corners as f32 * TAU).sin_cos();
            [center[0] + cos * radius[0], center[1] + sin * radius[1]]
        })
        .collect()
}

/// A thick line.
pub(super) fn stroke(a: Point, b: Point, width: f32) -> Vec<Point> {
    let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
    let scale = 0.5 * width / dx.hypot(dy).max(1e-6);
    let (nx, ny) = (-dy * scale, dx * scale);
    vec![[a[0] + nx, a[1] + ny], [b[0] + nx, b[1] + ny], [b[0] - nx, b[1] - ny], [a[0] - nx, a[1] - ny]]
}

/// A rectangle from its corners.
pub(super) fn rectangle(left: f32, top: f32, right: f32, bottom: f32) -> Vec<Point> {
    vec![[left, top], [right, top], [right, bottom], [left, bottom]]
}
