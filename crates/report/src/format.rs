//! The file formats a report comes in.

use segbench_types::nearest;

use crate::Error;

/// A file format of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// `leaderboard.csv` with `classes.csv`, `confusion.csv` and `speed.csv` beside it.
    Csv,
    /// `leaderboard.html`: one page that needs no other file.
    Html,
    /// `leaderboard.json`: the columns of the CSV file, numbers in full precision.
    Json,
    /// `leaderboard.tex`: tables for a paper (needs the package booktabs).
    Latex,
    /// `leaderboard.md`: tables for a README.
    Markdown,
    /// `leaderboard.parquet`: the columns of the CSV file with their types.
    Parquet,
}

impl Format {
    /// All formats, sorted by name.
    pub const ALL: [Self; 6] =
        [Self::Csv, Self::Html, Self::Json, Self::Latex, Self::Markdown, Self::Parquet];

    /// The name on the command line and in `pipeline.yaml`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Html => "html",
            Self::Json => "json",
            Self::Latex => "latex",
            Self::Markdown => "markdown",
            Self::Parquet => "parquet",
        }
    }

    /// Finds a format by its name.
    ///
    /// # Errors
    /// [`Error::UnknownFormat`] with the format that was probably meant.
    pub fn parse(name: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|format| format.name() == name).ok_or_else(|| {
            let names = Self::ALL.map(Self::name);
            Error::UnknownFormat {
                name: name.into(),
                known: names.join(", "),
                suggestion: nearest(name, names),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use segbench_types::Explain as _;

    use super::*;

    #[test]
    fn every_format_is_found_by_its_name_and_a_misspelled_one_suggested() {
        for format in Format::ALL {
            assert_eq!(Format::parse(format.name()).expect("a format"), format);
        }
        let err = Format::parse("markdwn").expect_err("no such format");
        assert_eq!(err.help().as_deref(), Some("did you mean `markdown`?"));
    }
}
