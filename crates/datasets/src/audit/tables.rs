//! Audits as tables.

use segbench_tables::Table;

use super::{Audit, IssueKind, SplitAudit};

/// A row per split: images, official number, left out, labelled, share of ignored pixels in percent, and issues.
pub fn audit_table(audit: &Audit) -> Table {
    let numbers = |get: &dyn Fn(&SplitAudit) -> Option<u64>| audit.splits.iter().map(get).collect();
    let issues = |split: &SplitAudit, is_wanted: &dyn Fn(IssueKind) -> bool| {
        let issues = audit.issues.iter().filter(|issue| issue.split == split.name && is_wanted(issue.kind));
        Some(issues.count() as u64)
    };
    Table::new()
        .text("split", audit.splits.iter().map(|split| Some(split.name.clone())).collect())
        .integer("images", numbers(&|split| Some(split.images)))
        .integer("official", numbers(&|split| split.official))
        .integer("left_out", numbers(&|split| Some(split.left_out)))
        .integer("labelled", numbers(&|split| Some(split.labelled)))
        .float(
            "ignored_percent",
            Some(2),
            audit.splits.iter().map(|split| split.ignored_share().map(|share| 100.0 * share)).collect(),
        )
        .integer("duplicates", numbers(&|split| issues(split, &|kind| kind == IssueKind::Duplicate)))
        .integer("leaks", numbers(&|split| issues(split, &|kind| kind == IssueKind::Leak)))
        .integer("faults", numbers(&|split| issues(split, &IssueKind::is_fault)))
}

/// A row per issue, image left out, and unknown value.
pub fn issue_table(audit: &Audit) -> Table {
    let mut rows: Vec<[String; 4]> = Vec::new();
    for issue in &audit.issues {
        rows.push([issue.kind.name().into(), issue.split.clone(), issue.id.clone(), issue.detail.clone()]);
    }
    for skipped in &audit.skipped {
        rows.push(["left-out".into(), skipped.split.clone(), skipped.id.clone(), skipped.reason.clone()]);
    }
    for unknown in &audit.unknown {
        let pixels = format!("{} pixels, first in `{}`", unknown.pixels, unknown.file);
        rows.push(["unknown-value".into(), String::new(), unknown.value.to_string(), pixels]);
    }
    ["issue", "split", "id", "detail"].into_iter().enumerate().fold(Table::new(), |table, (column, name)| {
        table.text(name, rows.iter().map(|row| Some(row[column].clone())).collect())
    })
}
