//! Labels beside points that cover neither each other nor the points.

/// Height of a label in pixels.
const HEIGHT: f64 = 16.0;
/// Width of a character in pixels; generous, because the font is the reader's.
const CHARACTER: f64 = 7.4;
/// Directions tried around a point, the best first: right, left, then above and below, then the corners.
const DIRECTIONS: [(f64, f64); 8] =
    [(1.0, 0.0), (-1.0, 0.0), (1.0, -1.0), (1.0, 1.0), (-1.0, -1.0), (-1.0, 1.0), (0.0, -1.0), (0.0, 1.0)];
/// Distances tried, in pixels. From the second on, a line leads from the label to its point.
const DISTANCES: [f64; 6] = [11.0, 24.0, 40.0, 60.0, 84.0, 112.0];

/// A rectangle in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Area {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) right: f64,
    pub(crate) bottom: f64,
}

/// Where a label went.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Label {
    /// The space it takes.
    pub(crate) area: Area,
    /// Whether it is far enough from its point to need a line.
    pub(crate) has_leader: bool,
}

impl Area {
    /// A square around a point.
    pub(crate) fn around(x: f64, y: f64, half: f64) -> Self {
        Self { left: x - half, top: y - half, right: x + half, bottom: y + half }
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }

    fn is_inside(&self, frame: &Self) -> bool {
        self.left >= frame.left
            && self.right <= frame.right
            && self.top >= frame.top
            && self.bottom <= frame.bottom
    }
}

/// Places a label for each point within `frame`, clear of `obstacles`; a label without any free place is left out.
pub(crate) fn place(points: &[(f64, f64, &str)], obstacles: &[Area], frame: &Area) -> Vec<Option<Label>> {
    let mut taken = obstacles.to_vec();
    let place_one = |&(x, y, text): &(f64, f64, &str)| {
        let width = text.chars().count() as f64 * CHARACTER;
        let candidates = DISTANCES.iter().flat_map(|&distance| {
            DIRECTIONS.iter().map(move |&(dx, dy)| {
                let left = match dx {
                    1.0 => x + distance,
                    -1.0 => x - distance - width,
                    _ => x - width / 2.0,
                };
                let middle = y + dy * (distance + HEIGHT / 4.0);
                let area = Area {
                    left,
                    right: left + width,
                    top: middle - HEIGHT / 2.0,
                    bottom: middle + HEIGHT / 2.0,
                };
                Label { area, has_leader: distance > DISTANCES[0] }
            })
        });
        let free = |label: &Label| {
            label.area.is_inside(frame) && !taken.iter().any(|other| label.area.overlaps(other))
        };
        let label = candidates.into_iter().find(free);
        taken.extend(label.map(|label| label.area));
        label
    };
    points.iter().map(place_one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Area = Area { left: 0.0, top: 0.0, right: 600.0, bottom: 300.0 };

    #[test]
    fn labels_of_points_on_one_spot_do_not_overlap() {
        let points: Vec<_> = (0..9).map(|i| (300.0 + f64::from(i), 150.0, "segformer-b0")).collect();
        let markers: Vec<_> = points.iter().map(|&(x, y, _)| Area::around(x, y, 6.0)).collect();
        let areas: Vec<_> = place(&points, &markers, &FRAME)
            .into_iter()
            .map(|label| label.expect("room enough").area)
            .collect();
        for (i, area) in areas.iter().enumerate() {
            assert!(area.is_inside(&FRAME));
            assert!(areas[i + 1..].iter().chain(&markers).all(|other| !area.overlaps(other)), "label {i}");
        }
    }

    #[test]
    fn a_point_at_the_right_edge_has_its_label_on_the_left() {
        let label = place(&[(595.0, 150.0, "unet")], &[], &FRAME)[0].expect("room enough");
        assert!(label.area.right < 595.0 && !label.has_leader);
    }

    #[test]
    fn a_label_wider_than_the_frame_is_left_out() {
        assert_eq!(place(&[(300.0, 150.0, &"x".repeat(200))], &[], &FRAME), [None]);
    }
}
