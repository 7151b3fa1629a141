//! The rows of `class_weights.csv`.

use crate::{Frequencies, Scheme};

/// Class weights of several schemes side by side.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassWeights {
    /// The schemes, in the order of [`ClassWeightsRow::weights`]; a column has the scheme's name.
    pub schemes: Vec<Scheme>,
    /// One row per class.
    pub rows: Vec<ClassWeightsRow>,
}

/// One class.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassWeightsRow {
    /// Train id.
    pub index: u64,
    /// The data set's own name.
    pub name: String,
    /// Pixels of the class.
    pub pixels: u64,
    /// All pixels, ignored ones included, of the images that contain the class.
    pub image_pixels: u64,
    /// A weight per scheme; `None` where the class occurs nowhere.
    pub weights: Vec<Option<f64>>,
}

impl ClassWeights {
    /// The weights of every class under every scheme. A class without a name in `names` gets an empty one.
    pub fn of<'a>(
        frequencies: &Frequencies,
        names: impl IntoIterator<Item = &'a str>,
        schemes: &[Scheme],
    ) -> Self {
        let columns: Vec<Vec<Option<f64>>> =
            schemes.iter().map(|scheme| scheme.weights(frequencies)).collect();
        let mut names = names.into_iter();
        let rows = (0..frequencies.classes()).map(|class| ClassWeightsRow {
            index: class as u64,
            name: names.next().unwrap_or_default().to_owned(),
            pixels: frequencies.pixels[class],
            image_pixels: frequencies.image_pixels[class],
            weights: columns.iter().map(|column| column[class]).collect(),
        });
        Self { rows: rows.collect(), schemes: schemes.to_vec() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_holds_the_weights_of_its_class_in_the_order_of_the_schemes() {
        let frequencies = Frequencies {
            pixels: vec![75, 25],
            image_pixels: vec![150, 50],
            image_labelled: vec![100, 40],
            images: vec![2, 1],
            labelled: 100,
            ignored: 50,
        };
        let weights =
            ClassWeights::of(&frequencies, ["road", "car"], &[Scheme::MedianFrequency, Scheme::Inverse]);
        let expected = ClassWeightsRow {
            index: 1,
            name: "car".into(),
            pixels: 25,
            image_pixels: 50,
            weights: vec![Some(1.0), Some(4.0)],
        };
        assert_eq!(weights.rows[1], expected);
    }
}
