//! Project chores: `cargo run -p segbench-xtask -- generate` writes what is derived from the code.
#![expect(clippy::print_stdout, reason = "a chore talks to the person who runs it")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() != Some("generate") {
        println!("usage: cargo run -p segbench-xtask -- generate");
        return ExitCode::from(2);
    }
    for (path, contents) in segbench_xtask::generated() {
        let path = root().join(path);
        if let Err(err) = std::fs::write(&path, contents) {
            println!("{}: {err}", path.display());
            return ExitCode::FAILURE;
        }
        println!("{}", path.display());
    }
    ExitCode::SUCCESS
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
