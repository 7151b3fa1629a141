//! Everything a person sees: data on stdout, bars, notes and errors on stderr.
#![expect(clippy::print_stderr, reason = "this is the one place that prints")]

use std::io::{IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use segbench_fetch::Credentials;
use segbench_types::{Progress, Task};
use serde::Serialize;

use crate::arguments::Global;
use crate::failure::Failure;

/// Time between two lines of progress.
const BETWEEN_LINES: Duration = Duration::from_secs(30);

/// The terminal, or whatever stdout and stderr are.
pub(crate) struct Console {
    bars: MultiProgress,
    /// Whether progress is told in lines because nothing can be redrawn.
    writes_lines: bool,
    is_quiet: bool,
    is_json: bool,
    has_color: bool,
}

impl Console {
    pub(crate) fn new(global: &Global) -> Self {
        let shows_progress = !global.quiet && !global.no_progress;
        let shows_bars = shows_progress && std::io::stderr().is_terminal();
        let target = if shows_bars { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let has_color = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && std::io::stderr().is_terminal();
        Self {
            bars: MultiProgress::with_draw_target(target),
            writes_lines: shows_progress && !shows_bars,
            is_quiet: global.quiet,
            is_json: global.json,
            has_color,
        }
    }

    /// Whether data is to be printed for programs.
    pub(crate) fn is_json(&self) -> bool {
        self.is_json
    }

    /// Prints data. A reader that went away is no error.
    pub(crate) fn data(&self, text: &str) {
        self.bars.suspend(|| {
            let _ = writeln!(std::io::stdout(), "{}", text.trim_end_matches('\n'));
        });
    }

    /// Prints data as JSON.
    pub(crate) fn json<T: Serialize>(&self, value: &T) {
        // Every value printed here is a plain record, which always has a JSON form.
        self.data(&serde_json::to_string_pretty(value).unwrap_or_default());
    }

    /// Says how the program failed.
    pub(crate) fn failure(&self, failure: &Failure) {
        let (red, cyan, plain) =
            if self.has_color { ("\x1b[1;31m", "\x1b[1;36m", "\x1b[0m") } else { ("", "", "") };
        self.bars.suspend(|| {
            eprintln!("{red}error{plain}: {}", failure.message());
            for cause in failure.causes() {
                eprintln!("  because: {cause}");
            }
            if let Some(help) = failure.help() {
                eprintln!("{cyan}help{plain}: {help}");
            }
        });
    }
}

impl Console {
    fn bar(&self, name: &str, total: u64, template: &str) -> Box<dyn Task + '_> {
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = self.bars.add(ProgressBar::new(total).with_style(style).with_prefix(name.to_owned()));
        bar.enable_steady_tick(Duration::from_millis(200));
        Box::new(Bar(bar))
    }
}

impl Progress for Console {
    fn start(&self, name: &str, total: u64) -> Box<dyn Task + '_> {
        if self.writes_lines {
            return Box::new(Lines::new(name, total));
        }
        let template = if total == 0 {
            "{prefix} {spinner} {pos} {elapsed} {msg}"
        } else {
            "{prefix} {bar:28} {pos}/{len} {elapsed}, {eta} left {msg}"
        };
        self.bar(name, total, template)
    }

    fn start_bytes(&self, name: &str, total: u64) -> Box<dyn Task + '_> {
        let template = if total == 0 {
            "{prefix} {spinner} {binary_bytes} {binary_bytes_per_sec} {elapsed} {msg}"
        } else {
            "{prefix} {bar:28} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec}, {eta} left {msg}"
        };
        self.bar(name, total, template)
    }

    fn note(&self, text: &str) {
        if !self.is_quiet {
            self.bars.suspend(|| eprintln!("{text}"));
        }
    }
}

/// Whether somebody sits in front of a terminal and can be asked.
pub(crate) fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks for the login of a site; the password is not shown. `None` if nothing is typed.
pub(crate) fn ask_login(site: &str) -> Option<Credentials> {
    eprint!("user name for {site} (empty to give up): ");
    let mut name = String::new();
    std::io::stdin().read_line(&mut name).ok()?;
    let name = name.trim();
    if name.is_empty() {
        return None;
    }
    let password = rpassword::prompt_password("password: ").ok()?;
    Some(Credentials::new(name, password))
}

/// Progress where no bar can be drawn, such as the log of a cluster's job: a line now and then.
struct Lines {
    name: String,
    total: u64,
    began: Instant,
    state: Mutex<LinesState>,
}

struct LinesState {
    done: u64,
    message: String,
    written: Instant,
}

impl Lines {
    fn new(name: &str, total: u64) -> Self {
        let began = Instant::now();
        let state = LinesState { done: 0, message: String::new(), written: began };
        Self { name: name.into(), total, began, state: Mutex::new(state) }
    }

    fn update(&self, change: impl FnOnce(&mut LinesState)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        if state.written.elapsed() < BETWEEN_LINES {
            return;
        }
        state.written = Instant::now();
        let elapsed = self.began.elapsed();
        let mut line = format!("{}: {}", self.name, state.done);
        if self.total > 0 {
            line += &format!(" of {}", self.total);
        }
        line += &format!(" after {}", HumanDuration(elapsed));
        if state.done > 0 && self.total > state.done {
            let left = elapsed.mul_f64((self.total - state.done) as f64 / state.done as f64);
            line += &format!(", {} left", HumanDuration(left));
        }
        if !state.message.is_empty() {
            line += &format!(", {}", state.message);
        }
        eprintln!("{line}");
    }
}

impl Task for Lines {
    fn advance(&self, steps: u64) {
        self.update(|state| state.done += steps);
    }

    fn message(&self, text: &str) {
        self.update(|state| state.message = text.into());
    }
}

struct Bar(ProgressBar);

impl Task for Bar {
    fn advance(&self, steps: u64) {
        self.0.inc(steps);
    }

    fn message(&self, text: &str) {
        self.0.set_message(text.to_owned());
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
