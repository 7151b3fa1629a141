//! `leaderboard.tex`: a booktabs table per group of comparable runs.

use crate::leaderboard::Group;
use crate::summary::{Summary, caption};

/// The whole file.
pub(crate) fn latex(groups: &[Group]) -> String {
    let mut text = String::from("% Needs \\usepackage{booktabs}.\n");
    for group in groups {
        let rows = Summary::of(group);
        let columns = Summary::columns(&rows);
        let line = |cells: Vec<String>| format!("    {} \\\\\n", cells.join(" & "));
        text.push_str(&format!(
            "\n\\begin{{table}}\n  \\centering\n  \\caption{{{}}}\n  \\begin{{tabular}}{{rl{}}}\n    \\toprule\n",
            escape(&caption(group)),
            "r".repeat(columns.len())
        ));
        let titles = ["\\#".to_owned(), "model".to_owned()].into_iter();
        text.push_str(&line(titles.chain(columns.iter().map(|column| escape(column.title))).collect()));
        text.push_str("    \\midrule\n");
        for row in &rows {
            let head =
                [row.rank.map_or_else(String::new, |rank| rank.to_string()), escape(&row.label)].into_iter();
            let cells =
                columns.iter().map(|column| escape(&row.value(column).unwrap_or_else(|| "--".into())));
            text.push_str(&line(head.chain(cells).collect()));
        }
        text.push_str("    \\bottomrule\n  \\end{tabular}\n\\end{table}\n");
    }
    text
}

/// Text in which no character is a LaTeX command.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' => escaped.push_str("\\textbackslash{}"),
            '^' => escaped.push_str("\\textasciicircum{}"),
            '~' => escaped.push_str("\\textasciitilde{}"),
            '<' => escaped.push_str("\\textless{}"),
            '>' => escaped.push_str("\\textgreater{}"),
            '{' | '}' | '$' | '&' | '#' | '_' | '%' => escaped.extend(['\\', character]),
            '–' => escaped.push_str("--"),
            '\n' | '\r' => escaped.push(' '),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_special_character_is_escaped() {
        assert_eq!(
            escape("50% of a_b & {c} #1 ~ ^ $ \\"),
            "50\\% of a\\_b \\& \\{c\\} \\#1 \\textasciitilde{} \\textasciicircum{} \\$ \\textbackslash{}"
        );
    }
}
