//! Progress, as libraries report it. Only the command line draws it.

/// Receives the progress of long work.
pub trait Progress: Send + Sync {
    /// A task of `total` steps begins; zero if nobody knows how many.
    fn start(&self, name: &str, total: u64) -> Box<dyn Task + '_>;

    /// A task of `total` bytes begins; zero if nobody knows how many. Bytes are shown with their rate.
    fn start_bytes(&self, name: &str, total: u64) -> Box<dyn Task + '_> {
        self.start(name, total)
    }

    /// Something worth a line, such as "the second run had nothing to do".
    fn note(&self, text: &str);
}

/// A running task. Dropping it ends it.
pub trait Task: Send + Sync {
    /// `steps` more steps are done.
    fn advance(&self, steps: u64);

    /// A short text beside the bar, such as the current loss.
    fn message(&self, text: &str);
}

/// Reports to nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn start(&self, _name: &str, _total: u64) -> Box<dyn Task + '_> {
        Box::new(Self)
    }

    fn note(&self, _text: &str) {}
}

impl Task for Silent {
    fn advance(&self, _steps: u64) {}

    fn message(&self, _text: &str) {}
}
