//! A training's progress on the bar of its task.

use std::sync::atomic::{AtomicBool, Ordering};

use segbench_types::{Progress, Task};

/// Lets the first task that is started (the training's steps) move the bar. What is started later (validations) counts
/// other things than steps, so that only its messages pass.
pub(super) struct StepsOnly<'a> {
    task: &'a dyn Task,
    started: AtomicBool,
}

impl<'a> StepsOnly<'a> {
    pub(super) fn new(task: &'a dyn Task) -> Self {
        Self { task, started: AtomicBool::new(false) }
    }
}

impl Progress for StepsOnly<'_> {
    fn start(&self, _name: &str, _total: u64) -> Box<dyn Task + '_> {
        let first = !self.started.swap(true, Ordering::Relaxed);
        Box::new(Forward { task: self.task, counts: first })
    }

    fn note(&self, text: &str) {
        self.task.message(text);
    }
}

struct Forward<'a> {
    task: &'a dyn Task,
    counts: bool,
}

impl Task for Forward<'_> {
    fn advance(&self, steps: u64) {
        if self.counts {
            self.task.advance(steps);
        }
    }

    fn message(&self, text: &str) {
        self.task.message(text);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;

    #[derive(Default)]
    struct Bar(AtomicU64);

    impl Task for Bar {
        fn advance(&self, steps: u64) {
            self.0.fetch_add(steps, Ordering::Relaxed);
        }

        fn message(&self, _text: &str) {}
    }

    #[test]
    fn validations_do_not_move_the_bar_of_the_steps() {
        let bar = Bar::default();
        let progress = StepsOnly::new(&bar);
        let steps = progress.start("train", 7);
        steps.advance(3);
        progress.start("validating after step 3", 100).advance(100);
        steps.advance(4);
        assert_eq!(bar.0.load(Ordering::Relaxed), 7);
    }
}
