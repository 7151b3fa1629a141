//! `diff` and `verify`: two runs compared, and one run checked.

use std::path::Path;

use segbench_benchmark::{Check, verify_run};
use segbench_pipeline::report_check;
use segbench_report::{diff as compare, find_run};
use segbench_types::ErrorKind;

use crate::arguments::Global;
use crate::console::Console;
use crate::failure::Failure;

pub(crate) fn diff(
    first: &str,
    second: &str,
    images: usize,
    output: &Path,
    console: &Console,
) -> Result<(), Failure> {
    let difference = compare(&output.join("runs"), first, second)?;
    if console.is_json() {
        console.json(&difference);
    } else {
        console.data(&difference.text(images));
    }
    Ok(())
}

pub(crate) fn verify(run: &str, output: &Path, global: &Global, console: &Console) -> Result<(), Failure> {
    let runs_dir = output.join("runs");
    let folder = find_run(&runs_dir, run)?;
    let mut checks = verify_run(&folder, &global.root)?;
    checks.push(report_check(&folder, output));
    if console.is_json() {
        console.json(&checks);
    } else {
        for check in &checks {
            console.data(&line(check));
        }
    }
    let faults: Vec<&String> = checks.iter().flat_map(|check| &check.faults).collect();
    let Some(first) = faults.first() else { return Ok(()) };
    let more = match faults.len() - 1 {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    Err(Failure::new(
        ErrorKind::InvalidData,
        format!("the run in `{}` is not what it was: {first}{more}", folder.display()),
        format!("remove `{}` and run `segbench bench` again", folder.display()),
    ))
}

fn line(check: &Check) -> String {
    match (&check.not_checked, check.faults.as_slice()) {
        (Some(reason), _) => format!("{:<22} not checked: {reason}", check.what),
        (None, []) => format!("{:<22} {} as they were", check.what, check.checked),
        (None, faults) => format!("{:<22} {}", check.what, faults.join(&format!("\n{:<23}", ""))),
    }
}
