//! Frames to Parquet files and back, with errors that name file and column.
//!
//! The bytes of a file depend on its rows alone: one row group, one fixed compression, no parallel encoding.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use polars::prelude::{
    Column, DataFrame, DataType, ListChunked, ParallelStrategy, ParquetCompression, ParquetReader,
    ParquetWriter, PolarsNumericType, SerReader, StringChunked,
};

use crate::Error;
use crate::error::MalformedCause;

/// Writes columns of equal length.
///
/// # Errors
/// [`Error::Encode`] for columns that do not fit together, [`Error::Storage`] if the file cannot be written.
pub(crate) fn write(path: &Path, columns: Vec<Column>) -> Result<(), Error> {
    let wrap = |err| Error::Encode { path: path.to_owned(), source: MalformedCause::of(&err) };
    let mut frame = DataFrame::new_infer_height(columns).map_err(wrap)?;
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes)
        .with_compression(ParquetCompression::Zstd(None))
        .with_row_group_size(Some(usize::MAX))
        .set_parallel(false)
        .finish(&mut frame)
        .map_err(wrap)?;
    Ok(segbench_storage::write(path, &bytes)?)
}

/// A table read into memory, and the path for messages.
pub(crate) struct Frame {
    path: PathBuf,
    frame: DataFrame,
}

impl Frame {
    /// Reads the columns `names` of a file.
    ///
    /// # Errors
    /// [`Error::Storage`], [`Error::Malformed`] or [`Error::MissingColumn`].
    pub(crate) fn read(path: &Path, names: &[&str]) -> Result<Self, Error> {
        let bytes = segbench_storage::read(path)?;
        let malformed = |source| Error::Malformed { path: path.to_owned(), source };
        if bytes.len() < 12 || !bytes.starts_with(b"PAR1") || !bytes.ends_with(b"PAR1") {
            return Err(malformed(MalformedCause::text("the marks at its beginning and end are missing")));
        }
        let mut reader = ParquetReader::new(Cursor::new(bytes)).read_parallel(ParallelStrategy::None);
        let schema = reader.schema().map_err(|err| malformed(MalformedCause::of(&err)))?;
        for &name in names {
            if !schema.contains(name) {
                let found = schema.iter_names().map(ToString::to_string).collect();
                return Err(Error::MissingColumn { path: path.to_owned(), column: name.to_owned(), found });
            }
        }
        let columns = names.iter().map(ToString::to_string).collect();
        let frame =
            reader.with_columns(Some(columns)).finish().map_err(|err| malformed(MalformedCause::of(&err)))?;
        Ok(Self { path: path.to_owned(), frame })
    }

    /// A column of numbers without empty cells.
    pub(crate) fn numbers<T: PolarsNumericType>(&self, name: &str) -> Result<Vec<T::Native>, Error> {
        let values = self.optional_numbers::<T>(name)?;
        values
            .into_iter()
            .enumerate()
            .map(|(row, value)| value.ok_or_else(|| self.empty(name, row)))
            .collect()
    }

    /// A column of numbers, of which some may be empty.
    pub(crate) fn optional_numbers<T: PolarsNumericType>(
        &self,
        name: &str,
    ) -> Result<Vec<Option<T::Native>>, Error> {
        let column = self.column(name, &T::get_static_dtype())?;
        let values = column.as_materialized_series().unpack::<T>().map_err(|err| self.malformed(&err))?;
        Ok(values.iter().collect())
    }

    /// A column of texts, of which some may be empty.
    pub(crate) fn optional_texts(&self, name: &str) -> Result<Vec<Option<String>>, Error> {
        let column = self.column(name, &DataType::String)?;
        let values: &StringChunked = column.str().map_err(|err| self.malformed(&err))?;
        Ok(values.iter().map(|value| value.map(str::to_owned)).collect())
    }

    /// A column of texts without empty cells.
    pub(crate) fn texts(&self, name: &str) -> Result<Vec<String>, Error> {
        let values = self.optional_texts(name)?;
        values
            .into_iter()
            .enumerate()
            .map(|(row, value)| value.ok_or_else(|| self.empty(name, row)))
            .collect()
    }

    /// A column of lists of numbers without empty cells.
    pub(crate) fn lists<T: PolarsNumericType>(&self, name: &str) -> Result<Vec<Vec<T::Native>>, Error> {
        let expected = DataType::List(Box::new(T::get_static_dtype()));
        let column = self.column(name, &expected)?;
        let lists: &ListChunked = column.list().map_err(|err| self.malformed(&err))?;
        (0..lists.len())
            .map(|row| {
                let list = lists.get_as_series(row).ok_or_else(|| self.empty(name, row))?;
                let values = list.unpack::<T>().map_err(|err| self.malformed(&err))?;
                values.iter().map(|value| value.ok_or_else(|| self.empty(name, row))).collect()
            })
            .collect()
    }

    fn column(&self, name: &str, expected: &DataType) -> Result<&Column, Error> {
        let column = self.frame.column(name).map_err(|err| self.malformed(&err))?;
        if column.dtype() == expected {
            return Ok(column);
        }
        Err(Error::WrongType {
            path: self.path.clone(),
            column: name.to_owned(),
            got: column.dtype().to_string(),
            expected: expected.to_string(),
        })
    }

    fn malformed(&self, err: &polars::error::PolarsError) -> Error {
        Error::Malformed { path: self.path.clone(), source: MalformedCause::of(err) }
    }

    fn empty(&self, column: &str, row: usize) -> Error {
        Error::EmptyCell { path: self.path.clone(), column: column.to_owned(), row }
    }
}
