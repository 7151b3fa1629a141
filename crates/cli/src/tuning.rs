//! Settings of libraries that only environment variables reach.

use std::env;
use std::process::Command;

/// Names and values, each with its reason.
const SETTINGS: [(&str, &str); 4] = [
    // candle's own thread pool waits by spinning, which takes the cores from everybody else; rayon does the parallel work here.
    ("CANDLE_NUM_THREADS", "1"),
    // glibc gives every large tensor back to the system as soon as it is freed and pays for its pages anew: keep them instead.
    ("MALLOC_MMAP_THRESHOLD_", "4000000000"),
    ("MALLOC_TRIM_THRESHOLD_", "8000000000"),
    ("MALLOC_TOP_PAD_", "67108864"),
];

/// Replaces this process by one with the settings, unless they are there already. What the user has set stays.
///
/// Both libraries read their settings once, before `main` or on first use, and setting variables within a process is unsafe.
pub(crate) fn restart_with_settings() {
    let missing: Vec<_> = SETTINGS.into_iter().filter(|(name, _)| env::var_os(name).is_none()).collect();
    if missing.is_empty() {
        return;
    }
    if let Ok(program) = env::current_exe() {
        replace(Command::new(program).args(env::args_os().skip(1)).envs(missing));
    }
}

#[cfg(unix)]
fn replace(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;
    // It returns only if it failed; then the program goes on, slower.
    let _ = command.exec();
}

#[cfg(not(unix))]
fn replace(_: &mut Command) {}
