//! How an error ends the program: its kind decides the exit code, its help says what to do next.

/// What the person in front of the terminal can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// A mistake in segbench itself.
    Bug,
    /// A wrong flag or an unknown name on the command line.
    Usage,
    /// A wrong `pipeline.yaml`.
    Configuration,
    /// Data, weights or a login that are not there.
    MissingInput,
    /// A download or a checksum that failed.
    Download,
    /// A file that is there but broken or does not fit.
    InvalidData,
    /// The device is absent or out of memory.
    Device,
    /// Some jobs failed, the rest completed.
    SomeJobsFailed,
    /// The disk is full or read-only.
    OutputNotWritable,
    /// The user pressed Ctrl-C.
    Interrupted,
}

impl ErrorKind {
    /// The documented exit code.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Bug => 1,
            Self::Usage => 2,
            Self::Configuration => 3,
            Self::MissingInput => 4,
            Self::Download => 5,
            Self::InvalidData => 6,
            Self::Device => 7,
            Self::SomeJobsFailed => 8,
            Self::OutputNotWritable => 9,
            Self::Interrupted => 130,
        }
    }
}

/// An error that knows how the program should end and what to try next.
pub trait Explain: std::error::Error {
    /// What kind of failure this is.
    fn kind(&self) -> ErrorKind;

    /// The next thing to do, as a sentence or a command line.
    fn help(&self) -> Option<String> {
        None
    }
}
