//! The polygon fill that Cityscapes' label maps are drawn with.
//!
//! Cityscapes draws `labelIds` from `polygons.json` with Python's `ImageDraw.polygon`, whose rule is its own: outlines belong to
//! the polygon, halves round away from zero, and edges that meet on a row are joined. This is the same rule, pixel for pixel.
//!
//! # Source
//! Pillow 13.0.0, `polygon_generic` of `src/libImaging/Draw.c`, checked against masks that Pillow drew.

/// A polygon of fewer than two points has no outline to fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a polygon needs at least 2 points, got {points}")]
pub(crate) struct TooFewPoints {
    /// Points that were given.
    pub(crate) points: usize,
}

/// Calls `span(row, first, end)` for every run of pixels inside the polygon on a canvas of `width` by `height`; runs of one row may
/// overlap.
///
/// # Errors
/// [`TooFewPoints`] below two points.
pub(crate) fn fill_polygon(
    points: &[[i32; 2]],
    width: u32,
    height: u32,
    mut span: impl FnMut(usize, usize, usize),
) -> Result<(), TooFewPoints> {
    if points.len() < 2 {
        return Err(TooFewPoints { points: points.len() });
    }
    let mut emit = |y: i32, from: i32, to: i32| {
        let (from, to) = (from.max(0), to.min(width as i32 - 1));
        if y >= 0 && y < height as i32 && from <= to {
            span(y as usize, from as usize, to as usize + 1);
        }
    };
    let edges = edges(points);
    let slanted: Vec<&Edge> = edges.iter().filter(|edge| edge.y_min != edge.y_max).collect();
    for edge in edges.iter().filter(|edge| edge.y_min == edge.y_max) {
        emit(edge.y_min, edge.x_min, edge.x_max);
    }
    let top = edges.iter().map(|edge| edge.y_min).min().unwrap_or_default().max(0);
    let bottom = edges.iter().map(|edge| edge.y_max).max().unwrap_or_default().min(height as i32);
    let mut crossings = Vec::with_capacity(2 * slanted.len());
    for y in top..=bottom {
        crossings.clear();
        for (index, edge) in slanted.iter().enumerate() {
            if y < edge.y_min || y > edge.y_max {
                continue;
            }
            let mut x = edge.x_at(y);
            if y == edge.y_max && y < bottom {
                crossings.push(x);
            } else if edge.ends_at(y) && edge.slope != 0.0 {
                x = joined(x, edge, &slanted[..index], y);
            }
            crossings.push(x);
        }
        crossings.sort_by(f32::total_cmp);
        for pair in crossings.chunks_exact(2) {
            emit(y, first_pixel(pair[0]), last_pixel(pair[1]));
        }
    }
    Ok(())
}

/// One side of a polygon, from its first point.
struct Edge {
    x: i32,
    y: i32,
    x_min: i32,
    x_max: i32,
    y_min: i32,
    y_max: i32,
    /// Pixels to the right per row down; zero for level edges.
    slope: f32,
}

impl Edge {
    fn new([x0, y0]: [i32; 2], [x1, y1]: [i32; 2]) -> Self {
        let slope = if y0 == y1 { 0.0 } else { (x1 - x0) as f32 / (y1 - y0) as f32 };
        Self {
            x: x0,
            y: y0,
            x_min: x0.min(x1),
            x_max: x0.max(x1),
            y_min: y0.min(y1),
            y_max: y0.max(y1),
            slope,
        }
    }

    fn x_at(&self, y: i32) -> f32 {
        (y - self.y) as f32 * self.slope + self.x as f32
    }

    fn ends_at(&self, y: i32) -> bool {
        y == self.y_min || y == self.y_max
    }
}

fn edges(points: &[[i32; 2]]) -> Vec<Edge> {
    let mut edges: Vec<Edge> = points.windows(2).map(|pair| Edge::new(pair[0], pair[1])).collect();
    if let (Some(first), Some(last)) = (points.first(), points.last())
        && first != last
    {
        edges.push(Edge::new(*last, *first));
    }
    edges
}

/// Where two edges meet on row `y`, the outer one reaches to the pixel beside the inner one's next row, so that no gap opens.
fn joined(x: f32, edge: &Edge, earlier: &[&Edge], y: i32) -> f32 {
    let next = if y == edge.y_max { y - 1 } else { y + 1 };
    for other in earlier {
        let meets = other.ends_at(y) && other.slope != 0.0 && x.round() == other.x_at(y).round();
        if !meets || next < other.y_min || next > other.y_max {
            continue;
        }
        let (here, there) = (edge.x_at(next), other.x_at(next));
        if x > here.max(there) + 1.0 {
            return here.max(there).round() + 1.0;
        }
        if x < here.min(there) - 1.0 {
            return here.min(there).round() - 1.0;
        }
        // The first neighbor decides, also when it leaves the crossing where it is.
        return x;
    }
    x
}

/// Halves go away from zero.
fn first_pixel(x: f32) -> i32 {
    ((x.abs() + 0.5).floor().copysign(x)) as i32
}

/// Halves go towards zero.
fn last_pixel(x: f32) -> i32 {
    ((x.abs() - 0.5).ceil() * x.signum()) as i32
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    /// Width, height, corners, and runs of pixels outside and inside by turns; drawn by Pillow, see the script beside the file.
    #[derive(Deserialize)]
    struct Vector(u32, u32, Vec<[i32; 2]>, Vec<usize>);

    #[derive(Deserialize)]
    struct Vectors {
        vectors: Vec<Vector>,
    }

    fn mask(points: &[[i32; 2]], width: u32, height: u32) -> Vec<bool> {
        let mut mask = vec![false; width as usize * height as usize];
        let filled = fill_polygon(points, width, height, |row, from, to| {
            mask[row * width as usize + from..row * width as usize + to].fill(true);
        });
        filled.expect("two points or more");
        mask
    }

    #[test]
    fn every_mask_equals_the_one_that_pillow_draws() {
        let file = include_str!("../tests/fixtures/polygon_masks.json");
        let Vectors { vectors } = serde_json::from_str(file).expect("the fixture");
        assert!(vectors.len() > 300);
        for Vector(width, height, points, runs) in vectors {
            let turns = runs.iter().enumerate().flat_map(|(turn, length)| vec![turn % 2 == 1; *length]);
            let expected: Vec<bool> = turns.collect();
            assert!(mask(&points, width, height) == expected, "{width}x{height} {points:?}");
        }
    }

    #[test]
    fn the_outline_belongs_to_the_polygon() {
        let mask = mask(&[[1, 1], [4, 1], [4, 2], [1, 2]], 7, 5);
        let inside: Vec<usize> = (0..mask.len()).filter(|pixel| mask[*pixel]).collect();
        assert_eq!(inside, [8, 9, 10, 11, 15, 16, 17, 18]);
    }

    #[test]
    fn fewer_than_two_points_are_refused() {
        assert_eq!(fill_polygon(&[[1, 1]], 4, 4, |_, _, _| ()), Err(TooFewPoints { points: 1 }));
        assert_eq!(fill_polygon(&[], 4, 4, |_, _, _| ()), Err(TooFewPoints { points: 0 }));
    }

    #[test]
    fn coordinates_far_outside_do_not_matter() {
        let mask =
            mask(&[[-100_000, -100_000], [100_000, -100_000], [100_000, 100_000], [-100_000, 100_000]], 5, 3);
        assert!(mask.iter().all(|inside| *inside));
    }
}
