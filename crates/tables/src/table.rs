//! A table with named, typed columns, to be shown or saved.

use std::path::Path;

use polars::prelude as frame;

use crate::{Error, parquet};

/// Columns of equal length; any cell may be empty.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    columns: Vec<Column>,
}

/// A named column.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// The name in the header.
    pub name: String,
    /// The cells.
    pub values: Values,
}

/// The cells of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Text.
    Text(Vec<Option<String>>),
    /// Counts.
    Integer(Vec<Option<u64>>),
    /// Measurements and scores.
    Float {
        /// Digits after the point in text; `None` prints the shortest text that reads back as the same number.
        /// Parquet keeps every bit in either case.
        digits: Option<u8>,
        /// The cells; one that is not finite counts as empty.
        values: Vec<Option<f64>>,
    },
}

impl Table {
    /// A table without columns.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a column of texts.
    ///
    /// # Panics
    /// If its length differs from the columns before it.
    #[must_use]
    pub fn text(self, name: &str, values: Vec<Option<String>>) -> Self {
        self.with(name, Values::Text(values))
    }

    /// Adds a column of counts.
    ///
    /// # Panics
    /// If its length differs from the columns before it.
    #[must_use]
    pub fn integer(self, name: &str, values: Vec<Option<u64>>) -> Self {
        self.with(name, Values::Integer(values))
    }

    /// Adds a column of numbers printed with `digits` digits after the point, or in full.
    ///
    /// # Panics
    /// If its length differs from the columns before it.
    #[must_use]
    pub fn float(self, name: &str, digits: Option<u8>, values: Vec<Option<f64>>) -> Self {
        let values = values.into_iter().map(|value| value.filter(|number| number.is_finite())).collect();
        self.with(name, Values::Float { digits, values })
    }

    /// The columns in order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Number of rows.
    pub fn height(&self) -> usize {
        self.columns.first().map_or(0, |column| column.values.len())
    }

    /// The table as CSV (RFC 4180, line feeds): a header, then a line per row, an empty field for an empty cell.
    pub fn to_csv(&self) -> String {
        let mut text = String::new();
        let mut line = |fields: Vec<String>| {
            text.push_str(&fields.join(","));
            text.push('\n');
        };
        line(self.columns.iter().map(|column| quoted(&column.name)).collect());
        for row in 0..self.height() {
            line(
                self.columns
                    .iter()
                    .map(|column| quoted(&column.values.cell(row).unwrap_or_default()))
                    .collect(),
            );
        }
        text
    }

    /// Saves [`Table::to_csv`].
    ///
    /// # Errors
    /// [`Error::Storage`] if the file cannot be written.
    pub fn write_csv(&self, path: &Path) -> Result<(), Error> {
        Ok(segbench_storage::write(path, self.to_csv().as_bytes())?)
    }

    /// Saves the table as Parquet: `String`, `UInt64` and `Float64` columns, numbers in full precision.
    ///
    /// # Errors
    /// [`Error::Storage`] if the file cannot be written, [`Error::Encode`] if two columns have one name.
    pub fn write_parquet(&self, path: &Path) -> Result<(), Error> {
        let encode = |column: &Column| {
            let name = column.name.as_str().into();
            match &column.values {
                Values::Text(values) => {
                    frame::Column::new(name, values.iter().map(Option::as_deref).collect::<Vec<_>>())
                }
                Values::Integer(values) => frame::Column::new(name, values),
                Values::Float { values, .. } => frame::Column::new(name, values),
            }
        };
        parquet::write(path, self.columns.iter().map(encode).collect())
    }

    /// The table as Markdown, padded so that it reads well as plain text too; numbers stand right.
    pub fn to_markdown(&self) -> String {
        let columns: Vec<Vec<String>> = self
            .columns
            .iter()
            .map(|column| {
                let cells = (0..self.height()).map(|row| column.values.cell(row).unwrap_or_default());
                std::iter::once(column.name.clone()).chain(cells).map(|cell| escaped(&cell)).collect()
            })
            .collect();
        let widths: Vec<usize> = columns
            .iter()
            .map(|cells| cells.iter().map(|cell| cell.chars().count()).max().unwrap_or(0).max(3))
            .collect();
        let mut text = String::new();
        for row in 0..=self.height() {
            for ((cells, &width), column) in columns.iter().zip(&widths).zip(&self.columns) {
                let cell = &cells[row];
                text.push_str(&match column.values {
                    Values::Text(_) => format!("| {cell:<width$} "),
                    _ => format!("| {cell:>width$} "),
                });
            }
            text.push_str("|\n");
            if row == 0 {
                for (&width, column) in widths.iter().zip(&self.columns) {
                    text.push_str(&match column.values {
                        Values::Text(_) => format!("| {} ", "-".repeat(width)),
                        _ => format!("| {}: ", "-".repeat(width - 1)),
                    });
                }
                text.push_str("|\n");
            }
        }
        text
    }

    fn with(mut self, name: &str, values: Values) -> Self {
        assert!(
            self.columns.is_empty() || values.len() == self.height(),
            "column `{name}` has {} cells, the table has {} rows",
            values.len(),
            self.height()
        );
        self.columns.push(Column { name: name.to_owned(), values });
        self
    }
}

impl Values {
    /// Number of cells.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(values) => values.len(),
            Self::Integer(values) => values.len(),
            Self::Float { values, .. } => values.len(),
        }
    }

    /// Whether there is no cell at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A cell as text, `None` where it is empty or the row does not exist.
    pub fn cell(&self, row: usize) -> Option<String> {
        match self {
            Self::Text(values) => values.get(row).cloned().flatten(),
            Self::Integer(values) => values.get(row).copied().flatten().map(|value| value.to_string()),
            Self::Float { digits, values } => values.get(row).copied().flatten().map(|value| {
                let text = digits
                    .map_or_else(|| value.to_string(), |digits| format!("{value:.*}", usize::from(digits)));
                // A tiny negative number rounds to a zero without a sign.
                match text.strip_prefix('-') {
                    Some(rest) if rest.bytes().all(|byte| matches!(byte, b'0' | b'.')) => rest.to_owned(),
                    _ => text,
                }
            }),
        }
    }
}

fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

fn escaped(cell: &str) -> String {
    cell.replace('|', "\\|").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table::new()
            .text("class", vec![Some("road".into()), Some("wall, \"old\"".into()), None])
            .integer("pixels", vec![Some(3), None, Some(12_000)])
            .float("iou", Some(2), vec![Some(98.006), None, Some(-0.001)])
            .float("weight", None, vec![Some(0.1), Some(f64::NAN), Some(1e-7)])
    }

    #[test]
    fn csv_quotes_what_needs_it_and_leaves_empty_cells_empty() {
        let expected =
            "class,pixels,iou,weight\nroad,3,98.01,0.1\n\"wall, \"\"old\"\"\",,,\n,12000,0.00,0.0000001\n";
        assert_eq!(table().to_csv(), expected);
    }

    #[test]
    fn markdown_columns_line_up_and_numbers_stand_right() {
        let expected = "\
| class       | pixels |   iou |    weight |
| ----------- | -----: | ----: | --------: |
| road        |      3 | 98.01 |       0.1 |
| wall, \"old\" |        |       |           |
|             |  12000 |  0.00 | 0.0000001 |
";
        assert_eq!(table().to_markdown(), expected);
    }

    #[test]
    fn a_bar_in_a_cell_does_not_break_a_markdown_row() {
        let table = Table::new().text("name", vec![Some("a|b".into())]);
        assert_eq!(table.to_markdown(), "| name |\n| ---- |\n| a\\|b |\n");
    }

    #[test]
    fn two_columns_of_one_name_are_refused_in_parquet() {
        let dir = tempfile::tempdir().expect("a folder");
        let twice = Table::new().integer("n", vec![Some(1)]).integer("n", vec![Some(2)]);
        let refused = twice.write_parquet(&dir.path().join("n.parquet"));
        assert!(matches!(refused, Err(Error::Encode { .. })), "{refused:?}");
    }

    #[test]
    #[should_panic(expected = "column `b` has 1 cells, the table has 2 rows")]
    fn a_column_of_another_length_is_a_bug() {
        let _ = Table::new().integer("a", vec![None, None]).integer("b", vec![None]);
    }
}
