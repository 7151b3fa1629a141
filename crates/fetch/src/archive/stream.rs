//! Archives that unpack from front to back only: one reader that moves forward, and starts anew when asked for what lies behind it.

use std::fmt;
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::format::read_exactly;
use super::reading::Member;
use super::tool::Tool;
use super::{rules, tar_file};
use crate::Error;

/// What unpacks the archive. A member's place is its offset in what comes out.
#[derive(Debug)]
pub(super) enum Origin {
    /// A tar under gzip.
    Gzip,
    /// A program that prints all members, or a tar of them.
    Tool(Tool),
}

/// An archive that is read through one reader.
pub(super) struct StreamFile {
    origin: Origin,
    cursor: Mutex<Option<Cursor>>,
}

struct Cursor {
    reader: Box<dyn Read + Send>,
    at: u64,
}

impl fmt::Debug for StreamFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamFile").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl StreamFile {
    pub(super) fn new(origin: Origin) -> Self {
        Self { origin, cursor: Mutex::new(None) }
    }

    pub(super) fn read(&self, path: &Path, member: &Member) -> Result<Vec<u8>, Error> {
        // A reader whose thread panicked stands anywhere, so it is not used again.
        let mut slot = self.cursor.lock().unwrap_or_else(PoisonError::into_inner);
        let mut cursor = match slot.take() {
            Some(cursor) if cursor.at <= member.place => cursor,
            _ => Cursor { reader: self.origin.start(path)?, at: 0 },
        };
        let skipped = member.place - cursor.at;
        let passed = io::copy(&mut (&mut cursor.reader).take(skipped), &mut io::sink())
            .map_err(|err| rules::damaged(path, member, err.to_string()))?;
        if passed < skipped {
            return Err(rules::damaged(path, member, "the archive ends before it does".into()));
        }
        let bytes = read_exactly(&mut cursor.reader, path, member)?;
        if bytes.len() as u64 == member.size {
            cursor.at = member.place + member.size;
            *slot = Some(cursor);
        }
        Ok(bytes)
    }
}

impl Origin {
    fn start(&self, path: &Path) -> Result<Box<dyn Read + Send>, Error> {
        Ok(match self {
            Self::Gzip => Box::new(tar_file::gunzip(path)?),
            Self::Tool(tool) => Box::new(tool.unpack(path)?),
        })
    }
}
