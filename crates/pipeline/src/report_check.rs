//! The last link of a run's chain: its line in the leaderboard.

use std::path::Path;

use segbench_benchmark::Check;
use segbench_tables::leaderboard_table;

/// Compares a run's line in `leaderboard.csv` of `reports` with the one that its counts give today. A table older than other runs is
/// no fault of this run: rank and group, which depend on the others, are left out of the comparison.
pub fn report_check(run_dir: &Path, reports: &Path) -> Check {
    const WHAT: &str = "leaderboard";
    const RELATIVE: [&str; 2] = ["rank", "group"];
    let path = reports.join("leaderboard.csv");
    if !path.is_file() {
        return Check::none(WHAT, "there is no `leaderboard.csv`");
    }
    let id = run_dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let table = segbench_storage::read_to_string(&path);
    let report = segbench_report::build(&reports.join("runs"), reports, &[]);
    let (table, report) = match (table, report) {
        (Ok(table), Ok(report)) => (table, report),
        (Err(err), _) => return Check::of(WHAT, 0, vec![err.to_string()]),
        (_, Err(err)) => return Check::of(WHAT, 0, vec![err.to_string()]),
    };
    let expected = leaderboard_table(&report.rows).to_csv();
    let ends_with_id = |line: &&str| line.rsplit(',').next() == Some(id.as_str());
    let Some(header) = expected.lines().next() else { return Check::none(WHAT, "it has no columns") };
    let Some(expected) = expected.lines().find(ends_with_id) else {
        let reason = report.notes.iter().find(|note| note.contains(&id)).cloned();
        return Check::of(WHAT, 0, vec![reason.unwrap_or_else(|| format!("`{id}` makes no line of it"))]);
    };
    let Some(got) = table.lines().find(ends_with_id) else {
        return Check::none(
            WHAT,
            "`leaderboard.csv` was written before the run; `segbench report` writes it anew",
        );
    };
    let names: Vec<&str> = header.split(',').collect();
    if table.lines().next() != Some(header) {
        return Check::none(WHAT, "`leaderboard.csv` has other columns; `segbench report` writes it anew");
    }
    let (got, expected) = (fields(got), fields(expected));
    let differs = |(name, (got, expected)): (&&str, (&String, &String))| {
        (got != expected && !RELATIVE.contains(name))
            .then(|| format!("{}: {name} is `{got}`, its counts say `{expected}`", path.display()))
    };
    let faults = names.iter().zip(got.iter().zip(&expected)).filter_map(differs).collect();
    Check::of(WHAT, names.len(), faults)
}

/// The fields of a line of CSV.
fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut field, mut is_quoted) = (Vec::new(), String::new(), false);
    for character in line.chars() {
        match character {
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => fields.push(std::mem::take(&mut field)),
            other => field.push(other),
        }
    }
    fields.push(field);
    fields
}

#[cfg(test)]
mod tests {
    use super::fields;

    #[test]
    fn commas_within_quotes_belong_to_the_field() {
        assert_eq!(fields("1,\"AMD EPYC, 2 cores\",,x"), ["1", "AMD EPYC, 2 cores", "", "x"]);
    }
}
