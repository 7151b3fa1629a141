//! The part of Zarr version 3 that distance maps need: arrays of 16-bit integers in three dimensions, one shard file each.
//!
//! A shard holds the compressed chunks of the whole array and an index of them at its end, so that a reader of a window reads the
//! index and the chunks that the window touches. Every Zarr library reads these arrays; this reader takes only what this writer
//! writes. The `zarrs` crate would bring 114 crates for it.
//!
//! # Source
//! [Zarr core 3.1](https://zarr-specs.readthedocs.io/en/latest/v3/core/index.html) and its
//! [sharding codec](https://zarr-specs.readthedocs.io/en/latest/v3/codecs/sharding-indexed/index.html).

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::Error;

/// Rows and columns of a chunk; along the first dimension a chunk holds one element.
pub const CHUNK: usize = 128;
/// Stands for the place of a chunk that is not stored, because it holds zeros only.
const ABSENT: u64 = u64::MAX;
/// Bytes of a chunk's entry in the index.
const ENTRY: usize = 16;
/// Bytes of the index's checksum.
const CHECKSUM: usize = 4;
const LEVEL: u32 = 6;

/// Writes an array to the folder `dir`, plane after plane. The description comes last, so an array without one is not complete.
///
/// # Shapes
/// `shape`: planes, rows, columns; `fill_plane` gets the index of a plane and its rows times columns zeros.
///
/// # Errors
/// [`Error::Write`].
pub fn write_array(
    dir: &Path,
    shape: [usize; 3],
    attributes: &Value,
    mut fill_plane: impl FnMut(usize, &mut [i16]),
) -> Result<(), Error> {
    let description = dir.join("zarr.json");
    match fs::remove_file(&description) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            return Err(Error::writing(&description, source));
        }
        _ => {}
    }
    let [planes, height, width] = shape;
    crate::write_with(&dir.join("c/0/0/0"), |file| {
        let (mut offset, mut index) = (0, Vec::new());
        let mut plane = vec![0; height * width];
        for at in 0..planes {
            plane.fill(0);
            fill_plane(at, &mut plane);
            for rows in (0..height).step_by(CHUNK) {
                for columns in (0..width).step_by(CHUNK) {
                    let chunk = chunk(&plane, width, rows, columns);
                    let (place, length) = match chunk.iter().any(|&byte| byte != 0) {
                        true => {
                            let packed = compress(&chunk)?;
                            file.write_all(&packed)?;
                            offset += packed.len() as u64;
                            (offset - packed.len() as u64, packed.len() as u64)
                        }
                        false => (ABSENT, ABSENT),
                    };
                    index.extend(place.to_le_bytes());
                    index.extend(length.to_le_bytes());
                }
            }
        }
        index.extend(crc32c(&index).to_le_bytes());
        file.write_all(&index)
    })?;
    crate::write_json(&description, &describe(shape, attributes))
}

/// The attributes of an array that is complete.
///
/// # Errors
/// [`Error::NotFound`] for one that is not; [`Error::Json`].
pub fn array_attributes(dir: &Path) -> Result<Value, Error> {
    let mut description: Value = crate::read_json(&dir.join("zarr.json"))?;
    Ok(description["attributes"].take())
}

/// An array that is open for reading windows of it.
#[derive(Debug)]
pub struct ZarrArray {
    path: PathBuf,
    shard: File,
    shape: [usize; 3],
    attributes: Value,
    /// Place and length of every chunk.
    index: Vec<(u64, u64)>,
}

impl ZarrArray {
    /// Opens the array in the folder `dir`.
    ///
    /// # Errors
    /// [`Error::NotFound`] and [`Error::Read`]; [`Error::Zarr`] for an array of another layout than [`write_array`]'s, or a damaged one.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let description = dir.join("zarr.json");
        let mut found: Value = crate::read_json(&description)?;
        let other =
            || Error::Zarr { path: description.clone(), reason: "its layout is not segbench's".into() };
        let sizes: Vec<usize> = found["shape"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_u64)
            .map(|n| n as usize)
            .collect();
        let shape: [usize; 3] = sizes.try_into().map_err(|_| other())?;
        let attributes = found["attributes"].take();
        found["attributes"] = attributes.clone();
        // Other programs name this extension and then use none of it.
        if let Some(found) = found.as_object_mut()
            && found.get("storage_transformers").is_some_and(|used| *used == json!([]))
        {
            found.remove("storage_transformers");
        }
        if found != describe(shape, &attributes) {
            return Err(other());
        }
        let path = dir.join("c/0/0/0");
        let mut shard = File::open(&path).map_err(|source| Error::reading(&path, source))?;
        let chunks = shape[0] * shape[1].div_ceil(CHUNK) * shape[2].div_ceil(CHUNK);
        let mut bytes = vec![0; chunks * ENTRY + CHECKSUM];
        let is_read = shard
            .seek(SeekFrom::End(-(bytes.len() as i64)))
            .and_then(|_| shard.read_exact(&mut bytes))
            .is_ok();
        let (entries, checksum) = bytes.split_at(chunks * ENTRY);
        if !is_read || crc32c(entries).to_le_bytes() != checksum {
            return Err(Error::Zarr { path, reason: "its index is damaged".into() });
        }
        let number = |bytes: &[u8]| bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte));
        let index =
            entries.chunks_exact(ENTRY).map(|entry| (number(&entry[..8]), number(&entry[8..]))).collect();
        Ok(Self { path, shard, shape, attributes, index })
    }

    /// Planes, rows, columns.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// What the writer noted.
    pub fn attributes(&self) -> &Value {
        &self.attributes
    }

    /// Reads a window of one plane, row by row; only chunks that it touches are read from disk.
    ///
    /// # Errors
    /// [`Error::Zarr`] for a window that is not within the array, and for damaged chunks.
    pub fn window(
        &mut self,
        plane: usize,
        rows: Range<usize>,
        columns: Range<usize>,
    ) -> Result<Vec<i16>, Error> {
        let [planes, height, width] = self.shape;
        if plane >= planes || rows.end > height || columns.end > width {
            let reason =
                format!("it has no window {plane}, {rows:?}, {columns:?}: its shape is {:?}", self.shape);
            return Err(Error::Zarr { path: self.path.clone(), reason });
        }
        let mut window = vec![0; rows.len() * columns.len()];
        for chunk_row in rows.start / CHUNK..rows.end.div_ceil(CHUNK) {
            for chunk_column in columns.start / CHUNK..columns.end.div_ceil(CHUNK) {
                let across = width.div_ceil(CHUNK);
                let at = (plane * height.div_ceil(CHUNK) + chunk_row) * across + chunk_column;
                let Some(chunk) = self.chunk(at)? else { continue };
                let (top, left) = (chunk_row * CHUNK, chunk_column * CHUNK);
                let within = columns.start.max(left)..columns.end.min(left + CHUNK);
                for row in rows.start.max(top)..rows.end.min(top + CHUNK) {
                    let from = &chunk[(row - top) * CHUNK + within.start - left..][..within.len()];
                    let to = (row - rows.start) * columns.len() + within.start - columns.start;
                    window[to..][..within.len()].copy_from_slice(from);
                }
            }
        }
        Ok(window)
    }

    /// The numbers of a chunk; none if it holds zeros only.
    fn chunk(&mut self, at: usize) -> Result<Option<Vec<i16>>, Error> {
        /// No chunk grows by more than this when it is compressed.
        const LONGEST: u64 = 3 * (CHUNK * CHUNK) as u64;
        let (place, length) = self.index[at];
        if place == ABSENT {
            return Ok(None);
        }
        let damaged =
            || Error::Zarr { path: self.path.clone(), reason: format!("its chunk {at} is damaged") };
        if length > LONGEST {
            return Err(damaged());
        }
        let (mut packed, mut bytes) = (vec![0; length as usize], Vec::new());
        self.shard
            .seek(SeekFrom::Start(place))
            .and_then(|_| self.shard.read_exact(&mut packed))
            .and_then(|()| GzDecoder::new(packed.as_slice()).take(LONGEST).read_to_end(&mut bytes))
            .map_err(|_| damaged())?;
        let (numbers, rest) = bytes.as_chunks();
        if numbers.len() != CHUNK * CHUNK || !rest.is_empty() {
            return Err(damaged());
        }
        Ok(Some(numbers.iter().map(|&number| i16::from_le_bytes(number)).collect()))
    }
}

/// The description of an array.
fn describe(shape: [usize; 3], attributes: &Value) -> Value {
    let [planes, height, width] = shape;
    let bytes = json!({ "name": "bytes", "configuration": { "endian": "little" } });
    let sharding = json!({
        "chunk_shape": [1, CHUNK, CHUNK],
        "codecs": [bytes, { "name": "gzip", "configuration": { "level": LEVEL } }],
        "index_codecs": [bytes, { "name": "crc32c" }],
        "index_location": "end",
    });
    json!({
        "zarr_format": 3,
        "node_type": "array",
        "shape": shape,
        "data_type": "int16",
        "chunk_grid": {
            "name": "regular",
            "configuration": {
                "chunk_shape": [planes.max(1), height.next_multiple_of(CHUNK), width.next_multiple_of(CHUNK)],
            },
        },
        "chunk_key_encoding": { "name": "default", "configuration": { "separator": "/" } },
        "fill_value": 0,
        "codecs": [{ "name": "sharding_indexed", "configuration": sharding }],
        "dimension_names": ["class", "row", "column"],
        "attributes": attributes,
    })
}

/// The bytes of a chunk; what lies beyond the plane is 0.
fn chunk(plane: &[i16], width: usize, top: usize, left: usize) -> Vec<u8> {
    let mut bytes = vec![0; CHUNK * CHUNK * 2];
    let columns = CHUNK.min(width - left);
    for (to, from) in bytes.chunks_exact_mut(CHUNK * 2).zip(plane.chunks_exact(width).skip(top)) {
        for (to, from) in to.as_chunks_mut().0.iter_mut().zip(&from[left..left + columns]) {
            *to = from.to_le_bytes();
        }
    }
    bytes
}

fn compress(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(LEVEL));
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// The checksum of [RFC 3720](https://www.rfc-editor.org/rfc/rfc3720#appendix-B.4).
fn crc32c(bytes: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0x82F6_3B78;
    let step = |crc: u32, _| (crc >> 1) ^ (POLYNOMIAL & (crc & 1).wrapping_neg());
    !bytes.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), step))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Waves with zeros between them, so that some chunks are absent.
    fn value(plane: usize, row: usize, column: usize) -> i16 {
        if plane == 1 || column / CHUNK == 1 { 0 } else { (row * 31 + column * 7 + plane) as i16 - 400 }
    }

    fn written(shape: [usize; 3]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a folder");
        write_array(dir.path(), shape, &json!({ "step": 0.25 }), |plane, out| {
            for (at, out) in out.iter_mut().enumerate() {
                *out = value(plane, at / shape[2], at % shape[2]);
            }
        })
        .expect("written");
        dir
    }

    #[test]
    fn every_window_reads_what_was_written() {
        let dir = written([3, 150, 301]);
        let mut array = ZarrArray::open(dir.path()).expect("opened");
        assert_eq!((array.shape(), &array.attributes()["step"]), ([3, 150, 301], &json!(0.25)));
        for (plane, rows, columns) in
            [(0, 0..150, 0..301), (2, 127..129, 100..300), (1, 3..9, 5..6), (0, 7..7, 0..4)]
        {
            let expected: Vec<i16> = rows
                .clone()
                .flat_map(|row| columns.clone().map(move |column| value(plane, row, column)))
                .collect();
            assert_eq!(array.window(plane, rows, columns).expect("a window"), expected);
        }
        for (plane, rows, columns) in [(3, 0..1, 0..1), (0, 0..151, 0..1), (0, 0..1, 300..302)] {
            assert!(matches!(array.window(plane, rows, columns), Err(Error::Zarr { .. })));
        }
    }

    #[test]
    fn a_window_reads_the_chunks_that_it_touches_and_no_others() {
        let dir = written([1, 256, 128]);
        let path = dir.path().join("c/0/0/0");
        let mut bytes = fs::read(&path).expect("the shard");
        // The first chunk's bytes come first.
        bytes[..100].fill(0xAA);
        fs::write(&path, bytes).expect("damaged");
        let mut array = ZarrArray::open(dir.path()).expect("the index is sound");
        assert!(array.window(0, 128..256, 0..128).is_ok());
        assert!(matches!(array.window(0, 127..128, 0..1), Err(Error::Zarr { .. })));
    }

    #[test]
    fn damage_and_other_layouts_are_refused() {
        let dir = written([1, 5, 7]);
        let shard = dir.path().join("c/0/0/0");
        let bytes = fs::read(&shard).expect("the shard");
        let mut changed = bytes.clone();
        let last = changed.len() - 8;
        changed[last] ^= 1;
        for damaged in [&changed[..], &bytes[..10], &[]] {
            fs::write(&shard, damaged).expect("damaged");
            assert!(matches!(ZarrArray::open(dir.path()), Err(Error::Zarr { .. })));
        }
        fs::write(&shard, &bytes).expect("put right");
        let description = dir.path().join("zarr.json");
        let text = fs::read_to_string(&description).expect("the description");
        fs::write(&description, text.replace("int16", "uint16")).expect("changed");
        assert!(matches!(ZarrArray::open(dir.path()), Err(Error::Zarr { .. })));
        fs::remove_file(&description).expect("removed");
        assert!(matches!(ZarrArray::open(dir.path()), Err(Error::NotFound { .. })));
    }

    #[test]
    fn the_checksum_is_the_one_of_the_standard() {
        // RFC 3720, appendix B.4: 32 bytes of zeros, of ones, and rising.
        let rising: Vec<u8> = (0..32).collect();
        assert_eq!(
            [crc32c(&[0; 32]), crc32c(&[0xFF; 32]), crc32c(&rising)],
            [0x8A91_36AA, 0x62A8_AB43, 0x46DD_794E]
        );
    }
}
