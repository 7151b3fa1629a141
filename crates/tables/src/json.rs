//! A table for programs: a list of rows, each an object by column.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use crate::table::{Column, Table, Values};

impl Serialize for Table {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_seq(Some(self.height()))?;
        for index in 0..self.height() {
            rows.serialize_element(&Row { columns: self.columns(), index })?;
        }
        rows.end()
    }
}

struct Row<'a> {
    columns: &'a [Column],
    index: usize,
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut cells = serializer.serialize_map(Some(self.columns.len()))?;
        for column in self.columns {
            let name = column.name.as_str();
            match &column.values {
                Values::Text(values) => cells.serialize_entry(name, &values[self.index])?,
                Values::Integer(values) => cells.serialize_entry(name, &values[self.index])?,
                Values::Float { values, .. } => cells.serialize_entry(name, &values[self.index])?,
            }
        }
        cells.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_an_object_with_full_precision_and_null_for_empty_cells() {
        let table = Table::new()
            .text("class", vec![Some("road".into()), None])
            .integer("pixels", vec![Some(7), None])
            .float("iou", Some(2), vec![Some(0.123_456), None]);
        let json = serde_json::to_string(&table).expect("plain values");
        assert_eq!(
            json,
            r#"[{"class":"road","pixels":7,"iou":0.123456},{"class":null,"pixels":null,"iou":null}]"#
        );
    }
}
