//! Tags and data of elements.

use std::borrow::Cow;
use std::cell::Cell;
use std::io::Read as _;

use flate2::read::ZlibDecoder;

use super::Error;

/// All that compressed elements of one file may unpack to.
const MOST_UNPACKED: u64 = 1 << 29;

pub(super) const COMPRESSED: u32 = 15;
pub(super) const MATRIX: u32 = 14;

/// Byte order of a file, and how much of it may still be unpacked.
pub(super) struct Reader {
    is_little: bool,
    left: Cell<u64>,
}

impl Reader {
    pub(super) fn new(is_little: bool) -> Self {
        Self { is_little, left: Cell::new(MOST_UNPACKED) }
    }

    pub(super) fn number<const N: usize>(&self, bytes: [u8; N]) -> [u8; N] {
        let mut bytes = bytes;
        if !self.is_little {
            bytes.reverse();
        }
        bytes
    }

    pub(super) fn u32(&self, bytes: [u8; 4]) -> u32 {
        u32::from_le_bytes(self.number(bytes))
    }

    fn unpack(&self, packed: &[u8]) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        let limit = self.left.get();
        let read = ZlibDecoder::new(packed).take(limit + 1).read_to_end(&mut bytes);
        let read =
            read.map_err(|err| Error::new(format!("a compressed part ends early or is damaged: {err}")))?;
        match limit.checked_sub(read as u64) {
            Some(left) => {
                self.left.set(left);
                Ok(bytes)
            }
            None => Err(Error::new("it unpacks to more than 512 MiB")),
        }
    }
}

/// A tagged piece of the file, unpacked.
pub(super) struct Element<'a> {
    pub(super) kind: u32,
    pub(super) data: Cow<'a, [u8]>,
}

/// The elements in some bytes, one after the other.
pub(super) struct Elements<'a, 'r> {
    reader: &'r Reader,
    rest: &'a [u8],
}

impl<'a, 'r> Elements<'a, 'r> {
    pub(super) fn new(reader: &'r Reader, rest: &'a [u8]) -> Self {
        Self { reader, rest }
    }

    fn read(&mut self) -> Result<Element<'a>, Error> {
        let cut_off = || Error::new("it ends within an element");
        let (tag, rest) = self.rest.split_first_chunk::<4>().ok_or_else(cut_off)?;
        let tag = self.reader.u32(*tag);
        // Up to four bytes stand in the tag itself, with their number in its upper half.
        if tag >> 16 != 0 {
            let (kind, size) = (tag & 0xffff, (tag >> 16) as usize);
            let (data, rest) = rest.split_first_chunk::<4>().ok_or_else(cut_off)?;
            let data =
                data.get(..size).ok_or_else(|| Error::new("a small element has more than four bytes"))?;
            self.rest = rest;
            return Ok(Element { kind, data: Cow::Borrowed(data) });
        }
        let (size, rest) = rest.split_first_chunk::<4>().ok_or_else(cut_off)?;
        let size = self.reader.u32(*size) as usize;
        let data = rest.get(..size).ok_or_else(cut_off)?;
        if tag == COMPRESSED {
            // Compressed elements are not padded.
            self.rest = &rest[size..];
            let unpacked = self.reader.unpack(data)?;
            let inner = Elements::new(self.reader, &unpacked).read()?;
            if inner.kind == COMPRESSED {
                return Err(Error::new("a compressed part holds a compressed part"));
            }
            return Ok(Element { kind: inner.kind, data: Cow::Owned(inner.data.into_owned()) });
        }
        self.rest = rest.get(size.next_multiple_of(8)..).unwrap_or_default();
        Ok(Element { kind: tag, data: Cow::Borrowed(data) })
    }
}

impl<'a> Iterator for Elements<'a, '_> {
    type Item = Result<Element<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let element = self.read();
        if element.is_err() {
            self.rest = &[];
        }
        Some(element)
    }
}
