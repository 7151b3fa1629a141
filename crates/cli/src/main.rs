//! `segbench`: from a data set's official archive to a leaderboard one can trust.
//!
//! stdout carries data, stderr everything else. Exit codes: 0 ok, 1 bug, 2 usage, 3 configuration, 4 missing input, 5 download,
//! 6 invalid data, 7 device, 8 some jobs failed, 9 output not writable, 130 interrupted.

mod arguments;
mod commands;
mod console;
mod failure;
mod tuning;

use std::process::ExitCode;

use clap::Parser as _;

use crate::arguments::Arguments;
use crate::console::Console;

fn main() -> ExitCode {
    tuning::restart_with_settings();
    let arguments = Arguments::parse();
    let console = Console::new(&arguments.global);
    match commands::run(arguments, &console) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            console.failure(&failure);
            ExitCode::from(failure.exit_code())
        }
    }
}
