//! Axes: from values to pixels, and where the ticks stand.

/// One axis of a chart.
#[derive(Debug, Clone)]
pub(crate) struct Axis {
    low: f64,
    high: f64,
    logarithmic: bool,
    start: f64,
    end: f64,
    /// Values with a tick, all within the axis.
    pub(crate) ticks: Vec<f64>,
}

impl Axis {
    /// A linear axis over `values`, widened to whole steps.
    pub(crate) fn linear(values: &[f64], start: f64, end: f64) -> Self {
        let (low, high) = extent(values);
        let margin = ((high - low) * 0.06).max(high.abs() * 0.006);
        let margin = if margin > 0.0 { margin } else { 0.5 };
        // What is never negative gets no negative ticks.
        let (low, high) = (if low >= 0.0 { (low - margin).max(0.0) } else { low - margin }, high + margin);
        let step = step(high - low);
        let (first, last) = ((low / step).floor() as i64, (high / step).ceil() as i64);
        let ticks = (first..=last).map(|tick| tick as f64 * step).collect();
        Self { low: first as f64 * step, high: last as f64 * step, logarithmic: false, start, end, ticks }
    }

    /// A linear axis from 0 to `high`, which is where it ends, with ticks at whole steps.
    pub(crate) fn from_zero(high: f64, start: f64, end: f64) -> Self {
        let high = if high > 0.0 { high } else { 1.0 };
        let step = step(high);
        let ticks = (0..=(high / step) as i64).map(|tick| tick as f64 * step).collect();
        Self { low: 0.0, high, logarithmic: false, start, end, ticks }
    }

    /// A logarithmic axis over positive `values`, with ticks at 1, 2 and 5 times powers of ten.
    pub(crate) fn logarithmic(values: &[f64], start: f64, end: f64) -> Self {
        let (low, high) = extent(values);
        // At least a factor of four from end to end, so that near points stay near.
        let margin = (4.0 / (high / low)).sqrt().max(1.3);
        let (low, high) = (low / margin, high * margin);
        let decades = low.log10().floor() as i32..=high.log10().ceil() as i32;
        let ticks = decades.flat_map(|decade| [1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powi(decade)));
        let ticks = ticks.filter(|tick| (low..=high).contains(tick)).collect();
        Self { low, high, logarithmic: true, start, end, ticks }
    }

    /// Where `value` lies, in pixels.
    pub(crate) fn at(&self, value: f64) -> f64 {
        let scale = |x: f64| if self.logarithmic { x.ln() } else { x };
        let share = (scale(value) - scale(self.low)) / (scale(self.high) - scale(self.low));
        self.start + share * (self.end - self.start)
    }
}

/// A tick's text without needless zeros.
pub(crate) fn tick_text(value: f64) -> String {
    let text = format!("{value:.3}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "-0" { "0".into() } else { text.into() }
}

fn extent(values: &[f64]) -> (f64, f64) {
    values
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(*value), high.max(*value)))
}

/// A step of 1, 2 or 5 times a power of ten that cuts `span` into four to ten pieces.
fn step(span: f64) -> f64 {
    let rough = span / 6.0;
    let power = 10_f64.powf(rough.log10().floor());
    let digit = [1.0, 2.0, 5.0].into_iter().find(|digit| digit * power >= rough * 0.75);
    digit.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linear_axis_ends_on_whole_steps_around_its_values() {
        let axis = Axis::linear(&[71.3, 82.9], 400.0, 20.0);
        assert_eq!(axis.ticks, [70.0, 72.0, 74.0, 76.0, 78.0, 80.0, 82.0, 84.0]);
        assert_eq!((axis.at(70.0), axis.at(77.0), axis.at(84.0)), (400.0, 210.0, 20.0));
    }

    #[test]
    fn a_logarithmic_axis_gives_equal_ratios_equal_lengths() {
        let axis = Axis::logarithmic(&[8.0, 250.0], 0.0, 100.0);
        assert_eq!(axis.ticks, [10.0, 20.0, 50.0, 100.0, 200.0]);
        let ratio = |a: f64, b: f64| axis.at(b) - axis.at(a);
        assert!((ratio(10.0, 20.0) - ratio(100.0, 200.0)).abs() < 1e-9);
    }

    #[test]
    fn an_axis_of_losses_does_not_go_below_zero() {
        assert_eq!(Axis::linear(&[0.0, 58.0], 100.0, 0.0).ticks.first(), Some(&0.0));
        assert!(Axis::linear(&[-1.0, 58.0], 100.0, 0.0).at(-1.0).is_finite());
        assert_eq!(Axis::from_zero(4000.0, 0.0, 100.0).ticks.last(), Some(&4000.0));
    }

    #[test]
    fn one_value_still_makes_an_axis() {
        let axis = Axis::logarithmic(&[5.0], 0.0, 100.0);
        assert!((axis.at(5.0) - 50.0).abs() < 1e-9);
        assert!(Axis::linear(&[40.0], 0.0, 100.0).at(40.0).is_finite());
    }

    #[test]
    fn tick_texts_have_no_needless_zeros() {
        assert_eq!([0.0, -0.0, 0.5, 20.0, 0.05].map(tick_text), ["0", "0", "0.5", "20", "0.05"]);
    }
}
