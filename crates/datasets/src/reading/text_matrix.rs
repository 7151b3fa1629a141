//! Label files that are texts: a line per row, numbers with blanks between them.

use crate::DecodeError;
use crate::label_png::{RawLabels, Samples};

pub(super) fn read(bytes: &[u8]) -> Result<RawLabels, DecodeError> {
    let damaged = |reason: String| DecodeError::Damaged(reason);
    let text = std::str::from_utf8(bytes).map_err(|_| damaged("it is no text".into()))?;
    let mut words: Vec<u16> = Vec::new();
    let (mut width, mut height) = (0, 0);
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let before = words.len();
        for word in line.split_ascii_whitespace() {
            words.push(value(word).ok_or_else(|| {
                damaged(format!("line {number} has `{word}`, expected numbers from -1 to 65534"))
            })?);
        }
        let columns = words.len() - before;
        if height > 0 && columns != width {
            return Err(damaged(format!("line {number} has {columns} numbers, the lines before it {width}")));
        }
        (width, height) = (columns, height + 1);
    }
    if words.is_empty() {
        return Err(damaged("it has no numbers".into()));
    }
    let (Ok(width), Ok(height)) = (u32::try_from(width), u32::try_from(height)) else {
        return Err(damaged("it is too large".into()));
    };
    Ok(RawLabels { width, height, samples: Samples::Words(words) })
}

/// -1 is the largest number, which no class has.
fn value(word: &str) -> Option<u16> {
    if word == "-1" {
        return Some(u16::MAX);
    }
    word.parse().ok().filter(|value| *value < u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_rows_and_minus_one_is_a_value_of_its_own() {
        let matrix = read(b"0 1  11\n-1\t3 4 \n\n").expect("a matrix");
        assert_eq!((matrix.width, matrix.height), (3, 2));
        assert_eq!(matrix.samples, Samples::Words(vec![0, 1, 11, 65535, 3, 4]));
    }

    #[test]
    fn rows_of_several_lengths_and_words_are_refused_with_their_line() {
        for (text, part) in [
            ("1 2\n3\n", "line 2"),
            ("1 x\n", "`x`"),
            ("1 -2\n", "`-2`"),
            ("\n", "no numbers"),
            ("65535", "line 1"),
        ] {
            let err = read(text.as_bytes()).expect_err(text).to_string();
            assert!(err.contains(part), "{err}");
        }
        assert!(read(&[0xff, 0xfe]).is_err());
    }
}
