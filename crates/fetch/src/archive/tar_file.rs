//! Tar files, plain and under gzip: the list of members with the offset of their bytes.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::rc::Rc;
use std::time::UNIX_EPOCH;

use flate2::read::MultiGzDecoder;
use segbench_storage::Error as StorageError;
use tar::EntryType;

use super::format::read_exactly;
use super::reading::Member;
use super::rules;
use super::stream::{Origin, StreamFile};
use crate::Error;

/// Headers and contents of a tar begin at multiples of this.
pub(super) const BLOCK: usize = 512;

/// What the headers of one member may take. Long names stand in blocks of their own and are read into memory.
const MAX_HEADER_BYTES: u64 = 1 << 20;

/// Whether a file turned out to be a tar.
pub(super) enum Opened {
    /// With these members.
    Tar(Vec<Member>),
    /// It is something else.
    Other,
}

/// Lists a plain tar; `head` is its first block.
pub(super) fn open(path: &Path, head: &[u8]) -> Result<Opened, Error> {
    if !is_header(head) {
        return Ok(Opened::Other);
    }
    let wrap = |source| StorageError::reading(path, source);
    let file = File::open(path).map_err(wrap)?;
    let metadata = file.metadata().map_err(wrap)?;
    // A tar has no checksums over contents, so that the time of its last change has to tell one version from another.
    let stamp = metadata
        .modified()
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX));
    let meter = Meter::default();
    let mut archive = tar::Archive::new(Metered { inner: BufReader::new(file), meter: meter.clone() });
    let entries = archive.entries_with_seek().map_err(|err| broken(path, &err))?;
    let mut members = list(path, entries, &meter, |_| Ok(None))?;
    for member in &mut members {
        member.stamp = stamp;
        if member.place.checked_add(member.size).is_none_or(|end| end > metadata.len()) {
            return Err(rules::damaged(path, member, "the archive ends before it does".into()));
        }
    }
    Ok(Opened::Tar(members))
}

/// Lists a tar under gzip by unpacking it once in memory.
pub(super) fn open_gzip(path: &Path) -> Result<(Vec<Member>, StreamFile), Error> {
    let members = list_stream(path, gunzip(path)?)?;
    Ok((members, StreamFile::new(Origin::Gzip)))
}

/// Lists a tar that comes as a stream, which yields the checksum of every member as well. Reads to the end, because there stands
/// the checksum of the whole.
pub(super) fn list_stream(path: &Path, stream: impl Read) -> Result<Vec<Member>, Error> {
    let crc32 = |entry: &mut dyn Read| {
        let mut hash = crc32fast::Hasher::new();
        let mut buffer = vec![0; 1 << 16];
        loop {
            match entry.read(&mut buffer)? {
                0 => return Ok(Some(hash.finalize())),
                count => hash.update(&buffer[..count]),
            }
        }
    };
    let meter = Meter::default();
    let mut archive = tar::Archive::new(Metered { inner: stream, meter: meter.clone() });
    let entries = archive.entries().map_err(|err| broken(path, &err))?;
    let mut members = list(path, entries, &meter, crc32)?;
    io::copy(&mut archive.into_inner().inner, &mut io::sink()).map_err(|err| broken(path, &err))?;
    for member in &mut members {
        member.stamp = member.crc32.map_or(0, u64::from);
    }
    Ok(members)
}

/// The bytes of a member of a plain tar.
pub(super) fn read(path: &Path, member: &Member) -> Result<Vec<u8>, Error> {
    let wrap = |source| StorageError::reading(path, source);
    let mut file = File::open(path).map_err(wrap)?;
    file.seek(SeekFrom::Start(member.place)).map_err(wrap)?;
    read_exactly(file, path, member)
}

/// What a gzip file unpacks to.
pub(super) fn gunzip(path: &Path) -> Result<MultiGzDecoder<BufReader<File>>, Error> {
    let file = File::open(path).map_err(|source| StorageError::reading(path, source))?;
    Ok(MultiGzDecoder::new(BufReader::with_capacity(1 << 16, file)))
}

/// The members, with what `check` returns as their checksum.
fn list<R: Read>(
    path: &Path,
    entries: tar::Entries<'_, R>,
    meter: &Meter,
    mut check: impl FnMut(&mut dyn Read) -> io::Result<Option<u32>>,
) -> Result<Vec<Member>, Error> {
    let mut members = Vec::new();
    let mut end = 0;
    for entry in entries {
        let mut entry = entry.map_err(|err| broken(path, &err))?;
        let kind = entry.header().entry_type();
        let place = entry.raw_file_position();
        let size = entry.size();
        end = place.saturating_add(size.next_multiple_of(BLOCK as u64));
        let raw_name = entry.path_bytes().into_owned();
        let shown = String::from_utf8_lossy(&raw_name).into_owned();
        match kind {
            EntryType::XGlobalHeader | EntryType::Directory => continue,
            // Tars older than POSIX have folders as files whose name ends in a slash.
            EntryType::Regular | EntryType::Continuous if shown.ends_with('/') => continue,
            EntryType::Regular | EntryType::Continuous => {}
            EntryType::GNUSparse => return Err(rules::unsafe_member(path, &shown, "it is a sparse file")),
            _ => {
                let reason = "it is a link or a device, not a file";
                return Err(rules::unsafe_member(path, &shown, reason));
            }
        }
        if entry.pax_extensions().ok().flatten().is_some_and(is_sparse) {
            return Err(rules::unsafe_member(path, &shown, "it is a sparse file"));
        }
        let raw_name = String::from_utf8(raw_name)
            .map_err(|_| rules::unsafe_member(path, &shown, "its name is not UTF-8"))?;
        let name = rules::normalized(path, &raw_name)?;
        let mut member = Member { name, size, stamp: 0, crc32: None, place };
        meter.0.budget.set(u64::MAX);
        member.crc32 = check(&mut entry).map_err(|err| rules::damaged(path, &member, err.to_string()))?;
        meter.0.budget.set(MAX_HEADER_BYTES);
        rules::push(path, &mut members, member)?;
    }
    // At the end stands a block of zeros. A file that was cut between two members ends without it.
    if meter.0.at.get() < end.saturating_add(BLOCK as u64) {
        return Err(Error::NotAnArchive {
            archive: path.to_owned(),
            reason: "it ends without the mark of its end, so it is cut off".into(),
        });
    }
    Ok(members)
}

/// Whether a block is the header of a member: its checksum, in octal digits, is the sum of all other bytes.
fn is_header(block: &[u8]) -> bool {
    if block.len() < BLOCK {
        return false;
    }
    let digits: String = block[148..156].iter().map(|byte| char::from(*byte)).collect();
    let digits = digits.trim_matches(|c: char| c == '\0' || c == ' ');
    let sum: u32 = block[..148].iter().chain(&block[156..BLOCK]).map(|byte| u32::from(*byte)).sum();
    u32::from_str_radix(digits, 8).is_ok_and(|listed| listed == sum + 8 * u32::from(b' '))
}

fn is_sparse(mut extensions: tar::PaxExtensions<'_>) -> bool {
    extensions
        .any(|extension| extension.is_ok_and(|extension| extension.key_bytes().starts_with(b"GNU.sparse.")))
}

fn broken(path: &Path, err: &io::Error) -> Error {
    Error::NotAnArchive { archive: path.to_owned(), reason: err.to_string() }
}

/// How far a reader is, and how much more it may read at once.
#[derive(Clone)]
struct Meter(Rc<Readings>);

struct Readings {
    at: Cell<u64>,
    budget: Cell<u64>,
}

impl Default for Meter {
    fn default() -> Self {
        Self(Rc::new(Readings { at: Cell::new(0), budget: Cell::new(MAX_HEADER_BYTES) }))
    }
}

/// A reader with a meter that others see.
struct Metered<R> {
    inner: R,
    meter: Meter,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Readings { at, budget } = &*self.meter.0;
        if budget.get() == 0 {
            return Err(io::Error::other("a header is larger than any name"));
        }
        let allowed = buffer.len().min(usize::try_from(budget.get()).unwrap_or(usize::MAX));
        let count = self.inner.read(&mut buffer[..allowed])?;
        at.set(at.get() + count as u64);
        budget.set(budget.get() - count as u64);
        Ok(count)
    }
}

impl<R: Seek> Seek for Metered<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = self.inner.seek(to)?;
        self.meter.0.at.set(at);
        Ok(at)
    }
}
