//! The machine a number was measured on, and how much memory the process took.

use segbench_types::Environment;

/// What to write beside a measurement.
pub fn environment() -> Environment {
    Environment {
        hardware: segbench_nn::device::hardware(),
        threads: rayon::current_num_threads() as u32,
        segbench: env!("CARGO_PKG_VERSION").into(),
        system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
    }
}

/// The largest resident set since the start or the last [`reset_peak_memory`], in MiB; nothing where the system does not tell.
pub fn peak_memory_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}

/// Starts measuring the peak anew, where the system allows it.
pub fn reset_peak_memory() {
    // Linux resets VmHWM when a process writes 5 to its own clear_refs; elsewhere the peak since the start is reported.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}
