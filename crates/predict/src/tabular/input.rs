//! Checks of the cells that a network reads.

use tinderbox_datasets::table::{Kind, Table, TableError};
use tinderbox_models::ConfigError;

/// Largest number of a column: a network, which has 32 bits for each, would see infinity beyond it.
const LARGEST: f64 = f32::MAX as f64;

/// Why a file cannot be read by a model.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// The file or one of its columns.
    #[error(transparent)]
    Table(TableError),
    /// The file has another format than the training file.
    #[error("{0}; the model reads files in the format of its training file")]
    Format(TableError),
    /// A key of the stored file format.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A number that a network cannot hold.
    #[error(
        "`{file}` line {line}, column `{column}`: {value:e} is too large, the limit is {:.1e}; correct \
         it",
        f32::MAX
    )]
    TooLarge {
        /// The file.
        file: String,
        /// Its line, from 1.
        line: u64,
        /// The column.
        column: String,
        /// The number.
        value: f64,
    },
}

impl From<TableError> for InputError {
    /// An error about the format of a file is about another format than that of the training file.
    fn from(error: TableError) -> Self {
        match error {
            TableError::Encoding { .. }
            | TableError::Nul { .. }
            | TableError::OpenQuote { .. }
            | TableError::StrayQuote { .. }
            | TableError::TooManyColumns { .. }
            | TableError::Infinite { typed: false, .. } => Self::Format(error),
            TableError::NoColumn {
                header: false,
                ref columns,
                ..
            } if columns.first().is_some_and(|name| name == "column_1") => Self::Format(error),
            _ => Self::Table(error),
        }
    }
}

/// The first row with a number that is too large for a network, and the error about it; columns that
/// the table lacks are skipped.
///
/// # Errors
///
/// If there is such a number, with its row from 0.
pub fn check_range<S: AsRef<str>>(
    table: &Table,
    columns: impl IntoIterator<Item = S>,
) -> Result<(), (usize, InputError)> {
    let columns = columns
        .into_iter()
        .filter_map(|name| table.column(name.as_ref()).ok());
    let outliers = columns.filter_map(|column| {
        let numbers = column.numbers()?;
        let row = numbers.iter().position(|x| x.abs() > LARGEST)?;
        (column.kind() == Kind::Numeric).then_some((row, column))
    });
    let Some((row, column)) = outliers.min_by_key(|(row, _)| *row) else {
        return Ok(());
    };
    let error = InputError::TooLarge {
        file: table.name().to_owned(),
        line: table.line(row),
        column: column.name().to_owned(),
        value: column.number(row),
    };
    Err((row, error))
}
