//! Masks of one object, in the forms in which they go around: 0 and 1, 0 and 255, saved as JPEG with everything between, MATLAB.

use crate::DecodeError;
use crate::label_png::{self, RawLabels, Samples};
use crate::mat::{self, Data, Value};

/// From here on a brightness is foreground, where a mask has other values than 0 and 1.
const MIDDLE: f64 = 128.0;

pub(super) fn read(bytes: &[u8]) -> Result<RawLabels, DecodeError> {
    if bytes.starts_with(b"MATLAB") {
        return from_mat(bytes);
    }
    let (width, height, brightness): (u32, u32, Vec<f64>) = if label_png::is_png(bytes) {
        let raw = label_png::decode(bytes)?;
        let values = match raw.samples {
            Samples::Bytes(bytes) => bytes.into_iter().map(f64::from).collect(),
            Samples::Words(words) => words.into_iter().map(f64::from).collect(),
        };
        (raw.width, raw.height, values)
    } else {
        let grey = crate::photo::decode_grey(bytes)?;
        let values = grey.as_raw().iter().copied().map(f64::from).collect();
        (grey.width(), grey.height(), values)
    };
    Ok(RawLabels { width, height, samples: Samples::Bytes(foreground(&brightness)) })
}

fn from_mat(bytes: &[u8]) -> Result<RawLabels, DecodeError> {
    let not_a_mask = || DecodeError::Channels("a MATLAB matrix of numbers");
    let variables = mat::read(bytes).map_err(|err| DecodeError::Damaged(err.to_string()))?;
    let matrix = variables.into_iter().find_map(|variable| match variable.value {
        Value::Numeric(matrix) if matrix.dimensions.len() == 2 => Some(matrix),
        _ => None,
    });
    let matrix = matrix.ok_or_else(not_a_mask)?;
    let (rows, columns) = (matrix.dimensions[0], matrix.dimensions[1]);
    let (Ok(width), Ok(height)) = (u32::try_from(columns), u32::try_from(rows)) else {
        return Err(not_a_mask());
    };
    // MATLAB goes down the columns.
    let transposed = match &matrix.data {
        Data::U8(values) => (0..rows)
            .flat_map(|row| (0..columns).map(move |column| f64::from(values[row + rows * column])))
            .collect::<Vec<f64>>(),
        data => (0..rows)
            .flat_map(|row| (0..columns).map(move |column| data.get(row + rows * column).unwrap_or_default()))
            .collect(),
    };
    Ok(RawLabels { width, height, samples: Samples::Bytes(foreground(&transposed)) })
}

/// 1 for foreground. A mask without any value above 1 is one of 0 and 1.
fn foreground(values: &[f64]) -> Vec<u8> {
    let threshold = if values.iter().all(|value| *value <= 1.0) { 0.5 } else { MIDDLE };
    values.iter().map(|value| u8::from(*value >= threshold)).collect()
}

#[cfg(test)]
mod tests {
    use segbench_testkit::{grey8, mat_matrix};

    use super::*;

    fn bytes_of(file: &[u8]) -> Vec<u8> {
        match read(file).expect("a mask").samples {
            Samples::Bytes(bytes) => bytes,
            Samples::Words(words) => panic!("{words:?}"),
        }
    }

    #[test]
    fn zero_and_one_zero_and_255_and_grey_are_told_apart() {
        assert_eq!(bytes_of(&grey8(4, 1, &[0, 1, 1, 0])), [0, 1, 1, 0]);
        assert_eq!(bytes_of(&grey8(4, 1, &[0, 255, 255, 0])), [0, 1, 1, 0]);
        assert_eq!(bytes_of(&grey8(4, 1, &[3, 127, 128, 252])), [0, 0, 1, 1]);
        assert_eq!(bytes_of(&grey8(2, 1, &[0, 0])), [0, 0]);
    }

    #[test]
    fn a_matrix_of_matlab_is_read_down_its_columns() {
        // Rows 1 0 1 and 0 0 1.
        let mask = read(&mat_matrix("mask", 2, 3, &[1, 0, 0, 0, 1, 1])).expect("a mask");
        assert_eq!((mask.width, mask.height), (3, 2));
        assert_eq!(mask.samples, Samples::Bytes(vec![1, 0, 1, 0, 0, 1]));
    }
}
