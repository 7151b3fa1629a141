//! A map of train ids, one byte per pixel.

use std::fmt;

/// The label of a pixel that no loss and no metric looks at.
pub const IGNORE: u8 = 255;

/// Train ids of one image in row-major order; [`IGNORE`] marks pixels without a class.
#[derive(Clone, PartialEq, Eq)]
pub struct LabelMap {
    width: u32,
    height: u32,
    data: Vec<u8>,
}

/// The number of labels given does not fill the size given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SizeMismatch {
    /// Pixels that the size asks for.
    pub expected: usize,
    /// Labels that were given.
    pub got: usize,
}

impl LabelMap {
    /// Wraps `data`, row after row.
    ///
    /// # Errors
    /// [`SizeMismatch`] unless `data` holds exactly `width * height` labels.
    pub fn new(width: u32, height: u32, data: Vec<u8>) -> Result<Self, SizeMismatch> {
        let expected = width as usize * height as usize;
        if data.len() != expected {
            return Err(SizeMismatch { expected, got: data.len() });
        }
        Ok(Self { width, height, data })
    }

    /// A map with the same label everywhere.
    pub fn filled(width: u32, height: u32, label: u8) -> Self {
        Self { width, height, data: vec![label; width as usize * height as usize] }
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// All labels, row after row.
    pub fn as_slice(&self) -> &[u8] {
        &self.data
    }

    /// All labels, to be changed in place.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.data
    }

    /// The labels themselves, without the size.
    pub fn into_vec(self) -> Vec<u8> {
        self.data
    }

    /// One row of labels, or an empty slice below the last row.
    pub fn row(&self, y: u32) -> &[u8] {
        let width = self.width as usize;
        self.data.get(y as usize * width..(y as usize + 1) * width).unwrap_or_default()
    }
}

impl fmt::Debug for LabelMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LabelMap({}x{})", self.width, self.height)
    }
}

impl fmt::Display for SizeMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "got {} labels, expected {}", self.got, self.expected)
    }
}

impl std::error::Error for SizeMismatch {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_refuses_the_wrong_number_of_labels() {
        assert_eq!(LabelMap::new(3, 2, vec![0; 5]), Err(SizeMismatch { expected: 6, got: 5 }));
    }

    #[test]
    fn rows_follow_the_width() {
        let map = LabelMap::new(3, 2, vec![1, 2, 3, 4, 5, 6]).expect("six labels");
        assert_eq!(map.row(1), [4, 5, 6]);
        assert!(map.row(2).is_empty());
    }
}
