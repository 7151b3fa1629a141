//! MATLAB files as the authors of APSIS wrote theirs.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;

/// A file with one compressed matrix of class double that is stored in bytes, column after column. The name is an element of its own
/// or, up to four letters, part of its tag.
///
/// # Panics
/// If the values do not fill the matrix.
pub fn mat_matrix(name: &str, rows: u32, columns: u32, values: &[u8]) -> Vec<u8> {
    assert_eq!(values.len(), (rows * columns) as usize);
    let mut matrix = element(6, &[6, 0, 0, 0, 0, 0, 0, 0]);
    matrix.extend(element(5, &[rows.to_le_bytes(), columns.to_le_bytes()].concat()));
    if name.len() <= 4 {
        matrix.extend(((name.len() as u32) << 16 | 1).to_le_bytes());
        let mut letters = name.as_bytes().to_vec();
        letters.resize(4, 0);
        matrix.extend(letters);
    } else {
        matrix.extend(element(1, name.as_bytes()));
    }
    matrix.extend(element(2, values));
    file(&element(14, &matrix))
}

/// A tag and its data, padded to eight bytes.
fn element(kind: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = kind.to_le_bytes().to_vec();
    bytes.extend((data.len() as u32).to_le_bytes());
    bytes.extend(data);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

fn file(element: &[u8]) -> Vec<u8> {
    let mut bytes = b"MATLAB 5.0 MAT-file, Platform: MACI64, Created on: Fri Jan  1 00:00:00 2016".to_vec();
    bytes.resize(124, b' ');
    bytes.extend([0, 1]);
    bytes.extend(b"IM");
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(element).expect("a vector takes every byte");
    let packed = encoder.finish().expect("a vector takes every byte");
    bytes.extend(15_u32.to_le_bytes());
    bytes.extend((packed.len() as u32).to_le_bytes());
    bytes.extend(packed);
    bytes
}
