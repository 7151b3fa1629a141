//! What stands in front of the numbers in a `.npy` file.
//!
//! # Source
//! The format's own description, versions 1 to 3: <https://numpy.org/doc/2.3/reference/generated/numpy.lib.format.html>.

use std::io::{Error, Read};

/// What every file begins with.
pub(crate) const MAGIC: &[u8] = b"\x93NUMPY";
/// Longer headers are damage.
const LONGEST: usize = 1 << 16;

/// What a file says of its numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NpyHeader {
    /// How a number is written, such as `<f4`.
    pub kind: String,
    /// Whether the first index changes fastest.
    pub is_fortran: bool,
    /// The dimensions; none for a single number.
    pub shape: Vec<u64>,
}

impl NpyHeader {
    /// Reads the header; the numbers are what follows.
    ///
    /// # Errors
    /// What is wrong, in words that follow the file's name.
    pub fn read(file: &mut impl Read) -> Result<Self, String> {
        let cut_off = |err: Error| format!("its header cannot be read: {err}");
        let mut start = [0; 8];
        file.read_exact(&mut start).map_err(cut_off)?;
        let [magic @ .., major, _] = start;
        let length = match (magic.as_slice() == MAGIC, major) {
            (true, 1) => {
                let mut length = [0; 2];
                file.read_exact(&mut length).map_err(cut_off)?;
                usize::from(u16::from_le_bytes(length))
            }
            (true, 2 | 3) => {
                let mut length = [0; 4];
                file.read_exact(&mut length).map_err(cut_off)?;
                u32::from_le_bytes(length) as usize
            }
            _ => return Err("it is no array that NumPy saved".into()),
        };
        if length > LONGEST {
            return Err(format!("its header claims {length} bytes"));
        }
        let mut text = vec![0; length];
        file.read_exact(&mut text).map_err(cut_off)?;
        let text = String::from_utf8_lossy(&text);
        Self::parse(&text).ok_or_else(|| format!("its header is not understood: `{}`", text.trim_end()))
    }

    fn parse(text: &str) -> Option<Self> {
        let entry = |key: &str| Some(text.split_once(&format!("'{key}':"))?.1.trim_start());
        let kind = entry("descr")?.strip_prefix('\'')?.split_once('\'')?.0.to_owned();
        let is_fortran = entry("fortran_order")?.starts_with("True");
        let (sizes, _) = entry("shape")?.strip_prefix('(')?.split_once(')')?;
        let sizes = sizes.split(',').map(str::trim).filter(|size| !size.is_empty());
        let shape = sizes.map(|size| size.parse().ok()).collect::<Option<_>>()?;
        Some(Self { kind, is_fortran, shape })
    }
}
