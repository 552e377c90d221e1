//! Tables written as Parquet; without the feature `parquet`, an error that says so.

use std::io::{self, Write};
use std::path::Path;

#[cfg(feature = "parquet")]
use super::parquet_writer::{ParquetWriter, columns_of};

/// What a column of a written table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellKind {
    /// Text.
    Text,
    /// Whole numbers.
    Whole,
    /// Numbers.
    Number,
}

/// Why a table cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// This build is without Parquet.
    #[error("this build is without the feature `parquet`; use CSV")]
    NoParquet,
    /// A cell of a column of numbers is none.
    #[error("`{0}` in a column of numbers is not a number")]
    NoNumber(String),
    /// A file has other columns than the one that its rows are added to.
    #[error("the columns are not those of the files before")]
    OtherColumns,
    /// The file system refused.
    #[error(transparent)]
    Io(io::Error),
    /// Parquet refused.
    #[error("Parquet: {0}")]
    Parquet(String),
}

/// Writes the rows of a table as Parquet: a group of 65,536 rows at a time, whatever the rows come from.
pub struct TableWriter<W: Write + Send> {
    #[cfg(feature = "parquet")]
    inner: ParquetWriter<W>,
    #[cfg(not(feature = "parquet"))]
    out: std::marker::PhantomData<W>,
}

#[cfg_attr(
    not(feature = "parquet"),
    allow(
        clippy::unused_self,
        clippy::needless_pass_by_value,
        unused_variables,
        reason = "there is nothing to write to"
    )
)]
impl<W: Write + Send> TableWriter<W> {
    /// Begins a table with these columns.
    ///
    /// # Errors
    ///
    /// If nothing can be written, or this build is without Parquet.
    pub fn new(out: W, columns: &[(String, CellKind)]) -> Result<Self, WriteError> {
        #[cfg(feature = "parquet")]
        return Ok(Self {
            inner: ParquetWriter::new(out, columns)?,
        });
        #[cfg(not(feature = "parquet"))]
        Err(WriteError::NoParquet)
    }

    /// Appends a row, of as many cells as there are columns.
    ///
    /// # Errors
    ///
    /// If a number is none, or nothing can be written.
    pub fn row<S: AsRef<str>>(&mut self, cells: &[S]) -> Result<(), WriteError> {
        #[cfg(feature = "parquet")]
        return self.inner.row(cells);
        #[cfg(not(feature = "parquet"))]
        Err(WriteError::NoParquet)
    }

    /// Appends the rows of a table that was written with these columns.
    ///
    /// # Errors
    ///
    /// If it cannot be read, has other columns, or nothing can be written.
    pub fn append(&mut self, path: &Path) -> Result<(), WriteError> {
        #[cfg(feature = "parquet")]
        return self.inner.append(path);
        #[cfg(not(feature = "parquet"))]
        Err(WriteError::NoParquet)
    }

    /// Ends the table and gives back what it was written to.
    ///
    /// # Errors
    ///
    /// If nothing can be written.
    pub fn finish(self) -> Result<W, WriteError> {
        #[cfg(feature = "parquet")]
        return self.inner.finish();
        #[cfg(not(feature = "parquet"))]
        Err(WriteError::NoParquet)
    }
}

/// The columns of a table that a [`TableWriter`] has written.
///
/// # Errors
///
/// If it cannot be read.
pub fn written_columns(path: &Path) -> Result<Vec<(String, CellKind)>, WriteError> {
    #[cfg(feature = "parquet")]
    return columns_of(path);
    #[cfg(not(feature = "parquet"))]
    {
        let _ = path;
        Err(WriteError::NoParquet)
    }
}
