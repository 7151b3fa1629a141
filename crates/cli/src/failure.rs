//! How a command fails: what, why, and what to do next.

use std::error::Error as StdError;

use segbench_types::{ErrorKind, Explain};

/// An error on its way to the terminal and to the exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    causes: Vec<String>,
    help: Option<String>,
    kind: ErrorKind,
}

impl Failure {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), causes: Vec::new(), help: Some(help.into()), kind }
    }

    /// Wrong words on the command line.
    pub(crate) fn usage(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, message, help)
    }

    /// One stage of several failed.
    pub(crate) fn stage<E: Explain>(name: &str, err: &E) -> Self {
        let mut failure = Self::of(err);
        failure.message = format!("{name}: {}", failure.message);
        failure
    }

    fn of<E: Explain>(err: &E) -> Self {
        let mut causes = Vec::new();
        let mut cause: Option<&dyn StdError> = err.source();
        while let Some(inner) = cause {
            causes.push(inner.to_string());
            cause = inner.source();
        }
        Self { message: err.to_string(), causes, help: err.help(), kind: err.kind() }
    }

    pub(crate) fn exit_code(&self) -> u8 {
        self.kind.exit_code()
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn causes(&self) -> &[String] {
        &self.causes
    }

    pub(crate) fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }
}

impl<E: Explain> From<E> for Failure {
    fn from(err: E) -> Self {
        Self::of(&err)
    }
}
