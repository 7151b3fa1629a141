//! `leaderboard.md`: a table per group of comparable runs.

use segbench_tables::Table;

use crate::leaderboard::Group;
use crate::summary::{Summary, caption};

/// The whole file.
pub(crate) fn markdown(groups: &[Group]) -> String {
    let mut text = String::from("# Leaderboard\n");
    for group in groups {
        let rows = Summary::of(group);
        let mut table = Table::new().integer("#", rows.iter().map(|row| row.rank).collect());
        table = table.text("model", rows.iter().map(|row| Some(plain(&row.label))).collect());
        for column in Summary::columns(&rows) {
            // Texts, because an interval is no number; the header says the unit.
            table = table.text(column.title, rows.iter().map(|row| row.value(column)).collect());
        }
        text.push_str(&format!("\n{}\n\n{}", plain(&caption(group)), table.to_markdown()));
    }
    text
}

/// Text in which no character starts Markdown or HTML markup.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => plain.push_str("&lt;"),
            '&' => plain.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '~' => plain.extend(['\\', character]),
            '\n' | '\r' => plain.push(' '),
            _ => plain.push(character),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_start_markup() {
        assert_eq!(plain("<b> a_b [x](y) `c`"), "&lt;b> a\\_b \\[x\\](y) \\`c\\`");
    }
}
