//! Class tables, which are data: one row per value of the label files.

use segbench_types::{Class, ClassCatalog, IGNORE};

/// The columns of a class table.
const HEADER: &str = "id,name,train_id,has_instances,red,green,blue";

/// Value, name and color of everything that label files may hold, classes or not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct NamedValue {
    pub(crate) id: u16,
    pub(crate) name: String,
    pub(crate) color: Option<[u8; 3]>,
}

/// What a class table says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClassTable {
    pub(crate) catalog: ClassCatalog,
    pub(crate) values: Vec<NamedValue>,
}

impl ClassTable {
    /// The table of a data set whose classes are called `name`. A train id of 255 means "no class".
    ///
    /// # Errors
    /// What is wrong with which line, in words.
    pub(crate) fn parse(name: &str, text: &str) -> Result<Self, String> {
        let mut lines = text.lines();
        if lines.next() != Some(HEADER) {
            return Err(format!("the first line is not `{HEADER}`"));
        }
        let rows = (2..).zip(lines).map(|(number, line)| {
            Row::parse(line).ok_or_else(|| format!("line {number} is not `{HEADER}`: `{line}`"))
        });
        let rows: Vec<Row> = rows.collect::<Result<_, _>>()?;
        let mut evaluated: Vec<&Row> = rows.iter().filter(|row| row.train_id != IGNORE).collect();
        evaluated.sort_by_key(|row| row.train_id);
        if let Some((expected, row)) = (0..).zip(&evaluated).find(|(expected, row)| row.train_id != *expected)
        {
            return Err(format!(
                "the train id {} of `{}` should be {expected}: train ids are 0, 1, 2 and so on",
                row.train_id, row.class.name
            ));
        }
        let ignored = rows.iter().filter(|row| row.train_id == IGNORE);
        let catalog = ClassCatalog {
            name: name.to_owned(),
            classes: evaluated.into_iter().map(|row| row.class.clone()).collect(),
            ignored_source_ids: ignored.map(|row| row.class.source_id).collect(),
        };
        let values = rows.into_iter().map(|row| NamedValue {
            id: row.class.source_id,
            name: row.class.name,
            color: Some(row.class.color),
        });
        Ok(Self { catalog, values: values.collect() })
    }
}

struct Row {
    train_id: u8,
    class: Class,
}

impl Row {
    fn parse(line: &str) -> Option<Self> {
        let mut cells = line.split(',');
        let source_id = cells.next()?.parse().ok()?;
        let name = cells.next()?.to_owned();
        let train_id = cells.next()?.parse().ok()?;
        let has_instances = cells.next()? == "1";
        let mut channel = || cells.next()?.parse().ok();
        let color = [channel()?, channel()?, channel()?];
        let is_whole = cells.next().is_none() && !name.is_empty();
        is_whole.then_some(Self { train_id, class: Class { name, color, source_id, has_instances } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_tables_are_refused_with_line_and_reason() {
        for (text, part) in [
            ("id,name\n", "first line"),
            (&format!("{HEADER}\n1,road,0,0,1,2\n"), "line 2"),
            (&format!("{HEADER}\n1,road,0,0,1,2,3,4\n"), "line 2"),
            (&format!("{HEADER}\n1,road,0,0,1,2,300\n"), "line 2"),
            (&format!("{HEADER}\n1,road,1,0,1,2,3\n"), "should be 0"),
            (&format!("{HEADER}\n1,road,0,0,1,2,3\n2,sky,0,0,1,2,3\n"), "`sky` should be 1"),
        ] {
            let err = ClassTable::parse("x", text).expect_err(text);
            assert!(err.contains(part), "{err}");
        }
    }
}
