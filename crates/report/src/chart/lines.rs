//! Curves of several trainings in one plot.

use std::fmt::Write as _;

use super::axis::{Axis, tick_text};
use super::labels::Area;
use crate::text::escape;

const WIDTH: f64 = 620.0;
const HEIGHT: f64 = 300.0;
const FRAME: Area = Area { left: 52.0, top: 14.0, right: WIDTH - 24.0, bottom: HEIGHT - 46.0 };
/// Colors of the style sheet; more lines than that repeat them, dashed.
pub(crate) const COLORS: usize = 8;
/// Points drawn per line; neighbors of a longer one are averaged.
const MOST_POINTS: usize = 240;

/// One curve.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// What a reader calls it.
    pub(crate) label: String,
    /// Number of its color, the same in every plot of a page.
    pub(crate) number: usize,
    /// Steps and values, by step.
    pub(crate) points: Vec<(f64, f64)>,
}

/// The plot as an `<svg>` element, named by `title`, with `unit` along its upright axis; nothing without two points of any line.
pub(crate) fn lines(lines: &[Line], title: &str, unit: &str) -> Option<String> {
    let lines: Vec<Line> = lines.iter().filter(|line| line.points.len() > 1).map(Line::thinned).collect();
    let points = || lines.iter().flat_map(|line| &line.points);
    points().next()?;
    let x = Axis::from_zero(points().map(|point| point.0).fold(0.0, f64::max), FRAME.left, FRAME.right);
    let y = Axis::linear(&points().map(|point| point.1).collect::<Vec<_>>(), FRAME.bottom, FRAME.top);
    let mut svg = format!(
        r#"<svg class="chart lines" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{}">"#,
        escape(title)
    );
    draw_grid(&mut svg, &x, &y, unit);
    for line in &lines {
        let mut path = String::new();
        for (index, (step, value)) in line.points.iter().enumerate() {
            let _ =
                write!(path, "{}{:.1} {:.1}", if index == 0 { 'M' } else { 'L' }, x.at(*step), y.at(*value));
        }
        let dashed = if line.number >= COLORS { " again" } else { "" };
        let _ = write!(
            svg,
            r#"<path class="line c{}{dashed}" d="{path}"><title>{}</title></path>"#,
            line.number % COLORS,
            escape(&line.label)
        );
        if let Some((step, value)) = line.points.last() {
            let _ = write!(
                svg,
                r#"<circle class="end c{}" cx="{:.1}" cy="{:.1}" r="3"/>"#,
                line.number % COLORS,
                x.at(*step),
                y.at(*value)
            );
        }
    }
    svg.push_str("</svg>");
    Some(svg)
}

impl Line {
    /// The line with at most [`MOST_POINTS`] points.
    fn thinned(&self) -> Self {
        let bucket = self.points.len().div_ceil(MOST_POINTS);
        let mean = |points: &[(f64, f64)]| {
            let sum = points.iter().map(|point| point.1).sum::<f64>();
            Some((points.last()?.0, sum / points.len() as f64))
        };
        Self { points: self.points.chunks(bucket.max(1)).filter_map(mean).collect(), ..self.clone() }
    }
}

fn draw_grid(svg: &mut String, x: &Axis, y: &Axis, unit: &str) {
    let Area { left, top, right, bottom } = FRAME;
    for &tick in &y.ticks {
        let at = y.at(tick);
        let _ = write!(
            svg,
            r#"<path class="grid" d="M{left} {at:.1}H{right}"/><text class="tick" x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"#,
            left - 7.0,
            at + 4.0,
            tick_text(tick)
        );
    }
    for &tick in &x.ticks {
        let _ = write!(
            svg,
            r#"<text class="tick" x="{:.1}" y="{:.1}" text-anchor="middle">{}</text>"#,
            x.at(tick),
            bottom + 17.0,
            thousands(tick)
        );
    }
    let _ = write!(
        svg,
        r#"<path class="axis" d="M{left} {bottom}H{right}"/><text class="title" x="{:.1}" y="{:.1}" text-anchor="middle">steps</text><text class="title" transform="translate(13 {:.1}) rotate(-90)" text-anchor="middle">{}</text>"#,
        f64::midpoint(left, right),
        HEIGHT - 10.0,
        f64::midpoint(top, bottom),
        escape(unit)
    );
}

/// `40 k` for 40,000.
fn thousands(value: f64) -> String {
    if value >= 10_000.0 { format!("{} k", tick_text(value / 1000.0)) } else { tick_text(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_path_with_its_color_and_its_name() {
        let line = |number, label: &str| Line {
            label: label.into(),
            number,
            points: (0..1000).map(|step| (f64::from(step), 3.0 / f64::from(step + 1))).collect(),
        };
        let svg = lines(&[line(0, "ce"), line(9, "<dice>")], "t", "loss").expect("two lines");
        assert_eq!(svg.matches(r#"class="line c0""#).count(), 1);
        assert_eq!(svg.matches(r#"class="line c1 again""#).count(), 1);
        assert!(svg.contains("<title>&lt;dice&gt;</title>"));
        // 1,000 points in buckets of five.
        assert_eq!(svg.matches('L').count(), 2 * 199);
        assert_eq!(
            lines(&[Line { label: String::new(), number: 0, points: vec![(1.0, 2.0)] }], "", ""),
            None
        );
    }

    #[test]
    fn buckets_keep_their_mean_and_their_last_step() {
        let points = (1..=480).map(|step| (f64::from(step), f64::from(step % 2))).collect();
        let line = Line { label: String::new(), number: 0, points }.thinned();
        assert_eq!((line.points.len(), line.points[0]), (240, (2.0, 0.5)));
    }
}
