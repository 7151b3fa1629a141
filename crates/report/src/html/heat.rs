//! Cells whose color is their value.

/// A cell of a heat map. Its color comes from the style sheet, which knows light from dark.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HeatCell {
    /// What stands in the cell.
    pub(crate) text: String,
    /// The value in 0..1 for the color and for sorting; empty without a value.
    pub(crate) value: String,
    /// Classes of the style sheet.
    pub(crate) class: &'static str,
}

impl HeatCell {
    /// A cell for a share in 0..1, or one that says that there is none.
    pub(crate) fn new(share: Option<f64>, text: String) -> Self {
        let Some(share) = share else {
            return Self { text: "–".into(), value: String::new(), class: "none" };
        };
        // Where the text has to be inverted to stay readable depends on the scheme: from 0.68 on light, from 0.47 on dark.
        let class = match share {
            _ if share >= 0.68 => "v mid hi",
            _ if share >= 0.47 => "v mid",
            _ => "v",
        };
        Self { text, value: format!("{share:.4}"), class }
    }
}
