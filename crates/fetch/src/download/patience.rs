//! How often and how long after a failure that may pass the next attempt follows.

use std::thread;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use segbench_types::Progress;

use super::answer::Passing;
use crate::Error;

/// When to try again. Each wait is twice the one before, plus up to as much again by chance, so that many machines do not come back
/// at the same moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// Attempts without getting further after which the address is given up. Default: 8.
    pub attempts: usize,
    /// The same for a host that has never answered, so that a machine without network says so soon. Default: 3.
    pub connect_attempts: usize,
    /// The first wait. Default: 1 s.
    pub first_wait: Duration,
    /// The longest wait that is chosen here. Default: 60 s.
    pub longest_wait: Duration,
    /// The longest wait that a server may ask for. Default: 15 min; with more, the address is given up.
    pub longest_asked: Duration,
    /// New bytes after which an attempt counts as having got further. Default: 1 MiB.
    pub progress_bytes: u64,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 8,
            connect_attempts: 3,
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(60),
            longest_asked: Duration::from_secs(15 * 60),
            progress_bytes: 1 << 20,
        }
    }
}

impl Retry {
    fn waits(&self) -> ExponentialBackoff {
        ExponentialBuilder::default()
            .with_min_delay(self.first_wait)
            .with_max_delay(self.longest_wait)
            .with_max_times(self.attempts.saturating_sub(1))
            .with_jitter()
            .build()
    }
}

/// What is left of the patience with one address.
pub(crate) struct Patience<'a> {
    retry: &'a Retry,
    waits: ExponentialBackoff,
    attempts: usize,
    has_answered: bool,
}

impl<'a> Patience<'a> {
    pub(crate) fn new(retry: &'a Retry) -> Self {
        Self { retry, waits: retry.waits(), attempts: 0, has_answered: false }
    }

    /// The last attempt got further, so counting begins anew.
    pub(super) fn renew(&mut self) {
        *self = Self { has_answered: true, ..Self::new(self.retry) };
    }

    /// Waits before the next attempt, or gives up.
    ///
    /// # Errors
    /// [`Error::Unreachable`].
    pub(crate) fn wait(&mut self, url: &str, passing: Passing, progress: &dyn Progress) -> Result<(), Error> {
        self.attempts += 1;
        let Passing { mut reason, asked, is_unanswered } = passing;
        self.has_answered |= !is_unanswered;
        let is_over = !self.has_answered && self.attempts >= self.retry.connect_attempts;
        let too_long = asked.filter(|asked| *asked > self.retry.longest_asked);
        let wait = match (self.waits.next().filter(|_| !is_over), too_long) {
            (Some(wait), None) => wait.max(asked.unwrap_or_default()),
            (_, too_long) => {
                if let Some(asked) = too_long {
                    reason = format!("{reason} and asks to come back in {} s", asked.as_secs());
                }
                return Err(Error::Unreachable { url: url.to_owned(), attempts: self.attempts, reason });
            }
        };
        progress.note(&format!("{url}: {reason}; trying again in {:.1} s", wait.as_secs_f64()));
        thread::sleep(wait);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_with_chance_on_top_and_end() {
        let retry = Retry { attempts: 6, longest_wait: Duration::from_secs(5), ..Retry::default() };
        let waits: Vec<f64> = retry.waits().map(|wait| wait.as_secs_f64()).collect();
        assert_eq!(waits.len(), 5);
        for (wait, least) in waits.iter().zip([1.0, 2.0, 4.0, 5.0, 5.0]) {
            assert!((least..=2.0 * least + 0.01).contains(wait), "{waits:?}");
        }
    }
}
