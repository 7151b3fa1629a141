//! `segbench`: from a data set's official archive to a leaderboard one can trust.
//!
//! stdout carries data, stderr everything else. Exit codes: 0 ok, 1 bug, 2 usage, 3 configuration, 4 missing input, 5 download,
//! 6 invalid data, 7 device, 8 some jobs failed, 9 output not writable, 130 interrupted.

mod arguments;
mod commands;
mod console;
mod failure;
mod tuning;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use clap::Parser as _;
use segbench_types::ErrorKind;

use crate::arguments::Arguments;
use crate::console::Console;
use crate::failure::Failure;

fn main() -> ExitCode {
    tuning::restart_with_settings();
    let arguments = Arguments::parse();
    let console = Console::new(&arguments.global);
    // A panic is a mistake of ours; it has printed where it happened, and the exit code is the documented one.
    let outcome = catch_unwind(AssertUnwindSafe(|| commands::run(arguments, &console)));
    let failure = match outcome {
        Ok(Ok(())) => return ExitCode::SUCCESS,
        Ok(Err(failure)) => failure,
        Err(_) => Failure::new(ErrorKind::Bug, "segbench made a mistake", "report it with the lines above"),
    };
    console.failure(&failure);
    ExitCode::from(failure.exit_code())
}
