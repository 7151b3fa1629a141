//! Class tables, which are data: `data/*.csv`, one row per raw label id.

use segbench_types::{Class, ClassCatalog, IGNORE};

/// The catalog in a table with the columns `id,name,train_id,has_instances,red,green,blue`, where a train id of 255 means "ignore".
pub(crate) fn catalog(name: &str, table: &str) -> ClassCatalog {
    let rows: Vec<Row> = table.lines().skip(1).filter_map(Row::parse).collect();
    let mut evaluated: Vec<&Row> = rows.iter().filter(|row| row.train_id != IGNORE).collect();
    evaluated.sort_by_key(|row| row.train_id);
    ClassCatalog {
        name: name.to_owned(),
        classes: evaluated.into_iter().map(|row| row.class.clone()).collect(),
        ignored_source_ids: rows
            .iter()
            .filter(|row| row.train_id == IGNORE)
            .map(|row| row.class.source_id)
            .collect(),
    }
}

struct Row {
    train_id: u8,
    class: Class,
}

impl Row {
    /// The tables are part of the program and the tests count their rows, so a row that does not parse cannot go unnoticed.
    fn parse(line: &str) -> Option<Self> {
        let mut cells = line.split(',');
        let source_id = cells.next()?.parse().ok()?;
        let name = cells.next()?.to_owned();
        let train_id = cells.next()?.parse().ok()?;
        let has_instances = cells.next()? == "1";
        let mut channel = || cells.next()?.parse().ok();
        let color = [channel()?, channel()?, channel()?];
        Some(Self { train_id, class: Class { name, color, source_id, has_instances } })
    }
}
