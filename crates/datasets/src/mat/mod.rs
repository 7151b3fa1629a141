//! MATLAB files of version 5, as far as data sets use them: numbers, logicals, characters, cells and structs, compressed or not.
//!
//! A file is a header of 128 bytes and a list of elements: a tag (type and size) and data. A variable is an element of elements: flags,
//! dimensions, name and values. Values are stored in the smallest type that holds them, whatever class the matrix has, so they are
//! read by their tag and not by their class.
//!
//! # Source
//! MathWorks, *MAT-File Format*, version 5; compared with files that scipy writes and reads.

mod element;
mod matrix;
mod value;

pub use value::{Data, Numeric, Value, Variable};

use element::{Elements, Reader};

/// Why bytes are no readable MATLAB file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(pub(crate) String);

impl Error {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// Bytes of the header.
const HEADER: usize = 128;

/// The variables of a file, in its order.
///
/// # Errors
/// [`Error`] for bytes that are no MATLAB file of version 5, for damage, and for more than 512 MiB unpacked.
pub fn read(bytes: &[u8]) -> Result<Vec<Variable>, Error> {
    let header =
        bytes.get(..HEADER).ok_or_else(|| Error::new("it is shorter than the header of a MATLAB file"))?;
    if bytes.starts_with(b"MATLAB 7.3") {
        return Err(Error::new(
            "it is a MATLAB file of version 7.3, expected version 5 (save it with `-v7`)",
        ));
    }
    let is_little = match &header[126..128] {
        b"IM" => true,
        b"MI" => false,
        _ => return Err(Error::new("it is no MATLAB file of version 5")),
    };
    let reader = Reader::new(is_little);
    let mut variables = Vec::new();
    for element in Elements::new(&reader, &bytes[HEADER..]) {
        variables.extend(matrix::variable(&reader, &element?)?);
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use segbench_testkit::mat_matrix;

    use super::*;

    /// Written by scipy; the script beside it says how.
    const SCIPY: &[u8] = include_bytes!("../../tests/fixtures/kinds.mat");
    const PLAIN: &[u8] = include_bytes!("../../tests/fixtures/kinds_plain.mat");

    fn named(variables: &[Variable], name: &str) -> Value {
        let found = variables.iter().find(|variable| variable.name == name);
        found.map(|variable| variable.value.clone()).expect(name)
    }

    #[test]
    fn compressed_and_plain_files_of_scipy_have_the_same_variables() {
        let variables = read(SCIPY).expect("read");
        assert_eq!(variables, read(PLAIN).expect("read"));
        let numeric = |name: &str| match named(&variables, name) {
            Value::Numeric(numeric) => numeric,
            other => panic!("{other:?}"),
        };
        assert_eq!(numeric("mask").dimensions, [3, 2]);
        // Column after column.
        assert_eq!(numeric("mask").data.to_f64(), [1.0, 0.0, 1.0, 0.0, 1.0, 1.0]);
        assert_eq!(numeric("trainlist").data, Data::U16(vec![1, 3, 2632]));
        assert_eq!(numeric("tracker").data, Data::F32(vec![1.5, -2.25, 3.0, 4.0]));
        assert_eq!(numeric("empty").dimensions, [0, 0]);
        assert!(numeric("flags").is_logical && !numeric("mask").is_logical);
        assert_eq!(numeric("big").data.to_f64(), [-1e300]);
        assert_eq!(numeric("cube").dimensions, [2, 1, 2]);
        assert_eq!(named(&variables, "title"), Value::Text(vec!["Straße".into()]));
        let Value::Cell { dimensions, values } = named(&variables, "cells") else { panic!("no cell") };
        assert_eq!((dimensions, values.len()), (vec![1, 2], 2));
        assert_eq!(values[1], Value::Text(vec!["two".into()]));
        let Value::Struct { fields, .. } = named(&variables, "GTcls") else { panic!("no struct") };
        let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["Segmentation", "CategoriesPresent"]);
        let Value::Numeric(segmentation) = &fields[0].1[0] else { panic!("no matrix") };
        assert_eq!((segmentation.rows(), segmentation.columns()), (2, 3));
        assert_eq!(segmentation.data, Data::U8(vec![0, 3, 1, 4, 2, 5]));
    }

    #[test]
    fn a_mask_of_class_double_stored_in_bytes_is_read_by_its_bytes() {
        let variables = read(&mat_matrix("mask", 2, 3, &[1, 0, 0, 0, 1, 1])).expect("read");
        let Value::Numeric(mask) = named(&variables, "mask") else { panic!("no matrix") };
        assert_eq!((mask.rows(), mask.columns(), mask.data), (2, 3, Data::U8(vec![1, 0, 0, 0, 1, 1])));
    }

    #[test]
    fn other_files_are_refused_with_what_they_are() {
        let mut newer = PLAIN.to_vec();
        newer[..10].copy_from_slice(b"MATLAB 7.3");
        for (bytes, part) in [
            (&b"MATLAB"[..], "shorter"),
            (&[0; 200], "no MATLAB file"),
            (&newer, "7.3"),
            (&SCIPY[..SCIPY.len() - 9], "ends"),
        ] {
            let err = read(bytes).expect_err(part).to_string();
            assert!(err.contains(part), "{err}");
        }
    }

    proptest! {
        #[test]
        fn any_damage_is_an_error_or_harmless_but_no_panic(at in 0_usize..4000, byte in any::<u8>(), cut in 0_usize..4000) {
            for file in [SCIPY, PLAIN] {
                let mut bytes = file.to_vec();
                let length = bytes.len();
                bytes[at % length] = byte;
                bytes.truncate(length.saturating_sub(cut % 5 * (cut / 5 % length)));
                let _ = read(&bytes);
            }
        }

        #[test]
        fn any_bytes_after_a_header_are_no_panic(tail in prop::collection::vec(any::<u8>(), 0..300), is_little in any::<bool>()) {
            let mut bytes = vec![b' '; 126];
            bytes.extend(if is_little { b"IM" } else { b"MI" });
            bytes.extend(tail);
            let _ = read(&bytes);
        }

        #[test]
        fn any_elements_after_a_matrix_tag_are_no_panic(tail in prop::collection::vec(0_u32..20, 0..60)) {
            let mut bytes = vec![b' '; 126];
            bytes.extend(b"IM");
            bytes.extend(14_u32.to_le_bytes());
            bytes.extend((tail.len() as u32 * 4).to_le_bytes());
            bytes.extend(tail.iter().flat_map(|word| word.to_le_bytes()));
            let _ = read(&bytes);
        }
    }
}
