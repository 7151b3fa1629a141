//! Accuracy against latency, with memory as the area of the points.

use std::fmt::Write as _;

use super::axis::{Axis, tick_text};
use super::labels::{Area, place};
use crate::text::escape;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 420.0;
/// The plot within the picture; the rest is for ticks and axis titles.
const FRAME: Area = Area { left: 58.0, top: 18.0, right: WIDTH - 16.0, bottom: HEIGHT - 50.0 };
/// Radius of a point without a known memory, and those of the smallest and the largest memory.
const RADIUS: f64 = 5.5;
const RADII: (f64, f64) = (4.0, 13.0);

/// One run in the plot.
#[derive(Debug, Clone)]
pub(crate) struct Point {
    /// What stands beside it.
    pub(crate) label: String,
    /// Median latency in milliseconds; positive.
    pub(crate) latency_ms: f64,
    /// mIoU in percent.
    pub(crate) miou: f64,
    /// The interval of the mIoU in percent.
    pub(crate) interval: Option<(f64, f64)>,
    /// Peak memory in MiB; its share of the largest is the point's share of the largest area.
    pub(crate) memory_mib: Option<f64>,
}

/// How far a point is ahead of all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// No other point is as good in accuracy and latency and better in one of them.
    Front,
    /// So if memory counts, too.
    Lean,
    /// Another point is better.
    Beaten,
}

/// The plot as an `<svg>` element, named by `title`; nothing without points.
pub(crate) fn scatter(points: &[Point], title: &str) -> Option<String> {
    if points.is_empty() {
        return None;
    }
    let latencies: Vec<_> = points.iter().map(|point| point.latency_ms).collect();
    let heights: Vec<_> = points
        .iter()
        .flat_map(|point| [Some(point.miou), point.interval.map(|i| i.0), point.interval.map(|i| i.1)])
        .flatten()
        .collect();
    let x = Axis::logarithmic(&latencies, FRAME.left, FRAME.right);
    let y = Axis::linear(&heights, FRAME.bottom, FRAME.top);

    let mut svg = format!(
        r#"<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{}">"#,
        escape(title)
    );
    draw_grid(&mut svg, &x, &y);
    let front = pareto_front(points);
    draw_front(&mut svg, points, &front, &x, &y);
    let most = points.iter().filter_map(|point| point.memory_mib).fold(0.0, f64::max);
    let radii: Vec<f64> = points.iter().map(|point| radius(point, most)).collect();
    // Large points first, so that they hide no small one.
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by(|&a, &b| radii[b].total_cmp(&radii[a]));
    for index in order {
        let standing = match front.contains(&index) {
            true => Standing::Front,
            false if is_lean(points, index) => Standing::Lean,
            false => Standing::Beaten,
        };
        draw_point(&mut svg, &points[index], standing, radii[index], &x, &y);
    }
    draw_labels(&mut svg, points, &radii, &x, &y);
    svg.push_str("</svg>");
    Some(svg)
}

/// Indices of the points that no other point beats in both latency and mIoU, from the fastest to the slowest.
fn pareto_front(points: &[Point]) -> Vec<usize> {
    let beats = |a: &Point, b: &Point| {
        a.latency_ms <= b.latency_ms && a.miou >= b.miou && (a.latency_ms < b.latency_ms || a.miou > b.miou)
    };
    let mut front: Vec<_> =
        (0..points.len()).filter(|&i| !points.iter().any(|other| beats(other, &points[i]))).collect();
    front.sort_by(|&a, &b| points[a].latency_ms.total_cmp(&points[b].latency_ms));
    front
}

/// Whether no other point is as good in latency, memory and mIoU and better in one of them.
fn is_lean(points: &[Point], index: usize) -> bool {
    let costs = |point: &Point| Some([point.latency_ms, point.memory_mib?, -point.miou]);
    let Some(own) = points.get(index).and_then(costs) else { return false };
    !points.iter().filter_map(costs).any(|other| other != own && other.iter().zip(&own).all(|(a, b)| a <= b))
}

fn radius(point: &Point, most: f64) -> f64 {
    let (low, high) = RADII;
    match point.memory_mib {
        Some(memory) if most > 0.0 => (high * (memory / most).max(0.0).sqrt()).clamp(low, high),
        _ => RADIUS,
    }
}

fn draw_grid(svg: &mut String, x: &Axis, y: &Axis) {
    let Area { left, top, right, bottom } = FRAME;
    for &tick in &y.ticks {
        let at = y.at(tick);
        let text = tick_text(tick);
        let _ = write!(
            svg,
            r#"<path class="grid" d="M{left} {at:.1}H{right}"/><text class="tick" x="{:.1}" y="{:.1}" text-anchor="end">{text}</text>"#,
            left - 8.0,
            at + 4.0
        );
    }
    for &tick in &x.ticks {
        let at = x.at(tick);
        let text = tick_text(tick);
        let _ = write!(
            svg,
            r#"<path class="grid" d="M{at:.1} {top}V{bottom}"/><text class="tick" x="{at:.1}" y="{:.1}" text-anchor="middle">{text}</text>"#,
            bottom + 18.0
        );
    }
    let _ = write!(
        svg,
        r#"<path class="axis" d="M{left} {bottom}H{right}"/><text class="title" x="{:.1}" y="{:.1}" text-anchor="middle">median latency, ms (logarithmic; left is faster)</text><text class="title" transform="translate(16 {:.1}) rotate(-90)" text-anchor="middle">mIoU, %</text>"#,
        (left + right) / 2.0,
        HEIGHT - 10.0,
        (top + bottom) / 2.0
    );
}

/// The front as steps: what is reached by the fastest run that is allowed to take this long.
fn draw_front(svg: &mut String, points: &[Point], front: &[usize], x: &Axis, y: &Axis) {
    let mut path = String::new();
    for &index in front {
        let (at_x, at_y) = (x.at(points[index].latency_ms), y.at(points[index].miou));
        let _ = if path.is_empty() {
            write!(path, "M{at_x:.1} {at_y:.1}")
        } else {
            write!(path, "H{at_x:.1}V{at_y:.1}")
        };
    }
    if !path.is_empty() {
        let _ = write!(svg, r#"<path class="front" d="{path}H{:.1}"/>"#, FRAME.right);
    }
}

fn draw_point(svg: &mut String, point: &Point, standing: Standing, radius: f64, x: &Axis, y: &Axis) {
    let (at_x, at_y) = (x.at(point.latency_ms), y.at(point.miou));
    let class = match standing {
        Standing::Front => "dot best",
        Standing::Lean => "dot lean",
        Standing::Beaten => "dot",
    };
    let mut title = format!("{}: {:.2} % mIoU", point.label, point.miou);
    svg.push_str("<g>");
    if let Some((low, high)) = point.interval {
        let (low_y, high_y) = (y.at(low), y.at(high));
        let (left, right) = (at_x - 4.0, at_x + 4.0);
        let _ = write!(
            svg,
            r#"<path class="bar" d="M{at_x:.1} {low_y:.1}V{high_y:.1}M{left:.1} {low_y:.1}H{right:.1}M{left:.1} {high_y:.1}H{right:.1}"/>"#
        );
        let _ = write!(title, " ({low:.2} to {high:.2})");
    }
    let _ = write!(
        svg,
        r#"<circle class="{class}" cx="{at_x:.1}" cy="{at_y:.1}" r="{radius:.1}"><title>{}, {:.2} ms{}</title></circle></g>"#,
        escape(&title),
        point.latency_ms,
        point.memory_mib.map_or_else(String::new, |mib| format!(", {mib:.0} MiB"))
    );
}

fn draw_labels(svg: &mut String, points: &[Point], radii: &[f64], x: &Axis, y: &Axis) {
    let mut obstacles = Vec::new();
    for (point, radius) in points.iter().zip(radii) {
        let (at_x, at_y) = (x.at(point.latency_ms), y.at(point.miou));
        obstacles.push(Area::around(at_x, at_y, radius + 1.0));
        if let Some((low, high)) = point.interval {
            obstacles.push(Area { left: at_x - 4.0, right: at_x + 4.0, top: y.at(high), bottom: y.at(low) });
        }
    }
    let anchors: Vec<_> =
        points.iter().map(|point| (x.at(point.latency_ms), y.at(point.miou), point.label.as_str())).collect();
    for ((at_x, at_y, text), label) in anchors.iter().zip(place(&anchors, &obstacles, &FRAME)) {
        let Some(label) = label else { continue };
        let area = label.area;
        // The text starts at the end that is nearer to its point, so that a narrow font leaves no gap there.
        let (anchor, text_x) = if area.left >= *at_x {
            ("start", area.left)
        } else if area.right <= *at_x {
            ("end", area.right)
        } else {
            ("middle", (area.left + area.right) / 2.0)
        };
        let middle = (area.top + area.bottom) / 2.0;
        if label.has_leader {
            let _ = write!(svg, r#"<path class="leader" d="M{at_x:.1} {at_y:.1}L{text_x:.1} {middle:.1}"/>"#);
        }
        let _ = write!(
            svg,
            r#"<text class="label" x="{text_x:.1}" y="{:.1}" text-anchor="{anchor}">{}</text>"#,
            middle + 4.5,
            escape(text)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(label: &str, latency_ms: f64, miou: f64) -> Point {
        Point {
            label: label.into(),
            latency_ms,
            miou,
            interval: Some((miou - 1.0, miou + 1.5)),
            memory_mib: None,
        }
    }

    #[test]
    fn the_front_leaves_out_what_another_run_beats_in_both() {
        let points =
            [point("slow and good", 90.0, 80.0), point("beaten", 50.0, 60.0), point("fast", 10.0, 70.0)];
        assert_eq!(pareto_front(&points), [2, 0]);
    }

    #[test]
    fn a_run_off_the_front_that_needs_less_memory_is_ringed_and_a_worse_one_is_not() {
        let with = |memory: f64, point: Point| Point { memory_mib: Some(memory), ..point };
        let points = [
            with(400.0, point("front", 10.0, 80.0)),
            with(100.0, point("lean", 20.0, 70.0)),
            with(100.0, point("beaten", 30.0, 70.0)),
        ];
        assert_eq!(pareto_front(&points), [0]);
        assert_eq!([1, 2].map(|index| is_lean(&points, index)), [true, false]);
        // A quarter of the memory is half the radius.
        assert_eq!([radius(&points[0], 400.0), radius(&points[1], 400.0)], [13.0, 6.5]);
    }

    #[test]
    fn equal_runs_are_both_on_the_front() {
        assert_eq!(pareto_front(&[point("a", 10.0, 70.0), point("b", 10.0, 70.0)]), [0, 1]);
    }

    #[test]
    fn the_front_is_drawn_as_steps_through_its_points() {
        let svg = scatter(&[point("a", 10.0, 70.0), point("b", 20.0, 75.0)], "t").expect("points");
        let path = svg
            .split(r#"class="front" d=""#)
            .nth(1)
            .and_then(|rest| rest.split('"').next())
            .expect("a front");
        assert_eq!(path.matches('V').count(), 1);
        assert_eq!(path.matches('H').count(), 2);
    }

    #[test]
    fn hostile_labels_are_escaped() {
        let svg = scatter(&[point("<script>alert(1)</script>", 10.0, 70.0)], "\"><script>").expect("a point");
        assert!(!svg.contains("<script"), "{svg}");
    }

    #[test]
    fn nothing_is_drawn_without_points() {
        assert_eq!(scatter(&[], "t"), None);
    }
}
