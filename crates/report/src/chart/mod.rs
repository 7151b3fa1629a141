//! Charts as inline SVG, drawn without a chart library: they print, scale, and follow the page's light or dark colors.

mod axis;
mod labels;
mod lines;
mod scatter;

pub(crate) use lines::{COLORS, Line, lines};
pub(crate) use scatter::{Point, scatter};
